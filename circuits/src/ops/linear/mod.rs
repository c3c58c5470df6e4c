//! Matrices on the right: `Y = X·W`, `W` is `[in × out]`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{forward, input_gradient, weight_gradient};
