//! What a run's batches are drawn from.

use super::codec;
use super::dataset::{Dataset, DatasetError, DatasetRoot, Leaf};
use super::run::{Run, corpus_digest};
use crate::model::{Config, DataError, Draw, Token, draw_batch, tokens_of_bytes};
use backend::curve::F;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The data that a run names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunData {
    /// Digest of a corpus, of its bytes or of its tokens ([`Corpus`]): sequences are any T + 1 of its tokens in a row. Whoever has the
    /// corpus can tell whether a batch is the one that the seed assigns; nobody else.
    Corpus([u8; 32]),
    /// A data set: sequences are its leaves. Bundles show that each batch is the one that the seed assigns.
    Dataset(DatasetRoot),
}

impl RunData {
    /// Leaves that a batch of so many sequences shows.
    pub fn leaves(&self, sequences: usize) -> usize {
        match self {
            RunData::Corpus(_) => 0,
            RunData::Dataset(_) => sequences,
        }
    }
}

/// A corpus: the tokens of a text, named by the digest of what is trained on. Of a text whose bytes are the tokens that is the digest of
/// its bytes; of any other, that of its tokens, in a domain of its own: no text and no tokens have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    digest: [u8; 32],
    tokens: Vec<Token>,
}

impl Corpus {
    /// Of a text whose bytes are the tokens.
    pub fn of_bytes(text: &[u8]) -> Self {
        Self { digest: corpus_digest(text), tokens: tokens_of_bytes(text) }
    }

    /// Of a text that a tokenizer made tokens of.
    pub fn of_tokens(tokens: Vec<Token>) -> Self {
        let encoded: Vec<u8> = tokens.iter().copied().flat_map(Token::to_le_bytes).collect();
        Self { digest: codec::digest(b"gradcoin-tokens", &encoded), tokens }
    }

    /// Its digest.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Its tokens.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

/// The data of a run, at hand.
#[derive(Clone)]
pub enum TrainingData {
    /// A corpus.
    Corpus(Corpus),
    /// A data set.
    Dataset(Box<Dataset>),
}

impl TrainingData {
    /// What a run on these data names.
    pub fn named(&self) -> RunData {
        match self {
            TrainingData::Corpus(corpus) => RunData::Corpus(corpus.digest()),
            TrainingData::Dataset(dataset) => RunData::Dataset(dataset.root()),
        }
    }
}

/// A contribution's sequences.
#[derive(Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Each of T + 1 tokens.
    pub sequences: Vec<Vec<Token>>,
    /// Their leaves, where the run is on a data set.
    pub leaves: Vec<Leaf>,
    /// The leaves' blinds: secrets, where the data set is private.
    pub blinds: Vec<F>,
}

/// What it holds may be secret.
impl fmt::Debug for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sequences, {} leaves", self.sequences.len(), self.leaves.len())
    }
}

/// Of a corpus.
impl From<Vec<Vec<Token>>> for Assigned {
    fn from(sequences: Vec<Vec<Token>>) -> Self {
        Assigned { sequences, leaves: vec![], blinds: vec![] }
    }
}

impl AsRef<[Vec<Token>]> for Assigned {
    fn as_ref(&self) -> &[Vec<Token>] {
        &self.sequences
    }
}

/// Why no batch can be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// From the corpus.
    #[error(transparent)]
    Corpus(#[from] DataError),
    /// From the data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The data are others, or of another kind.
    #[error("the data are not those that the run names")]
    Other,
}

impl Run {
    fn draws(&self, step: u64) -> impl Iterator<Item = Draw> {
        let seed = self.seed;
        (0..u64::from(self.accumulate)).map(move |contribution| Draw { seed, step, contribution })
    }

    /// The sequences of a corpus that the seed assigns to a step, a batch for each contribution. Whether it is the corpus that
    /// the run names is for the caller to see: that takes time, once.
    ///
    /// # Errors
    /// If the corpus is too short.
    pub fn batches(&self, config: &Config, corpus: &Corpus, step: u64) -> Result<Vec<Vec<Vec<Token>>>, DataError> {
        self.draws(step).map(|draw| draw_batch(corpus.tokens(), config.context, self.batch as usize, draw)).collect()
    }

    /// The same of a data set: the numbers of leaves.
    pub fn assigned_leaves(&self, root: &DatasetRoot, step: u64) -> Vec<Vec<u64>> {
        let leaves = |draw: Draw| (0..u64::from(self.batch)).map(|index| draw.place(index, root.leaves())).collect();
        self.draws(step).map(leaves).collect()
    }

    /// The same of either, with what a bundle must show of it.
    pub fn assigned(&self, config: &Config, data: &TrainingData, step: u64) -> Result<Vec<Assigned>, AssignError> {
        match (data, &self.data) {
            (TrainingData::Corpus(corpus), RunData::Corpus(_)) => {
                Ok(self.batches(config, corpus, step)?.into_iter().map(Assigned::from).collect())
            }
            (TrainingData::Dataset(dataset), RunData::Dataset(root))
                if dataset.root() == *root && dataset.context() == config.context =>
            {
                let batch = |leaves: Vec<u64>| {
                    let sequences = leaves.iter().map(|&leaf| dataset.tokens(leaf).map(<[Token]>::to_vec));
                    let sequences = sequences.collect::<Result<_, _>>()?;
                    let blinds = leaves.iter().map(|&leaf| dataset.blind(leaf)).collect::<Result<_, _>>()?;
                    let leaves = leaves.iter().map(|&leaf| dataset.leaf(leaf)).collect::<Result<_, _>>()?;
                    Ok(Assigned { sequences, leaves, blinds })
                };
                self.assigned_leaves(root, step).into_iter().map(batch).collect()
            }
            _ => Err(AssignError::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_tokens_are_named_apart() {
        let text = b"once upon a time";
        let (bytes, tokens) = (Corpus::of_bytes(text), Corpus::of_tokens(tokens_of_bytes(text)));
        assert_eq!(bytes.digest(), corpus_digest(text));
        assert_eq!(bytes.tokens(), tokens.tokens());
        assert_ne!(bytes.digest(), tokens.digest());
        // Not the bytes that the tokens are made of, either.
        let encoded: Vec<u8> = tokens.tokens().iter().flat_map(|token| token.to_le_bytes()).collect();
        assert_ne!(Corpus::of_bytes(&encoded).digest(), tokens.digest());
    }

    /// A run names it: it stays as it is.
    #[test]
    fn the_digest_of_tokens_is_pinned() {
        let hex: String =
            Corpus::of_tokens(vec![0, 255, 256, 65_519]).digest().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "24419d4fce92796de639e1d5a88a007baaa993466baa010398d2ab6c714e60a7");
        assert_ne!(Corpus::of_tokens(vec![256]).digest(), Corpus::of_tokens(vec![0, 1]).digest());
    }
}
