//! Why a light client does not take blocks, or cannot answer.

use super::FileError;
use crate::consensus::BlockError;
use crate::header::BlockId;
use crate::ledger::ProofError;
use verifier::BatchError;

/// Why a light client does not take blocks, or cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum LightError {
    /// A block is refused; those before it were taken.
    #[error("{source}: block {id} at height {height}")]
    Block {
        /// The height that it claims.
        height: u64,
        /// Its identity.
        id: BlockId,
        /// Why.
        source: Box<BlockError>,
    },
    /// The first block's parent is not known; it may be below the checkpoint, or on a branch that was forgotten.
    #[error("the parent {parent} of block {id} is unknown")]
    UnknownParent {
        /// The block.
        id: BlockId,
        /// Its parent.
        parent: BlockId,
    },
    /// The branch forks off deeper than a reorganisation may go.
    #[error("the branch forks off at height {fork}; blocks up to height {finalised} are finalised")]
    TooDeep {
        /// Height of the last common block.
        fork: u64,
        /// No reorganisation takes back this block.
        finalised: u64,
    },
    /// Branches of less work take more memory than is kept for them.
    #[error("branches with less work than the chain exceed {limit} bytes")]
    Branches {
        /// Most bytes of their blocks.
        limit: usize,
    },
    /// The proofs of some blocks fail together, yet hold one by one: the machine, not the blocks, is at fault.
    #[error("proofs are valid one by one but not together: this machine computes incorrectly ({0})")]
    Contradiction(BatchError),
    /// The chain has no block of this height, or the client does not know it.
    #[error("no block at height {height} is known: known heights are {first} to {last}")]
    Height {
        /// What was asked for.
        height: u64,
        /// The checkpoint's.
        first: u64,
        /// The tip's.
        last: u64,
    },
    /// A balance proof does not hold.
    #[error(transparent)]
    Balance(#[from] ProofError),
    /// The blocks cannot be kept.
    #[error(transparent)]
    Keep(#[from] FileError),
}
