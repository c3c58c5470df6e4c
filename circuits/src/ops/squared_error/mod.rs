//! Squared error: `Σ (y − t)²`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{ELEMENTS, SquaredError, forward};
