//! What `devnet` finds in its directory: a chain that keeps its settings, another devnet, something else altogether.

use super::devnet::Devnet;
use crate::common::{Answer, corpus, program, run, with_model};
use crate::faults::limited;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Names and contents.
fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<_> = files.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

/// 7.15: what a chain has is not changed by options of a new one, and they are not passed over.
#[test]
fn options_of_a_new_chain_that_an_existing_one_contradicts_are_refused() {
    let devnet = Devnet::new();
    fs::write(devnet.dir().join("corpus.bin"), "the corpus of the chain").unwrap();
    fs::write(devnet.root().join("other.txt"), "another corpus").unwrap();
    fs::write(devnet.root().join("same.txt"), "the corpus of the chain").unwrap();
    let before = content(&devnet.dir());
    for (options, text) in [
        ("--preset micro", "--preset micro: the existing chain has nano, and keeps it"),
        ("--lr 0.07", "--lr 0.07: the existing chain has 0.05, and keeps it"),
        ("--momentum 0.9", "--momentum 0.9: the existing chain has 0.5, and keeps it"),
        ("--batch 2", "--batch 2: the existing chain has 1, and keeps it"),
        ("--seed 7", "--seed 7: the existing chain has 1, and keeps it"),
        ("--seconds-per-block 60", "--seconds-per-block 60: the existing chain has 10, and keeps it"),
        ("--hash-rate 9000", "--hash-rate 9000: the existing chain has initially 2 hashes per block, and keeps it"),
        ("--corpus other.txt", "--corpus other.txt (14 bytes of digest "),
        ("--corpus other.txt", "): the existing chain has 23 bytes of digest "),
        // Equal ones are no obstacle to the next.
        ("--preset nano --lr 5e-2 --momentum 0.50 --seconds-per-block 10 --corpus same.txt --batch 9", "--batch 9: "),
    ] {
        devnet.run(&format!("devnet {options}")).refused_as("usage", text);
    }
    devnet.run("devnet --corpus none.txt").refused_as("io", "none.txt");
    assert_eq!(content(&devnet.dir()), before);
    // Equal ones, and those that were not given, are no obstacle at all: what is refused is the corpus that is there.
    let equal = "devnet --preset nano --lr 0.05 --momentum 0.5 --batch 1 --seed 1 --seconds-per-block 10";
    let corpus = "corpus.bin: the corpus is not the one that the genesis names";
    devnet.run(&format!("{equal} --corpus same.txt --blocks 0")).refused_as("file", corpus);
}

/// 7.15: nothing is written where no devnet is.
#[test]
fn a_model_is_no_devnet() {
    let dir = with_model();
    let dir = dir.path();
    let before = content(&dir.join("m"));
    let text =
        "m is not a devnet directory: it contains a model (commitments.bin, config.json, state.bin); specify an empty";
    run(dir, "devnet --dir m --blocks 0").refused_as("usage", text);
    assert_eq!(content(&dir.join("m")), before);
    // A new chain that cannot be leaves nothing behind.
    run(dir, "devnet --dir new --nodes 3 --contributors 3")
        .refused_as("usage", "3 of 3 nodes cannot contribute; at most 2 can");
    assert!(!dir.join("new").exists());
    // 7.18: the option that this command has.
    run(dir, "generate --chain m").refused_as("usage", "m contains a model, not a devnet: specify it with --model");
    run(dir, "generate --chain none")
        .refused_as("node", "there is no devnet in none; specify its directory with --chain");
}

#[test]
fn the_genesis_proof_too_has_as_many_instances_in_a_proof_as_the_chain_says() {
    let dir = tempfile::tempdir().unwrap();
    let devnet = "devnet --nodes 2 --contributors 0 --hash-rate 1 --blocks 0 --instances-per-proof 2";
    run(dir.path(), devnet).ok();
    let genesis = fs::read(dir.path().join("devnet/genesis.bin")).unwrap();
    let genesis: chain::genesis::Genesis = circuits::statements::codec::decode(&genesis).unwrap();
    assert_eq!((genesis.instances_per_proof, genesis.proof.instances_per_proof), (2, 2));
}

/// 7.9: whatever a full disk left unfinished is finished once there is room. 7.15, 7.18: and what then stands.
#[test]
fn a_devnet_that_a_full_disk_left_unfinished_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Nobody contributes: nothing is proven here.
    let devnet = "devnet --nodes 2 --contributors 0 --hash-rate 1 --blocks 1 --seconds-per-block 600";
    // In blocks of 512 bytes or 1024: room for keys; for the corpus too; for the genesis too, but for no store.
    for (blocks, file) in [(4, "corpus.bin"), (350, "node-0.redb")] {
        limited(dir, blocks, devnet).refused(3, file);
        assert!(dir.join("devnet/devnet.lock").exists());
    }
    let made = run(dir, devnet).ok();
    // No more than were asked for, though there is next to no work to wait for.
    assert_eq!((&made["height"], &made["agreeing"]), (&1.into(), &2.into()), "{made}");
    assert_eq!(
        (&made["passphrase"], &made["go_on"]),
        (&"devnet".into(), &"gradientcoin devnet --nodes 2 --contributors 0".into())
    );
    assert_eq!(made["keys"][2]["file"], "devnet/keys/key-2.key");
    // Gone on with, as it is: no option need be given again.
    assert_eq!(run(dir, "devnet --blocks 3").ok()["height"], 4);
    run(dir, &format!("devnet --contributors 1 --corpus {}", corpus()))
        .refused_as("usage", "--contributors 1: the chain has 0");
    // A store that is in use.
    let store = chain::store::Store::open(&dir.join("devnet/node-1.redb")).unwrap();
    let busy = run(dir, "devnet --blocks 1");
    busy.refused_as("failed", "is using devnet: it has locked devnet/node-1.redb");
    drop(store);
    // 7.22: Ctrl-C before the last block: stopped in good order, and told how to go on.
    let mut command = program(dir);
    command.args(["devnet", "--blocks", "10000000"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while !dir.join("devnet/node.sock").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let stopped = Answer::of(&child.wait_with_output().unwrap());
    let error = stopped.json["error"].as_str().unwrap();
    assert!(error.starts_with("stopped after "), "{error}");
    // Whether a block was made before the signal came is the machine's affair.
    let (_, rest) = error.split_once("; resume with: gradientcoin devnet --blocks ").unwrap();
    assert!((1..=10_000_000).contains(&rest.parse::<u64>().unwrap()), "{error}");
    stopped.refused_as("interrupted", "; resume with: gradientcoin devnet --blocks ");
    // A directory that another devnet works in.
    let lock = fs::File::open(dir.join("devnet/devnet.lock")).unwrap();
    lock.try_lock().unwrap();
    let text = "is using devnet: it has locked devnet/devnet.lock";
    run(dir, "devnet --blocks 1").refused_as("failed", text);
}
