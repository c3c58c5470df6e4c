//! Causal multi-head attention between the rotated `q`, `k`, `v` and the output before `Wo`.

#[cfg(feature = "proofs")]
pub mod circuit;
mod reference;

pub use reference::{AttentionBackward, AttentionForward, Heads, backward, forward};
