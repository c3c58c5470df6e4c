//! Training, and proofs of it.
//!
//! Without the feature `proofs` this crate is the trainer alone, free of halo2.

pub mod trainer;

#[cfg(feature = "proofs")]
pub mod blinding;
#[cfg(feature = "proofs")]
pub mod canonical;
#[cfg(feature = "proofs")]
pub mod engine;
#[cfg(feature = "proofs")]
pub mod error;
#[cfg(feature = "proofs")]
mod execute;
#[cfg(feature = "proofs")]
pub mod key;
#[cfg(feature = "proofs")]
pub mod step;
#[cfg(feature = "proofs")]
pub mod task;
