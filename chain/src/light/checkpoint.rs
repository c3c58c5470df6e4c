//! What a light client trusts without having verified it.

use crate::consensus::contextual::Record;
use crate::genesis::ChainSpec;
use crate::hash::hashes;
use crate::header::{Header, StateDigest};
use crate::ledger::{self, MemoryNodes, TreeError};
use crate::rules::Rules;
use crate::work::{MEDIAN_WINDOW, Work};
use circuits::statements::RunError;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

hashes! {
    /// Digest of a [`Checkpoint`]: what its user pins.
    CheckpointDigest;
}

/// A block, and the headers before it that the rules for target and time of later blocks ask for. Whoever pins its
/// [`Checkpoint::digest`] trusts all of it: state, work and ledger root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The block.
    pub record: Record,
    /// Headers of the blocks before it, its parent's first: as many as [`Checkpoint::headers_before`].
    pub ancestors: Vec<Header>,
}

impl Encoded for Checkpoint {
    const MAGIC: [u8; 8] = *b"GRADCHKP";
    // 2: named slots.
    const VERSION: u32 = 2;
    const NAME: &'static str = "checkpoint";
}

/// A checkpoint that is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The chain is not the one that is trusted.
    #[error("the genesis is not the trusted one")]
    Genesis,
    /// It is not the one that is trusted.
    #[error("the checkpoint's digest is not the trusted one")]
    Digest,
    /// The header commits to the summary.
    #[error("the checkpoint's header does not commit to its summary")]
    Summary,
    /// The summary commits to the state.
    #[error("the checkpoint's summary does not commit to its model state")]
    State,
    /// The state is one of the chain's configuration.
    #[error("the checkpoint's model state: {0}")]
    Shape(#[from] RunError),
    /// There are as many headers as the rules ask for.
    #[error("the checkpoint has {found} headers before its block, not {expected}")]
    Count {
        /// By rules and height.
        expected: u64,
        /// In the checkpoint.
        found: usize,
    },
    /// Each header is the parent of the one before it; one at height 0 is the genesis.
    #[error("header {0} of the checkpoint is not the parent of the one after it")]
    Link(usize),
    /// The first ledger has no root.
    #[error(transparent)]
    Ledger(#[from] TreeError<Infallible>),
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Checkpoint {
    /// That a chain begins with.
    pub fn genesis(spec: &ChainSpec) -> Result<Self, CheckpointError> {
        let (ledger, _) = ledger::update(&MemoryNodes::default(), 0, &spec.genesis().accounts())?;
        let (header, summary) = (spec.header()?, spec.summary(ledger)?);
        let record = Record { header, summary, work: Work::ZERO, state: spec.genesis().state.clone() };
        Ok(Checkpoint { record, ancestors: vec![] })
    }

    /// How many headers a checkpoint of this height has: enough for the medians of times at both ends of a
    /// retarget interval.
    pub fn headers_before(rules: &Rules, height: u64) -> u64 {
        rules.retarget_interval.saturating_add(MEDIAN_WINDOW as u64 - 1).min(height)
    }

    /// What to pin.
    pub fn digest(&self) -> Result<CheckpointDigest, CodecError> {
        Ok(CheckpointDigest(codec::digest(b"gradcoin-checkpt", &codec::encode(self)?)))
    }

    /// Requires sense; whether it is true is for its user to know.
    pub fn check(&self, spec: &ChainSpec) -> Result<(), CheckpointError> {
        let Record { header, summary, state, .. } = &self.record;
        if summary.height == 0 {
            return if *self == Self::genesis(spec)? { Ok(()) } else { Err(CheckpointError::Genesis) };
        }
        if header.body != summary.digest()? {
            return Err(CheckpointError::Summary);
        }
        state.check(spec.config(), spec.genesis().optimizer.kind())?;
        if StateDigest::of(state) != summary.state {
            return Err(CheckpointError::State);
        }
        let (expected, found) = (Self::headers_before(spec.rules(), summary.height), self.ancestors.len());
        if found as u64 != expected {
            return Err(CheckpointError::Count { expected, found });
        }
        let mut at = header;
        for (i, ancestor) in self.ancestors.iter().enumerate() {
            let genesis = i as u64 + 1 == summary.height;
            if ancestor.id() != at.parent || genesis && ancestor.id() != spec.id().genesis() {
                return Err(CheckpointError::Link(i));
            }
            at = ancestor;
        }
        Ok(())
    }
}
