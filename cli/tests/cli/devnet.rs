//! A devnet from end to end: blocks with proven gradients, the README's path of a newcomer, the model at the tip, a light
//! client. The only test here in which a devnet proves.

use crate::common::{Answer, cache, program, run};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Fewer nodes than by default, no waiting for work: a block takes no longer than its proofs.
const DEVNET: &str = "devnet --nodes 3 --contributors 1 --seconds-per-block 600 --hash-rate 1";

/// The README's lines for the second terminal.
fn path_of_a_newcomer() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let blocks: Vec<&str> = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let at = blocks.iter().position(|block| block.starts_with("gradientcoin wallet keygen")).unwrap();
    assert!(blocks[at - 1].starts_with("gradientcoin devnet "), "the devnet is started before");
    blocks[at].lines().collect()
}

/// Pastes a line into a shell.
fn paste(dir: &Path, line: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_gradientcoin"));
    let mut path = OsString::from(program.parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.current_dir(dir).env("PATH", path).env("GRADIENTCOIN_CACHE", cache());
    command.env("GRADIENTCOIN_KEY", dir.join("default.key")).env("GRADIENTCOIN_PASSPHRASE", "open sesame");
    let output = command.args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Starts a devnet, and waits until its node answers.
fn start(dir: &Path, arguments: &str) -> Child {
    let mut command = program(dir);
    let arguments = format!("{DEVNET}{arguments}");
    let mut child = command.args(arguments.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !dir.join("devnet/node.sock").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the devnet ended early");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

fn end(child: Child) -> Value {
    Answer::of(&child.wait_with_output().unwrap()).ok()
}

#[test]
fn a_newcomer_follows_the_readme_and_a_stranger_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let child = start(dir, "");
    // 7.18: two devnets do not share a directory.
    run(dir, DEVNET).refused_as("failed", &format!("another devnet, process {}, is using devnet", child.id()));
    // 7.13: line by line, while blocks are being made.
    let shown: Vec<String> = path_of_a_newcomer().iter().map(|line| paste(dir, line)).collect();
    let address = run(dir, "wallet address").ok()["address"].as_str().unwrap().to_owned();
    for (line, text) in [
        (0, format!("address   {address}")),
        (1, "200 coins to grad1".to_owned()),
        (2, "balance      200 coins".to_owned()),
        (3, "1.5 coins to grad1".to_owned()),
        (4, "sends 1.5 coins to grad1".to_owned()),
        (5, "running, 0 transactions pending".to_owned()),
        (6, "Once ".to_owned()),
        (7, format!("{address}: 198.49 coins, proven at height ")),
    ] {
        assert!(shown[line].contains(&text), "{text}: {}", shown[line]);
    }
    assert_eq!(shown.len(), 8);

    // 7.22: Ctrl-C is how it ends; proofs in the making are not waited for.
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let made = end(child);
    let height = made["height"].as_u64().unwrap();
    assert!(height >= 2 && made["step"] == height, "{made}");
    assert_eq!((&made["nodes"], &made["passphrase"]), (&json!(3), &json!("devnet")));
    assert_eq!(made["go_on"], "gradientcoin devnet --nodes 3 --contributors 1");
    assert_eq!(made["losses"].as_array().unwrap().len() as u64, height);

    let status = run(dir, "chain status").ok();
    assert_eq!((&status["running"], &status["tip"]["id"]), (&json!(false), &made["tip"]), "{status}");
    let history = run(dir, "wallet history").ok();
    let [sent, received] = history["transactions"].as_array().unwrap().as_slice() else { panic!("{history}") };
    assert_eq!((&sent["direction"], &received["direction"]), (&json!("sent"), &json!("received")));
    assert!(received["height"].as_u64() < sent["height"].as_u64(), "{history}");
    assert_eq!(run(dir, "wallet balance devnet/keys/key-0.key").ok()["balance"], "1001.5");
    assert_eq!(run(dir, "wallet balance devnet/keys/key-3.key").ok()["balance"], "800");

    // 7.15: what it has, it keeps.
    for (option, text) in [
        ("--nodes 1", "--nodes 1: none of them would contribute; the chain's contributors need 2 nodes"),
        ("--contributors 2", "--contributors 2: the chain has 1, of which 1 are among its first 3 nodes"),
        ("--lr 0.2", "--lr 0.2: the existing chain has 0.1, and keeps it"),
        ("--hash-rate 1000000", "--hash-rate 1000000: the existing chain has initially 65537 hashes per block"),
    ] {
        run(dir, &format!("devnet {option}")).refused_as("usage", text);
    }

    // A stranger, from nothing and from the file.
    let light = run(dir, &format!("light --file s.bin --write-checkpoint c.bin --balance {address}")).ok();
    assert_eq!((&light["verified"], &light["tip"], &light["agrees"]), (&json!(height), &made["tip"], &json!(true)));
    assert_eq!(light["balances"][0]["grains"], 19_849_000_000u64);
    // 7.23: of each block a layer, a head, an update or more, and the opening.
    let again = run(dir, "light --file s.bin --recheck").ok();
    let rechecked = &again["rechecked"];
    assert_eq!(
        (&again["verified"], &rechecked["blocks"], &rechecked["batches"]),
        (&json!(0), &json!(height), &json!(1))
    );
    assert!(rechecked["proofs"] == light["proofs"] && light["proofs"].as_u64().unwrap() >= 4 * height, "{again}");
    let kept = run(dir, "inspect light.bin").ok();
    assert_eq!((&kept["kind"], &kept["content"]["blocks"]), (&"light client file".into(), &2.into()), "{kept}");
    assert_eq!(kept["content"]["chain"], light["chain"]);
    let digest = light["checkpoint"]["digest"].as_str().unwrap();
    assert_eq!(run(dir, "inspect c.bin").ok()["content"]["digest"], digest);
    let from = format!("light --file d.bin --checkpoint c.bin --digest {digest}");
    assert_eq!(run(dir, &from).ok()["tip"], made["tip"]);

    // Killed within the next block, and gone on with.
    let mut child = start(dir, " --blocks 1");
    child.kill().unwrap();
    child.wait().unwrap();
    let gone_on = end(start(dir, " --blocks 1"));
    assert_eq!((&gone_on["height"], &gone_on["agreeing"]), (&json!(height + 1), &json!(3)));
    assert_eq!(run(dir, "light --file s.bin").ok()["verified"], 1);
}
