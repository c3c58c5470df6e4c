//! Verifying proofs of GradientCoin's circuits. No input makes it panic, and its work depends on nothing but the key
//! and the number of instances that the caller expects.
//!
//! A run is verified from its proofs alone; whoever has the corpus that it names compares the batches too:
//!
//! ```no_run
//! use circuits::statements::{Bundle, Corpus, GenesisProof, Run};
//! use verifier::{RunVerifier, StepVerifier};
//!
//! fn verify(
//!     params: &backend::curve::Params,
//!     (run, genesis_proof, bundles): (&Run, &GenesisProof, &[Bundle]),
//!     corpus: &Corpus,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let keys = StepVerifier::new(params, &run.check()?)?;
//!     let begun = RunVerifier::new(params, &keys, run, Some(corpus))?.genesis_proof(genesis_proof)?;
//!     let verified = bundles.iter().try_fold(begun, RunVerifier::step)?.finish()?;
//!     assert!(verified.basis.genesis_proof);
//!     Ok(())
//! }
//! ```
//!
//! [`backend::parameters::load`] gives the parameters, `ProvenRun::run` of the crate `prover` the [`Run`]; files are
//! written and read with [`circuits::statements::codec`]. The feature `asm` makes the field faster on x86-64.
//!
//! [`Run`]: circuits::statements::Run
//!
//! | name | meaning |
//! |---|---|
//! | [`Claim`] | a proof of which one multi-scalar multiplication is left to check |
//! | [`Batch`] | claims over several keys, which end in one multiplication |
//! | [`StepVerifier`] | the keys of a model's three circuits, and the wires between its proofs |
//! | [`RunVerifier`] | steps in order, from a first state that is shown to be in range |
//! | [`Basis`] | what shows that |
//! | culprit | a proof that made a batch fail |

pub mod batch;
pub mod canonical;
pub mod error;
pub mod keys;
#[cfg(feature = "lean")]
pub mod lean;
mod opening;
pub mod oracle;
pub mod proof;
mod reader;
pub mod run;
pub mod span;
pub mod step;
mod vanishing;

pub use batch::Batch;
pub use canonical::{check_canonical, verify_canonical};
pub use error::{BatchError, Culprit, Part, RunRefused, StepError, VerifyError};
pub use keys::{KeysDigest, VerifyingKeys};
pub use oracle::Oracle;
pub use proof::{Claim, Ports, check, instances, verify};
pub use run::{Basis, RunVerifier, VerifiedRun};
pub use span::{check_span, verify_span};
pub use step::{CheckedContribution, Claimed, ClaimedUpdate, LossSums, StepVerifier, Verified};
