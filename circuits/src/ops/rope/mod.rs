//! Rotary positions on adjacent feature pairs.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{backward, forward};
