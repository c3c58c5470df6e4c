//! Runs that are killed and go on.

use crate::common::{copy, corpus, program, run, with_model};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

fn lines(run: &Path) -> usize {
    fs::read_to_string(run.join("log.jsonl")).unwrap().lines().count()
}

fn holds_unfinished(run: &Path) -> bool {
    let unfinished = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".unfinished");
    fs::read_dir(run).unwrap().any(|entry| unfinished(&entry.unwrap()))
}

#[test]
fn a_killed_run_goes_on_to_the_same_state() {
    let dir = with_model();
    let dir = dir.path();
    let arguments = |steps: u64, out: &str| {
        let schedule = "--schedule cosine --warmup 20 --batch 2 --accumulate 2 --momentum 0.9 --weight-decay 0.001";
        format!("train --model m --corpus {} --steps {steps} {schedule} --out {out}", corpus())
    };
    // Enough steps that none of the killed processes comes to the end.
    let steps = 1500;
    let all = format!("{} --resume", arguments(steps, "killed"));
    let mut seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    for _ in 0..25 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut command = program(dir);
        command.args(all.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(seed) % 90_000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let json = run(dir, &all).ok();
    assert_eq!(json["steps"], steps);
    let whole = run(dir, &arguments(steps, "whole")).ok();
    assert_eq!(
        (&json["id"], &json["last_loss"], &json["saturated"]),
        (&whole["id"], &whole["last_loss"], &whole["saturated"])
    );
    let state = |run: &str| fs::read(dir.join(run).join("state.bin")).unwrap();
    assert_eq!(state("killed"), state("whole"));
    assert_eq!(lines(&dir.join("killed")), steps as usize);
    assert!(!holds_unfinished(&dir.join("killed")));
    assert!(whole["last_mean_loss"].as_f64().unwrap() < 3.2, "{whole}");
}

#[test]
fn what_a_kill_can_leave_is_put_right() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 6 --out r", corpus())).ok();
    let r = dir.join("r");
    let log = fs::read_to_string(r.join("log.jsonl")).unwrap();
    // The line of a step whose state was not written, then part of a line.
    let beyond = log.lines().last().unwrap().replace("\"step\":5", "\"step\":6");
    fs::write(r.join("log.jsonl"), format!("{log}{beyond}\n{}", &beyond[..20])).unwrap();
    fs::write(r.join(".unfinished-abc"), "half a state").unwrap();
    // Killed when the old state had its second name, and the new state not yet its own.
    fs::remove_file(r.join("state.previous.bin")).unwrap();
    fs::hard_link(r.join("state.bin"), r.join("state.previous.bin")).unwrap();
    let json = run(dir, "train --out r --resume").ok();
    assert_eq!((&json["steps"], &json["resumed_at"]), (&6.into(), &6.into()));
    assert_eq!(fs::read_to_string(r.join("log.jsonl")).unwrap(), log);
    assert!(!r.join(".unfinished-abc").exists());

    run(dir, "train --out r --resume --steps 8").ok();
    assert_eq!(lines(&r), 8);
    assert!(!holds_unfinished(&r));
    let again = format!("train --model m --corpus {} --steps 9 --out r", corpus());
    run(dir, &again).refused_as("usage", "--resume");
    for changed in ["--seed 3", "--batch 3", "--lr 0.06", "--momentum 0.5", "--prove"] {
        run(dir, &format!("{again} --resume {changed}")).refused(2, "started with");
    }
    run(dir, &format!("{again} --resume --lr 0.05 --batch 8")).ok();
    // The state of another run, a bundle that cannot be.
    copy(&r, &dir.join("s"));
    fs::copy(dir.join("m/state.bin"), dir.join("s/state.bin")).unwrap();
    run(dir, "train --out s --resume").refused_as("file", "state belongs to another run");
    // 7.8: fewer steps than are taken are no target.
    let before = fs::read(r.join("train.json")).unwrap();
    run(dir, "train --out r --resume --steps 7").refused_as("usage", "the run has already completed 9 steps");
    assert_eq!(fs::read(r.join("train.json")).unwrap(), before);
    fs::write(r.join("step-000042.bundle"), "").unwrap();
    run(dir, "train --out r --resume").refused_as("file", "step-000042.bundle");
    // Killed within the proofs of a step whose state before is damaged, too: two bundles to prove again, and no more.
    fs::remove_file(r.join("step-000042.bundle")).unwrap();
    for beyond in [8, 9] {
        fs::write(r.join(format!("step-00000{beyond}.bundle")), "").unwrap();
    }
    run(dir, "train --out r --resume --steps 9 --from-previous").ok();
    assert!((8..10).all(|beyond| !r.join(format!("step-00000{beyond}.bundle")).exists()));
    // What a run that was here before had proven says nothing of this one.
    fs::write(r.join("genesis.proof"), "of another first state").unwrap();
    fs::remove_file(r.join("state.bin")).unwrap();
    let previous = r.join("state.previous.bin");
    run(dir, "train --resume --out r").refused_as("file", "`train --resume --from-previous` resumes from it");
    fs::remove_file(previous).unwrap();
    run(dir, &again).ok();
    assert!(!r.join("genesis.proof").exists());
    // No proofs, nothing to verify.
    run(dir, "verify r").refused_as("rejected", "without proven steps");
}

/// 7.7: wherever the bit is, the run does not go on from it, and the state before is there to go on from.
#[test]
fn a_flipped_bit_in_a_state_is_noticed_and_nothing_is_lost() {
    let dir = with_model();
    let dir = dir.path();
    let train = |steps: u64, out: &str| format!("train --model m --corpus {} --steps {steps} --out {out}", corpus());
    run(dir, &train(4, "r")).ok();
    let file = dir.join("r/state.bin");
    let honest = fs::read(&file).unwrap();
    let previous = fs::read(dir.join("r/state.previous.bin")).unwrap();
    assert_ne!(honest, previous);
    for offset in (0..40).chain((40..honest.len()).step_by(honest.len() / 25)).chain([honest.len() - 1]) {
        let mut damaged = honest.clone();
        damaged[offset] ^= 1 << (offset % 8);
        fs::write(&file, &damaged).unwrap();
        let answer = run(dir, "train --resume --out r --steps 5");
        assert!(answer.stderr.contains("train --resume --from-previous"), "{offset}: {}", answer.stderr);
        answer.refused_as("file", "r/state.bin: ");
        assert_eq!(fs::read(&file).unwrap(), damaged, "nothing is touched");
        run(dir, "inspect r/state.bin").refused(3, "");
    }
    run(dir, &format!("{} --resume --from-previous", train(4, "r"))).ok();
    assert_eq!(fs::read(&file).unwrap(), honest);
    run(dir, "train --resume --out r --steps 6").ok();
    run(dir, &train(6, "whole")).ok();
    assert_eq!(fs::read(&file).unwrap(), fs::read(dir.join("whole/state.bin")).unwrap());
    run(dir, "train --out r --from-previous --steps 6").refused(2, "--resume");
    // A state of an older program is refused by name.
    let mut older = honest.clone();
    older[8] = 1;
    fs::write(&file, older).unwrap();
    run(dir, "train --resume --out r").refused_as("file", "the model state has version 1; this program supports 5");
}

/// 7.7, a sibling: a damaged line of the log takes none of the others with it.
#[test]
fn a_damaged_line_of_the_log_stays_alone() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 6 --out r", corpus())).ok();
    let path = dir.join("r/log.jsonl");
    let damaged = fs::read_to_string(&path).unwrap().replacen("{\"step\":2", "{\"sdep\":2", 1);
    fs::write(&path, format!("{damaged}{{\"step\":6,")).unwrap();
    let answer = run(dir, "train --resume --out r --steps 7");
    assert!(answer.stderr.contains("log.jsonl: line 3 is damaged"), "{}", answer.stderr);
    answer.ok();
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.starts_with(&damaged) && after.lines().count() == 7, "{after}");
}
