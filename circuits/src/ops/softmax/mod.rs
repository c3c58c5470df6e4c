//! Softmax of a row of wide scores, with its principal intermediates.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{Softmax, causal, full};
