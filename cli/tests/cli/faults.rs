//! A full disk, and a second trainer.
#![cfg(unix)]

use crate::common::{Answer, cache, corpus, program, run, with_model};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the program where no file can grow beyond so many blocks; the signal that says so is ignored, so that writing
/// fails as on a full disk.
pub fn limited(dir: &Path, blocks: u32, arguments: &str) -> Answer {
    let program = env!("CARGO_BIN_EXE_gradientcoin");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} --json {arguments}");
    let mut command = Command::new("sh");
    command.current_dir(dir).env("GRADIENTCOIN_CACHE", cache()).args(["-c", &script]);
    Answer::of(&command.output().unwrap())
}

#[test]
fn a_full_disk_loses_nothing() {
    let dir = with_model();
    let dir = dir.path();
    let train = |out: &str| format!("train --model m --corpus {} --steps 1700 --batch 1 --out {out}", corpus());
    // Too little for a state: the run does not begin, and begins later.
    limited(dir, 60, &train("full")).refused_as("io", "state.bin");
    assert!(!dir.join("full/state.bin").exists());
    // Enough for states, but not for the whole log. The shell's block is 512 bytes or 1024.
    limited(dir, 200, &train("full")).refused_as("io", "log.jsonl");
    let json = run(dir, "train --out full --resume").ok();
    assert!(json["resumed_at"].as_u64().unwrap() > 0);
    run(dir, &train("whole")).ok();
    for file in ["state.bin", "run.bin"] {
        let read = |run: &str| fs::read(dir.join(run).join(file)).unwrap();
        assert_eq!(read("full"), read("whole"), "{file}");
    }
    assert_eq!(fs::read_to_string(dir.join("full/log.jsonl")).unwrap().lines().count(), 1700);
    // A full disk under `init`.
    limited(dir, 60, "init --preset nano --out n").refused_as("io", "state.bin");
    assert!(!dir.join("n/state.bin").exists());
    run(dir, "init --preset nano --out n").ok();
}

#[test]
fn two_trainers_do_not_share_a_run() {
    let dir = with_model();
    let dir = dir.path();
    let train = format!("train --model m --corpus {} --steps 1000000 --out r --resume", corpus());
    let mut command = program(dir);
    let mut first = command.args(train.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !dir.join("r/state.bin").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // 7.18: who holds it.
    let holder = format!("r is in use: process {} is training this run", first.id());
    run(dir, &train).refused_as("io", &holder);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock went with its holder.
    let taken = run(dir, "inspect r").ok()["content"]["steps_taken"].as_u64().unwrap();
    run(dir, &format!("train --out r --resume --steps {}", taken + 1)).ok();
}
