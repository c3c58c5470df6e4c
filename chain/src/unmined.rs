//! Putting a block together, and working on it.

use crate::address::Address;
use crate::block::{Block, Update, digests};
use crate::consensus::contextual::{Ancestry, Record};
use crate::contribution::Contribution;
use crate::genesis::ChainSpec;
use crate::header::{Header, LedgerRoot, StateDigest, Summary};
use crate::transaction::Transaction;
use crate::work::meets;
use circuits::statements::codec::CodecError;

/// A block that lacks nothing but the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnminedBlock {
    /// The block.
    pub block: Block,
}

/// What a block on a parent is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Contributions, ascending by seat.
    pub contributions: Vec<Contribution>,
    /// Transactions, in order.
    pub transactions: Vec<Transaction>,
    /// The update, if there are contributions.
    pub update: Option<Update>,
    /// Ledger root after the transactions.
    pub ledger: LedgerRoot,
    /// Who is paid.
    pub producer: Address,
    /// The clock, seconds since 1970; the block's time is this, or later if the rules ask for it.
    pub now: u64,
}

impl UnminedBlock {
    /// Puts a block together.
    pub fn new(spec: &ChainSpec, parent: &Record, ancestry: &Ancestry, parts: Parts) -> Result<Self, CodecError> {
        let Parts { contributions, transactions, update, ledger, producer, now } = parts;
        let digests = digests(spec.id(), &contributions, &transactions, &update)?;
        let state = update.as_ref().map_or(parent.summary.state, |update| StateDigest::of(&update.after));
        let step = parent.summary.step + u64::from(!contributions.is_empty());
        let summary = Summary::new((parent.summary.height + 1, step), (state, ledger), producer, digests);
        let header = Header {
            body: summary.digest()?,
            parent: parent.header.id(),
            time: now.max(ancestry.median_time() + 1),
            target: ancestry.target(spec.rules(), parent.header.target),
            nonce: 0,
        };
        Ok(UnminedBlock { block: Block { header, summary, contributions, transactions, update } })
    }

    /// Tries so many nonces from where it left off; gives the block once one does.
    pub fn mine(&mut self, tries: u64) -> Option<Block> {
        let target = self.block.header.target.target();
        for _ in 0..tries {
            if meets(self.block.id().as_bytes(), target) {
                return Some(self.block.clone());
            }
            self.block.header.nonce = self.block.header.nonce.wrapping_add(1);
        }
        None
    }
}
