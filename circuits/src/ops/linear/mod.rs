//! Matrices on the right: `Y = X·W`, `W` is `[in × out]`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{add_bias, bias_gradient, forward, input_gradient, weight_gradient};
