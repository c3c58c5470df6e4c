//! RMSNorm: `h = x · inv(x) · gain`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{NormBackward, NormForward, backward, forward};
