//! The rules of blocks, pure and synchronous, by what they need to know.
//!
//! | module | needs | examples |
//! |---|---|---|
//! | [`structural`] | the block alone | digests, order, counts, work done |
//! | [`semantic`] | keys, and the parent's model state | signatures, assigned batches, proofs |
//! | [`contextual`] | the chain before | height, target, time, registered keys |
//!
//! The ledger's rules are in [`crate::ledger`]; the store executes them.

pub mod contextual;
mod error;
pub mod semantic;
pub mod structural;

pub use error::{BlockError, ContextualError, SemanticError, StructuralError};
