//! Stochastic gradient descent with momentum and weight decay.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;
mod update;

pub use reference::{Element, Hyper, MAX_CLIP, MU_BITS, check_rounding, dividend, element};
pub use update::apply;
