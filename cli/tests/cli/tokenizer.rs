//! Models whose tokens are more than bytes: from a corpus to a proven step, and to another program and back.

use crate::common::{copy, corpus, run, run_with};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A tokenizer of so many tokens, `NAME.json`, and a model of it.
fn with_tokenizer(vocab: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &format!("train-tokenizer --corpus {} --vocab {vocab} --out t.json", corpus())).ok();
    run(dir.path(), "init --preset nano --seed 1 --tokenizer t.json --out m").ok();
    dir
}

fn list(json: &Value) -> Vec<u64> {
    json.as_array().unwrap().iter().map(|token| token.as_u64().unwrap()).collect()
}

fn has(list: &Value, text: &str) -> bool {
    list.as_array().unwrap().iter().any(|x| x.as_str().unwrap().contains(text))
}

/// The bytes of each token, by the file that was trained. GPT-2 spells bytes that are not visible in Latin-1 from U+0100 on.
fn bytes_of(file: &Path) -> Vec<Vec<u8>> {
    let json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object().unwrap();
    let hidden: Vec<u8> = (0..=0x20).chain(0x7f..=0xa0).chain([0xad]).collect();
    let byte = |c: char| hidden.get((c as usize).wrapping_sub(256)).copied().unwrap_or(c as u8);
    let mut bytes = vec![vec![]; vocab.len()];
    for (token, id) in vocab {
        bytes[id.as_u64().unwrap() as usize] = token.chars().map(byte).collect();
    }
    bytes
}

/// The text of tokens, as JSON has it.
fn text_of(tokens: &[u64], bytes: &[Vec<u8>]) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|&token| bytes[token as usize].clone()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_tokenizer_is_the_same_each_time_and_says_what_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let train = |rest: &str| run(dir, &format!("train-tokenizer {rest}"));
    let json = train(&format!("--corpus {} --vocab 400 --out a", corpus())).ok();
    assert_eq!((&json["vocab_size"], &json["corpus_bytes"]), (&400.into(), &170_042.into()));
    assert!(json["corpus_tokens"].as_u64().unwrap() < 170_042 / 2);
    train(&format!("--corpus {} --vocab 400 --out b", corpus())).ok();
    assert_eq!(fs::read(dir.join("a")).unwrap(), fs::read(dir.join("b")).unwrap());
    train(&format!("--corpus {} --vocab 400 --out b", corpus())).refused_as("usage", "b exists already");
    train(&format!("--corpus {} --vocab 2000 --out c", corpus()))
        .refused_as("file", "the corpus is too small for 2000 tokens: after 476");
    for vocab in [256, 65_521] {
        train(&format!("--corpus {} --vocab {vocab} --out c", corpus())).refused(2, "257..=65520");
    }
    fs::write(dir.join("latin"), b"caf\xe9").unwrap();
    train("--corpus latin --vocab 257 --out c").refused_as("file", "latin: the text is not UTF-8 at offset 3");
    assert!(!dir.join("c").exists());
    let facts = run(dir, "inspect a").ok();
    assert_eq!((&facts["kind"], &facts["content"]["tokens"]), (&"tokenizer".into(), &400.into()));
}

#[test]
fn from_a_corpus_to_a_model_of_another_program_and_back() {
    let dir = with_tokenizer(400);
    let dir = dir.path();
    assert_eq!(run(dir, "inspect m").ok()["content"]["tokenizer"]["tokens"], 400);
    let train = format!(
        "train --model m --corpus {} --steps 12 --optimizer adamw --lr 0.003 --held-out 0.1 --checkpoint-every 6 --out r",
        corpus()
    );
    run(dir, &train).ok();
    let text = fs::read(corpus()).unwrap();
    let spelled = bytes_of(&dir.join("r/tokenizer.json"));

    // Text of tokens, whatever directory they are of.
    let generate = "generate --prompt Once --tokens 30 --temperature 1 --model";
    let json = run(dir, &format!("{generate} r")).ok();
    let tokens = list(&json["tokens"]);
    assert_eq!(json["text"], text_of(&tokens, &spelled));
    assert!(tokens.iter().any(|&token| token > 255));
    assert_eq!(text_of(&list(&json["prompt_tokens"]), &spelled), "Once");
    for model in ["r/state.bin", "r/checkpoints/step-000012", "r/checkpoints/step-000012/state.bin"] {
        assert_eq!(run(dir, &format!("{generate} {model}")).ok()["tokens"], json["tokens"], "{model}");
    }
    // An empty prompt is a new line.
    let newline = run_with(dir, ["generate", "--model", "r", "--tokens", "1", "--prompt", "\n"]).ok();
    assert_eq!(run(dir, "generate --model r --tokens 1").ok()["tokens"], newline["tokens"]);

    // Bits a byte are of bytes, not of tokens.
    let eval = run(dir, &format!("eval --model r --corpus {} --windows 50", corpus())).ok();
    let loss = eval["loss_sum"].as_u64().unwrap() as f64 / f64::from(1 << 24) / std::f64::consts::LN_2;
    let bytes = eval["predicted_bytes"].as_u64().unwrap();
    let bits = eval["bits_per_byte"].as_f64().unwrap();
    assert!(bytes > 50 * 16 * 2 && (bits - loss / bytes as f64).abs() < 1e-9, "{eval}");
    assert_eq!((&eval["bytes"], &eval["predictions"]), (&text.len().into(), &800.into()));
    let end = run(dir, &format!("eval --model r --corpus {} --held-out 0.1", corpus())).ok();
    let held_out = fs::read_to_string(dir.join("r/held-out.jsonl")).unwrap();
    let line: Value = serde_json::from_str(held_out.lines().last().unwrap()).unwrap();
    assert_eq!((&line["loss_sum"], &line["predictions"]), (&end["loss_sum"], &end["predictions"]));
    let logits = run(dir, "logits --model r --prompt Once --all --top 1").ok();
    let seen: Vec<u64> = logits["positions"].as_array().unwrap().iter().map(|p| p["token"].as_u64().unwrap()).collect();
    assert_eq!(seen, list(&json["prompt_tokens"]));

    // To the library's files and back: the same model, which says the same.
    run(dir, "export r --out hf").ok();
    assert_eq!(fs::read(dir.join("hf/tokenizer.json")).unwrap(), fs::read(dir.join("t.json")).unwrap());
    let config: Value = serde_json::from_slice(&fs::read(dir.join("hf/tokenizer_config.json")).unwrap()).unwrap();
    assert_eq!(config["tokenizer_class"], "PreTrainedTokenizerFast");
    run(dir, "export r --out hf").refused_as("usage", "already exists");
    let imported = run(dir, "import hf --out back").ok();
    assert_eq!((&imported["sidecar"], &imported["model_digest"]), (&"restored".into(), &json["model_digest"]));
    assert_eq!(run(dir, &format!("{generate} back")).ok()["tokens"], json["tokens"]);

    // A run that goes on, and one that begins with it, do so with its tokenizer or not at all.
    run(dir, "train --out r --resume --steps 13 --held-out 0.1").ok();
    run(dir, &format!("train --model r --corpus {} --steps 1 --optimizer adamw --lr 0.001 --out r2", corpus())).ok();
    assert_eq!(fs::read(dir.join("r2/tokenizer.json")).unwrap(), fs::read(dir.join("t.json")).unwrap());
    run(dir, &format!("train-tokenizer --corpus {} --vocab 399 --out r/other.json", corpus())).ok();
    fs::rename(dir.join("r/other.json"), dir.join("r/tokenizer.json")).unwrap();
    let other = "r/tokenizer.json: the run was not trained with this tokenizer";
    run(dir, &format!("{generate} r")).refused_as("file", other);
    run(dir, "train --out r --resume --steps 14").refused_as("file", other);
    fs::remove_file(dir.join("r/tokenizer.json")).unwrap();
    run(dir, &format!("{generate} r")).refused_as("file", "r/tokenizer.json: the run's tokenizer is missing");
    fs::copy(dir.join("t.json"), dir.join("r/tokenizer.json")).unwrap();
    run(dir, "train --out r --resume --steps 14").ok();
}

#[test]
fn steps_are_proven_of_tokens_and_batches_are_those_of_the_text() {
    let dir = with_tokenizer(258);
    let dir = dir.path();
    assert_eq!(run(dir, "inspect m").ok()["content"]["vocab_size"], 260);
    let commit = format!("dataset commit {} --config m/config.json", corpus());
    let root = run(dir, &format!("{commit} --tokenizer t.json --out root")).ok()["root"].clone();
    assert_ne!(run(dir, &commit).ok()["root"], root);
    let train = format!("train --model m --corpus {} --steps 1 --batch 1 --prove", corpus());
    run(dir, &format!("{train} --dataset root --out leaves")).ok();
    let verified = run(dir, &format!("verify leaves --dataset root --corpus {}", corpus())).ok();
    assert_eq!((&verified["dataset"], &verified["corpus_compared"]), (&root, &true.into()));

    // A run on a corpus names its tokens.
    run(dir, &format!("{train} --out r")).ok();
    let verified = run(dir, &format!("verify r --corpus {}", corpus())).ok();
    assert!(has(&verified["checked"], "in tokens of the tokenizer") && verified["tokenizer"].is_string());
    assert!(has(&verified["not_checked"], "the tokenizer, which came with the run"));
    run(dir, &format!("verify r/step-000000.bundle --corpus {}", corpus())).ok();
    let named = run(dir, &format!("verify r --tokenizer t.json --corpus {}", corpus())).ok();
    assert!(!has(&named["not_checked"], "the tokenizer"));
    run(dir, &format!("train-tokenizer --corpus {} --vocab 257 --out other.json", corpus())).ok();
    run(dir, &format!("verify r --tokenizer other.json --corpus {}", corpus()))
        .refused_as("rejected", "the corpus is not the run's");
    // Nor is the text as bytes.
    copy_without(&dir.join("r"), &dir.join("bare"), &["tokenizer.json", "train.json"]);
    run(dir, &format!("verify bare --corpus {}", corpus())).refused_as("rejected", "the corpus is not the run's");
    run(dir, &format!("verify bare --tokenizer t.json --corpus {}", corpus())).ok();
}

fn copy_without(from: &Path, to: &Path, names: &[&str]) {
    copy(from, to);
    names.iter().for_each(|name| fs::remove_file(to.join(name)).unwrap());
}

/// A tokenizer tells of the text that it was trained on: of a private run it is not handed over.
#[test]
fn a_private_run_keeps_its_tokenizer_until_it_is_revealed() {
    let dir = with_tokenizer(258);
    let dir = dir.path();
    run(dir, "init --preset nano --private --tokenizer t.json --out p").ok();
    run(dir, &format!("train --private --model p --corpus {} --steps 1 --batch 1 --prove --out r", corpus())).ok();
    assert!(!dir.join("r/public/tokenizer.json").exists());
    assert_eq!(fs::read(dir.join("r/secret/tokenizer.json")).unwrap(), fs::read(dir.join("t.json")).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join("r/secret/tokenizer.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    run(dir, "generate --model r --tokens 2").ok();
    run(dir, "reveal r --leaf 3 --out leaf").ok();
    run(dir, "verify r/public --includes leaf").ok();
    let leaf = run(dir, "inspect leaf --tokenizer t.json").ok();
    let text = leaf["content"]["text"].as_str().unwrap();
    assert!(fs::read_to_string(corpus()).unwrap().contains(text), "{leaf}");
    let bytes = run(dir, "inspect leaf").ok();
    assert!(bytes["content"]["text_is_of"].as_str().unwrap().contains("--tokenizer"), "{bytes}");
    run(dir, "reveal r --out shown").ok();
    run(dir, "verify r/public --revealed shown").ok();
    assert_eq!(fs::read(dir.join("shown/tokenizer.json")).unwrap(), fs::read(dir.join("t.json")).unwrap());
}

/// A text whose bytes are the tokens is exported with a tokenizer that says so, and comes back as one.
#[test]
fn bytes_stay_bytes() {
    let dir = crate::common::with_model();
    let dir = dir.path();
    run(dir, "export m --out hf").ok();
    assert!(dir.join("hf/tokenizer.json").exists());
    let json = run(dir, "import hf --out back").ok();
    assert_eq!(json["tokenizer"], Value::Null);
    assert!(!dir.join("back/tokenizer.json").exists());
    run(dir, "init --preset nano --tokenizer hf/tokenizer.json --out again").ok();
    assert_eq!(run(dir, "inspect again").ok()["content"]["vocab_size"], 256);
    // A vocabulary that does not have all bytes has no such tokenizer.
    let mut config: Value = serde_json::from_slice(&fs::read(dir.join("m/config.json")).unwrap()).unwrap();
    config["vocab_size"] = 128.into();
    fs::write(dir.join("c.json"), config.to_string()).unwrap();
    run(dir, "init --config c.json --out ascii").ok();
    run(dir, "export ascii --out hf2").ok();
    assert!(dir.join("hf2/model.safetensors").exists() && !dir.join("hf2/tokenizer.json").exists());
}

#[test]
fn tokenizers_and_texts_that_are_refused() {
    let dir = with_tokenizer(400);
    let dir = dir.path();
    let init = |tokenizer: &str| run(dir, &format!("init --preset nano --tokenizer {tokenizer} --out x"));
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_slice(&fs::read(dir.join("t.json")).unwrap()).unwrap();
        change(&mut json);
        fs::write(dir.join(name), json.to_string()).unwrap();
    };
    // The model's vocabulary, wherever the two meet.
    let preset = run(dir, "init --preset nano --out nano").ok();
    assert_eq!(preset["vocab_size"], 256);
    let few = "the tokenizer has 400 tokens, and the model's vocabulary is 256";
    run(dir, "init --config nano/config.json --tokenizer t.json --out x").refused_as("file", &format!("t.json: {few}"));
    // A preset's vocabulary becomes the tokenizer's.
    let root =
        |of: &str| run(dir, &format!("dataset commit {} {of} --tokenizer t.json", corpus())).ok()["root"].clone();
    assert_eq!(root("--preset nano"), root("--config m/config.json"));
    run(dir, "export nano --out hf").ok();
    fs::copy(dir.join("t.json"), dir.join("hf/tokenizer.json")).unwrap();
    run(dir, "import hf --out y").refused_as("file", &format!("hf/tokenizer.json: {few}"));
    fs::remove_file(dir.join("hf/tokenizer.json")).unwrap();
    let other = "hf/tokenizer_config.json: the model has a tokenizer, but no tokenizer.json";
    run(dir, "import hf --out y").refused_as("file", other);
    fs::copy(dir.join("t.json"), dir.join("nano/tokenizer.json")).unwrap();
    run(dir, "generate --model nano").refused_as("file", few);

    // What is no tokenizer, or another kind.
    fs::write(dir.join("cut.json"), &fs::read(dir.join("t.json")).unwrap()[..9000]).unwrap();
    init("cut.json").refused_as("file", "cut.json: this is not a tokenizer.json");
    fs::File::create(dir.join("huge.json")).unwrap().set_len((32 << 20) + 1).unwrap();
    init("huge.json").refused_as("file", "huge.json: the file is larger than 33554432 bytes");
    init(&corpus()).refused_as("file", "this is not a tokenizer.json");
    init("none.json").refused_as("io", "none.json");
    changed("word.json", &|json| json["model"]["type"] = "WordPiece".into());
    init("word.json").refused_as("file", "`model` is WordPiece: only byte-level BPE is supported");
    changed("dropout.json", &|json| json["model"]["dropout"] = 0.5.into());
    init("dropout.json").refused_as("file", "`model.dropout` is 0.5");
    assert!(!dir.join("x").exists());

    // What adds tokens is left out, and said to be.
    changed("bos.json", &|json| {
        json["added_tokens"] = json!([{
            "id": 400, "content": "<s>", "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        }]);
        json["post_processor"] = json!({
            "type": "TemplateProcessing", "pair": [],
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [400], "tokens": ["<s>"] } },
        });
    });
    run(dir, "init --preset nano --tokenizer bos.json --out bos")
        .warned("bos.json: `post_processor` is not applied: a text has its own tokens");
    let tokens = list(&run(dir, "generate --model bos --prompt <s>Once --tokens 1").ok()["prompt_tokens"]);
    assert_eq!(tokens, list(&run(dir, "generate --model m --prompt <s>Once --tokens 1").ok()["prompt_tokens"]));
    assert!(!tokens.contains(&400));
    run(dir, "export bos --out hf-bos").warned("bos: `post_processor` is not applied");
    run(dir, "import hf-bos --out z").warned("hf-bos/tokenizer.json: `post_processor` is not applied");

    // A model that has lost its tokenizer.
    copy_without(&dir.join("m"), &dir.join("bare"), &["tokenizer.json"]);
    let lost = "bare: no tokenizer.json beside it: bytes are tokens, and those from 256 on have no text";
    run(dir, "generate --model bare --tokens 1").warned(lost);
    run(dir, &format!("train --model bare --corpus {} --steps 1 --out r-bare", corpus())).warned(lost);

    // Texts that would not come back.
    changed("lower.json", &|json| json["normalizer"] = json!({ "type": "Lowercase" }));
    let warned = "lower.json: texts like \"Once\" will be refused: the tokenizer loses text";
    run(dir, "init --preset nano --tokenizer lower.json --out low").warned(warned);
    let lost = "the tokenizer loses text: its tokens stand for another text from byte 0 on, for ";
    run(dir, &format!("train --model low --corpus {} --steps 1 --out r", corpus())).refused_as("file", lost);
    run(dir, &format!("dataset commit {} --config low/config.json --tokenizer lower.json", corpus()))
        .refused_as("file", lost);
    run(dir, "generate --model low --prompt Once").refused(3, "prompt: the tokenizer loses text");
    fs::write(dir.join("latin"), [&b"Once upon a time, "[..], b"caf\xe9. "].concat().repeat(9)).unwrap();
    let utf8 = "latin: the text is not UTF-8 at offset 21, and a tokenizer takes no other";
    run(dir, "train --model m --corpus latin --steps 1 --out r").refused_as("file", utf8);
    run(dir, "eval --model m --corpus latin --held-out 0.3").refused_as("file", utf8);
    assert!(!dir.join("r").exists());
    // Too few tokens, though there are bytes enough.
    fs::write(dir.join("short"), "Once there was a bear named Ben.").unwrap();
    run(dir, "eval --model m --corpus short").refused_as("file", "tokens; a sequence needs 17");
}
