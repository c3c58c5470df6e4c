//! The end of a corpus that nothing is trained on.
//!
//! What is left is a corpus of its own: a run names its digest, or the root of its data set, so that verifying a run against it shows
//! that no batch is drawn from the end.

use crate::error::{CliError, FileError};
use crate::files::{self, MAX_CORPUS};
use crate::format::plural;
use crate::ui::Ui;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Config, Token, check_corpus, tokens_of_bytes};
use circuits::statements::Corpus;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use tokenizer::{EncodeError, Tokenizer};

/// How much of a corpus to hold out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldOut {
    /// A share of it, rounded to the nearest byte.
    Share(Decimal),
    /// So many bytes.
    Bytes(u64),
}

impl FromStr for HeldOut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(bytes @ 1..) = text.parse() {
            return Ok(HeldOut::Bytes(bytes));
        }
        match text.parse::<Decimal>() {
            Ok(share) if share != Decimal::ZERO && share.floor() == 0 => Ok(HeldOut::Share(share)),
            _ => Err("a share below 1, as 0.1, or a number of bytes".into()),
        }
    }
}

impl fmt::Display for HeldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeldOut::Share(share) => write!(f, "{} of it", share.digits() as f64 * 10f64.powi(share.exponent())),
            HeldOut::Bytes(bytes) => f.write_str(&plural(*bytes, "byte")),
        }
    }
}

impl HeldOut {
    /// Bytes at the end of a corpus of so many.
    pub fn of(self, length: usize) -> u64 {
        match self {
            HeldOut::Share(share) => share.scaled(length as u64, 1).and_then(|n| n.try_into().ok()).unwrap_or(0),
            HeldOut::Bytes(bytes) => bytes,
        }
    }
}

/// A text and its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What a model sees of it.
    pub tokens: Vec<Token>,
}

impl Text {
    /// Of bytes, in whatever tokens.
    pub fn of(bytes: Vec<u8>, tokenizer: &Tokenizer) -> Result<Self, EncodeError> {
        let tokens = tokenizer.encode(&bytes)?;
        Ok(Text { bytes, tokens })
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// As runs name it.
    pub fn corpus(self, tokenizer: &Tokenizer) -> Corpus {
        if tokenizer.is_bytes() { Corpus::of_bytes(&self.bytes) } else { Corpus::of_tokens(self.tokens) }
    }
}

/// A corpus in two: what is trained on, and the end that is held out.
///
/// It is the text that is cut, and either part is a text of its own: what is trained on depends on nothing that is held out, and is what
/// the same bytes in a file of their own would be. With a tokenizer, the end begins with a character: where that cuts one in two, it is
/// longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is trained on.
    pub training: Text,
    /// The end; nothing if nothing is held out.
    pub held_out: Text,
}

impl Split {
    /// Reads the whole corpus and looks at every byte: each must be of a token, and each part that is wanted must have a sequence.
    pub fn read(
        file: &Path,
        (config, tokenizer): (&Config, &Tokenizer),
        held_out: Option<HeldOut>,
        ui: &Ui,
    ) -> Result<Self, CliError> {
        let corpus = files::read_shown(file, MAX_CORPUS, "reading the corpus", ui)?;
        let _spinner = (!tokenizer.is_bytes()).then(|| ui.spinner("tokens of the corpus"));
        Self::of((config, tokenizer), (file, corpus), held_out)
    }

    /// Of a corpus in a file.
    pub fn of(
        (config, tokenizer): (&Config, &Tokenizer),
        (file, mut corpus): (&Path, Vec<u8>),
        held_out: Option<HeldOut>,
    ) -> Result<Self, CliError> {
        let text = |bytes| Text::of(bytes, tokenizer).map_err(CliError::file(file));
        let Some(held_out) = held_out else {
            let training = text(corpus)?;
            check_corpus(&training.tokens, config).map_err(CliError::file(file))?;
            return Ok(Split { training, held_out: Text::default() });
        };
        let length = corpus.len() as u64;
        let (needed, bytes) = (config.context as u64 + 1, held_out.of(corpus.len()));
        if tokenizer.is_bytes() {
            check_corpus(&tokens_of_bytes(&corpus), config).map_err(CliError::file(file))?;
            if bytes < needed || length.saturating_sub(bytes) < needed {
                return Err(CliError::file(file)(FileError::HeldOut { corpus: length, held_out: bytes, needed }));
            }
        }
        let left = length.saturating_sub(bytes) as usize;
        let left = if tokenizer.is_bytes() { left } else { characters(&corpus, file)?.floor_char_boundary(left) };
        let end = corpus.split_off(left);
        let split = Split { training: text(corpus)?, held_out: text(end)? };
        let (training, held_out, needed) =
            (split.training.tokens.len(), split.held_out.tokens.len(), config.context + 1);
        if training < needed || held_out < needed {
            return Err(CliError::file(file)(FileError::HeldOutTokens { training, held_out, needed }));
        }
        Ok(split)
    }

    /// Whether this holds out the same end.
    pub fn is_cut_by(&self, held_out: HeldOut, tokenizer: &Tokenizer) -> bool {
        let (training, end) = (&self.training.bytes, &self.held_out.bytes);
        let all = training.len() + end.len();
        let left = (all as u64).saturating_sub(held_out.of(all)) as usize;
        let first = end.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        let first = if tokenizer.is_bytes() { 1 } else { first.map_or(1, char::len_utf8) };
        (training.len()..training.len() + first).contains(&left)
    }
}

/// A text of characters: places in it are those of the whole file.
fn characters<'a>(text: &'a [u8], file: &Path) -> Result<&'a str, CliError> {
    str::from_utf8(text).map_err(|error| CliError::file(file)(EncodeError::Utf8 { offset: error.valid_up_to() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(corpus: &[u8], held_out: &str) -> Result<(usize, usize), String> {
        let held_out = held_out.parse().unwrap();
        let of = (&Config::NANO, &Tokenizer::bytes());
        let split = Split::of(of, (Path::new("c"), corpus.to_vec()), Some(held_out)).map_err(|e| e.to_string())?;
        assert_eq!([&split.training.bytes[..], &split.held_out.bytes].concat(), corpus);
        assert_eq!(split.training.tokens, tokens_of_bytes(&split.training.bytes));
        Ok((split.training.bytes.len(), split.held_out.bytes.len()))
    }

    #[test]
    fn shares_and_bytes() {
        let corpus: Vec<u8> = (0..=255).cycle().take(1005).collect();
        for (text, held_out) in [("0.1", 101), ("1e-1", 101), ("0.5", 503), ("100", 100), ("17", 17), ("988", 988)] {
            assert_eq!(split(&corpus, text), Ok((1005 - held_out, held_out)), "{text}");
        }
        for bad in ["0", "1.5", "-1", "0.0", "1.0", "a tenth", "", "10%"] {
            assert!(bad.parse::<HeldOut>().is_err(), "{bad}");
        }
    }

    #[test]
    fn both_parts_need_a_sequence() {
        let corpus = [7; 50];
        for (text, held_out) in [("16", 16), ("0.3", 15), ("34", 34), ("51", 51), ("18446744073709551615", u64::MAX)] {
            let message = format!(
                "c: of 50 bytes, {held_out} cannot be held out: either part needs a sequence, which is 17 bytes"
            );
            assert_eq!(split(&corpus, text), Err(message), "{text}");
        }
        let of = (&Config::NANO, &Tokenizer::bytes());
        let none = Split::of(of, (Path::new("c"), corpus.to_vec()), None).unwrap();
        assert_eq!((none.training.bytes.len(), none.held_out.bytes.len()), (50, 0));
    }

    /// Either part is what a file of its own would be, and no character is cut in two.
    #[test]
    fn with_a_tokenizer_the_text_is_cut_between_characters() {
        let mut config = Config::NANO;
        (config.vocab, config.context) = (260, 4);
        let text = "a\u{e9} a\u{e9} a\u{e9} b. ".repeat(9);
        let tokenizer = Tokenizer::from_json(tokenizer::train(&text, 260, &mut |_| {}).unwrap()).unwrap();
        let of = |held_out: &str| {
            Split::of((&config, &tokenizer), (Path::new("c"), text.clone().into()), Some(held_out.parse().unwrap()))
        };
        for bytes in 60..80 {
            let split = of(&bytes.to_string()).unwrap();
            let (training, end) = (split.training, split.held_out);
            assert!([0, 1].contains(&(end.bytes.len() - bytes)), "{bytes}");
            assert_eq!([&training.bytes[..], &end.bytes].concat(), text.as_bytes());
            for part in [&training, &end] {
                assert!(str::from_utf8(&part.bytes).is_ok());
                assert_eq!(part.tokens, tokenizer.encode(&part.bytes).unwrap());
            }
            // Cut again as a run that goes on cuts it.
            let again = of(&end.bytes.len().to_string()).unwrap();
            assert_eq!(again, Split { training, held_out: end });
            assert!(again.is_cut_by(HeldOut::Bytes(bytes as u64), &tokenizer));
            assert!(!again.is_cut_by(HeldOut::Bytes(bytes as u64 + 2), &tokenizer));
        }
        assert_eq!(
            of("4").unwrap_err().to_string(),
            "c: its parts have 43 and 3 tokens; either needs a sequence, which is 5 tokens"
        );
        let bad = (Path::new("c"), b"caf\xe9 au lait".to_vec());
        assert_eq!(
            Split::of((&config, &tokenizer), bad, Some(HeldOut::Bytes(9))).unwrap_err().to_string(),
            "c: the text is not UTF-8 at offset 3, and a tokenizer takes no other"
        );
    }
}
