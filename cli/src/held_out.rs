//! The end of a corpus that nothing is trained on.
//!
//! What is left is a corpus of its own: a run names its digest, or the root of its data set, so that verifying a run against it shows
//! that no batch is drawn from the end.

use crate::error::{CliError, FileError};
use crate::files::{self, MAX_CORPUS};
use crate::format::plural;
use crate::ui::Ui;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Config, check_corpus, tokens_of_bytes};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

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

/// A corpus in two: what is trained on, and the end that is held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is trained on.
    pub training: Vec<u8>,
    /// The end; nothing if nothing is held out.
    pub held_out: Vec<u8>,
}

impl Split {
    /// Reads the whole corpus and looks at every byte: each must be a token, and each part that is wanted must have a sequence.
    pub fn read(file: &Path, config: &Config, held_out: Option<HeldOut>, ui: &Ui) -> Result<Self, CliError> {
        Self::of(config, (file, files::read_shown(file, MAX_CORPUS, "reading the corpus", ui)?), held_out)
    }

    /// Of a corpus in a file.
    pub fn of(
        config: &Config,
        (file, mut corpus): (&Path, Vec<u8>),
        held_out: Option<HeldOut>,
    ) -> Result<Self, CliError> {
        check_corpus(&tokens_of_bytes(&corpus), config).map_err(CliError::file(file))?;
        let Some(held_out) = held_out else { return Ok(Split { training: corpus, held_out: vec![] }) };
        let (needed, bytes) = (config.context as u64 + 1, held_out.of(corpus.len()));
        let left = (corpus.len() as u64).saturating_sub(bytes);
        if bytes < needed || left < needed {
            let source = FileError::HeldOut { corpus: corpus.len() as u64, held_out: bytes, needed };
            return Err(CliError::file(file)(source));
        }
        let held_out = corpus.split_off(left as usize);
        Ok(Split { training: corpus, held_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(corpus: &[u8], held_out: &str) -> Result<(usize, usize), String> {
        let held_out = held_out.parse().unwrap();
        let split =
            Split::of(&Config::NANO, (Path::new("c"), corpus.to_vec()), Some(held_out)).map_err(|e| e.to_string())?;
        assert_eq!([&split.training[..], &split.held_out].concat(), corpus);
        Ok((split.training.len(), split.held_out.len()))
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
        let none = Split::of(&Config::NANO, (Path::new("c"), corpus.to_vec()), None).unwrap();
        assert_eq!((none.training.len(), none.held_out.len()), (50, 0));
    }
}
