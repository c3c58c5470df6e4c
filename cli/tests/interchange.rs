//! `import` and `export`, as a user meets them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn gradientcoin(dir: &Path, args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    command.current_dir(dir).args(["--json", "--cache", "cache"]).args(args.split(' '));
    command.output().expect("the program starts")
}

/// The JSON on stdout, and the exit code.
fn answer(output: &Output) -> (serde_json::Value, Option<i32>) {
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output.status.code())
}

#[test]
fn a_model_goes_out_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &str| answer(&gradientcoin(dir.path(), args));
    let (_, code) = run("init --preset nano --seed 4 --out model");
    assert_eq!(code, Some(0));
    let (json, code) = run("export model --out hub");
    assert_eq!((json["ok"].as_bool(), json["parameters"].as_u64(), code), (Some(true), Some(7280), Some(0)));
    let (json, code) = run("import hub --out again");
    assert_eq!((json["ok"].as_bool(), &json["saturated"], code), (Some(true), &serde_json::json!({}), Some(0)));
    let (_, code) = run("export again --out hub2");
    assert_eq!(code, Some(0));
    for file in ["config.json", "model.safetensors"] {
        let read = |hub: &str| fs::read(dir.path().join(hub).join(file)).unwrap();
        assert_eq!(read("hub"), read("hub2"), "{file}");
    }

    // Nothing is overwritten.
    assert_eq!(run("export model --out hub").1, Some(2));
    assert_eq!(run("import hub --out model").1, Some(2));

    // A key that is not supported, too many bytes, too few.
    let config = dir.path().join("hub/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"silu\"", "\"gelu\"")).unwrap();
    let (json, code) = run("import hub --out other");
    assert_eq!(code, Some(3));
    assert!(json["error"].as_str().unwrap().contains("hidden_act"), "{json}");
    fs::write(&config, text).unwrap();
    let weights = dir.path().join("hub/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    for bad in [&bytes[..bytes.len() - 1], &[&bytes[..], &vec![0; 2 << 20]].concat()] {
        fs::write(&weights, bad).unwrap();
        let (json, code) = run("import hub --out other");
        assert_eq!((json["kind"].as_str(), code), (Some("file"), Some(3)), "{json}");
    }
    assert!(!dir.path().join("other").exists());
}
