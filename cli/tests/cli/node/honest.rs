//! What the chain holds, out of the store and from a node.

use super::devnet::{Devnet, honest, trained};
use crate::common::run_with;
use chain::address::{SecretKey, Signature};
use chain::contribution::{Contribution, Seat, TensorsDigest};
use chain::rpc::{Answer, BlockRef, Found, Query, Status};
use circuits::statements;
use circuits::statements::codec;
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

#[test]
fn the_chain_is_shown_from_the_store_and_from_a_node() {
    let devnet = Devnet::new();
    let made = devnet.made;
    let ids: Vec<String> = made.ids.iter().map(|id| id.to_string()).collect();
    // A socket that a killed node left is no obstacle.
    drop(UnixListener::bind(devnet.dir().join("node.sock")).unwrap());
    let stopped = devnet.run("chain status").ok();
    assert_eq!((&stopped["running"], &stopped["waiting"]), (&json!(false), &json!(null)));
    assert_eq!((&stopped["chain"], &stopped["name"]), (&json!(ids[0]), &json!("a devnet")));
    let tip = &stopped["tip"];
    assert_eq!((&tip["height"], &tip["id"], &tip["parent"]), (&json!(3), &json!(ids[3]), &json!(ids[2])));
    assert_eq!((&tip["step"], &tip["work"], &tip["chain_work"]), (&json!(0), &json!("2"), &json!("6")));
    assert_eq!((&tip["time"], &tip["target"]), (&json!(1_760_000_030), &json!("0x207fffff")));
    assert_eq!((&tip["loss"], &tip["contributions"]), (&json!(null), &json!([])));
    let shown = devnet.shown("chain status");
    for line in ["node           not running; read from its store", "time           2025-10-09 08:53:50 UTC"] {
        assert!(shown.lines().any(|l| l == line), "{shown}");
    }

    let blocks: Vec<_> = ["tip", "3", &ids[3]].map(|which| devnet.run(&format!("chain block {which}")).ok()).into();
    assert!(blocks.iter().all(|block| *block == blocks[0]) && blocks[0]["on_chain"] == true);
    let first = devnet.run("chain block 1").ok();
    assert_eq!((&first["id"], &first["height"], &first["parent"]), (&json!(ids[1]), &json!(1), &json!(ids[0])));
    assert_eq!(first["producer"], made.poor.to_string());
    let transaction = &first["transactions"][0];
    assert_eq!((&transaction["amount"], &transaction["fee"]), (&json!("5"), &json!("0.1")));
    let side = devnet.run(&format!("chain block {}", made.side)).ok();
    assert_eq!((&side["height"], &side["on_chain"]), (&json!(1), &json!(false)));
    assert!(devnet.shown(&format!("chain block {}", made.side)).contains("on a side branch"));
    let genesis = devnet.run("chain block 0").ok();
    assert_eq!((&genesis["id"], &genesis["chain_work"]), (&json!(ids[0]), &json!("0")));
    devnet.run("chain block 4").refused_as("failed", "the chain has no block of height 4");
    devnet.run(&format!("chain block {}", "0".repeat(64))).refused_as("failed", "the chain has no block 0000");

    let tx = devnet.run(&format!("chain tx {}", made.transfer)).ok();
    assert_eq!((&tx["block"], &tx["height"], &tx["index"]), (&json!(ids[1]), &json!(1), &json!(0)));
    assert_eq!((&tx["confirmations"], &tx["action"], &tx["nonce"]), (&json!(3), &json!("transfer"), &json!(0)));
    assert_eq!((&tx["sender"], &tx["to"]), (&json!(made.rich.to_string()), &json!(made.poor.to_string())));
    devnet.run(&format!("chain tx {}", "0".repeat(64))).refused_as("failed", "the chain has no transaction");
    for arguments in ["chain", "chain block", "chain block -1", "chain block best", "chain tx 12", "chain tx tip"] {
        devnet.run(arguments).refused(2, "");
    }

    // A node says the same, and what waits.
    let _ = fs::remove_file(devnet.dir().join("node.sock"));
    devnet.node(|store, query| match honest(store, &query) {
        Answer::Status(status) => Answer::Status(Box::new(Status { waiting: Some(2), ..*status })),
        answer => answer,
    });
    let running = devnet.run("chain status --dir devnet").ok();
    assert_eq!((&running["running"], &running["waiting"], &running["tip"]), (&json!(true), &json!(2), tip));
    assert!(devnet.shown("chain status").contains("running, 2 transactions pending"));
    assert_eq!(devnet.run("chain block tip").ok(), blocks[0]);
    assert_eq!(devnet.run(&format!("chain tx {}", made.transfer)).ok(), tx);
}

#[test]
fn losses_are_nats_a_prediction() {
    let devnet = Devnet::new();
    let contribution = |seed: u8, loss: u64| Contribution {
        seat: Seat {
            parent: devnet.made.spec.id().genesis(),
            contributor: SecretKey::from_seed(&[seed; 32]).address(),
            slot: 1,
        },
        gradient: vec![],
        // One sequence of 16 predictions, frac 24.
        proofs: statements::Contribution {
            losses: vec![(loss * 16) << 24],
            layers: vec![vec![0; 70]],
            heads: vec![vec![0; 7]],
        },
        leaves: vec![],
        tensors: TensorsDigest::from_bytes([0; 32]),
        stamp: 0,
        signature: Signature([0; 64]),
    };
    let contributions = vec![contribution(1, 5), contribution(2, 4)];
    let (block, record) = trained(&devnet.made.spec, &devnet.store(), contributions);
    fs::write(devnet.root().join("block.bin"), codec::encode(&block).unwrap()).unwrap();
    devnet.node(move |store, query| match query {
        Query::Block(BlockRef::Tip) => {
            let found = Found { record: record.clone(), block: Some(block.clone()), on_chain: true };
            Answer::Block(Some(Box::new(found)))
        }
        query => honest(store, &query),
    });
    let shown = devnet.run("chain block tip").ok();
    assert_eq!((&shown["loss"], &shown["step"], &shown["proof_bytes"]), (&json!(4.5), &json!(1), &json!(154)));
    let rich = devnet.made.rich.to_string();
    assert_eq!(shown["contributions"][0], json!({ "contributor": rich, "slot": 1, "loss": 5.0 }));
    assert!(devnet.shown("chain block tip").contains("4.5000 nats, mean over 32 predictions"));
    // In a file the number of predictions is not known.
    let inspected = devnet.run("inspect block.bin").ok();
    assert_eq!((&inspected["kind"], &inspected["content"]["id"]), (&json!("block"), &shown["id"]));
    assert_eq!((&inspected["content"]["loss"], &inspected["content"]["proof_bytes"]), (&json!(null), &json!(154)));
}

#[test]
fn stores_that_nobody_can_read_are_named() {
    let devnet = Devnet::new();
    devnet
        .run("chain status --dir none")
        .refused_as("node", "there is no devnet in none; specify its directory with --dir");
    let store = devnet.store();
    devnet.run("chain status").refused_as("node", "node-0.redb is in use by another process");
    // A store that is soon free is waited for.
    let soon = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(store);
    });
    devnet.run("chain status").ok();
    soon.join().unwrap();
    // No socket has so long a path.
    let long = "d".repeat(150);
    fs::rename(devnet.dir(), devnet.root().join(&long)).unwrap();
    devnet.run(&format!("chain status --dir {long}")).ok();
    fs::rename(devnet.root().join(&long), devnet.dir()).unwrap();
    // Nothing but the store is missing, and none is made.
    let path = devnet.dir().join("node-0.redb");
    fs::remove_file(&path).unwrap();
    devnet.run("chain status").refused_as("node", "node-0.redb is missing: `gradientcoin devnet` creates it");
    assert!(!path.exists());
    fs::write(&path, "no store").unwrap();
    devnet.run("chain status").refused_as("node", "node-0.redb");
    fs::write(devnet.dir().join("genesis.bin"), "no genesis").unwrap();
    devnet.run("chain status").refused_as("file", "genesis.bin");
}

#[test]
fn a_text_from_the_model_of_the_chain() {
    let devnet = Devnet::new();
    let text = ["generate", "--chain", "devnet", "--prompt", "Ben", "--tokens", "20"];
    let json = run_with(devnet.root(), text).ok();
    assert_eq!((&json["height"], &json["step"]), (&json!(3), &json!(0)));
    assert_eq!(
        (&json["block"], &json["chain"]),
        (&json!(devnet.made.ids[3].to_string()), &json!(devnet.made.ids[0].to_string()))
    );
    // The genesis is the model that `init` makes of the same seed.
    devnet.run("init --preset nano --seed 1 --out m").ok();
    let same = run_with(devnet.root(), ["generate", "--model", "m", "--prompt", "Ben", "--tokens", "20"]).ok();
    assert_eq!((&json["tokens"], &json["model_digest"]), (&same["tokens"], &same["model_digest"]));
    devnet.run("generate --chain devnet --model m").refused(2, "");
    devnet.run("generate --chain m").refused_as("usage", "m contains a model, not a devnet: specify it with --model");
}

#[test]
fn files_of_a_devnet_are_inspected() {
    let devnet = Devnet::new();
    let genesis = devnet.run("inspect devnet/genesis.bin").ok();
    assert_eq!(
        (&genesis["kind"], &genesis["content"]["id"]),
        (&json!("chain genesis"), &json!(devnet.made.ids[0].to_string()))
    );
    assert_eq!((&genesis["content"]["supply"], &genesis["content"]["accounts"]), (&json!("1010"), &json!(2)));
    let dir = devnet.run("inspect devnet").ok();
    assert_eq!((&dir["kind"], &dir["content"]), (&json!("devnet directory"), &genesis["content"]));
    // 7.18: the store of a stopped node, and of one that somebody has.
    let store = devnet.run("inspect devnet/node-0.redb").ok();
    assert_eq!((&store["kind"], &store["content"]["height"]), (&json!("node store"), &json!(3)));
    assert_eq!(store["content"]["chain"], genesis["content"]["id"]);
    let taken = devnet.store();
    devnet.run("inspect devnet/node-0.redb").refused_as("node", "node-0.redb is in use by another process");
    drop(taken);
    let key = devnet.run("inspect devnet/keys/key-0.key").ok();
    assert_eq!(
        (&key["kind"], &key["content"]["address"]),
        (&json!("key file"), &json!(devnet.made.wallet.to_string()))
    );
    let mut bytes = fs::read(devnet.dir().join("genesis.bin")).unwrap();
    bytes.pop();
    fs::write(devnet.dir().join("genesis.bin"), bytes).unwrap();
    devnet.run("inspect devnet/genesis.bin").refused_as("file", "the genesis is malformed");
}
