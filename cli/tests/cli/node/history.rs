//! 7.13: what a newcomer's wallet does: a default key, coins from the faucet, a list of transactions. 7.18: addresses.

use super::devnet::{Devnet, honest, run};
use crate::common::{Answer as Outcome, program};
use chain::address::SecretKey;
use chain::header::BlockId;
use chain::rpc::{Answer, Query};
use serde_json::json;
use std::fs;

/// With no key named but by the platform.
fn with_home(home: &std::path::Path, arguments: &str) -> Outcome {
    let mut command = program(home);
    command.env_remove("GRADIENTCOIN_KEY").env_remove("XDG_DATA_HOME").env("HOME", home);
    command.env("GRADIENTCOIN_PASSPHRASE", "p").args(arguments.split_whitespace());
    Outcome::of(&command.output().unwrap())
}

#[test]
fn the_default_key_is_of_the_platform_or_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let path = home.join(".local/share/gradientcoin/wallet.key");
    let shown = path.display().to_string();
    let none = format!("there is no key in {shown}; `gradientcoin wallet keygen` creates one");
    for command in ["wallet address", "wallet balance", "wallet history", "wallet register", "devnet faucet"] {
        with_home(home, command).refused_as("io", &none);
    }
    let made = with_home(home, "wallet keygen").ok();
    assert_eq!(made["file"], json!(shown));
    assert_eq!(
        with_home(home, "wallet address").ok(),
        json!({ "ok": true, "file": shown, "address": made["address"] })
    );
    let again = format!("{shown} already exists; --out creates a key in another file");
    with_home(home, "wallet keygen").refused_as("usage", &again);
    // It is for its owner alone.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // The environment names another.
    let other = run(home, "wallet keygen", "p").ok();
    assert_eq!(other["file"], json!(home.join("default.key").display().to_string()));
    assert_ne!(other["address"], made["address"]);
    assert_eq!(run(home, "wallet address", "").ok()["address"], other["address"]);
}

#[test]
fn coins_come_from_the_key_that_works_for_nobody() {
    let devnet = Devnet::new();
    devnet.run("wallet keygen").ok();
    devnet.run("devnet faucet --amount 4").refused_as("node", "no node is running in devnet");
    let node = devnet.full_node();
    let given = devnet.run("devnet faucet --amount 4").ok();
    assert_eq!((&given["sender"], &given["amount"]), (&json!(devnet.made.wallet.to_string()), &json!("4")));
    // To an address, and to a key file's.
    let nobody = SecretKey::from_seed(&[9; 32]).address();
    assert_eq!(devnet.run(&format!("devnet faucet {nobody} --amount 1")).ok()["to"], json!(nobody.to_string()));
    assert_eq!(devnet.run("devnet faucet default.key --amount 1").ok()["nonce"], 2);
    // The default, in coins, is more than there is.
    devnet.run("devnet faucet").refused_as("node", "it spends 206 coins; the account has 10");
    node.mine(None);
    assert_eq!(devnet.run("wallet balance").ok()["balance"], "5");
    // A payment from the default key to a key file.
    let sent = devnet.run("wallet send --to devnet/keys/key-0.key --amount 1.5 --fee 0.01").ok();
    assert_eq!((&sent["sender"], &sent["to"]), (&given["to"], &given["sender"]));
    // Only where the devnet's keys are.
    fs::remove_file(devnet.dir().join("keys/key-0.key")).unwrap();
    devnet.run("devnet faucet --amount 1").refused_as("failed", "the chain has no funded key in devnet/keys");
    fs::remove_dir(devnet.dir().join("keys")).unwrap();
    devnet.run("devnet faucet --amount 1").refused_as("io", "devnet/keys");
    devnet
        .run("devnet faucet --dir none")
        .refused_as("node", "there is no devnet in none; specify its directory with --dir");
    devnet.run("devnet --nodes 2 faucet").refused(2, "--nodes");
}

#[test]
fn ones_transactions_are_listed_the_newest_first() {
    let devnet = Devnet::new();
    let made = devnet.made;
    devnet.run("wallet keygen").ok();
    let node = devnet.full_node();
    devnet.run("devnet faucet --amount 3").ok();
    let height = node.mine(None);
    let to = made.rich;
    for amount in ["1", "0.5"] {
        devnet.run(&format!("wallet send --to {to} --amount {amount} --fee 0.1")).ok();
    }
    let listed = |arguments: &str| {
        let listed = devnet.run(&format!("wallet history {arguments}")).ok();
        let pick = |t: &serde_json::Value| json!([t["direction"], t["amount"], t["nonce"], t["waiting"], t["height"]]);
        listed["transactions"].as_array().unwrap().iter().map(pick).collect::<Vec<_>>()
    };
    let (second, first) = (json!(["sent", "0.5", 1, true, null]), json!(["sent", "1", 0, true, null]));
    let coins = json!(["received", "3", 0, false, height]);
    assert_eq!(listed(""), [second.clone(), first.clone(), coins.clone()]);
    assert_eq!(listed("default.key --limit 2"), [second.clone(), first]);
    // Whoever is paid sees it too, with what the chain has from before.
    let rich = listed(&to.to_string());
    assert_eq!((rich.len(), &rich[0][0], &rich[1][0]), (4, &json!("received"), &json!("received")));
    assert_eq!(rich[2..], [json!(["own", null, 1, false, 2]), json!(["sent", "5", 0, false, 1])]);
    let shown = devnet.shown("wallet history");
    for line in [
        format!("pending      sends 0.5 coins to {to}, fee 0.1, nonce 1"),
        format!("height {height}     receives 3 coins from {}", made.wallet),
        "not checked  that none is missing".to_owned(),
    ] {
        assert!(shown.lines().any(|l| l == line), "{line}: {shown}");
    }
    // Executed, and out of the store of the node when it has stopped.
    let height = node.mine(None);
    node.stop();
    let executed = listed("");
    assert_eq!(executed[..2], [json!(["sent", "0.5", 1, false, height]), json!(["sent", "1", 0, false, height])]);
    assert_eq!(executed[2], coins);
    assert_eq!(listed("--limit 1"), executed[..1]);
    let nobody = SecretKey::from_seed(&[9; 32]).address();
    assert_eq!(listed(&nobody.to_string()), [] as [serde_json::Value; 0]);
    devnet.run("wallet history --limit 0").refused(2, "--limit");
}

/// Lies about lists.
#[test]
fn lists_are_checked() {
    let command = |devnet: &Devnet| format!("wallet history {}", devnet.made.rich);
    let refused = |text: &str, lie: fn(&mut Answer)| {
        let devnet = Devnet::new();
        devnet.liar(lie);
        devnet.run(&command(&devnet)).refused_as("rejected", text);
    };
    fn history(answer: &mut Answer, lie: fn(&mut Vec<chain::rpc::Included>)) {
        if let Answer::History(history) = answer {
            lie(history);
        }
    }
    let nowhere = "the transaction is not in the stated block";
    refused("out of order", |answer| history(answer, |list| list.reverse()));
    refused("out of order", |answer| history(answer, |list| list.push(list[1].clone())));
    refused(nowhere, |answer| history(answer, |list| list[0].transaction.body.fee = "7".parse().unwrap()));
    refused(nowhere, |answer| history(answer, |list| list[0].transaction.signature.0[0] ^= 1));
    refused(nowhere, |answer| history(answer, |list| list[0].index = 1));
    refused("another block", |answer| history(answer, |list| list[0].block = BlockId::from_bytes([0; 32])));
    refused("another question", |answer| {
        if matches!(answer, Answer::History(_)) {
            *answer = Answer::Waiting(vec![]);
        }
    });
    // More than was asked for.
    refused("too long", |answer| {
        history(answer, |list| {
            let many = (0..300).map(|_| list[0].clone());
            *list = many.collect();
        })
    });

    // Another's transactions.
    let devnet = Devnet::new();
    let rich = devnet.made.rich;
    devnet.node(move |store, query| match query {
        Query::History { before, limit, .. } => honest(store, &Query::History { address: rich, before, limit }),
        query => honest(store, &query),
    });
    devnet
        .run(&format!("wallet history {}", devnet.made.wallet))
        .refused_as("rejected", "does not involve the requested address");

    // What waits is signed by its sender.
    let waiting = |text: &str, list: fn(&Devnet) -> Vec<chain::transaction::Transaction>| {
        let devnet = Devnet::new();
        let list = list(&devnet);
        devnet.node(move |store, query| match query {
            Query::Waiting(_) => Answer::Waiting(list.clone()),
            query => honest(store, &query),
        });
        devnet.run(&command(&devnet)).refused_as("rejected", text);
    };
    waiting("the signature is not the signer's", |devnet| vec![forged(devnet, 1, 2, 9)]);
    waiting("too long or out of order", |devnet| vec![forged(devnet, 1, 2, 1), forged(devnet, 1, 4, 1)]);
    waiting("too long or out of order", |devnet| vec![forged(devnet, 1, 2, 1); 257]);
    waiting("does not involve the requested address", |devnet| vec![forged(devnet, 8, 0, 8)]);
}

/// A payment of `from` to the poor one, signed by another.
fn forged(devnet: &Devnet, from: u8, nonce: u64, by: u8) -> chain::transaction::Transaction {
    use chain::transaction::{Action, Body, Transaction};
    let sender = SecretKey::from_seed(&[from; 32]).address();
    let action = Action::Transfer { to: devnet.made.poor, amount: "1".parse().unwrap() };
    let (chain, fee) = (*devnet.made.spec.id(), "0".parse().unwrap());
    Transaction::sign(Body { chain, sender, nonce, fee, action }, &SecretKey::from_seed(&[by; 32])).unwrap()
}

/// Another network's address, or one with a typing error, is no missing file.
#[test]
fn an_address_of_another_network_is_called_that() {
    let devnet = Devnet::new();
    let bitcoin = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let ours = devnet.made.wallet.to_string();
    let typo = ours.replacen("grad1", "gard1", 1);
    for command in
        ["wallet balance", "wallet history", "devnet faucet", "light --balance", "wallet send --amount 1 --to"]
    {
        devnet
            .run(&format!("{command} {bitcoin}"))
            .refused_as("usage", "an address starts with `grad1`, not with `bc1`");
        devnet
            .run(&format!("{command} {typo}"))
            .refused_as("usage", "an address starts with `grad1`, not with `gard1`");
        devnet.run(&format!("{command} none.key")).refused_as("io", "none.key");
    }
}
