//! ReLU: `y = max(z, 0)`, of the exact `z`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{backward, forward, is_positive};
