//! Optimizers and schedules: trained, gone on with, proven, exported.

use crate::common::{corpus, run, with_model};
use circuits::model::Moments;
use circuits::model::file::ModelState;
use circuits::statements::codec::decode;
use serde_json::json;
use std::fs;
use std::path::Path;

fn moments(state: &Path) -> Moments {
    decode::<ModelState>(&fs::read(state).unwrap()).unwrap().open().unwrap().1.moments
}

/// A run of AdamW, one that goes on from it and is proven, and what becomes of its moments on the way.
#[test]
fn adamw_from_training_to_proof() {
    let dir = with_model();
    let (dir, corpus) = (dir.path(), corpus());
    let adamw = "--optimizer adamw --beta2 0.99 --weight-decay 0.1";
    let train = |arguments: &str| run(dir, &format!("train --corpus {corpus} --batch 1 {arguments}"));
    train(&format!("--model m --steps 3 {adamw} --schedule linear --warmup 2 --out a")).ok();
    let found = run(dir, "inspect a/run.bin").ok();
    let facts = &found["content"];
    assert_eq!(
        facts["optimizer"],
        json!({ "name": "adamw", "beta1": "9e-1", "beta2": "99e-2", "eps": "1e-8", "weight_decay": "1e-1", "clip": "16" })
    );
    assert_eq!((&facts["schedule"]["kind"], &facts["steps_taken_before"]), (&json!("linear"), &json!(0)));
    assert!(matches!(moments(&dir.join("a/state.bin")), Moments::AdamW { .. }));

    // Another run goes on with its moments, and counts its steps.
    train(&format!("--model a --steps 1 {adamw} --prove --checkpoint-every 1 --out b")).ok();
    let found = run(dir, "inspect b/run.bin").ok();
    assert_eq!(found["content"]["steps_taken_before"], 3);
    let json = run(dir, &format!("verify b --corpus {corpus} --genesis a --end b")).ok();
    assert_eq!(json["verdict"], "valid");
    let json = run(dir, "verify b --engine halo2 --fresh-keys").ok();
    assert_eq!((&json["verdict"], &json["keys"]), (&json!("valid"), &json!("fresh")));
    train("--resume --steps 2 --out b").ok();
    assert_eq!(run(dir, "verify b").ok()["steps"].as_array().unwrap().len(), 2);
    train("--resume --optimizer sgd --out b").refused(2, "--optimizer is not what the run was started with");
    train("--resume --beta2 0.9 --out b").refused(2, "--beta2 is not what the run was started with");
    train("--resume --fresh-optimizer --out b").refused(2, "--fresh-optimizer is not what the run was started with");

    // Wherever the state is taken from, the steps before the run count.
    for (model, taken) in [("b", 5), ("b/state.bin", 5), ("b/checkpoints/step-000001", 4)] {
        let out = format!("from-{taken}-{}", model.len());
        train(&format!("--model {model} --steps 1 {adamw} --out {out}")).ok();
        let found = run(dir, &format!("inspect {out}/run.bin")).ok();
        assert_eq!(found["content"]["steps_taken_before"], taken, "{model}");
    }

    // A run that begins with none of a model's moments begins with the model all the same, whatever moments that has.
    for (model, more) in [("m", ""), ("a", "--fresh-optimizer")] {
        train(&format!("--model {model} --steps 2 {adamw} {more} --prove --out fresh-{model}")).ok();
        for what in ["", "/step-000000.bundle", "/step-000001.bundle"] {
            let before = if what.ends_with("1.bundle") { "--after fresh-{model}/step-000000.bundle" } else { "" };
            let before = before.replace("{model}", model);
            let json = run(dir, &format!("verify fresh-{model}{what} --genesis {model} {before}")).ok();
            assert_eq!(json["verdict"], "valid");
        }
        let json = run(dir, &format!("verify fresh-{model}/step-000000.bundle --before {model}")).ok();
        assert_eq!(json["verdict"], "valid");
        run(dir, &format!("verify fresh-{model} --genesis b")).refused_as("rejected", "its state is different");
    }
    run(dir, "export a --out b").refused_as("usage", "b contains a run");
    run(dir, "export a --out m").refused_as("usage", "already exists");

    // Out and in again.
    run(dir, "export b --out hub").ok();
    let json = run(dir, "import hub --out c --strict").ok();
    assert_eq!((&json["sidecar"], &json["step"]), (&json!("restored"), &json!(5)));
    assert_eq!(moments(&dir.join("c/state.bin")), moments(&dir.join("b/state.bin")));

    // Moments of another optimizer are of no use; of the same they can be left.
    train("--model c --steps 1 --out d").warned("the model's moments are of adamw: sgd begins with none");
    assert_eq!(run(dir, "inspect d/run.bin").ok()["content"]["steps_taken_before"], 0);
    train(&format!("--model c --steps 1 {adamw} --fresh-optimizer --out e")).ok();
    assert_eq!(run(dir, "inspect e/run.bin").ok()["content"]["steps_taken_before"], 0);
}

#[test]
fn what_an_optimizer_and_a_schedule_take() {
    let dir = with_model();
    let corpus = corpus();
    let train =
        |arguments: &str| run(dir.path(), &format!("train --model m --corpus {corpus} --steps 10 --out r {arguments}"));
    for (arguments, message) in [
        ("--optimizer adamw --momentum 0.9", "--momentum is of --optimizer sgd"),
        ("--beta1 0.9", "--beta1 is of --optimizer adamw"),
        ("--optimizer adamw --beta2 1", "beta2 1 is 1 or more"),
        ("--optimizer adamw --eps 1e-11", "the eps 1e-11 would be rounded to 0"),
        ("--optimizer adamw --eps 2", "eps 2 is above 1"),
        ("--optimizer adamw --lr 0.5 --beta1 0.9999", "the learning rate 0.500 is above 0.004, the largest"),
        ("--clip 0", "the clip 0 is not above 0 and at most 1048576"),
        ("--clip 1e-10", "the clip 1e-10 would be rounded to 0"),
        ("--clip 2000000", "the clip 2e6 is not above 0 and at most 1048576"),
        ("--optimizer adamw --clip 16.1", "the clip 161e-1 is not above 0 and at most 16"),
        ("--clip -1", "invalid value '-1' for '--clip <NORM>'"),
        ("--lr -1", "invalid value '-1' for '--lr <LR>'"),
        ("--warmup 3", "--warmup and --floor need --schedule cosine, linear or stable"),
        ("--schedule linear --decay 2", "--decay needs --schedule stable"),
        ("--schedule stable --warmup 5 --decay 6", "6 steps of decay after 5 of warm-up do not fit 10 steps"),
        ("--schedule linear --warmup 10", "10 warm-up steps leave none of the 10 steps for the decay"),
    ] {
        train(arguments).refused(2, message);
    }
    assert!(!dir.path().join("r").exists());
    train("--schedule stable --warmup 2 --decay 5").ok();
    let beyond = "the run's schedule is of 10 steps: after it the rate stays at its floor";
    assert!(!run(dir.path(), "train --resume --out r").stderr.contains(beyond));
    let log = fs::read_to_string(dir.path().join("r/log.jsonl")).unwrap();
    let rates: Vec<u64> =
        log.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["rate"].as_u64().unwrap()).collect();
    assert!(
        rates[0] < rates[1]
            && rates[1..6].iter().all(|rate| *rate == rates[1])
            && rates[6..].is_sorted_by(|a, b| a > b)
    );
    run(dir.path(), "train --resume --out r --steps 12").warned(beyond);
}

/// Gradients that are clipped by their norm: logged, proven, said of runs and bundles.
#[test]
fn clipping_from_training_to_proof() {
    let dir = with_model();
    let (dir, corpus) = (dir.path(), corpus());
    let train = |arguments: &str| run(dir, &format!("train --model m --corpus {corpus} --batch 1 {arguments}"));
    let norms = |out: &str| -> Vec<f64> {
        let log = fs::read_to_string(dir.join(out).join("log.jsonl")).unwrap();
        let norm = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["gradient_norm"].as_f64();
        log.lines().filter_map(norm).collect()
    };
    train("--steps 2 --lr 0.1 --out free").ok();
    assert_eq!(norms("free"), [0f64; 0]);
    train("--steps 2 --lr 0.1 --clip 0.5 --prove --tensorboard events --out a").ok();
    assert!(norms("a").len() == 2 && norms("a").iter().all(|norm| (0.6..10.0).contains(norm)), "{:?}", norms("a"));
    assert_ne!(fs::read(dir.join("a/state.bin")).unwrap(), fs::read(dir.join("free/state.bin")).unwrap());
    let json = run(dir, &format!("verify a --corpus {corpus} --genesis m --end a")).ok();
    assert_eq!(json["verdict"], "valid");
    assert_eq!(run(dir, "inspect a/run.bin").ok()["content"]["optimizer"]["clip"], "5e-1");
    let bundle = run(dir, "inspect a/step-000001.bundle").ok();
    assert_eq!(bundle["content"]["gradient_norm"].as_f64().unwrap(), norms("a")[1]);
    // Not what the run was started with; and what it was started with.
    run(dir, "train --resume --clip 0.6 --out a").refused(2, "--clip is not what the run was started with");
    run(dir, "train --resume --steps 3 --clip 0.5 --out a").ok();
    assert_eq!(norms("a").len(), 3);

    // A private run says the norm of each step.
    run(dir, "init --preset nano --private --out p").ok();
    let private =
        "train --private --model p --batch 1 --losses none --optimizer adamw --clip 1 --prove --steps 1 --out q";
    run(dir, &format!("{private} --corpus {corpus}")).ok();
    assert_eq!(run(dir, "verify q/public").ok()["verdict"], "valid");
    let bundle = run(dir, "inspect q/public/step-000000.bundle").ok();
    assert_eq!(bundle["content"]["gradient_norm"].as_f64().unwrap(), norms("q/secret")[0]);

    let found = run(dir, "audit --preset nano --clip --circuit update --forge --cells 200").ok();
    assert_eq!(found["circuits"][0]["kind"], "public sgd, clipped");
}

#[test]
fn circuits_with_adamw_are_audited_and_estimated() {
    let dir = with_model();
    let found = run(dir.path(), "audit --preset nano --optimizer adamw --circuit update --forge --cells 200").ok();
    let circuit = &found["circuits"][0];
    assert_eq!((&circuit["kind"], &circuit["circuit"]), (&json!("public adamw"), &json!("update")));
    let of = |more: &str| {
        run(dir.path(), &format!("estimate --preset nano --batch 1 {more}")).ok()["proof_bytes"].as_u64().unwrap()
    };
    assert!(of("--optimizer adamw") > of(""));
}
