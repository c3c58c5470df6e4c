//! `import` and `export`, as a user meets them.
#![allow(clippy::unwrap_used)]

use circuits::arithmetic::decimal::Decimal;
use circuits::arithmetic::fixed::LOW_BITS;
use circuits::model::file::ModelState;
use circuits::model::{
    Config, Draw, Optimizer, RopeScaling, Schedule, Spec, State, Weights, draw_batch, tokens_of_bytes,
};
use circuits::statements::codec::decode;
use prover::trainer::{Recipe, Trainer, batch_gradient};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SIDECAR: &str = "gradientcoin.safetensors";

/// Parameters are made once for all tests.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("gradientcoin-cache")
}

fn gradientcoin(dir: &Path, args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    command.current_dir(dir).env("GRADIENTCOIN_CACHE", cache()).arg("--json").args(args.split(' '));
    command.output().expect("the program starts")
}

/// The JSON on stdout, and the exit code.
fn answer(output: &Output) -> (Value, Option<i32>) {
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output.status.code())
}

/// The JSON of a command that succeeds.
fn success(dir: &Path, args: &str) -> Value {
    let output = gradientcoin(dir, args);
    let (json, code) = answer(&output);
    assert_eq!((code, &json["ok"]), (Some(0), &json!(true)), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    json
}

/// The message of a command that fails with this kind and exit code, and writes no model.
fn failure(dir: &Path, args: &str, kind: &str, code: i32) -> String {
    let (json, found) = answer(&gradientcoin(dir, args));
    assert_eq!((json["kind"].as_str(), found), (Some(kind), Some(code)), "{args}: {json}");
    json["error"].as_str().unwrap().to_owned()
}

fn state(file: &Path) -> (State, u64) {
    let file: ModelState = decode(&fs::read(file).unwrap()).unwrap();
    let step = file.step;
    (file.open().unwrap().1, step)
}

/// A configuration with grouped queries, heads of their own size, biases and scaled angles, through the commands that take one.
#[test]
fn a_grouped_and_biased_model_goes_through_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut config = Config::NANO;
    (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(2), Some(8), true);
    config.rope_scaling = RopeScaling::Linear { factor: "2.5".parse().unwrap() };
    fs::write(dir.join("config.json"), config.to_json()).unwrap();
    success(dir, "init --config config.json --seed 4 --out model");
    let facts = success(dir, "inspect model");
    let told = |key: &str| facts.to_string().contains(key);
    assert!(told("\"num_key_value_heads\":2") && told("\"head_dim\":8"), "{facts}");
    assert!(told("\"architecture\":\"Qwen2ForCausalLM\"") && told("linear"), "{facts}");
    success(dir, "estimate --config config.json --batch 1");

    // Biases of a trained model are not zero.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus/stories.txt");
    success(dir, &format!("train --model model --corpus {} --steps 2 --batch 1 --lr 0.1 --out run", corpus.display()));
    let trained = state(&dir.join("run/state.bin"));
    let bias = trained.0.w.layers[0].bias.as_ref().unwrap();
    assert!([&bias.q, &bias.k, &bias.v].into_iter().all(|b| b.data.iter().any(|&x| x != 0)));
    let text = success(dir, "generate --model run --prompt Ben --tokens 8");
    success(dir, "export run --out hub");
    let json = success(dir, "import hub --out again");
    assert_eq!(json["sidecar"], "restored");
    assert_eq!(state(&dir.join("again/state.bin")), trained);
    assert_eq!(success(dir, "generate --model again --prompt Ben --tokens 8")["text"], text["text"]);

    // Another group count, or another head size, is another model.
    for (key, from, to) in [
        ("num_key_value_heads", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"),
        ("head_dim", "\"head_dim\": 8", "\"head_dim\": 7"),
        ("rope_scaling.rope_type", "\"linear\"", "\"ntk\""),
    ] {
        fs::write(dir.join("other.json"), config.to_json().replace(from, to)).unwrap();
        let message = failure(dir, "init --config other.json --out other", "file", 3);
        assert!(message.contains(&format!("`{key}`")), "{message}");
    }
}

#[test]
fn a_model_goes_out_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    success(dir, "init --preset nano --seed 4 --out model");
    let json = success(dir, "export model --out hub");
    assert_eq!(json["parameters"], 7280);
    let json = success(dir, "import hub --out again");
    assert_eq!((&json["saturated"], &json["rounded"], &json["sidecar"]), (&json!({}), &json!({}), &json!("restored")));
    assert_eq!(json["largest_rounding_error"], 0.0);
    success(dir, "export again --out hub2");
    for file in ["config.json", "model.safetensors", SIDECAR] {
        let read = |hub: &str| fs::read(dir.join(hub).join(file)).unwrap();
        assert_eq!(read("hub"), read("hub2"), "{file}");
    }
    assert_eq!(state(&dir.join("model/state.bin")), state(&dir.join("again/state.bin")));

    // Nothing is overwritten, be it one file alone.
    assert_eq!(answer(&gradientcoin(dir, "import hub --out model")).1, Some(2));
    for file in ["config.json", "model.safetensors", SIDECAR] {
        let out = dir.join(format!("only-{file}"));
        fs::create_dir(&out).unwrap();
        fs::write(out.join(file), "mine").unwrap();
        let message = failure(dir, &format!("export model --out only-{file}"), "usage", 2);
        assert_eq!(message, format!("only-{file}/{file} already exists"));
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }

    // A key that is not supported, too many bytes, too few.
    let config = dir.join("hub/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"silu\"", "\"gelu\"")).unwrap();
    let message = failure(dir, "import hub --out other", "file", 3);
    assert!(message.contains("hidden_act"), "{message}");
    fs::write(&config, text).unwrap();
    for file in ["model.safetensors", SIDECAR] {
        let path = dir.join("hub").join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let message = failure(dir, "import hub --out other", "file", 3);
        assert_eq!(message, format!("hub/{file}: safetensors: incomplete metadata, file not fully covered"));
        fs::write(&path, [&bytes[..], &vec![0; 2 << 20]].concat()).unwrap();
        if file == SIDECAR {
            // As one of a larger model would be.
            assert_eq!(success(dir, "import hub --out large")["sidecar"], "unfit");
        } else {
            let message = failure(dir, "import hub --out other", "file", 3);
            assert!(message.starts_with("hub/model.safetensors: the file is larger than "), "{message}");
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(!dir.join("other").exists());
}

/// Mean loss over a fixed batch, in nats.
fn loss(w: &Weights, corpus: &[u8]) -> f64 {
    let batch =
        draw_batch(&tokens_of_bytes(corpus), Config::NANO.context, 64, Draw { seed: 99, step: 0, contribution: 0 })
            .unwrap();
    let sum = batch_gradient(&Spec::new(Config::NANO), w, &batch).unwrap().loss;
    sum as f64 / f64::from(1 << 24) / (64 * Config::NANO.context) as f64
}

/// 7.11: what training made goes through the disk unchanged, and without the file beside the weights the model does.
#[test]
fn a_trained_state_goes_out_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let corpus_file = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus/stories.txt"));
    let corpus_file = corpus_file.unwrap();
    success(dir, "init --preset nano --seed 4 --out model");
    success(
        dir,
        &format!("train --model model --corpus {} --steps 400 --momentum 0.9 --out run", corpus_file.display()),
    );
    let json = success(dir, "export run --out hub");
    assert_eq!((&json["step"], &json["parameters"]), (&json!(400), &json!(7280)));
    // A state's file serves as well.
    success(dir, "export run/state.bin --out hub2");
    for file in ["config.json", "model.safetensors", SIDECAR] {
        let read = |hub: &str| fs::read(dir.join(hub).join(file)).unwrap();
        assert_eq!(read("hub"), read("hub2"), "{file}");
    }

    let json = success(dir, "import hub --out exact --strict");
    assert_eq!((&json["sidecar"], &json["step"]), (&json!("restored"), &json!(400)));
    let (trained, step) = state(&dir.join("run/state.bin"));
    assert!(!trained.at_rest());
    assert_eq!(state(&dir.join("exact/state.bin")), (trained.clone(), step));

    fs::remove_file(dir.join("hub2").join(SIDECAR)).unwrap();
    let json = success(dir, "import hub2 --out near");
    assert_eq!((&json["sidecar"], &json["step"]), (&json!("absent"), &json!(0)));
    assert_eq!(json["largest_rounding_error"], 0.0);
    let (near, _) = state(&dir.join("near/state.bin"));

    let corpus = fs::read(&corpus_file).unwrap();
    let tokens = tokens_of_bytes(&corpus);
    let (before, after) = (loss(&trained.w, &corpus), loss(&near.w, &corpus));
    println!("loss {before:.6}; without the file beside the weights {after:.6}");
    assert_eq!(before, after);
    // The weights in use are those that were; what training keeps below them is in that file alone.
    assert_eq!((&near.w, near.at_rest()), (&trained.w, true));
    assert!(near.lo.iter().all(|lo| lo.data.iter().all(|&lo| lo == 0)));

    // Plain descent, through the disk after every step: without that file it is another descent.
    let go_on = |disk: fn(i64) -> i64| {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let schedule = Schedule::constant(&decimal("0.001")).unwrap();
        let recipe = Recipe { schedule, optimizer: Optimizer::PLAIN };
        let state = trained.clone().at_rest_of(trained.moments.kind());
        let mut trainer = Trainer::new(Config::NANO, state, recipe).unwrap();
        for step in 0..400 {
            let draw = Draw { seed: 0, step, contribution: 0 };
            trainer.accumulate(&[draw_batch(&tokens, Config::NANO.context, 8, draw).unwrap()]).unwrap();
            let (w, lo) = (&mut trainer.state.w, &mut trainer.state.lo);
            for (w, lo) in w.iter_mut().zip(lo.iter_mut()).flat_map(|(w, lo)| w.data.iter_mut().zip(&mut lo.data)) {
                let kept = disk((*w << LOW_BITS) + *lo);
                (*w, *lo) = (kept >> LOW_BITS, kept & ((1 << LOW_BITS) - 1));
            }
        }
        loss(&trainer.state.w, &corpus)
    };
    let [exact, floored] = [|kept| kept, |kept| kept >> LOW_BITS << LOW_BITS].map(go_on);
    println!("after 400 passes: {exact:.6}, without low parts {floored:.6}");
    assert!((exact - floored).abs() > 1e-3, "{exact} {floored}");
}

/// 7.11
#[test]
fn a_file_that_does_not_fit_is_left_out_and_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for seed in [1, 2] {
        success(dir, &format!("init --preset nano --seed {seed} --out model{seed}"));
        success(dir, &format!("export model{seed} --out hub{seed}"));
    }
    fs::copy(dir.join("hub1").join(SIDECAR), dir.join("hub2").join(SIDECAR)).unwrap();
    let output = gradientcoin(dir, "import hub2 --out again");
    let (json, code) = answer(&output);
    assert_eq!((code, &json["sidecar"], &json["step"]), (Some(0), &json!("unfit"), &json!(0)));
    let warning = String::from_utf8(output.stderr).unwrap();
    let expected =
        "hub2/gradientcoin.safetensors: does not match these weights or this configuration, which have changed since";
    assert!(warning.contains(expected), "{warning}");
    let text = Command::new(env!("CARGO_BIN_EXE_gradientcoin"))
        .current_dir(dir)
        .env("GRADIENTCOIN_CACHE", cache())
        .args(["import", "hub2", "--out", "text"])
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("gradientcoin.safetensors does not match: moments and step start at zero"), "{text}");

    // Of another version it is refused, not left out.
    let path = dir.join("hub1").join(SIDECAR);
    let bytes = fs::read(&path).unwrap();
    let version = br#"\"version\":4,"#;
    let at = bytes.windows(version.len()).position(|w| w == version).unwrap() + version.len() - 2;
    let later = [&bytes[..at], b"7", &bytes[at + 1..]].concat();
    fs::write(&path, later).unwrap();
    let message = failure(dir, "import hub1 --out other", "file", 3);
    assert_eq!(message, "hub1/gradientcoin.safetensors: the file has version 7; only version 4 is supported");
    assert!(!dir.join("other").exists());
}

/// 7.11
#[test]
fn strict_writes_nothing_that_is_not_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    success(dir, "init --preset nano --out model");
    success(dir, "export model --out hub");
    let weights = dir.join("hub/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    // The first tensor of the file is the embedding.
    let first = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let with = |number: f32| [&bytes[..first], &number.to_le_bytes(), &bytes[first + 4..]].concat();

    fs::write(&weights, with(16.5)).unwrap();
    let message = failure(dir, "import hub --out strict --strict", "rejected", 1);
    let embedding = "`model.embed_tokens.weight`";
    assert_eq!(message, format!("rejected: hub/model.safetensors: {embedding}: 1 beyond ±16 would be clipped"));
    assert!(!dir.join("strict").exists());
    let json = success(dir, "import hub --out clipped");
    assert_eq!(json["saturated"], json!({ "model.embed_tokens.weight": 1 }));

    // Rounded, but by less than 2^-24 of the largest.
    fs::write(&weights, with(2f32.powi(-37))).unwrap();
    let json = success(dir, "import hub --out rounded --strict");
    assert_eq!(json["rounded"], json!({ "model.embed_tokens.weight": 2f64.powi(-37) }));
    assert_eq!(json["largest_rounding_error"], 2f64.powi(-37));
    assert_eq!(json["sidecar"], "unfit");
}

/// 7.18
#[test]
fn what_stands_where_a_file_was_meant_is_named() {
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 30000\n";
    const PAGE: &str = "<!DOCTYPE html>\n<html><title>Sign in</title></html>";
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    success(dir, "init --preset nano --out model");
    success(dir, "export model --out hub");
    for file in ["config.json", "model.safetensors", SIDECAR] {
        let path = dir.join("hub").join(file);
        let bytes = fs::read(&path).unwrap();
        for (content, expected) in [
            (POINTER, "this is a Git LFS pointer, not the file itself"),
            (PAGE, "this is a web page, not the file itself"),
            ("", "the file is empty"),
        ] {
            fs::write(&path, content).unwrap();
            let message = failure(dir, "import hub --out other", "file", 3);
            assert!(message.starts_with(&format!("hub/{file}: {expected}")), "{message}");
        }
        fs::write(&path, bytes).unwrap();
    }
    // A byte order mark changes nothing; UTF-16 is named. The same where a configuration alone is read.
    let config = dir.join("hub/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("\u{feff}{text}")).unwrap();
    success(dir, "import hub --out marked");
    success(dir, "init --config hub/config.json --out marked2");
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&config, wide).unwrap();
    let message = failure(dir, "init --config hub/config.json --out other", "file", 3);
    assert_eq!(message, "hub/config.json: this is UTF-16 text; only UTF-8 is supported");
    fs::write(&config, text).unwrap();

    // Weights under other names.
    let weights = dir.join("hub/model.safetensors");
    for (name, expected) in [
        (
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json is missing: the weights are split into several",
        ),
        ("pytorch_model.bin", "the weights are a PyTorch pickle"),
        ("adapter_model.safetensors", "these are the weights of an adapter"),
    ] {
        let other = dir.join("hub").join(name);
        fs::rename(&weights, &other).unwrap();
        let message = failure(dir, "import hub --out other", "file", 3);
        assert!(message.starts_with(&format!("hub: {expected}")) && message.contains(name), "{message}");
        fs::rename(&other, &weights).unwrap();
    }
    let message = failure(dir, "import model --out other", "file", 3);
    assert_eq!(message, "model: there is no model.safetensors: this is already a GradientCoin model or run");
    assert!(!dir.join("other").exists());
}
