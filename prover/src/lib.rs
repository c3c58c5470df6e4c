//! Training, and proofs of it.
//!
//! A [`ProvenRun`] is a training of a model from a first state on a corpus or a data set, each step of which is proven:
//!
//! ```no_run
//! use backend::{curve::DEFAULT_K, parameters};
//! use circuits::model::{Config, Schedule, Spec, State};
//! use circuits::statements::{Corpus, TrainingData};
//! use prover::{ProvenRun, RunOptions, StepKeys};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let params = parameters::load(None, DEFAULT_K)?.params; // Some(directory) keeps them for the next time
//! let spec = Spec::new(Config::NANO);
//! let keys = StepKeys::generate(&params, &spec)?;
//! let data = TrainingData::Corpus(Corpus::of_bytes(&std::fs::read("stories.txt")?));
//! let options = RunOptions::new(Schedule::constant(&"0.1".parse()?)?);
//! let first = State::init(&spec.config, 7);
//! let mut run = ProvenRun::begin((&params, &keys, &spec), first, &data, options)?;
//! let genesis_proof = run.genesis_proof()?;
//! let bundles = [run.step()?, run.step()?];
//! # Ok(())
//! # }
//! ```
//!
//! The crate `verifier` shows how these are verified, with [`ProvenRun::run`] for the run;
//! [`circuits::statements::codec`] writes them to files. Below the run:
//!
//! | name | meaning |
//! |---|---|
//! | [`Task`](task::Task) | a proof to be made, written down: inputs by digest, public values, blinding |
//! | [`Engine`](engine::Engine) | what makes a proof from filled instances; whatever it gives is verified |
//! | [`StepProver`] | a step as tasks, their execution in this process, and the assembly of the results |
//! | [`Bundle`](circuits::statements::Bundle) | the proofs of one step |
//! | instance | one copy of a circuit; a proof covers up to 8 |
//! | port | columns that enter or leave a proof, identified by their commitments |
//! | blinding | what hides a port, or leaves it canonical, so that anyone can compute its commitment |
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
pub mod estimate;
#[cfg(feature = "proofs")]
mod execute;
#[cfg(feature = "proofs")]
mod input_digest;
#[cfg(feature = "proofs")]
pub mod key;
#[cfg(feature = "proofs")]
pub mod private;
#[cfg(feature = "proofs")]
mod run;
#[cfg(feature = "proofs")]
pub mod step;
#[cfg(feature = "proofs")]
pub mod task;

#[cfg(feature = "proofs")]
pub use error::ProveError;
#[cfg(feature = "proofs")]
pub use run::{ProvenRun, RunOptions};
#[cfg(feature = "proofs")]
pub use step::{StepKeys, StepProver};
