//! `examples/`, of smaller models.

use crate::common::{cache, run};
use circuits::model::file::ModelState;
use circuits::statements::codec::decode;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The small Llama's way, of a model that is proven in no time.
#[test]
fn from_a_tokenizer_to_another_program() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let config = fs::read_to_string(root.join("examples/small-llama/config.json")).unwrap();
    let smaller = [
        ("\"hidden_size\": 64", "\"hidden_size\": 16"),
        ("\"intermediate_size\": 172", "\"intermediate_size\": 24"),
        ("\"num_attention_heads\": 8", "\"num_attention_heads\": 4"),
        ("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 2"),
        ("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 1"),
        ("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 16"),
    ];
    let config = smaller.iter().fold(config, |config, (large, small)| {
        assert!(config.contains(large));
        config.replace(large, small)
    });
    fs::write(dir.join("config.json"), config).unwrap();
    let output = Command::new(root.join("examples/small-llama/run.sh"))
        .args(["out", "20"])
        .current_dir(dir)
        .env("GRADIENTCOIN", env!("CARGO_BIN_EXE_gradientcoin"))
        .env("GRADIENTCOIN_CACHE", cache())
        .env("CONFIG", "config.json")
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    assert_eq!(told.matches("valid: 3 steps").count(), 3, "{told}");
    assert!(told.contains("the last step leads to the model revealed in revealed"), "{told}");
    let out = dir.join("out");
    assert_eq!(run(&out, "inspect model").ok()["content"]["tokenizer"]["tokens"], 512);
    // What was loaded is what was proven, and made in 23 steps.
    let of = |model: &str| decode::<ModelState>(&fs::read(out.join(model).join("state.bin")).unwrap()).unwrap();
    assert_eq!(of("loaded").open().unwrap().1.w, of("revealed").open().unwrap().1.w);
    assert_ne!(of("loaded").open().unwrap().1.w, of("trained").open().unwrap().1.w);
    let verified = run(&out, "verify proven/public --revealed revealed").ok();
    assert_eq!(verified["verdict"], "valid");
    assert_eq!(run(&out, "inspect proven/public/run.bin").ok()["content"]["steps_taken_before"], 20);
}
