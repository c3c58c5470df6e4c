//! Exit codes, configurations, caches, malformed files.

use crate::common::{Answer, cache, corpus, program, run, with_model};
use std::fs;

#[test]
fn wrong_usage_is_2() {
    let dir = with_model();
    let dir = dir.path();
    let corpus = corpus();
    for arguments in [
        "",
        "mine",
        "init --out x",
        "init --preset mega --out x",
        "init --preset nano --config m/config.json --out x",
        "train --out x",
        "train --model m --corpus c --steps 0 --out x",
        "train --model m --corpus c --steps 1 --batch 0 --out x",
        "train --model m --corpus c --steps 1 --lr -1 --out x",
        "train --model m --corpus c --steps 1 --lr nan --out x",
        "verify",
        "demo loudly",
    ] {
        let answer = run(dir, arguments);
        // 17: for machines too, whoever found the fault.
        assert_eq!((&answer.json["ok"], &answer.json["kind"]), (&false.into(), &"usage".into()), "{arguments}");
        assert!(answer.json["error"].as_str().is_some_and(|error| !error.is_empty()), "{arguments}");
        answer.refused(2, "");
    }
    run(dir, "init --preset nano --out m").refused_as("usage", "holds a model already");
    run(dir, "train --resume --out x").refused_as("usage", "--model, --corpus and --steps");
    for (arguments, text) in [
        ("--lr 1024", "1024"),
        ("--lr 900 --batch 1", "learning rate"),
        ("--momentum 1", "momentum"),
        ("--weight-decay 1.5", "weight decay"),
        ("--warmup 3", "--schedule cosine"),
        ("--schedule cosine --warmup 5", "warm-up"),
        ("--schedule cosine --floor 2", "floor"),
        ("--batch 600", "predictions"),
        ("--batch 4000000000 --accumulate 4000000000", "predictions"),
    ] {
        run(dir, &format!("train --model m --corpus {corpus} --steps 5 --out x {arguments}")).refused_as("usage", text);
        assert!(!dir.join("x").exists());
    }
    let help = program(dir).arg("--help").output().unwrap();
    assert_eq!(Answer::of(&help).code, 0);
    for code in ["0  success", "1  rejected", "2  wrong usage", "3  failed", "4  verified, but only on a condition"] {
        assert!(String::from_utf8_lossy(&help.stdout).contains(code), "{code}");
    }
}

#[test]
fn configurations_are_refused_with_the_key_named() {
    let dir = with_model();
    let dir = dir.path();
    let text = fs::read_to_string(dir.join("m/config.json")).unwrap();
    let with = |changes: &[(&str, &str)]| {
        let changed = changes.iter().fold(text.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        fs::write(dir.join("changed.json"), changed).unwrap();
        run(dir, "init --config changed.json --out x")
    };
    with(&[("\"hidden_size\": 16", "\"hidden_size\": 4294967296")]).refused_as("file", "`hidden_size`");
    with(&[("\"hidden_size\": 16", "\"hidden_size\": 1e300")]).refused_as("file", "`hidden_size`");
    with(&[("\"vocab_size\": 256", "\"vocab_size\": 32000")]).refused_as("file", "`vocab_size`");
    with(&[("\"silu\"", "\"gelu\"")]).refused_as("file", "`hidden_act`");
    // Each size is within its limit, but together they overflow memory.
    with(&[
        ("\"hidden_size\": 16", "\"hidden_size\": 512"),
        ("\"intermediate_size\": 44", "\"intermediate_size\": 1024"),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 64"),
        ("\"head_dim\": 8", "\"head_dim\": 256"),
    ])
    .refused_as("file", "`num_hidden_layers`");
    with(&[
        ("\"hidden_size\": 16", "\"hidden_size\": 512"),
        ("\"max_position_embeddings\": 16", "\"max_position_embeddings\": 256"),
        ("\"head_dim\": 8", "\"head_dim\": 256"),
    ])
    .refused_as("file", "`max_position_embeddings`");
    fs::write(dir.join("changed.json"), vec![b' '; 2 << 20]).unwrap();
    run(dir, "init --config changed.json --out x").refused_as("file", "larger than");
    run(dir, "init --config /dev/zero --out x").refused_as("file", "larger than");
    run(dir, "init --config none.json --out x").refused_as("io", "none.json");
    assert!(!dir.join("x").exists());
    with(&[]).ok();
}

#[test]
fn a_bad_cache_is_no_obstacle() {
    let dir = with_model();
    let dir = dir.path();
    let good = fs::read_dir(cache()).unwrap().next().unwrap().unwrap().path();
    fs::create_dir(dir.join("truncated")).unwrap();
    let name = good.file_name().unwrap();
    let bytes = fs::read(&good).unwrap();
    fs::write(dir.join("truncated").join(name), &bytes[..bytes.len() / 2]).unwrap();
    let answer = run(dir, "init --preset nano --seed 1 --out again --cache truncated");
    assert!(answer.stderr.contains("warning: parameters were made anew"), "{}", answer.stderr);
    answer.ok();
    assert_eq!(fs::read(dir.join("truncated").join(name)).unwrap(), bytes);
    let answer = run(dir, "init --preset nano --seed 1 --out third --cache m/state.bin");
    assert!(answer.stderr.contains("warning: parameters could not be cached"), "{}", answer.stderr);
    answer.ok();
    for file in ["state.bin", "commitments.bin", "config.json"] {
        let read = |model: &str| fs::read(dir.join(model).join(file)).unwrap();
        assert_eq!(read("m"), read("again"), "{file}");
        assert_eq!(read("m"), read("third"), "{file}");
    }
}

#[test]
fn models_are_inspected_and_malformed_files_refused() {
    let dir = with_model();
    let dir = dir.path();
    for (path, kind) in [
        ("m", "directory of a model"),
        ("m/state.bin", "state of a model"),
        ("m/commitments.bin", "commitments of a state"),
        ("m/config.json", "configuration"),
    ] {
        assert_eq!(run(dir, &format!("inspect {path}")).ok()["kind"], kind);
    }
    let train = format!("train --model bad --corpus {} --steps 1 --out x", corpus());
    let bytes = fs::read(dir.join("m/state.bin")).unwrap();
    fs::create_dir(dir.join("bad")).unwrap();
    let bad = dir.join("bad/state.bin");
    let offsets = (0..24).chain((24..bytes.len()).step_by(bytes.len() / 30));
    for length in offsets {
        fs::write(&bad, &bytes[..length]).unwrap();
        run(dir, "inspect bad/state.bin").refused_as("file", "bad/state.bin");
        run(dir, &train).refused_as("file", "bad/state.bin");
    }
    let mut version = bytes.clone();
    version[8] += 1;
    fs::write(&bad, version).unwrap();
    run(dir, &train).refused_as("file", "version 2; this program knows 1");
    fs::write(&bad, [&bytes[..], &[0]].concat()).unwrap();
    run(dir, &train).refused_as("file", "1 bytes follow");
    run(dir, "inspect x").refused_as("io", "x");
    run(dir, "inspect .").refused_as("file", "no file or directory of GradientCoin");
    // The configuration beside a state must be its own.
    fs::write(&bad, &bytes).unwrap();
    let text = fs::read_to_string(dir.join("m/config.json")).unwrap();
    fs::write(dir.join("bad/config.json"), text.replace("1e4", "1e5")).unwrap();
    run(dir, &train).refused_as("file", "bad/config.json");
}

#[test]
fn corpora_are_checked() {
    let dir = with_model();
    let dir = dir.path();
    fs::write(dir.join("short"), [7; 16]).unwrap();
    let train = |corpus: &str| run(dir, &format!("train --model m --corpus {corpus} --steps 2 --out x"));
    train("short").refused_as("failed", "the corpus has 16 bytes; a sequence needs 17");
    train("none").refused_as("io", "none");
    assert!(!dir.join("x").exists());
    // Any bytes will do.
    fs::write(dir.join("binary"), (0..=255).collect::<Vec<u8>>()).unwrap();
    train("binary").ok();
    fs::write(dir.join("binary"), (0..=254).collect::<Vec<u8>>()).unwrap();
    run(dir, "train --out x --resume --steps 3").refused_as("rejected", "corpus differs");
}
