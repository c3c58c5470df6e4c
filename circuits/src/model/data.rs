//! Batches from a corpus of tokens.

use super::{Config, Token};
use thiserror::Error;

/// A corpus that no model of the configuration can be trained on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DataError {
    /// A token that is not in the vocabulary.
    #[error("token {token} at offset {offset} is not below the vocabulary of {vocab}")]
    Token {
        /// Its place, from 0.
        offset: usize,
        /// The token.
        token: Token,
        /// V.
        vocab: usize,
    },
    /// Fewer than T + 1 tokens.
    #[error("the corpus has {found} tokens; a sequence needs {needed}")]
    Short {
        /// T + 1.
        needed: usize,
        /// Given.
        found: usize,
    },
}

/// Requires a corpus that every batch of every step can be drawn from: long enough, and of the vocabulary alone.
pub fn check_corpus(corpus: &[Token], config: &Config) -> Result<(), DataError> {
    let (needed, found) = (config.context + 1, corpus.len());
    if found < needed {
        return Err(DataError::Short { needed, found });
    }
    let vocab = config.vocab;
    match corpus.iter().enumerate().find(|&(_, &token)| usize::from(token) >= vocab) {
        Some((offset, &token)) => Err(DataError::Token { offset, token, vocab }),
        None => Ok(()),
    }
}

/// What a batch is drawn by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// Of the run.
    pub seed: u64,
    /// Number of the step.
    pub step: u64,
    /// Number of the contribution within the step.
    pub contribution: u64,
}

impl Draw {
    /// The place of sequence `index` among `places`; of none, the first.
    pub fn place(&self, index: u64, places: u64) -> u64 {
        let mut state = blake2b_simd::Params::new().hash_length(8).personal(b"gradcoin-batch").to_state();
        for word in [self.seed, self.step, self.contribution, index] {
            state.update(&word.to_le_bytes());
        }
        let mut word = [0; 8];
        word.copy_from_slice(state.finalize().as_bytes());
        // Multiply-high: uniform up to places / 2^64.
        ((u128::from(u64::from_le_bytes(word)) * u128::from(places)) >> 64) as u64
    }
}

/// `batch` sequences of `context + 1` tokens.
pub fn draw_batch(corpus: &[Token], context: usize, batch: usize, draw: Draw) -> Result<Vec<Vec<Token>>, DataError> {
    let needed = context + 1;
    if corpus.len() < needed {
        return Err(DataError::Short { needed, found: corpus.len() });
    }
    let places = (corpus.len() - context) as u64;
    let sequence = |index| {
        let start = draw.place(index, places) as usize;
        corpus[start..start + needed].to_vec()
    };
    Ok((0..batch as u64).map(sequence).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw = Draw { seed: 1, step: 2, contribution: 3 };

    #[test]
    fn batches_are_deterministic_and_inside() {
        let corpus: Vec<Token> = (0..=255).collect();
        let batch = draw_batch(&corpus, 16, 64, DRAW).unwrap();
        assert_eq!(batch, draw_batch(&corpus, 16, 64, DRAW).unwrap());
        assert_ne!(batch, draw_batch(&corpus, 16, 64, Draw { step: 3, ..DRAW }).unwrap());
        assert!(batch.iter().all(|s| s.len() == 17 && s.windows(2).all(|w| w[1] == w[0] + 1)));
    }

    /// 7.10: wherever the token is.
    #[test]
    fn a_token_beyond_the_vocabulary_is_found_before_any_batch_is_drawn() {
        let mut config = Config::NANO;
        config.vocab = 128;
        let mut corpus = vec![127; 5000];
        assert_eq!(check_corpus(&corpus, &config), Ok(()));
        for offset in [0, 2345, 4999] {
            corpus[offset] = 128;
            assert_eq!(check_corpus(&corpus, &config), Err(DataError::Token { offset, token: 128, vocab: 128 }));
            corpus[offset] = 0;
        }
        assert_eq!(check_corpus(&[7; 16], &config), Err(DataError::Short { needed: 17, found: 16 }));
        assert_eq!(check_corpus(&[255; 17], &Config::NANO), Ok(()));
    }

    #[test]
    fn the_shortest_corpus_has_one_place() {
        assert_eq!(draw_batch(&[7; 17], 16, 2, DRAW).unwrap(), vec![vec![7; 17]; 2]);
        assert_eq!(draw_batch(&[7; 16], 16, 2, DRAW), Err(DataError::Short { needed: 17, found: 16 }));
    }
}
