//! `tokenizer.json`, looked at before the library reads it: what could make it panic, choose at random or lose text is refused by name.

use crate::alphabet::Bytes;
use circuits::model::{MAX_VOCAB, Token};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A `tokenizer.json` that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Not JSON.
    #[error("this is not a tokenizer.json: {0}")]
    Json(String),
    /// A key is missing, or of another type.
    #[error("`{key}` must be {expected}")]
    Type {
        /// Which.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Another kind of tokenizer.
    #[error("`{key}` is {found}: only byte-level BPE is supported, with {supported}")]
    Kind {
        /// Which part.
        key: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        supported: &'static str,
    },
    /// A setting of the model that would change the text, or the tokens from one time to the next.
    #[error("`model.{key}` is {found}; it must be absent: {why}")]
    Setting {
        /// Which.
        key: &'static str,
        /// What it is.
        found: String,
        /// Why not.
        why: &'static str,
    },
    /// A token beyond any vocabulary.
    #[error("token {token:?} has the number {id}; a vocabulary has at most {MAX_VOCAB} tokens")]
    Number {
        /// The token.
        token: String,
        /// Its number.
        id: u64,
    },
    /// Two tokens share a number.
    #[error("tokens {first:?} and {second:?} have the same number, {id}")]
    Twice {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Their number.
        id: Token,
    },
    /// A merge of tokens that are not in the vocabulary, or to one that is not.
    #[error("`model.merges`: number {index} is of or to a token that the vocabulary does not have: {token:?}")]
    Merge {
        /// From 0.
        index: usize,
        /// The token.
        token: String,
    },
    /// An added token that the library would number otherwise.
    #[error("`added_tokens`: {token:?} is said to be number {said}, and would be {found}")]
    Added {
        /// The token.
        token: String,
        /// In the file.
        said: u64,
        /// What it would be.
        found: String,
    },
    /// The library refuses it.
    #[error("the tokenizer cannot be read: {0}")]
    Library(String),
}

/// A tokenizer that was read.
pub struct Read {
    pub model: tokenizers::Tokenizer,
    /// The bytes of each token that there is.
    bytes: Vec<Option<Box<[u8]>>>,
    special: BTreeMap<Token, String>,
    /// What of the file is not applied, though it would add tokens to a text or take some away.
    pub unused: Vec<&'static str>,
    /// Whether a text may be cut as [`crate::pieces`] does it: its words are those of GPT-2, and nothing else is looked for in it.
    pub cuts: bool,
}

impl Read {
    /// Its largest number, and one.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn bytes_of(&self, token: Token) -> Option<&[u8]> {
        self.bytes.get(usize::from(token))?.as_deref()
    }

    pub fn special(&self) -> impl Iterator<Item = (Token, &str)> {
        self.special.iter().map(|(&token, name)| (token, name.as_str()))
    }

    pub fn special_name(&self, token: Token) -> Option<&str> {
        self.special.get(&token).map(String::as_str)
    }

    /// Whether each byte is the token of its value, and there is no other.
    pub fn are_bytes(&self) -> bool {
        let is = |(value, bytes): (u8, &Option<Box<[u8]>>)| bytes.as_deref() == Some(&[value]);
        self.bytes.len() == 256 && self.special.is_empty() && (0..=255).zip(&self.bytes).all(is)
    }
}

/// What texts may be changed by before they are cut: whether a text comes back is seen of the text.
const NORMALIZERS: [&str; 12] = [
    "Sequence",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Replace",
    "Prepend",
    "BertNormalizer",
    "Nmt",
];
const PRE_TOKENIZERS: [&str; 5] = ["Sequence", "ByteLevel", "Split", "Digits", "Punctuation"];

/// Reads it.
pub fn read(json: &[u8]) -> Result<Read, FileError> {
    // The library reads some parts by functions that panic on malformed JSON: it is given what is already parsed.
    let mut file: Value = serde_json::from_slice(json).map_err(|e| FileError::Json(e.to_string()))?;
    let root = file.as_object_mut().ok_or_else(|| FileError::Json("it is not an object".into()))?;
    if !root.contains_key("model") {
        return Err(FileError::Type { key: "model", expected: "there" });
    }
    kind(root, "decoder", &["ByteLevel"], "the decoder ByteLevel", true)?;
    kind(root, "pre_tokenizer", &PRE_TOKENIZERS, "ByteLevel, Split, Digits and Punctuation before it", false)?;
    kind(root, "normalizer", &NORMALIZERS, "a normalizer that needs no tables", false)?;
    // They add tokens to a text or take some away: a text's own are wanted.
    let mut unused = vec![];
    for key in ["truncation", "padding", "post_processor"] {
        let part = root.insert(key.into(), Value::Null).unwrap_or_default();
        if adds_or_cuts(&part) {
            unused.push(key);
        }
    }
    let mut tokens = vocabulary(root)?;
    let added = added(root)?;
    let cuts = cuts(root) && added.iter().all(|added| added.special);
    let mut library: tokenizers::Tokenizer =
        serde_json::from_value(file).map_err(|e| FileError::Library(e.to_string()))?;
    // A special token is never made of the text that spells its name.
    library.set_encode_special_tokens(true);
    for added in &added {
        let found = library.token_to_id(&added.content);
        if found.map(u64::from) != Some(added.id) {
            let found = found.map_or("no token".into(), |id| id.to_string());
            return Err(FileError::Added { token: added.content.clone(), said: added.id, found });
        }
        insert(&mut tokens, &added.content, added.id)?;
    }
    let special = added
        .into_iter()
        .filter(|added| added.special)
        .filter_map(|added| Some((Token::try_from(added.id).ok()?, added.content)))
        .collect();
    let spelled = Bytes::new();
    let mut bytes = vec![];
    for (token, id) in tokens.iter().map(|(&id, token)| (token, usize::from(id))) {
        bytes.resize(id + 1, None);
        bytes[id] = Some(spelled.of(token).into_boxed_slice());
    }
    Ok(Read { model: library, bytes, special, unused, cuts })
}

/// Whether a part changes which tokens a text has: a processor that is `ByteLevel` changes nothing but the places of tokens in it.
fn adds_or_cuts(part: &Value) -> bool {
    match (part.get("type").and_then(Value::as_str), part.get("processors").and_then(Value::as_array)) {
        (Some("ByteLevel"), _) => false,
        (Some("Sequence"), Some(parts)) => parts.iter().any(adds_or_cuts),
        _ => !part.is_null(),
    }
}

/// Whether the only thing that happens to a text before its words are merged is that it is cut into words of GPT-2.
fn cuts(root: &Map<String, Value>) -> bool {
    let Some(cut) = root.get("pre_tokenizer") else { return false };
    let says = |key: &str, value: bool| cut.get(key).and_then(Value::as_bool) == Some(value);
    root.get("normalizer").is_none_or(Value::is_null)
        && cut.get("type").and_then(Value::as_str) == Some("ByteLevel")
        && says("add_prefix_space", false)
        && says("use_regex", true)
}

/// Requires a part to be of certain kinds, and those within it, if it is a sequence. It may be absent, if it is not `needed`.
fn kind(
    root: &Map<String, Value>,
    key: &'static str,
    kinds: &[&str],
    supported: &'static str,
    needed: bool,
) -> Result<(), FileError> {
    fn other(part: &Value, kinds: &[&str]) -> Option<String> {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or("of no type");
        if !kinds.contains(&kind) {
            return Some(kind.into());
        }
        let within = ["normalizers", "pretokenizers"].iter().filter_map(|key| part.get(key)?.as_array());
        within.flatten().find_map(|part| other(part, kinds))
    }
    match root.get(key) {
        None | Some(Value::Null) if !needed => Ok(()),
        None | Some(Value::Null) => Err(FileError::Kind { key, found: "absent".into(), supported }),
        Some(part) => match other(part, kinds) {
            Some(found) => Err(FileError::Kind { key, found, supported }),
            None => Ok(()),
        },
    }
}

/// Puts a token in its place.
fn insert(tokens: &mut BTreeMap<Token, String>, token: &str, id: u64) -> Result<(), FileError> {
    let number = Token::try_from(id).ok().filter(|&id| usize::from(id) < MAX_VOCAB);
    let number = number.ok_or_else(|| FileError::Number { token: token.into(), id })?;
    match tokens.insert(number, token.into()) {
        Some(first) if first != token => Err(FileError::Twice { first, second: token.into(), id: number }),
        _ => Ok(()),
    }
}

/// The tokens of the model, by number: a BPE whose merges are all within its vocabulary.
fn vocabulary(root: &Map<String, Value>) -> Result<BTreeMap<Token, String>, FileError> {
    const MODEL: FileError = FileError::Type { key: "model", expected: "an object" };
    const VOCAB: FileError = FileError::Type { key: "model.vocab", expected: "an object of tokens and their numbers" };
    const MERGES: FileError = FileError::Type { key: "model.merges", expected: "a list of pairs" };
    let model = root.get("model").and_then(Value::as_object).ok_or(MODEL)?;
    match model.get("type").and_then(Value::as_str) {
        Some("BPE") => {}
        other => {
            let found = other.unwrap_or("of no type").into();
            return Err(FileError::Kind { key: "model", found, supported: "the model BPE" });
        }
    }
    let refused = [
        ("dropout", "tokens would be chosen at random"),
        ("continuing_subword_prefix", "it is no part of the text"),
        ("end_of_word_suffix", "it is no part of the text"),
    ];
    for (key, why) in refused {
        let value = model.get(key).unwrap_or(&Value::Null);
        let absent = value.is_null() || value.as_str() == Some("") || value.as_f64() == Some(0.0);
        if !absent {
            return Err(FileError::Setting { key, found: value.to_string(), why });
        }
    }
    let vocab = model.get("vocab").and_then(Value::as_object).filter(|vocab| !vocab.is_empty()).ok_or(VOCAB)?;
    let mut tokens = BTreeMap::new();
    for (token, id) in vocab {
        insert(&mut tokens, token, id.as_u64().ok_or(VOCAB)?)?;
    }
    for (index, merge) in model.get("merges").and_then(Value::as_array).ok_or(MERGES)?.iter().enumerate() {
        let (first, second) = match merge {
            Value::String(both) => both.split_once(' ').ok_or(MERGES)?,
            Value::Array(both) => match &both[..] {
                [Value::String(first), Value::String(second)] => (first.as_str(), second.as_str()),
                _ => return Err(MERGES),
            },
            _ => return Err(MERGES),
        };
        let whole = [first, second].concat();
        if let Some(token) = [first, second, &whole].into_iter().find(|token| !vocab.contains_key(*token)) {
            return Err(FileError::Merge { index, token: token.into() });
        }
    }
    Ok(tokens)
}

/// A token beside those of the model.
struct Added {
    content: String,
    id: u64,
    special: bool,
}

fn added(root: &Map<String, Value>) -> Result<Vec<Added>, FileError> {
    const ADDED: FileError =
        FileError::Type { key: "added_tokens", expected: "a list of tokens with `id`, `content` and `special`" };
    let list = match root.get("added_tokens") {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(list) => list.as_array().ok_or(ADDED)?,
    };
    let one = |added: &Value| {
        Some(Added {
            content: added.get("content")?.as_str()?.into(),
            id: added.get("id")?.as_u64()?,
            special: added.get("special")?.as_bool()?,
        })
    };
    list.iter().map(|added| one(added).ok_or(ADDED)).collect()
}
