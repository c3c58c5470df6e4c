//! What blinds the leaves of a private data set, and one of them that is shown.

use super::{Dataset, DatasetError, DatasetRoot, Leaf};
use crate::model::Token;
use crate::segments::head::batch_column;
use crate::statements::codec::Encoded;
use backend::curve::{F, Params};
use backend::ports::commit_with_blind;
use ff::FromUniformBytes;
use group::GroupEncoding;
use plonkish::field;
use serde::{Deserialize, Serialize};
use std::fmt;

/// From which the blind of every leaf follows. Whoever has it can confirm a guess at any sequence.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafSecret([u8; 32]);

impl LeafSecret {
    /// Of random bytes, never used for another data set.
    pub fn new(bytes: [u8; 32]) -> Self {
        LeafSecret(bytes)
    }

    /// The blind of a leaf. Tokens that all are bytes are hashed as bytes, others as two bytes each, under another name.
    pub fn blind(&self, index: u64, tokens: &[Token]) -> F {
        let bytes: Result<Vec<u8>, _> = tokens.iter().map(|&token| u8::try_from(token)).collect();
        let (name, bytes) = match bytes {
            Ok(bytes) => (b"GradCoin-a-leaf-", bytes),
            Err(_) => (b"GradCoin-leaf16-", tokens.iter().flat_map(|token| token.to_le_bytes()).collect()),
        };
        let mut state = blake2b_simd::Params::new().hash_length(64).key(&self.0).personal(name).to_state();
        F::from_uniform_bytes(state.update(&index.to_le_bytes()).update(&bytes).finalize().as_array())
    }
}

/// Nothing of it is shown.
impl fmt::Debug for LeafSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafSecret")
    }
}

/// What is kept of a private data set beside its corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSecret {
    /// The data set.
    pub root: DatasetRoot,
    /// What blinds its leaves.
    pub leaves: LeafSecret,
}

impl Encoded for DatasetSecret {
    const MAGIC: [u8; 8] = *b"GRADDSEC";
    const VERSION: u32 = 1;
    const NAME: &'static str = "secret of a data set";
    const CHECKSUM: bool = true;
}

/// A sequence of a data set that its owner shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevealedLeaf {
    /// The data set.
    pub root: DatasetRoot,
    /// Number of the sequence.
    pub index: u64,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// The blind of its commitment.
    pub blind: F,
    /// Its leaf.
    pub leaf: Leaf,
}

impl Encoded for RevealedLeaf {
    const MAGIC: [u8; 8] = *b"GRADLEAF";
    const VERSION: u32 = 1;
    const NAME: &'static str = "revealed sequence";
    const CHECKSUM: bool = true;
}

impl RevealedLeaf {
    /// Of a data set.
    pub fn of(dataset: &Dataset, index: u64) -> Result<Self, DatasetError> {
        let (tokens, blind) = (dataset.tokens(index)?.to_vec(), dataset.blind(index)?);
        Ok(RevealedLeaf { root: dataset.root(), index, tokens, blind, leaf: dataset.leaf(index)? })
    }

    /// Checks that its tokens are those of its leaf, and that this is one of its data set, whose sequences have `context` + 1 tokens:
    /// the commitment alone does not tell zeros at the end from none.
    pub fn verify(&self, params: &Params, context: usize) -> Result<(), DatasetError> {
        if self.tokens.len() != context + 1 {
            return Err(DatasetError::OtherTokens { index: self.index });
        }
        self.root.verify(self.index, &self.leaf.commitment, &self.leaf.path)?;
        let column: Vec<F> = batch_column(&self.tokens).into_iter().map(field).collect();
        let commitment = commit_with_blind(params, &column, self.blind)?;
        if commitment.to_bytes() == self.leaf.commitment {
            Ok(())
        } else {
            Err(DatasetError::OtherTokens { index: self.index })
        }
    }
}
