//! Cross-entropy over the head's softmax.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{Loss, LossPosition, forward_backward};
