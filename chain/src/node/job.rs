//! What is slow: verifying proofs and computing commitments.

use crate::block::Block;
use crate::consensus::BlockError;
use crate::consensus::semantic::{Checker, Parent};
use crate::header::BlockId;
use crate::message::PeerId;
use crate::pool::contributions::{self, JobError, Ticket};
use crate::tensors::{Complete, GradientTensors};
use circuits::model::Gradients;
use std::sync::Arc;

/// What a job finds.
pub type Verdict<T> = Result<T, BlockError>;

/// Something to verify.
#[derive(Debug)]
pub enum Job {
    /// A block with its tensors.
    Block {
        /// Who sent it.
        from: Option<PeerId>,
        /// Its parent.
        parent: Parent,
        /// The block.
        block: Arc<Block>,
        /// Tensors of its contributions.
        tensors: Vec<GradientTensors>,
    },
    /// A contribution to the next block.
    Contribution {
        /// Who sent it.
        from: Option<PeerId>,
        /// What the pool wants to know.
        job: contributions::Job,
    },
}

/// What was found.
#[derive(Debug)]
pub enum Done {
    /// Of a block.
    Block {
        /// Who sent it.
        from: Option<PeerId>,
        /// Its identity.
        id: BlockId,
        /// The verdict.
        verdict: Verdict<Box<Complete>>,
    },
    /// Of a contribution.
    Contribution {
        /// Who sent it.
        from: Option<PeerId>,
        /// Its place in the pool.
        ticket: Ticket,
        /// The verdict.
        verdict: Result<Gradients, JobError>,
    },
}

impl Job {
    /// Does it.
    pub fn run(self, checker: &Checker<'_>) -> Done {
        match self {
            Job::Block { from, parent, block, tensors } => {
                let id = block.id();
                Done::Block { from, id, verdict: verify_block(checker, &parent, &block, tensors).map(Box::new) }
            }
            Job::Contribution { from, job } => {
                Done::Contribution { from, ticket: job.ticket, verdict: job.run(checker) }
            }
        }
    }
}

fn verify_block(
    checker: &Checker<'_>,
    parent: &Parent,
    block: &Arc<Block>,
    tensors: Vec<GradientTensors>,
) -> Verdict<Complete> {
    let proven = checker.verify(parent, block)?;
    Ok(Complete::new(checker.params, checker.spec, proven, tensors)?)
}
