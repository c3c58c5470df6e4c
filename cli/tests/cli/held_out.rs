//! Runs that hold out the end of their corpus, measure it on the way, and keep checkpoints.

use crate::common::{corpus, program, run, with_model};
use circuits::statements::corpus_digest;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// A text of `length` bytes, `text`, in the directory of a model.
fn with_text(length: usize) -> tempfile::TempDir {
    let dir = with_model();
    fs::write(dir.path().join("text"), &fs::read(corpus()).unwrap()[..length]).unwrap();
    dir
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn measured_steps(run: &Path) -> Vec<u64> {
    lines(&run.join("held-out.jsonl")).iter().map(|line| line["step"].as_u64().unwrap()).collect()
}

#[test]
fn a_run_on_the_training_part_is_measured_on_the_rest() {
    let dir = with_text(3000);
    let dir = dir.path();
    let more = "--steps 30 --lr 0.4 --momentum 0.5 --eval-every 10 --checkpoint-every 20";
    let json = run(dir, &format!("train --model m --corpus text --held-out 0.2 {more} --out r")).ok();
    assert_eq!((&json["held_out"]["bytes"], &json["held_out"]["step"]), (&600.into(), &30.into()));
    assert_eq!(measured_steps(&dir.join("r")), [0, 10, 20, 30]);
    // The same run as one on the training part alone.
    let text = fs::read(dir.join("text")).unwrap();
    fs::write(dir.join("part"), &text[..2400]).unwrap();
    let alone = run(dir, "train --model m --corpus part --steps 30 --lr 0.4 --momentum 0.5 --out alone").ok();
    assert_eq!(json["id"], alone["id"]);
    assert_eq!(fs::read(dir.join("r/state.bin")).unwrap(), fs::read(dir.join("alone/state.bin")).unwrap());
    // What `eval` says, of the first model, of a checkpoint, of the last.
    let evaluations = lines(&dir.join("r/held-out.jsonl"));
    for (at, model) in [(0, "m"), (2, "r/checkpoints/step-000020"), (3, "r")] {
        let eval = run(dir, &format!("eval --model {model} --corpus text --held-out 600")).ok();
        for key in ["loss", "loss_sum", "predictions", "saturated"] {
            assert_eq!(evaluations[at][key], eval[key], "{model}: {key}");
        }
    }
    assert_eq!(json["held_out"]["loss_sum"], evaluations[3]["loss_sum"]);
    assert!(evaluations[3]["loss"].as_f64() < evaluations[0]["loss"].as_f64());
    let shown = run(dir, "inspect r/held-out.jsonl").ok();
    assert_eq!((&shown["kind"], &shown["content"]["lines"]), (&"log of held-out losses".into(), &4.into()));
    assert_eq!(shown["content"]["last_loss"], evaluations[3]["loss"]);
    // Some windows; the last step alone.
    let json = run(dir, "train --model m --corpus text --held-out 600 --eval-windows 5 --steps 3 --out some").ok();
    assert_eq!((json["held_out"]["predictions"].as_u64(), measured_steps(&dir.join("some"))), (Some(5 * 16), vec![3]));
    let settings = run(dir, "inspect some/train.json").ok();
    let digest: String = corpus_digest(&text[2400..]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(settings["content"]["measured"]["held_out"]["digest"], digest.as_str());
}

#[test]
fn what_is_held_out_stays_so() {
    let dir = with_text(3000);
    let dir = dir.path();
    run(dir, "train --model m --corpus text --held-out 600 --eval-every 2 --steps 4 --out r").ok();
    // It goes on as it began, be it said or not; how often it is measured may change.
    run(dir, "train --resume --out r --steps 6").ok();
    assert_eq!(measured_steps(&dir.join("r")), [0, 2, 4, 6]);
    run(dir, "train --resume --out r --steps 9 --held-out 0.2 --eval-every 3").ok();
    assert_eq!(measured_steps(&dir.join("r")), [0, 2, 4, 6, 9]);
    let before = fs::read(dir.join("r/train.json")).unwrap();
    for other in ["0.1", "601"] {
        run(dir, &format!("train --resume --out r --steps 12 --held-out {other}"))
            .refused_as("usage", "--held-out is not");
    }
    // Another end of the corpus; another beginning.
    let text = fs::read(dir.join("text")).unwrap();
    for (at, kind, message) in [
        (2999, "file", "the end of this corpus is not the one that the run holds out"),
        (0, "rejected", "the corpus is not the run's"),
    ] {
        let mut changed = text.clone();
        changed[at] ^= 1;
        fs::write(dir.join("changed"), changed).unwrap();
        run(dir, "train --resume --out r --steps 12 --corpus changed").refused_as(kind, message);
    }
    fs::write(dir.join("changed"), &text[..616]).unwrap();
    run(dir, "train --resume --out r --steps 12 --corpus changed").refused_as("file", "600 cannot be held out");
    assert_eq!(fs::read(dir.join("r/train.json")).unwrap(), before);
    // A run that holds nothing out does not begin to.
    run(dir, "train --model m --corpus text --steps 2 --out plain").ok();
    assert!(!dir.join("plain/held-out.jsonl").exists());
    assert!(!fs::read_to_string(dir.join("plain/train.json")).unwrap().contains("measured"));
    run(dir, "train --resume --out plain --held-out 600").refused_as("usage", "--held-out is not");
    run(dir, "train --resume --out plain --eval-every 2")
        .refused_as("usage", "--eval-every needs a run with --held-out");
    let new = |more: &str| run(dir, &format!("train --model m --corpus text --steps 2 --out x {more}"));
    new("--eval-every 1").refused_as("usage", "--eval-every needs a run with --held-out");
    new("--eval-windows 3").refused_as("usage", "--eval-windows needs a run with --held-out");
    new("--held-out 2990").refused_as("file", "of 3000 bytes, 2990 cannot be held out");
    new("--held-out 16").refused_as("file", "either part needs a sequence, which is 17 bytes");
    for bad in ["--held-out 1.5", "--held-out 0", "--eval-every 0", "--checkpoint-every 0"] {
        new(&format!("--held-out 600 {bad}")).refused(2, "");
    }
    assert!(!dir.join("x").exists());
}

/// Wherever it is killed, all that was due is there in the end, once, and checkpoints are whole.
#[test]
fn a_killed_run_measures_and_keeps_what_was_due() {
    let dir = with_text(3000);
    let dir = dir.path();
    let all =
        "train --model m --corpus text --held-out 600 --eval-every 40 --checkpoint-every 50 --batch 2 --steps 400";
    for round in 0..12u64 {
        let mut command = program(dir);
        command.args(format!("{all} --resume --out r").split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 + 37 * round % 90));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(dir, &format!("{all} --resume --out r")).ok();
    let r = dir.join("r");
    assert_eq!(measured_steps(&r), (0..=10).map(|i| 40 * i).collect::<Vec<_>>());
    run(dir, &format!("{all} --out whole")).ok();
    for step in (50..=400).step_by(50) {
        let file =
            |run: &str, name: &str| fs::read(dir.join(format!("{run}/checkpoints/step-{step:06}/{name}"))).unwrap();
        for name in ["state.bin", "config.json"] {
            assert_eq!(file("r", name), file("whole", name), "{step}");
        }
    }
    assert_eq!(fs::read_dir(r.join("checkpoints")).unwrap().count(), 8);

    // What a kill leaves of a checkpoint goes away; one that is missing comes back; lines beyond the state go.
    fs::create_dir(r.join("checkpoints/.unfinished-step-000400")).unwrap();
    fs::write(r.join("checkpoints/.unfinished-step-000400/config.json"), "{").unwrap();
    fs::remove_dir_all(r.join("checkpoints/step-000400")).unwrap();
    let log = fs::read_to_string(r.join("held-out.jsonl")).unwrap();
    let beyond = log.lines().last().unwrap().replace("\"step\":400", "\"step\":440");
    fs::write(r.join("held-out.jsonl"), format!("{log}{beyond}\n{}", &beyond[..9])).unwrap();
    run(dir, "train --resume --out r").ok();
    assert_eq!(fs::read_to_string(r.join("held-out.jsonl")).unwrap(), log);
    assert!(r.join("checkpoints/step-000400/state.bin").exists());
    assert!(!r.join("checkpoints/.unfinished-step-000400").exists());

    // Back to a checkpoint: its state in the place of the last one.
    fs::copy(r.join("checkpoints/step-000200/state.bin"), r.join("state.bin")).unwrap();
    let json = run(dir, "train --resume --out r").ok();
    assert_eq!(json["resumed_at"], 200);
    assert_eq!(fs::read(r.join("state.bin")).unwrap(), fs::read(dir.join("whole/state.bin")).unwrap());
    // A model like any other: to begin another run with, to export.
    let other = run(dir, "train --model r/checkpoints/step-000200 --corpus text --steps 1 --out other").ok();
    assert_eq!(other["resumed_at"], 0);
    assert_eq!(run(dir, "export r/checkpoints/step-000200 --out hub").ok()["step"], 200);
    assert_eq!(run(dir, "inspect r/checkpoints/step-000200").ok()["kind"], "model directory");
    // Not among those of another run.
    fs::remove_file(r.join("state.bin")).unwrap();
    fs::remove_file(r.join("state.previous.bin")).unwrap();
    run(dir, &format!("{all} --out r")).refused_as("usage", "r contains checkpoints of another run");
}

/// The proofs are of the training part: whoever has the corpus sees that no batch is from its end.
#[test]
fn a_proven_run_is_verified_against_the_training_part() {
    let dir = with_text(3000);
    let dir = dir.path();
    let train =
        "train --model m --corpus text --held-out 600 --batch 1 --prove --steps 2 --eval-every 1 --checkpoint-every 1";
    run(dir, &format!("{train} --out r")).ok();
    assert_eq!(measured_steps(&dir.join("r")), [0, 1, 2]);
    let json = run(dir, "verify r --corpus text --held-out 0.2 --end r/checkpoints/step-000002").ok();
    assert_eq!((&json["corpus_compared"], &json["held_out_compared"]), (&true.into(), &true.into()));
    let checked = json["checked"].to_string();
    assert!(checked.contains("no batch is from the end of the corpus that is held out, 0.2 of it"), "{checked}");
    run(dir, "verify r/step-000001.bundle --after r/step-000000.bundle --corpus text --held-out 600").ok();
    for other in ["", "--held-out 601", "--held-out 0.1"] {
        run(dir, &format!("verify r --corpus text {other}")).refused_as("rejected", "the corpus is not the run's");
    }
    run(dir, "verify r --corpus text --held-out 2999").refused_as("file", "cannot be held out");
    run(dir, "verify r --held-out 600").refused(2, "--corpus");
    run(dir, "verify r --end r/checkpoints/step-000001").refused_as("rejected", "its state is different");
    // On a data set.
    run(dir, "dataset commit text --preset nano --out whole.root").ok();
    let json = run(dir, "dataset commit text --preset nano --held-out 600 --out part.root").ok();
    assert_eq!((&json["held_out_bytes"], &json["sequences"]), (&600.into(), &149.into()));
    let on = |root: &str| run(dir, &format!("{train} --dataset {root} --out d"));
    on("whole.root").refused_as("file", "this corpus is another data set");
    on("part.root").ok();
    run(dir, "verify d --dataset part.root --corpus text --held-out 600").ok();
}

/// What is measured and kept of a private run is for its owner.
#[cfg(unix)]
#[test]
fn a_private_run_measures_and_keeps_in_secret() {
    use std::os::unix::fs::PermissionsExt;
    let dir = with_text(3000);
    let dir = dir.path();
    run(dir, "init --preset nano --private --out p").ok();
    let more = "--batch 1 --prove --losses none --steps 1 --held-out 600 --eval-every 1 --checkpoint-every 1";
    let json = run(dir, &format!("train --private --model p --corpus text {more} --out r")).ok();
    assert_eq!(json["held_out"]["step"], 1);
    let mut public: Vec<String> =
        fs::read_dir(dir.join("r/public")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    public.sort();
    assert_eq!(public, ["genesis.proof", "run.bin", "step-000000.bundle"]);
    let secret = dir.join("r/secret");
    assert_eq!(measured_steps(&secret), [0, 1]);
    let checkpoint = secret.join("checkpoints/step-000001/state.bin");
    for file in [&checkpoint, &secret.join("held-out.jsonl"), &secret.join("train.json")] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let eval = |model: &str| run(dir, &format!("eval --model {model} --corpus text --held-out 600")).ok();
    let (kept, last) = (eval("r/secret/checkpoints/step-000001"), eval("r"));
    assert_eq!((&kept["loss_sum"], &kept["model_digest"]), (&last["loss_sum"], &Value::Null));
    // A sequence of its data set, which is the training part, is revealed as before; the run goes on.
    run(dir, "reveal r --leaf 7 --out seven").ok();
    run(dir, "verify r/public --includes seven").ok();
    run(dir, "train --resume --out r --steps 2").ok();
    assert_eq!(measured_steps(&secret), [0, 1, 2]);
}
