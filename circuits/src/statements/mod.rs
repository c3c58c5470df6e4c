//! What a step's proofs state: the run that they belong to, the state before, and for each proof its public values.
//!
//! | segment | public values after the challenges |
//! |---|---|
//! | layer | context |
//! | head | loss (frac 24), context |
//! | update | of AdamW η, ε, b₁, a₁, b₂, a₂, rounding; the sum of the gradient's squares, where it is clipped; context |
//!
//! The context binds the instance to its statement and its place: see [`domain`].

pub mod codec;

#[cfg(feature = "proofs")]
mod bundle;
#[cfg(feature = "proofs")]
mod data;
#[cfg(feature = "proofs")]
pub mod dataset;
#[cfg(feature = "proofs")]
pub mod domain;
#[cfg(feature = "proofs")]
pub mod hidden;
#[cfg(feature = "proofs")]
mod layouts;
#[cfg(feature = "proofs")]
pub mod poseidon;
#[cfg(feature = "proofs")]
mod run;
#[cfg(feature = "proofs")]
mod size;
#[cfg(feature = "proofs")]
pub mod squares;
#[cfg(feature = "proofs")]
mod state;
#[cfg(feature = "proofs")]
pub mod ties;

#[cfg(feature = "proofs")]
pub use bundle::{
    Bundle, Contribution, DisclosedLoss, GenesisProof, MAX_INSTANCES_PER_PROOF, PrivateStep, check_instances,
};
#[cfg(feature = "proofs")]
pub use data::{AssignError, Assigned, Corpus, RunData, TrainingData};
#[cfg(feature = "proofs")]
pub use dataset::Leaf;
#[cfg(feature = "proofs")]
pub use domain::{Domain, Place};
#[cfg(feature = "proofs")]
pub use layouts::Layouts;
#[cfg(feature = "proofs")]
pub use run::{Disclosure, MAX_PREDICTIONS, MAX_TAKEN, Run, RunError, corpus_digest};
#[cfg(feature = "proofs")]
pub use size::{Extent, StepSize};
#[cfg(feature = "proofs")]
pub use state::{
    Encoding, SegmentPoints, SegmentState, StateCommitments, commit_movement, commit_whole, decode_commitments,
    model_digest, surplus,
};
