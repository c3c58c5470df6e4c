//! What GradientCoin proves.
//!
//! Without the feature `proofs` this crate is the reference arithmetic and the model alone, free of halo2.

pub mod codec;
pub mod decimal;
pub mod fixed;
pub mod model;
pub mod model_file;
pub mod ops;
pub mod tensor;

#[cfg(feature = "proofs")]
pub mod gadgets;
#[cfg(feature = "proofs")]
pub mod poseidon;
#[cfg(feature = "proofs")]
pub mod scope;
#[cfg(feature = "proofs")]
pub mod segments;
#[cfg(feature = "proofs")]
pub mod statement;
