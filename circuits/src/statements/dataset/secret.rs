//! What blinds the leaves of a private data set.

use backend::curve::F;
use ff::FromUniformBytes;
use std::fmt;

/// From which the blind of every leaf follows. Whoever has it can confirm a guess at any sequence.
#[derive(Clone, PartialEq, Eq)]
pub struct LeafSecret([u8; 32]);

impl LeafSecret {
    /// Of random bytes, never used for another data set.
    pub fn new(bytes: [u8; 32]) -> Self {
        LeafSecret(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The blind of a leaf.
    pub fn blind(&self, index: u64, tokens: &[u8]) -> F {
        let mut state =
            blake2b_simd::Params::new().hash_length(64).key(&self.0).personal(b"GradCoin-a-leaf-").to_state();
        F::from_uniform_bytes(state.update(&index.to_le_bytes()).update(tokens).finalize().as_array())
    }
}

/// Nothing of it is shown.
impl fmt::Debug for LeafSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafSecret")
    }
}
