//! Exit codes, configurations, caches, malformed files.

use crate::common::{Answer, cache, corpus, program, run, with_model};
use backend::curve::DEFAULT_K;
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
    run(dir, "init --preset nano --out m").refused_as("usage", "already contains a model");
    run(dir, "train --resume --out x").refused_as("usage", "--model, --corpus and --steps");
    for (arguments, text) in [
        ("--lr 1.01", "the learning rate 101e-2 is above 1"),
        ("--momentum 1", "momentum"),
        ("--weight-decay 1.5", "weight decay"),
        ("--warmup 3", "--schedule cosine"),
        ("--schedule cosine --warmup 5", "warm-up"),
        ("--schedule cosine --floor 2", "floor"),
        ("--batch 1048576", "predictions"),
        ("--batch 4000000000 --accumulate 4000000000", "predictions"),
    ] {
        run(dir, &format!("train --model m --corpus {corpus} --steps 5 --out x {arguments}")).refused_as("usage", text);
        assert!(!dir.join("x").exists());
    }
    let help = program(dir).arg("--help").output().unwrap();
    assert_eq!(Answer::of(&help).code, 0);
    for code in ["0  success", "1  rejected", "2  wrong usage", "3  failed", "4  verified conditionally"] {
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
    with(&[("\"vocab_size\": 256", "\"vocab_size\": 128256")]).refused_as("file", "`vocab_size`");
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
    let good = backend::parameters::path(&cache(), DEFAULT_K);
    fs::create_dir(dir.join("truncated")).unwrap();
    let name = good.file_name().unwrap();
    let bytes = fs::read(&good).unwrap();
    fs::write(dir.join("truncated").join(name), &bytes[..bytes.len() / 2]).unwrap();
    let answer = run(dir, "init --preset nano --seed 1 --out again --cache truncated");
    assert!(answer.stderr.contains("warning: parameters were regenerated"), "{}", answer.stderr);
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
        ("m", "model directory"),
        ("m/state.bin", "model state"),
        ("m/commitments.bin", "state commitments"),
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
    run(dir, &train).refused_as("file", "version 6; this program supports 5");
    fs::write(&bad, [&bytes[..], &[0]].concat()).unwrap();
    run(dir, &train).refused_as("file", "the model state is damaged");
    run(dir, "inspect x").refused_as("io", "x");
    run(dir, "inspect .").refused_as("file", "not a GradientCoin file or directory");
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
    train("short").refused_as("file", "short: the corpus has 16 tokens; a sequence needs 17");
    train("none").refused_as("io", "none");
    assert!(!dir.join("x").exists());
    // Any bytes will do.
    fs::write(dir.join("binary"), (0..=255).collect::<Vec<u8>>()).unwrap();
    train("binary").ok();
    fs::write(dir.join("binary"), (0..=254).collect::<Vec<u8>>()).unwrap();
    run(dir, "train --out x --resume --steps 3").refused_as("rejected", "the corpus is not the run's");
}

/// 7.10: a byte that no step could be taken with is found before anything is written.
#[test]
fn a_corpus_with_a_byte_above_the_vocabulary_is_refused_whole() {
    let dir = with_model();
    let dir = dir.path();
    let text = fs::read_to_string(dir.join("m/config.json")).unwrap();
    fs::write(dir.join("ascii.json"), text.replace("\"vocab_size\": 256", "\"vocab_size\": 128")).unwrap();
    run(dir, "init --config ascii.json --out a").ok();
    let mut corpus = vec![b'a'; 100_000];
    fs::write(dir.join("good"), &corpus).unwrap();
    corpus[98_765] = 0xc3;
    fs::write(dir.join("bad"), &corpus).unwrap();
    let train = |corpus: &str| run(dir, &format!("train --model a --corpus {corpus} --steps 2 --out x"));
    train("bad").refused_as("file", "bad: token 195 at offset 98765 is not below the vocabulary of 128");
    assert!(!dir.join("x").exists());
    train("good").ok();
    run(dir, "train --out x --resume --steps 3 --corpus bad").refused_as("file", "offset 98765");
    run(dir, "train --out x --resume --steps 3").ok();
}

/// 7.19: numbers that rounding would turn into another meaning.
#[test]
fn numbers_that_cannot_be_held_are_refused_with_one_that_can() {
    let dir = with_model();
    let dir = dir.path();
    let train = |more: &str| run(dir, &format!("train --model m --corpus {} --steps 2 --out x {more}", corpus()));
    for (arguments, text) in [
        ("--lr 7e-12", "the learning rate 7e-12 would be rounded to 0; the smallest possible value is 728e-14"),
        ("--lr 9e-10", "over 128 predictions per step; the smallest possible value is 932e-12"),
        ("--momentum 0.999999999999", "would be rounded to 1; the largest is 0.99999999999"),
        ("--momentum 7e-12", "the momentum 7e-12 would be rounded to 0; the smallest possible value is 728e-14"),
        ("--lr 0.05 --weight-decay 1e-10", "the smallest possible value is 146e-12"),
        ("--schedule cosine --floor 1e-9", "the floor 1e-9 would be rounded to 0"),
    ] {
        train(arguments).refused_as("usage", text);
        assert!(!dir.join("x").exists());
    }
    train("--lr 0.05 --momentum 0.99999999999 --weight-decay 146e-12").ok();
    run(dir, &format!("train --model m --corpus {} --steps 2 --out y --lr 932e-12", corpus())).ok();
}

/// 7.5: a schedule whose peak is more than the update takes.
#[test]
fn every_step_of_the_schedule_is_looked_at() {
    let dir = with_model();
    let dir = dir.path();
    let train = format!("train --model m --corpus {} --steps 9 --batch 1 --out x --schedule cosine", corpus());
    run(dir, &format!("{train} --lr 1.001 --warmup 5")).refused_as("usage", "is above 1");
    assert!(!dir.join("x").exists());
    run(dir, &format!("{train} --lr 1 --warmup 5")).ok();
}

/// 7.18: messages that say what is there, and what holds.
#[test]
fn directories_of_other_kinds_are_named() {
    let dir = with_model();
    let dir = dir.path();
    let train = |more: &str| run(dir, &format!("train --model m --corpus {} --steps 2 {more}", corpus()));
    train("--out m").refused_as("usage", "m contains a model: specify another directory");
    train("--out m --resume").refused_as("usage", "m contains a model: specify another directory");
    run(dir, "export m --out hub").ok();
    train("--out hub").refused_as("usage", "hub contains a Hugging Face model");
    run(dir, &format!("train --model hub --corpus {} --steps 2 --out x", corpus())).refused_as(
        "file",
        "hub: it contains model.safetensors but no state.bin: `gradientcoin import hub --out MODEL`",
    );
    run(dir, "generate --model hub").refused_as("file", "gradientcoin import hub");
    fs::create_dir(dir.join("empty")).unwrap();
    run(dir, "generate --model empty").refused_as("file", "it contains no state.bin");
    train("--out x --batch 1048576").refused_as(
        "usage",
        "a step has 16777216 predictions (sequences of a contribution × contributions × context); it must have 1 to 16777215",
    );
}

/// 7.18: files that people look into.
#[test]
fn a_runs_own_files_are_inspected() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 3 --out r", corpus())).ok();
    let log = run(dir, "inspect r/log.jsonl").ok();
    assert_eq!(
        (&log["kind"], &log["content"]["lines"], &log["content"]["damaged"]),
        (&"run log".into(), &3.into(), &0.into())
    );
    let settings = run(dir, "inspect r/train.json").ok();
    assert_eq!((&settings["kind"], &settings["content"]["steps"]), (&"run settings".into(), &3.into()));
    assert_eq!(run(dir, "inspect r/state.previous.bin").ok()["content"]["steps"], 2);
    let model = run(dir, "inspect m").ok()["content"]["model_digest"].clone();
    assert_eq!(run(dir, "inspect r").ok()["content"]["genesis"]["model_digest"], model);
    fs::write(dir.join("x.bin"), "nonsense that is long enough").unwrap();
    run(dir, "inspect x.bin").refused_as("file", "not a GradientCoin file or directory");
}

/// 7.10, 7.15 and 7.19, of a chain that is to begin: what it could not be made with is refused before anything is there.
#[test]
fn a_devnet_that_could_not_run_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (arguments, kind, text) in [
        ("--lr 7e-12", "usage", "the learning rate 7e-12 would be rounded to 0"),
        ("--lr 1e-10", "usage", "over 16 predictions per step; the smallest possible value is"),
        ("--lr 17", "usage", "the learning rate 17 is above 1"),
        ("--momentum 0.999999999999", "usage", "would be rounded to 1"),
        (
            "--batch 262144",
            "usage",
            "--batch 262144: a block of 4 contributions would have 16777216 predictions; it can have at most 16777215",
        ),
        ("--corpus none", "io", "none"),
    ] {
        run(dir, &format!("devnet --blocks 1 --hash-rate 1 {arguments}")).refused_as(kind, text);
        assert!(!dir.join("devnet").exists(), "{arguments}");
    }
}

/// 7.24: completions and manual pages of every command.
#[test]
fn completions_and_manual_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(dir, &format!("completions {shell}")).ok()["script"].as_str().unwrap().to_owned();
        assert!(script.contains("gradientcoin") && script.contains("from-previous"), "{shell}");
    }
    let pages = run(dir, "man --out man1").ok()["pages"].as_array().unwrap().len();
    assert_eq!(fs::read_dir(dir.join("man1")).unwrap().count(), pages);
    let page = |name: &str| fs::read_to_string(dir.join("man1").join(name)).unwrap();
    assert!(page("gradientcoin.1").contains("rejected") && page("gradientcoin-verify.1").contains("genesis"));
    assert!(page("gradientcoin-wallet-send.1").contains("amount"));
}
