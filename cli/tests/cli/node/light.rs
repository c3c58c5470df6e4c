//! The light client's file, its refusals and its report.

use super::devnet::{Devnet, read_frame};
use crate::common::{Answer as Outcome, program};
use crate::faults::limited;
use chain::rpc::Answer;
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

/// 7.9: what a full disk left of the file counts as none.
#[test]
fn a_file_that_a_full_disk_tore_is_made_again() {
    let devnet = Devnet::new();
    let path = devnet.root().join("light.bin");
    fs::write(&path, "").unwrap();
    assert_eq!(devnet.run("light").ok()["verified"], 3);
    let whole = fs::read(&path).unwrap();
    for length in [1, 1000] {
        fs::write(&path, &whole[..length]).unwrap();
        let again = devnet.run("light").ok();
        assert_eq!((&again["verified"], &again["from_file"]), (&json!(3), &json!(0)), "{length}");
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    // The disk itself.
    fs::remove_file(&path).unwrap();
    limited(devnet.root(), 1, "light").refused_as("io", "light.bin: File too large");
    assert!(path.exists());
    assert_eq!(devnet.run("light").ok()["verified"], 3);
    // What is no such file is neither taken for one nor lost; 7.18: and no debugging text says so.
    let refused = "this is not a light client file, or its beginning is damaged: ";
    let damaged = "x".repeat(9000);
    for (content, reason) in [
        ("no file of ours", "it ends in the middle of a record"),
        (damaged.as_str(), "a record's checksum or length is wrong"),
    ] {
        fs::write(&path, content).unwrap();
        devnet.run("light").refused_as("file", &format!("{refused}{reason}"));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

/// 7.23: what was checked again is said.
#[test]
fn a_recheck_says_what_it_checked() {
    let devnet = Devnet::new();
    let first = devnet.run("light --recheck").ok();
    assert_eq!(first["starts_from"], json!(null));
    let nothing = &first["rechecked"];
    assert_eq!((&nothing["blocks"], &nothing["proofs"], &first["verified"]), (&json!(0), &json!(0), &json!(3)));
    let again = devnet.run("light").ok();
    assert_eq!((&again["rechecked"], &again["from_file"]), (&json!(null), &json!(3)));
    let rechecked = &devnet.run("light --recheck").ok()["rechecked"];
    // Blocks without gradients have no proofs.
    assert_eq!((&rechecked["blocks"], &rechecked["proofs"], &rechecked["batches"]), (&json!(3), &json!(0), &json!(0)));
    assert!(rechecked["seconds"].as_f64().unwrap() > 0.0);
    let shown = devnet.shown("light --recheck");
    assert!(shown.contains("rechecked       3 blocks from the file with 0 proofs, in "), "{shown}");
    assert!(devnet.shown("light").contains("from the file   3 blocks, not rechecked (--recheck)"));
}

#[test]
fn what_is_not_trusted_is_rejected_and_what_is_missing_is_said() {
    let devnet = Devnet::new();
    devnet.run(&format!("light --genesis {}", "00".repeat(32))).refused_as("rejected", "another chain");
    let digest = |digest: &str| format!("light --file d.bin --checkpoint c.bin --digest {digest}");
    devnet.run(&digest(&"11".repeat(32))).refused_as("io", "cannot read c.bin");
    fs::write(devnet.root().join("c.bin"), "no checkpoint").unwrap();
    devnet.run(&digest(&"11".repeat(32))).refused_as("file", "this is not a valid checkpoint");
    // Nothing else is replaced by a checkpoint.
    let refused = "c.bin exists and is not a checkpoint: it is not replaced";
    devnet.run("light --write-checkpoint c.bin").refused_as("usage", refused);
    fs::remove_file(devnet.root().join("c.bin")).unwrap();
    let written = devnet.run("light --write-checkpoint c.bin").ok();
    devnet.run("light --write-checkpoint c.bin").ok();
    devnet.run(&digest(&"11".repeat(32))).refused_as("rejected", "the checkpoint's digest is not the trusted one");
    let pinned = written["checkpoint"]["digest"].as_str().unwrap();
    let from = devnet.run(&digest(pinned)).ok();
    let (start, first) = (&from["starts_from"], from["not_checked"][0].as_str().unwrap());
    assert_eq!((&start["digest"], &start["pinned"]), (&pinned.into(), &true.into()));
    assert!(first.starts_with("all before height ") && first.ends_with("that the state there is in range"), "{from}");
    // A file from someone else, which starts where it likes, is trusted as it is, and the report says so.
    let again = devnet.run("light --file d.bin --recheck").ok();
    assert_eq!((&again["starts_from"]["pinned"], &again["not_checked"][0]), (&false.into(), &first.into()));
    let other = format!("light --file d.bin --recheck --digest {}", "11".repeat(32));
    devnet.run(&other).refused_as("rejected", "the checkpoint's digest is not the trusted one");
    devnet.run(&format!("light --digest {pinned}")).refused_as("usage", "this one starts from the genesis");
    devnet.run("light --file none/light.bin").refused_as("io", "none/light.bin");

    // 7.14: blocks that do not hold are the node's lie.
    let liar = Devnet::new();
    liar.liar(|answer| {
        if let Answer::Blocks(blocks) = answer {
            for block in blocks {
                block.transactions.clear();
            }
        }
    });
    liar.run("light").refused_as("rejected", "block ");
    let other = Devnet::new();
    other.liar(|answer| {
        if matches!(answer, Answer::Blocks(_)) {
            *answer = Answer::Waiting(vec![]);
        }
    });
    other.run("light").refused_as("rejected", "it answers another question");
}

/// 7.22: after Ctrl-C, the line that goes on with it.
#[test]
fn an_interrupted_client_says_how_to_go_on() {
    let devnet = Devnet::new();
    let (asked, heard) = channel();
    // Takes a question, and does not answer.
    devnet.raw_node(move |mut stream| {
        let _ = asked.send(read_frame(&mut stream));
        std::mem::forget(stream);
    });
    let mut command = program(devnet.root());
    command.args(["light", "--file", "my light.bin"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    assert!(heard.recv().unwrap().is_some());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let line = "stopped; everything verified so far is kept in my light.bin; resume with: gradientcoin --json light --file 'my light.bin'";
    Outcome::of(&child.wait_with_output().unwrap()).refused_as("interrupted", line);
}
