//! Text from models.

use crate::common::{Answer, corpus, program, run, run_with, with_model};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

fn generate(dir: &Path, more: &[&str]) -> Value {
    run_with(dir, ["generate", "--model"].iter().chain(more)).ok()
}

/// What the terminal shows.
fn shown(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    let output = command.current_dir(dir).args(["generate", "--model"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn bytes(json: &Value) -> Vec<u8> {
    json["tokens"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as u8).collect()
}

#[test]
fn a_trained_model_goes_on_with_a_text() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 300 --lr 0.4 --momentum 0.5 --out r", corpus())).ok();
    let prompt = "Once there was a bear named Ben. He ";
    let json = generate(dir, &["r", "--prompt", prompt, "--tokens", "60"]);
    let text = json["text"].as_str().unwrap();
    assert_eq!((&json["prompt"], &json["step"], text.len()), (&prompt.into(), &300.into(), 60));
    assert_eq!(bytes(&json), text.as_bytes());
    assert!(text.chars().all(|c| c.is_ascii_alphabetic() || " .\n".contains(c)) && text.contains(' '), "{text}");
    assert_eq!(shown(dir, &["r", "--prompt", prompt, "--tokens", "60"]), format!("{prompt}{text}\n").into_bytes());
    // The digest is that of the model, as `init` says it.
    let model = run(dir, "init --preset nano --seed 1 --out again").ok();
    let untrained = generate(dir, &["m", "--tokens", "0"]);
    assert_eq!((&untrained["model_digest"], &untrained["text"]), (&model["model_digest"], &"".into()));
    assert_ne!(json["model_digest"], model["model_digest"]);
}

#[test]
fn seeds_temperatures_and_numbers_of_tokens_decide() {
    let dir = with_model();
    let dir = dir.path();
    let text = |more: &str| {
        let arguments = ["m", "--prompt", "Ben", "--tokens", "50"].into_iter().chain(more.split_whitespace());
        bytes(&generate(dir, &arguments.collect::<Vec<_>>()))
    };
    let greedy = text("");
    for same in ["--temperature 0", "--top-k 1", "--top-k 1 --seed 5", "--temperature 0 --seed 5"] {
        assert_eq!(text(same), greedy, "{same}");
    }
    let drawn = text("--temperature 0.8 --top-k 40 --seed 1");
    assert_ne!(drawn, greedy);
    assert_eq!(text("--temperature 0.8 --top-k 40 --seed 1"), drawn);
    for other in ["--temperature 0.8 --top-k 40", "--temperature 2 --top-k 40 --seed 1", "--top-k 99999 --seed 1"] {
        assert_ne!(text(other), drawn, "{other}");
    }
}

#[test]
fn any_bytes_are_shown_harmlessly() {
    let dir = with_model();
    let dir = dir.path();
    // An untrained model: bytes of all kinds.
    let arguments = ["m", "--tokens", "2000", "--temperature", "1024"];
    let json = generate(dir, &arguments);
    let tokens = bytes(&json);
    assert_eq!(json["text"], String::from_utf8_lossy(&tokens).as_ref());
    assert!(tokens.contains(&0x1b) && std::str::from_utf8(&tokens).is_err());
    let shown = String::from_utf8(shown(dir, &arguments)).unwrap();
    assert!(shown.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    assert_eq!(shown.chars().count(), json["text"].as_str().unwrap().chars().count() + 1);
}

#[test]
fn a_closed_stdout_ends_it() {
    let dir = with_model();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    command.current_dir(dir.path()).args(["generate", "--model", "m", "--tokens", "1048576"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn wrong_usage_is_refused() {
    let dir = with_model();
    let dir = dir.path();
    for arguments in [
        "generate",
        "generate --model m --tokens -1",
        "generate --model m --tokens 1048577",
        "generate --model m --temperature -1",
        "generate --model m --temperature nan",
        "generate --model m --top-k 0",
    ] {
        run(dir, arguments).refused(2, "");
    }
    run(dir, "generate --model m --seed 1").refused_as("usage", "--seed needs");
    run(dir, "generate --model m --temperature 1025").refused_as("usage", "the temperature 1025 is above 1024");
    run(dir, "generate --model none").refused_as("io", "none");
    // Tokens beyond a smaller vocabulary.
    let text = std::fs::read_to_string(dir.join("m/config.json")).unwrap();
    std::fs::write(dir.join("ascii.json"), text.replace("\"vocab_size\": 256", "\"vocab_size\": 128")).unwrap();
    run(dir, "init --config ascii.json --out ascii").ok();
    let answer = Answer::of(&program(dir).args(["generate", "--model", "ascii", "--prompt", "aé"]).output().unwrap());
    answer.refused_as("failed", "prompt: token 195 at position 1 is not below the vocabulary of 128");
}
