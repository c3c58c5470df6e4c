//! SwiGLU: `s = z · sigmoid(z) · u`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{SwigluBackward, SwigluForward, TAU_BOUND, backward, forward, tau};
