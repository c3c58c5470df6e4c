//! A devnet from end to end: blocks with proven gradients, a payment, the model at the tip, a light client.

use crate::common::{Answer, program, run};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const DEVNET: &str = "devnet --nodes 3 --contributors 1 --seconds-per-block 600";

fn start(dir: &Path, blocks: u64) -> Child {
    let arguments = format!("{DEVNET} --blocks {blocks}");
    let mut command = program(dir);
    command.args(arguments.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Value {
    Answer::of(&child.wait_with_output().unwrap()).ok()
}

/// Asks until the node answers.
fn patiently(dir: &Path, child: &mut Child, arguments: &str) -> Value {
    let start = Instant::now();
    loop {
        let answer = with_passphrase(dir, arguments);
        if answer.code == 0 {
            return answer.ok();
        }
        assert!(child.try_wait().unwrap().is_none(), "the devnet ended early");
        assert!(start.elapsed() < Duration::from_secs(600), "{}", answer.stderr);
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn with_passphrase(dir: &Path, arguments: &str) -> Answer {
    let mut command = program(dir);
    let output = command.env("GRADIENTCOIN_PASSPHRASE", "devnet").args(arguments.split_whitespace()).output();
    Answer::of(&output.unwrap())
}

#[test]
fn blocks_are_proven_coins_move_and_a_stranger_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut child = start(dir, 2);
    while !dir.join("devnet/node.sock").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the devnet ended early");
        std::thread::sleep(Duration::from_millis(50));
    }
    // From the account that works for nobody, while the first block is being made.
    let to = run(dir, "wallet address devnet/keys/key-0.key").ok()["address"].as_str().unwrap().to_owned();
    let send = format!("wallet send --key devnet/keys/key-3.key --to {to} --amount 5 --fee 0.5");
    let sent = patiently(dir, &mut child, &send);
    let made = end(child);
    assert_eq!((&made["height"], &made["step"]), (&2.into(), &2.into()), "{made}");
    assert_eq!((&made["nodes"], &made["agreeing"]), (&3.into(), &3.into()));
    assert_eq!(made["losses"].as_array().unwrap().len(), 2);

    let status = run(dir, "chain status").ok();
    assert_eq!((&status["running"], &status["tip"]["id"]), (&false.into(), &made["tip"]), "{status}");
    let transaction =
        run(dir, &format!("chain tx {}", sent["transaction"].as_str().or(sent["id"].as_str()).unwrap())).ok();
    assert!(transaction["height"].as_u64().unwrap() <= 2, "{transaction}");
    assert_eq!(run(dir, &format!("wallet balance {to}")).ok()["balance"], "1005");
    assert_eq!(run(dir, "wallet balance devnet/keys/key-3.key").ok()["balance"], "994.5");
    let text = run(dir, "generate --chain devnet --prompt Ben --tokens 4").ok();
    assert_eq!(text["tokens"].as_array().unwrap().len(), 4);

    let light = run(dir, &format!("light --write-checkpoint c.bin --balance {to}")).ok();
    assert_eq!((&light["verified"], &light["tip"], &light["agrees"]), (&2.into(), &made["tip"], &true.into()));
    assert_eq!(light["balances"][0]["grains"], 100_500_000_000u64);
    // Again, from the file; then with another hope.
    let again = run(dir, "light --recheck").ok();
    assert_eq!((&again["verified"], &again["from_file"]), (&0.into(), &2.into()));
    run(dir, &format!("light --genesis {}", "00".repeat(32))).refused(1, "another chain");
    let digest = light["checkpoint"]["digest"].as_str().unwrap();
    assert_eq!(run(dir, "inspect c.bin").ok()["content"]["digest"], digest);
    let from = format!("light --file d.bin --checkpoint c.bin --digest {digest}");
    assert_eq!(run(dir, &from).ok()["tip"], made["tip"]);
    let wrong = format!("light --file e.bin --checkpoint c.bin --digest {}", "11".repeat(32));
    run(dir, &wrong).refused(1, "digest");

    // Killed within the next block, and gone on with.
    let mut child = start(dir, 1);
    while !dir.join("devnet/node.sock").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the devnet ended early");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let made = end(start(dir, 1));
    assert_eq!((&made["height"], &made["agreeing"]), (&3.into(), &3.into()));
    assert_eq!(run(dir, "light").ok()["verified"], 1);
}
