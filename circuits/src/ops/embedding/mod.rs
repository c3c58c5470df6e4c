//! Token embedding.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{backward, forward};
