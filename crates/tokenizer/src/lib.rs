//! Tokens of a text, and the text of tokens.
//!
//! Without a tokenizer each byte is a token. With one, the text is UTF-8 and the tokens are those of a Hugging Face
//! `tokenizer.json`, a byte-level BPE: each token stands for bytes of its own, and the text of tokens is what their bytes make, one after
//! the other.
//!
//! What is encoded comes back exactly, or is refused: nothing is trained on a text that its tokens do not stand for.

#![warn(missing_docs)]

mod alphabet;
mod encode;
mod file;
mod pieces;
mod train;

pub use encode::{EncodeError, MAX_PIECE};
pub use file::FileError;
pub use train::{MIN_VOCAB, Stage, TrainError, train};

use circuits::model::{Token, bytes_of_token};
use file::Read;
use std::fmt;

/// Largest `tokenizer.json`: those of today's largest vocabularies have 20 MB.
pub const MAX_FILE: u64 = 32 << 20;

/// How a text is tokens.
pub struct Tokenizer {
    /// Without one, bytes are tokens.
    file: Option<Box<File>>,
}

/// What a `tokenizer.json` says.
struct File {
    /// The file itself, as it is kept beside a model.
    json: Vec<u8>,
    tokens: Read,
}

/// A tokenizer that a model cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tokenizer has {tokens} tokens, and the model's vocabulary is {vocab}")]
pub struct TooManyTokens {
    /// The tokenizer's: its largest number, and one.
    pub tokens: usize,
    /// `vocab_size`.
    pub vocab: usize,
}

impl Tokenizer {
    /// Each byte is a token.
    pub fn bytes() -> Self {
        Tokenizer { file: None }
    }

    /// Of a `tokenizer.json`. One whose tokens are the 256 bytes, each by its value, is [`Self::bytes`].
    pub fn from_json(json: Vec<u8>) -> Result<Self, FileError> {
        let tokens = file::read(&json)?;
        let file = (!tokens.are_bytes()).then(|| Box::new(File { json, tokens }));
        Ok(Tokenizer { file })
    }

    /// The file; none if bytes are tokens.
    pub fn json(&self) -> Option<&[u8]> {
        self.file.as_ref().map(|file| &file.json[..])
    }

    /// A `tokenizer.json` for other programs, in which each byte is the token of its value.
    pub fn json_of_bytes() -> Result<Vec<u8>, TrainError> {
        train::json(&train::bytes(), &[])
    }

    /// Whether bytes are tokens.
    pub fn is_bytes(&self) -> bool {
        self.file.is_none()
    }

    /// Numbers that tokens may have: its largest, and one.
    pub fn size(&self) -> usize {
        self.file.as_ref().map_or(256, |file| file.tokens.size())
    }

    /// Requires a vocabulary that has all tokens. Bytes beyond a smaller one are found in the text.
    pub fn check(&self, vocab: usize) -> Result<(), TooManyTokens> {
        match &self.file {
            Some(file) if file.tokens.size() > vocab => Err(TooManyTokens { tokens: file.tokens.size(), vocab }),
            _ => Ok(()),
        }
    }

    /// The bytes that a token stands for; of one that has no text, those of the replacement character U+FFFD.
    pub fn bytes_of(&self, token: Token) -> Vec<u8> {
        match &self.file {
            Some(file) => file.tokens.bytes_of(token).map_or_else(|| "\u{fffd}".into(), <[u8]>::to_vec),
            None => bytes_of_token(token),
        }
    }

    /// The text of tokens.
    pub fn text(&self, tokens: &[Token]) -> Vec<u8> {
        tokens.iter().flat_map(|&token| self.bytes_of(token)).collect()
    }

    /// Keys of the file that are not applied, though other programs would add tokens to a text by them or take some away: those of a
    /// text's beginning or end, and of its length.
    pub fn unused(&self) -> &[&'static str] {
        self.file.as_ref().map_or(&[], |file| &file.tokens.unused)
    }

    /// Names of the special tokens, by their numbers. No text has them.
    pub fn special(&self) -> impl Iterator<Item = (Token, &str)> {
        self.file.iter().flat_map(|file| file.tokens.special())
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_bytes() {
            true => f.write_str("bytes"),
            false => write!(f, "{} tokens", self.size()),
        }
    }
}

#[cfg(test)]
mod tests;
