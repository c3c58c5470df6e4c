//! The light client: a chain's headers and what they commit to, with every training proof verified, and none of its
//! tensors.
//!
//! It starts from a [`Checkpoint`] that its user trusts: the genesis, or a later block. From there it checks, of every
//! block, the work and the rules for target and time, the digests, signatures and stamps, that contributions are to the
//! batches they were assigned, and all proofs. Work counts only after that. [`LightClient::extend`] takes blocks in windows of
//! [`WINDOW`]; the proofs of a window end in one multi-scalar multiplication, as far as a folding
//! [`Batch`](verifier::Batch) does not settle in between, and nothing of a window is known or written before that succeeded.
//!
//! | module | holds |
//! |---|---|
//! | [`checkpoint`] | what is trusted, and pinned by a digest |
//! | [`branches`] | the chain of most work and its side branches, in memory |
//! | [`window`] | the proofs of many blocks, side by side |
//! | [`client`] | blocks in, verdicts out; balances |
//! | [`file`](mod@file) | the verified blocks, appended to one file |
//! | [`disk`] | such files in a file system |
//! | [`survey`](mod@survey) | what is in such a file, for people |
//! | [`source`] | where blocks come from, and catching up |
//!
//! # What it does not check
//!
//! * The ledger is not executed: whether a block's transactions are covered, whether its ledger root is that of the accounts,
//!   and whether contributors are registered and matured. A balance is what the root of a block with enough work behind it
//!   says; who has most of the work can lie about it, and full nodes refuse their blocks.
//! * The tensors are not asked for: whether anybody can still have the gradients and the weights that the commitments
//!   are of. What was proven about them holds all the same.
//! * Whether another branch has more work that no source told it of.

pub mod branches;
pub mod checkpoint;
pub mod client;
#[cfg(feature = "full")]
pub mod disk;
mod error;
pub mod file;
mod frame;
pub mod source;
#[cfg(feature = "full")]
pub mod survey;
pub mod window;

pub use checkpoint::{Checkpoint, CheckpointDigest, CheckpointError};
pub use client::{Keep, LightClient, Nowhere, Proofs, Report, Switch, WINDOW};
pub use error::LightError;
pub use file::{Disk, Dropped, FileError, LightFile, Opened};
pub use frame::{Fault, MAX_RECORD};
pub use source::{Source, SyncError, SyncReport, sync};
#[cfg(feature = "full")]
pub use survey::{Survey, is_light_file, survey};
