//! What GradientCoin proves.
//!
//! Without the feature `proofs` this crate is the reference arithmetic and the model alone, free of halo2.

pub mod arithmetic;
pub mod model;
pub mod ops;
#[cfg(feature = "proofs")]
pub mod segments;
pub mod statements;
