//! Models measured on texts, and their logits.

use crate::common::{Answer, corpus, program, run, run_with, with_model};
use circuits::model::file::ModelState;
use circuits::model::{Spec, sequence_gradient, tokens_of_bytes};
use circuits::statements::codec::decode;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Sum of the losses of some windows, by the pass that training takes.
fn trained_loss(state: &Path, text: &[u8], windows: impl Iterator<Item = usize>) -> u64 {
    let file: ModelState = decode(&fs::read(state).unwrap()).unwrap();
    let (config, state) = file.open().unwrap();
    let (spec, context) = (Spec::new(config.clone()), config.context);
    let text = tokens_of_bytes(text);
    let loss = |i: usize| sequence_gradient(&spec, &state.w, &text[i * context..=(i + 1) * context]).unwrap().loss();
    windows.map(loss).sum::<i128>() as u64
}

#[test]
fn losses_are_those_of_training_beside_the_entropies() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 60 --lr 0.4 --momentum 0.5 --out r", corpus())).ok();
    let text = fs::read(corpus()).unwrap();
    let text = &text[..3000];
    fs::write(dir.join("text"), text).unwrap();
    let all = run(dir, "eval --model r --corpus text").ok();
    let sum = trained_loss(&dir.join("r/state.bin"), text, 0..187);
    assert_eq!((&all["windows"], &all["windows_in_all"], &all["bytes"]), (&187.into(), &187.into(), &3000.into()));
    assert_eq!((&all["loss_sum"], &all["predictions"], &all["step"]), (&sum.into(), &(187 * 16).into(), &60.into()));
    let loss = sum as f64 / f64::from(1 << 24) / (187.0 * 16.0);
    let near = |key: &str, expected: f64| assert!((all[key].as_f64().unwrap() - expected).abs() < 1e-9, "{key}: {all}");
    near("loss", loss);
    near("perplexity", loss.exp());
    near("bits_per_byte", loss / 2f64.ln());
    assert_eq!(all["saturated"], 0);
    let bits: Vec<f64> =
        all["entropies"].as_array().unwrap().iter().map(|e| e["bits_per_byte"].as_f64().unwrap()).collect();
    assert!(bits.len() == 4 && bits.is_sorted_by(|a, b| a > b) && bits[0] < 5.0 && bits[3] > 0.0, "{bits:?}");

    // Some windows, evenly apart; the end alone; a state's file, which says the same.
    let some = run(dir, "eval --model r/state.bin --corpus text --windows 10").ok();
    let numbers = (0..10).map(|i| i * 187 / 10);
    assert_eq!(some["loss_sum"], trained_loss(&dir.join("r/state.bin"), text, numbers));
    let end = run(dir, "eval --model r --corpus text --held-out 0.2").ok();
    assert_eq!((&end["bytes"], &end["held_out"]), (&600.into(), &true.into()));
    assert_eq!(end["loss_sum"], trained_loss(&dir.join("r/state.bin"), &text[2400..], 0..37));
    assert_eq!(run(dir, "eval --model r --corpus text --held-out 600").ok()["loss_sum"], end["loss_sum"]);
    // An untrained model knows less.
    let untrained = run(dir, "eval --model m --corpus text").ok();
    assert!(untrained["loss"].as_f64().unwrap() > loss + 0.5, "{untrained}");
    let shown = Command::new(env!("CARGO_BIN_EXE_gradientcoin"))
        .current_dir(dir)
        .args(["eval", "--model", "r", "--corpus", "text"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in [&format!("loss         {loss:.4} nats a token"), &format!("order 3   {:.4} bits a byte", bits[3])] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn corpora_that_cannot_be_measured_are_refused() {
    let dir = with_model();
    let dir = dir.path();
    fs::write(dir.join("short"), [7; 16]).unwrap();
    fs::write(dir.join("least"), [7; 17]).unwrap();
    fs::write(dir.join("empty"), "").unwrap();
    let eval = |more: &str| run(dir, &format!("eval --model m --corpus {more}"));
    eval("short").refused_as("file", "short: the corpus has 16 tokens; a sequence needs 17");
    eval("empty").refused_as("file", "empty: the corpus has 0 tokens");
    eval("none").refused_as("io", "none");
    eval("least --held-out 17").refused_as("file", "least: of 17 bytes, 17 cannot be held out");
    let least = eval("least").ok();
    assert_eq!((&least["windows"], &least["entropies"][0]["bits_per_byte"]), (&1.into(), &0.0.into()));
    for bad in ["--windows 0", "--windows some", "--held-out 0", "--held-out 1.5", "--held-out -1"] {
        eval(&format!("least {bad}")).refused(2, "");
    }
    run(dir, "eval --corpus least").refused(2, "");
    run(dir, "eval --model m").refused(2, "");
    // Bytes beyond a smaller vocabulary.
    let text = fs::read_to_string(dir.join("m/config.json")).unwrap();
    fs::write(dir.join("ascii.json"), text.replace("\"vocab_size\": 256", "\"vocab_size\": 128")).unwrap();
    run(dir, "init --config ascii.json --out ascii").ok();
    fs::write(dir.join("latin"), [&[65; 100][..], &[0xe9]].concat()).unwrap();
    let message = "latin: token 233 at offset 100 is not below the vocabulary of 128";
    run(dir, "eval --model ascii --corpus latin").refused_as("file", message);
    run(dir, "logits --model ascii --prompt é").refused_as("failed", "token 195 at position 0");
}

/// What the program answers to bytes on stdin.
fn piped(dir: &Path, arguments: &str, stdin: &[u8]) -> Answer {
    let mut command = program(dir);
    command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    Answer::of(&child.wait_with_output().unwrap())
}

#[test]
fn logits_are_exact_and_the_largest_is_generated() {
    let dir = with_model();
    let dir = dir.path();
    run(dir, &format!("train --model m --corpus {} --steps 60 --lr 0.4 --momentum 0.5 --out r", corpus())).ok();
    // Longer than the context: 16 bytes of it are seen.
    let prompt = "Once there was a bear named ";
    let json = run_with(dir, ["logits", "--model", "r", "--prompt", prompt, "--top", "256"]).ok();
    let position = &json["positions"][0];
    assert_eq!((&json["frac_bits"], &json["step"], &position["position"]), (&24.into(), &60.into(), &27.into()));
    let file: ModelState = decode(&fs::read(dir.join("r/state.bin")).unwrap()).unwrap();
    let (config, state) = file.open().unwrap();
    let seen = &prompt.as_bytes()[12..];
    let trace = sequence_gradient(&Spec::new(config), &state.w, &tokens_of_bytes(&[seen, b"?"].concat())).unwrap();
    let rows = position["logits"].as_array().unwrap();
    assert_eq!(rows.len(), 256);
    for row in rows {
        let (token, logit) = (row["token"].as_u64().unwrap() as usize, row["logit"].as_i64().unwrap());
        assert_eq!(i128::from(logit), trace.head.logits.at(15, token));
        let decimal: f64 = row["decimal"].as_str().unwrap().parse().unwrap();
        assert_eq!(decimal, logit as f64 / f64::from(1 << 24));
    }
    assert!(rows.is_sorted_by_key(|row| -row["logit"].as_i64().unwrap()));
    let next = run_with(dir, ["generate", "--model", "r", "--prompt", prompt, "--tokens", "1"]).ok();
    assert_eq!(rows[0]["token"], next["tokens"][0]);

    // Each position; from stdin; the first ten.
    let all = piped(dir, "logits --model r --all --top 3", prompt.as_bytes()).ok();
    let positions = all["positions"].as_array().unwrap();
    let tokens: Vec<&Value> = positions.iter().map(|position| &position["token"]).collect();
    assert_eq!(tokens, seen);
    assert_eq!(positions[15]["logits"].as_array().unwrap()[..], rows[..3]);
    assert_eq!(positions[0]["position"], 12);
    let ten = piped(dir, "logits --model r", prompt.as_bytes()).ok();
    assert_eq!(ten["positions"][0]["logits"].as_array().unwrap()[..], rows[..10]);
    // Any bytes; none.
    assert_eq!(piped(dir, "logits --model r", b"\xff\xfe").ok()["positions"][0]["token"], 0xfe);
    let none = piped(dir, "logits --model r", b"").ok();
    assert_eq!((&none["positions"][0]["token"], &none["prompt_bytes"]), (&u64::from(b'\n').into(), &0.into()));
    piped(dir, "logits --model r", &vec![b'a'; (1 << 20) + 1]).refused_as("usage", "stdin has more than 1048576 bytes");
    for bad in ["--top 0", "--top 65521"] {
        run(dir, &format!("logits --model r --prompt a {bad}")).refused(2, "");
    }
    run(dir, "logits --prompt a").refused(2, "");
    let shown = Command::new(env!("CARGO_BIN_EXE_gradientcoin"))
        .current_dir(dir)
        .args(["logits", "--model", "r", "--prompt", prompt, "--top", "1"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let first = rows[0]["logit"].as_i64().unwrap();
    assert!(shown.contains(&format!("{first}/2^24 = ")) && shown.starts_with("after 0x20 at byte 27:\n"), "{shown}");
}
