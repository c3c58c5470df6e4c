//! Training, and proofs of it.
//!
//! Without the feature `proofs` this crate is the trainer alone, free of halo2.

pub mod trainer;

#[cfg(feature = "proofs")]
pub mod canonical;
#[cfg(feature = "proofs")]
pub mod error;
#[cfg(feature = "proofs")]
pub mod proof;
#[cfg(feature = "proofs")]
pub mod rng;
#[cfg(feature = "proofs")]
pub mod step;
