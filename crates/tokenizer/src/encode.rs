//! The tokens of a text, which must stand for exactly that text.

use crate::Tokenizer;
use crate::file::Read;
use crate::pieces::pieces;
use circuits::model::{Token, tokens_of_bytes};
use rayon::prelude::*;

/// Longest text that is given to the library at a time: that takes 125 times as much memory.
pub const MAX_PIECE: usize = 16 << 20;

/// Bytes of a text that are shown.
const SHOWN: usize = 24;

/// A text that its tokens would not stand for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A tokenizer is for text.
    #[error("the text is not UTF-8 at offset {offset}, and a tokenizer takes no other")]
    Utf8 {
        /// The first byte that begins no character.
        offset: usize,
    },
    /// Longer than [`MAX_PIECE`].
    #[error(
        "the text has {length} bytes that cannot be cut at a line's end, of at most {MAX_PIECE}, with this tokenizer"
    )]
    Long {
        /// How many.
        length: usize,
    },
    /// The tokens stand for another text.
    #[error(
        "the tokenizer loses text: its tokens stand for another text from byte {offset} on, for {found:?} instead of {expected:?}"
    )]
    Differs {
        /// The first byte that is another.
        offset: usize,
        /// What stands there.
        expected: String,
        /// What the tokens stand for.
        found: String,
    },
    /// A special token from plain text.
    #[error("the tokenizer makes the special token {name:?} of plain text at byte {offset}")]
    Special {
        /// Where.
        offset: usize,
        /// Its name.
        name: String,
    },
    /// The library fails.
    #[error("the tokenizer fails: {0}")]
    Library(String),
}

impl Tokenizer {
    /// The tokens of a text; of a file's, without those that it would add at the beginning or end, and none that are special.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<Token>, EncodeError> {
        let Some(file) = &self.file else { return Ok(tokens_of_bytes(text)) };
        let text = str::from_utf8(text).map_err(|error| EncodeError::Utf8 { offset: error.valid_up_to() })?;
        let pieces: Vec<&str> = if file.tokens.cuts { pieces(text).collect() } else { vec![text] };
        if let Some(length) = pieces.iter().map(|piece| piece.len()).find(|&length| length > MAX_PIECE) {
            return Err(EncodeError::Long { length });
        }
        let tokens =
            pieces.par_iter().map(|piece| encode(piece, &file.tokens)).collect::<Result<Vec<_>, _>>()?.concat();
        check(text, &tokens, &file.tokens)?;
        Ok(tokens)
    }
}

fn encode(piece: &str, read: &Read) -> Result<Vec<Token>, EncodeError> {
    let library = |error: &dyn std::fmt::Display| EncodeError::Library(error.to_string());
    let encoding = read.model.encode_fast(piece, false).map_err(|e| library(&e))?;
    encoding.get_ids().iter().map(|&id| Token::try_from(id).map_err(|e| library(&e))).collect()
}

/// Requires tokens to stand for exactly this text.
fn check(text: &str, tokens: &[Token], read: &Read) -> Result<(), EncodeError> {
    let mut offset = 0;
    for (i, &token) in tokens.iter().enumerate() {
        if let Some(name) = read.special_name(token) {
            return Err(EncodeError::Special { offset, name: name.into() });
        }
        let (bytes, left) = (read.bytes_of(token).unwrap_or_default(), &text.as_bytes()[offset..]);
        if !left.starts_with(bytes) {
            let same = bytes.iter().zip(left).take_while(|(a, b)| a == b).count();
            return Err(differs(text, offset + same, (&tokens[i..], same), read));
        }
        offset += bytes.len();
    }
    if offset == text.len() { Ok(()) } else { Err(differs(text, offset, (&[], 0), read)) }
}

/// What stands at an offset, and what the tokens from there on stand for, after so many bytes that are the same.
fn differs(text: &str, offset: usize, (tokens, same): (&[Token], usize), read: &Read) -> EncodeError {
    let whole = tokens.iter().take(SHOWN).filter_map(|&token| read.bytes_of(token));
    let found: Vec<u8> = whole.flatten().copied().skip(same).collect();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
    EncodeError::Differs { offset, expected: shown(&text.as_bytes()[offset..]), found: shown(&found) }
}
