//! Round trips, and what is refused.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const STORIES: &str = include_str!("../../../fixtures/corpus/stories.txt");

/// As `train` writes it, of 448 tokens: the stories have few words.
static TRAINED: LazyLock<Vec<u8>> = LazyLock::new(|| train(STORIES, 448, &mut |_| {}).unwrap());

fn trained() -> Tokenizer {
    Tokenizer::from_json(TRAINED.clone()).unwrap()
}

/// The same file, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Tokenizer, FileError> {
    let mut file: Value = serde_json::from_slice(&TRAINED).unwrap();
    change(&mut file);
    Tokenizer::from_json(serde_json::to_vec(&file).unwrap())
}

/// Why a changed file is refused.
fn refused(change: impl FnOnce(&mut Value)) -> FileError {
    changed(change).unwrap_err()
}

fn added(content: &str, id: u64, special: bool) -> Value {
    json!({
        "content": content, "id": id, "special": special,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
    })
}

#[test]
fn bytes_are_tokens_without_a_tokenizer() {
    let bytes = Tokenizer::bytes();
    let text: Vec<u8> = (0..=255).collect();
    let tokens = bytes.encode(&text).unwrap();
    assert_eq!((tokens[255], bytes.text(&tokens)), (255, text));
    assert_eq!((bytes.size(), bytes.is_bytes(), bytes.json()), (256, true, None));
    assert_eq!((bytes.check(256), bytes.check(128)), (Ok(()), Ok(())));
    assert_eq!(bytes.bytes_of(256), "\u{fffd}".as_bytes());
}

/// What is exported of a model of bytes is read as one again.
#[test]
fn a_file_of_the_bytes_is_no_tokenizer() {
    let json = Tokenizer::json_of_bytes().unwrap();
    let read = Tokenizer::from_json(json.clone()).unwrap();
    assert!(read.is_bytes());
    let read = file::read(&json).unwrap();
    let text = "Once, \u{e9}\u{1f600}\r\n\tupon";
    let ids = read.model.encode_fast(text, false).unwrap().get_ids().to_vec();
    assert_eq!(ids, text.bytes().map(u32::from).collect::<Vec<_>>());
}

#[test]
fn the_same_text_gives_the_same_file() {
    assert_eq!(train(STORIES, 448, &mut |_| {}).unwrap(), *TRAINED);
    let other = train(STORIES, 449, &mut |_| {}).unwrap();
    let vocab = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap()["model"]["vocab"].clone();
    let (small, large) = (vocab(&TRAINED), vocab(&other));
    // One more, and the others as they were.
    assert!(small.as_object().unwrap().iter().all(|(token, id)| large[token] == *id));
    assert_eq!((small.as_object().unwrap().len(), large.as_object().unwrap().len()), (448, 449));
}

#[test]
fn bytes_come_first_and_the_most_frequent_pair_next() {
    let tokenizer = Tokenizer::from_json(train("ab ab ab ac ac", 259, &mut |_| {}).unwrap()).unwrap();
    assert!((0..=255).all(|byte: u8| tokenizer.bytes_of(byte.into()) == [byte]));
    // " a" four times, "ab" and then " ab" fewer: the first of equal ones.
    let merged: Vec<Vec<u8>> = (256..259).map(|token| tokenizer.bytes_of(token)).collect();
    assert_eq!(merged, [&b" a"[..], b" ab", b" ac"]);
    assert_eq!(tokenizer.bytes_of(259), "\u{fffd}".as_bytes());
    assert_eq!(tokenizer.encode(b"ab ab").unwrap(), [97, 98, 257]);
}

#[test]
fn a_corpus_too_small_is_named() {
    let small = |text, vocab| train(text, vocab, &mut |_| {}).unwrap_err();
    assert_eq!(small("ab ab", 400), TrainError::Small { wanted: 400, found: 257 });
    assert_eq!(small("", 257), TrainError::Small { wanted: 257, found: 256 });
    for vocab in [0, 256, 65_521] {
        assert_eq!(small(STORIES, vocab), TrainError::Vocab(vocab));
    }
    assert_eq!(
        small("ab ab", 400).to_string(),
        "the corpus is too small for 400 tokens: after 257, no two of them are next to each other twice"
    );
}

#[test]
fn stories_are_shorter_in_tokens_and_come_back() {
    let tokenizer = trained();
    let tokens = tokenizer.encode(STORIES.as_bytes()).unwrap();
    assert_eq!(tokenizer.text(&tokens), STORIES.as_bytes());
    assert!(tokens.len() * 2 < STORIES.len(), "{}", tokens.len());
    assert!(tokens.iter().all(|&token| usize::from(token) < tokenizer.size()));
}

/// Pieces of a corpus are cut where it makes no difference to the words.
#[test]
fn a_long_text_is_cut_as_a_whole() {
    let text = "He said \"no\".\nShe said\n\n  yes.\n \nIt's 1.\r\n\u{3000}a\u{a0}\nb\u{85}\n".repeat(9000);
    let tokenizer = trained();
    let file = tokenizer.file.as_ref().unwrap();
    let pieces = pieces::pieces(&text).collect::<Vec<_>>();
    assert!(pieces.len() > 4 && file.tokens.cuts);
    assert_eq!(pieces.concat(), text);
    let whole = file.tokens.model.encode_fast(&text[..], false).unwrap();
    let tokens: Vec<u32> = tokenizer.encode(text.as_bytes()).unwrap().into_iter().map(u32::from).collect();
    assert_eq!(tokens, whole.get_ids());
}

/// What is not cut is limited.
#[test]
fn a_long_text_that_cannot_be_cut_is_refused() {
    let text = "a line\n".repeat(MAX_PIECE / 7 + 1);
    let other = changed(|file| file["normalizer"] = json!({ "type": "NFC" })).unwrap();
    assert_eq!(other.encode(text.as_bytes()), Err(EncodeError::Long { length: text.len() }));
    let line = " ".repeat(MAX_PIECE + 1);
    assert_eq!(trained().encode(line.as_bytes()), Err(EncodeError::Long { length: line.len() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let tokenizer = trained_once();
        let tokens = tokenizer.encode(text.as_bytes()).unwrap();
        prop_assert_eq!(tokenizer.text(&tokens), text.as_bytes());
        let ids: Vec<u32> = tokens.iter().copied().map(u32::from).collect();
        let library = &tokenizer.file.as_ref().unwrap().tokens.model;
        prop_assert_eq!(library.decode(&ids, false).unwrap(), text);
    }

    /// Tokens that no text has, too: what cuts a character in two is no character, in the library as here.
    #[test]
    fn any_tokens_stand_for_what_the_library_says(tokens in prop::collection::vec(0u16..448, 0..40)) {
        let tokenizer = trained_once();
        let ids: Vec<u32> = tokens.iter().copied().map(u32::from).collect();
        let library = &tokenizer.file.as_ref().unwrap().tokens.model;
        let text = tokenizer.text(&tokens);
        prop_assert_eq!(String::from_utf8_lossy(&text), library.decode(&ids, false).unwrap());
    }

    #[test]
    fn any_text_trains_a_tokenizer_or_is_too_small(text in "[ab \n\u{e9}]{0,80}", vocab in 257usize..300) {
        match train(&text, vocab, &mut |_| {}) {
            Ok(json) => {
                let tokenizer = Tokenizer::from_json(json).unwrap();
                prop_assert_eq!(tokenizer.size(), vocab);
                prop_assert_eq!(tokenizer.text(&tokenizer.encode(text.as_bytes()).unwrap()), text.as_bytes());
            }
            Err(error) => prop_assert!(matches!(error, TrainError::Small { .. }), "{}", error),
        }
    }

    /// Whatever a file says, it is read or refused.
    #[test]
    fn damaged_files_are_refused(at in 0usize..20_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut json = TRAINED.clone();
        let at = at % json.len();
        json[at] = byte;
        if cut {
            json.truncate(at);
        }
        if let Ok(tokenizer) = Tokenizer::from_json(json) {
            let _ = tokenizer.encode(&STORIES.as_bytes()[..200]);
        }
    }
}

/// Reading it takes longer than a case.
fn trained_once() -> &'static Tokenizer {
    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(trained);
    &TOKENIZER
}

#[test]
fn a_text_that_does_not_come_back_is_refused_where_it_differs() {
    let with = |normalizer: Value| changed(|file| file["normalizer"] = normalizer).unwrap();
    let lost = |tokenizer: &Tokenizer, text: &str| tokenizer.encode(text.as_bytes()).unwrap_err();
    let differs = |offset, expected: &str, found: &str| {
        let (expected, found) = (expected.into(), found.into());
        EncodeError::Differs { offset, expected, found }
    };
    let lower = with(json!({ "type": "Lowercase" }));
    assert_eq!(lower.encode(b"once upon").map(|tokens| lower.text(&tokens)), Ok(b"once upon".to_vec()));
    assert_eq!(lost(&lower, "once Upon"), differs(5, "Upon", "upon"));
    let nfkc = with(json!({ "type": "NFKC" }));
    assert_eq!(lost(&nfkc, "the \u{fb01}re"), differs(4, "\u{fb01}re", "fire"));
    let strip = with(json!({ "type": "Sequence", "normalizers": [{ "type": "NFD" }, { "type": "StripAccents" }] }));
    assert_eq!(lost(&strip, "caf\u{e9}"), differs(3, "\u{e9}", "e"));
    let llama = with(json!({
        "type": "Sequence",
        "normalizers": [
            { "type": "Prepend", "prepend": "\u{2581}" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "\u{2581}" },
        ],
    }));
    assert!(matches!(lost(&llama, "a b"), EncodeError::Differs { offset: 0, .. }));
    let prefix = changed(|file| file["pre_tokenizer"]["add_prefix_space"] = true.into()).unwrap();
    assert_eq!(lost(&prefix, "a b"), differs(0, "a b", " a b"));
    // Ends that are lost.
    let strip = with(json!({ "type": "Strip", "strip_left": false, "strip_right": true }));
    assert_eq!(lost(&strip, "end\n"), differs(3, "\n", ""));
    assert_eq!(
        lost(&lower, "once Upon").to_string(),
        "the tokenizer loses text: its tokens stand for another text from byte 5 on, for \"upon\" instead of \"Upon\""
    );
}

/// With and without an unknown token.
#[test]
fn unknown_characters_are_refused_where_they_stand() {
    for unknown in [json!(null), json!("<unk>")] {
        let tokenizer = changed(|file| {
            file["model"] = json!({
                "type": "BPE", "vocab": { "a": 0, "b": 1, "<unk>": 2 }, "merges": [], "unk_token": unknown,
            });
        })
        .unwrap();
        assert_eq!(tokenizer.encode(b"abba"), Ok(vec![0, 1, 1, 0]));
        assert!(matches!(tokenizer.encode(b"abc"), Err(EncodeError::Differs { offset: 2, .. })));
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_refused_with_its_place() {
    let error = trained().encode(b"caf\xe9 noir").unwrap_err();
    assert_eq!(error, EncodeError::Utf8 { offset: 3 });
    assert_eq!(error.to_string(), "the text is not UTF-8 at offset 3, and a tokenizer takes no other");
}

#[test]
fn special_tokens_come_of_no_text_and_others_do() {
    let tokenizer = changed(|file| {
        file["added_tokens"] = json!([added("<|end|>", 448, true), added("Owl", 449, false)]);
    })
    .unwrap();
    assert_eq!((tokenizer.size(), tokenizer.special().collect::<Vec<_>>()), (450, vec![(448, "<|end|>")]));
    let text = b"Owl: the <|end|>";
    let tokens = tokenizer.encode(text).unwrap();
    assert_eq!((tokens[0], tokens.contains(&448), tokenizer.text(&tokens)), (449, false, text.to_vec()));
    // By name, where a model says it.
    assert_eq!(tokenizer.text(&[448, 449]), b"<|end|>Owl");
    // Where a special token is a word that merges lead to.
    let word = changed(|file| {
        let the = file["model"]["vocab"]["\u{120}the"].clone();
        file["added_tokens"] = json!([added("\u{120}the", the.as_u64().unwrap(), true)]);
    })
    .unwrap();
    let error = EncodeError::Special { offset: 3, name: "\u{120}the".into() };
    assert_eq!(word.encode(b"all the"), Err(error));
}

/// White space that an added token takes with it would be lost.
#[test]
fn an_added_token_that_takes_what_is_beside_it_is_refused_where_it_does() {
    let mut owl = added("Owl", 448, false);
    (owl["lstrip"], owl["rstrip"]) = (true.into(), true.into());
    let tokenizer = changed(|file| file["added_tokens"] = json!([owl])).unwrap();
    assert_eq!(tokenizer.encode(b"Owl"), Ok(vec![448]));
    assert!(matches!(tokenizer.encode(b"an Owl"), Err(EncodeError::Differs { offset: 2, .. })));
}

/// Words as Llama 3 cuts them.
#[test]
fn other_words_come_back_too() {
    let words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let tokenizer = changed(|file| {
        file["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": words }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        ] });
    })
    .unwrap();
    assert!(!tokenizer.file.as_ref().unwrap().tokens.cuts);
    for text in [STORIES, "It'S 12345 \u{e9}t\u{e9}s,\r\n\n  \u{1f600}\t "] {
        assert_eq!(tokenizer.text(&tokenizer.encode(text.as_bytes()).unwrap()), text.as_bytes());
    }
}

/// A text's own tokens are wanted, all of them.
#[test]
fn what_adds_or_cuts_tokens_is_not_read() {
    let plain = trained().encode(b"Once upon a time").unwrap();
    let tokenizer = changed(|file| {
        file["added_tokens"] = json!([added("<s>", 448, true)]);
        file["post_processor"] = json!({
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 0 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [448], "tokens": ["<s>"] } },
        });
        file["truncation"] = json!({ "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 });
        file["padding"] = json!({
            "strategy": { "Fixed": 99 }, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "!",
        });
    })
    .unwrap();
    assert_eq!(tokenizer.encode(b"Once upon a time").unwrap(), plain);
    assert_eq!(tokenizer.unused(), ["truncation", "padding", "post_processor"]);
    // What only says where tokens are in the text changes none.
    let offsets = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true });
    for (processors, unused) in
        [(json!([offsets]), &[][..]), (json!([offsets, { "type": "Other" }]), &["post_processor"])]
    {
        let part = json!({ "type": "Sequence", "processors": processors });
        assert_eq!(changed(|file| file["post_processor"] = part).unwrap().unused(), unused);
    }
    assert!(trained().unused().is_empty());
}

#[test]
fn vocabularies_are_compared() {
    let tokenizer = trained();
    assert_eq!(tokenizer.check(448), Ok(()));
    let error = tokenizer.check(444).unwrap_err();
    assert_eq!(error.to_string(), "the tokenizer has 448 tokens, and the model's vocabulary is 444");
}

#[test]
fn files_that_are_refused() {
    let kind = |key, found: &str, supported| FileError::Kind { key, found: found.into(), supported };
    for (change, expected) in [
        (("decoder", json!({ "type": "Metaspace" })), kind("decoder", "Metaspace", "the decoder ByteLevel")),
        (("decoder", json!(null)), kind("decoder", "absent", "the decoder ByteLevel")),
        (
            ("normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "" })),
            kind("normalizer", "Precompiled", "a normalizer that needs no tables"),
        ),
        (
            ("pre_tokenizer", json!({ "type": "Sequence", "pretokenizers": [{ "type": "BertPreTokenizer" }] })),
            kind("pre_tokenizer", "BertPreTokenizer", "ByteLevel, Split, Digits and Punctuation before it"),
        ),
        (("model", json!({ "type": "Unigram", "vocab": [] })), kind("model", "Unigram", "the model BPE")),
        (("model", json!([])), FileError::Type { key: "model", expected: "an object" }),
    ] {
        assert_eq!(refused(|file| file[change.0] = change.1), expected);
    }
    let model = |key: &'static str, value: Value| refused(|file| file["model"][key] = value);
    for (key, value, why) in [
        ("dropout", json!(0.1), "tokens would be chosen at random"),
        ("continuing_subword_prefix", json!("##"), "it is no part of the text"),
        ("end_of_word_suffix", json!("</w>"), "it is no part of the text"),
    ] {
        assert_eq!(model(key, value.clone()), FileError::Setting { key, found: value.to_string(), why });
    }
    // The library would read beyond a buffer, or panic.
    let merge = |token: &str| FileError::Merge { index: 0, token: token.into() };
    assert_eq!(model("merges", json!(["a nothing"])), merge("nothing"));
    assert_eq!(model("merges", json!([["z", "Q"]])), merge("zQ"));
    for bad in [json!(["ab"]), json!([["a"]]), json!([1]), json!("a b"), json!(null)] {
        assert_eq!(model("merges", bad), FileError::Type { key: "model.merges", expected: "a list of pairs" });
    }
    let vocab = |change: fn(&mut Value)| refused(|file| change(&mut file["model"]["vocab"]));
    assert_eq!(vocab(|vocab| vocab["one"] = json!(65_520)), FileError::Number { token: "one".into(), id: 65_520 });
    assert_eq!(vocab(|vocab| vocab["one"] = json!(u64::MAX)), FileError::Number { token: "one".into(), id: u64::MAX });
    let FileError::Twice { first, second, id: 97 } = vocab(|vocab| vocab["one"] = json!(97)) else { panic!() };
    assert_eq!([first, second], ["a", "one"]);
    assert!(matches!(vocab(|vocab| vocab["one"] = json!(-1)), FileError::Type { key: "model.vocab", .. }));
    let of = |token: Value| refused(|file| file["added_tokens"] = json!([token]));
    let elsewhere =
        |token: &str, said, found: &str| FileError::Added { token: token.into(), said, found: found.into() };
    assert_eq!(of(added("<s>", 600, true)), elsewhere("<s>", 600, "448"));
    assert_eq!(of(added("a", 448, true)), elsewhere("a", 448, "97"));
    assert_eq!(of(added("", 448, true)), elsewhere("", 448, "no token"));
    assert!(matches!(of(json!({ "content": "a" })), FileError::Type { key: "added_tokens", .. }));
    let parse = |json: &[u8]| Tokenizer::from_json(json.to_vec()).unwrap_err();
    assert!(matches!(parse(b"{\"model\": "), FileError::Json(_)));
    assert!(matches!(parse(b"[]"), FileError::Json(_)));
    assert_eq!(parse(b"{}"), FileError::Type { key: "model", expected: "there" });
    // A regular expression that is none.
    let split = json!({ "type": "Split", "pattern": { "Regex": "(" }, "behavior": "Isolated", "invert": false });
    assert!(matches!(refused(|file| file["pre_tokenizer"] = split), FileError::Library(_)));
    assert!(matches!(refused(|file| file["version"] = "2.0".into()), FileError::Library(_)));
}
