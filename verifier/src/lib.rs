//! Verifying proofs of GradientCoin's circuits. No input makes it panic, and its work depends on nothing but the key
//! and the number of instances that the caller expects.

pub mod batch;
pub mod canonical;
pub mod error;
pub mod proof;
pub mod run;
pub mod step;

pub use batch::Batch;
pub use canonical::{check_canonical, verify_canonical};
pub use error::{BatchError, Culprit, Part, RunRefused, StepError, VerifyError};
pub use proof::{Claim, Ports, check, instances, verify};
pub use run::{Basis, RunVerifier, VerifiedRun};
pub use step::{CheckedContribution, Claimed, ClaimedUpdate, StepVerifier, Verified};
