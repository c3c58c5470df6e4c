//! Data sets: committed to, trained on, named by whoever verifies.

use crate::common::{corpus, run, with_model};
use std::fs;

#[test]
fn a_run_on_a_data_set_is_verified_by_its_root() {
    let dir = with_model();
    let dir = dir.path();
    let commit = format!("dataset commit {} --preset nano --out root", corpus());
    let committed = run(dir, &commit).ok();
    let root = committed["root"].as_str().unwrap();
    assert_eq!(fs::read_to_string(dir.join("root")).unwrap(), format!("{root}\n"));
    let bytes = fs::metadata(corpus()).unwrap().len();
    assert_eq!(
        (&committed["sequences"], &committed["left_out_tokens"]),
        (&((bytes - 1) / 16).into(), &((bytes - 1) % 16).into())
    );
    run(dir, &commit).refused_as("usage", "root exists already");

    let train = format!("train --model m --corpus {} --steps 1 --batch 1 --prove --out r", corpus());
    run(dir, &format!("{train} --dataset root")).ok();
    let json = run(dir, "verify r").ok();
    assert_eq!((&json["dataset"], &json["dataset_compared"]), (&root.into(), &false.into()));
    let has = |list: &serde_json::Value, text: &str| {
        list.as_array().unwrap().iter().any(|x| x.as_str().unwrap().contains(text))
    };
    assert!(has(&json["checked"], "each batch is the one that the seed assigns from the data set"));
    assert!(has(&json["not_checked"], "which data set the run is on"));
    for named in ["root", root] {
        let json = run(dir, &format!("verify r/step-000000.bundle --dataset {named}")).ok();
        assert_eq!((&json["dataset_compared"], &json["corpus_compared"]), (&true.into(), &false.into()));
        assert!(!has(&json["not_checked"], "which data set the run is on"));
    }
    let json = run(dir, &format!("verify r --corpus {}", corpus())).ok();
    assert!(has(&json["checked"], "which is that of the corpus"));
    let facts = run(dir, "inspect r/run.bin").ok();
    assert!(facts.to_string().contains(root), "{facts}");

    // Another data set; one of fewer sequences; no root.
    let (digits, sequences) = root.split_once(':').unwrap();
    let other = format!("{}:{sequences}", "7".repeat(64));
    run(dir, &format!("verify r --dataset {other}")).refused_as("rejected", "the run is not on this data set");
    run(dir, &format!("verify r --dataset {digits}:5")).refused_as("rejected", "the run is not on this data set");
    run(dir, &format!("verify r --dataset {digits}")).refused_as("usage", "not a data set's root");
    fs::write(dir.join("noise"), "noise").unwrap();
    run(dir, "verify r --dataset noise").refused_as("file", "noise: this is not a data set's root");
    fs::write(dir.join("text"), &fs::read(corpus()).unwrap()[1..]).unwrap();
    run(dir, "verify r --corpus text").refused_as("rejected", "the corpus is not the run's");

    // Going on takes the same data, and says so before it works.
    run(dir, "train --out r --resume --steps 2 --corpus text")
        .refused_as("file", "text: this corpus is another data set");
    run(dir, &format!("train --out r --resume --steps 2 --dataset {other}"))
        .refused_as("usage", "--dataset is not what");
    run(dir, "train --out r --resume --steps 2 --dataset root").ok();
    assert_eq!(run(dir, "verify r --dataset root --steps 2").ok()["proofs"], 6);
}

#[test]
fn runs_on_a_corpus_are_on_no_data_set() {
    let dir = with_model();
    let dir = dir.path();
    let train = format!("train --model m --corpus {} --steps 1 --batch 1", corpus());
    let other = format!("{}:5", "7".repeat(64));
    run(dir, &format!("{train} --dataset {other} --out r")).refused_as("file", "this corpus is another data set");
    assert!(!dir.join("r").exists());
    run(dir, &format!("{train} --prove --out r")).ok();
    run(dir, &format!("verify r --dataset {other}")).refused_as("rejected", "it names a corpus's digest");
    run(dir, &format!("train --out r --resume --steps 2 --dataset {other}"))
        .refused_as("usage", "--dataset is not what");
    // A sequence needs T + 1 tokens of the model.
    fs::write(dir.join("short"), [7; 16]).unwrap();
    run(dir, "dataset commit short --preset nano").refused_as("file", "short: the corpus has 16 tokens");
    run(dir, "dataset commit none --preset nano").refused_as("io", "none");
    fs::write(dir.join("one"), [7; 17]).unwrap();
    assert_eq!(run(dir, "dataset commit one --preset nano").ok()["sequences"], 1);
}
