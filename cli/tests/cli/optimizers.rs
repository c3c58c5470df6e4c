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
        json!({ "name": "adamw", "beta1": "9e-1", "beta2": "99e-2", "eps": "1e-8", "weight_decay": "1e-1" })
    );
    assert_eq!((&facts["schedule"]["kind"], &facts["steps_taken_before"]), (&json!("linear"), &json!(0)));
    assert!(matches!(moments(&dir.join("a/state.bin")), Moments::AdamW { .. }));

    // Another run goes on with its moments, and counts its steps.
    train(&format!("--model a --steps 1 {adamw} --prove --out b")).ok();
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
        ("--optimizer adamw --lr 0.5 --beta1 0.9999", "is 2048 or more"),
        ("--warmup 3", "--warmup and --floor need --schedule cosine, linear or stable"),
        ("--schedule linear --decay 2", "--decay needs --schedule stable"),
        ("--schedule stable --warmup 5 --decay 6", "6 steps of decay after 5 of warm-up do not fit 10 steps"),
        ("--schedule linear --warmup 10", "10 warm-up steps leave none of the 10 steps for the decay"),
    ] {
        train(arguments).refused(2, message);
    }
    assert!(!dir.path().join("r").exists());
    train("--schedule stable --warmup 2 --decay 5").ok();
    let log = fs::read_to_string(dir.path().join("r/log.jsonl")).unwrap();
    let rates: Vec<u64> =
        log.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["rate"].as_u64().unwrap()).collect();
    assert!(
        rates[0] < rates[1]
            && rates[1..6].iter().all(|rate| *rate == rates[1])
            && rates[6..].is_sorted_by(|a, b| a > b)
    );
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
