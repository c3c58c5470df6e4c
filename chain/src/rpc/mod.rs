//! Questions to a node, and the answers: the same over a local socket of a running node and from the store of a stopped
//! one.

#[cfg(feature = "full")]
mod answer;

#[cfg(feature = "full")]
pub use answer::{answer, fork_height, locator};

use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::Record;
use crate::genesis::Genesis;
use crate::header::{BlockId, ChainId};
use crate::ledger::{Account, BalanceProof};
use crate::transaction::{Location, Transaction, TransactionId};
use circuits::model::file::ModelState;
use circuits::statements::codec::{self, Encoded};
use serde::{Deserialize, Serialize};

/// Most blocks of an answer.
pub const MAX_BLOCKS: u32 = 64;

/// Most transactions of an answer.
pub const MAX_TRANSACTIONS: u32 = 64;

/// Most waiting transactions of an answer: more than a sender can have.
pub const MAX_WAITING: usize = 256;

/// Bytes of proofs after which no further block is put into an answer, which has to fit a connection's limit.
pub const MAX_PROOF_BYTES: u64 = 24 << 20;

/// Which block is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockRef {
    /// The last one.
    Tip,
    /// That of a height.
    Height(u64),
    /// That of an identity, on any branch.
    Id(BlockId),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// What the chain is of.
    Genesis,
    /// How far it is.
    Status,
    /// A block.
    Block(BlockRef),
    /// Blocks of the chain that follow on the first known one of these.
    BlocksAfter {
        /// Identities, from the asker's tip down.
        locator: Vec<BlockId>,
        /// Most blocks, at most [`MAX_BLOCKS`].
        limit: u32,
    },
    /// A transaction.
    Transaction(TransactionId),
    /// An account at the tip, with its proof.
    Account(Address),
    /// The model state at the tip.
    Model,
    /// Takes a transaction in, unless another one of its sender and nonce is waiting. One that is known is taken in: a
    /// question may be asked twice.
    Submit(Transaction),
    /// The transactions that wait for a block and concern an address.
    Waiting(Address),
    /// Takes a transaction in, also in place of a waiting one of its sender and nonce that pays less.
    Replace(Transaction),
    /// The chain's transactions that concern an address, the last first.
    History {
        /// Whom they concern.
        address: Address,
        /// Only those before this place.
        before: Option<Location>,
        /// Most transactions, at most [`MAX_TRANSACTIONS`].
        limit: u32,
    },
}

impl Encoded for Query {
    const MAGIC: [u8; 8] = *b"GRADQURY";
    const VERSION: u32 = 1;
    const NAME: &'static str = "query";
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Query::Genesis`].
    Genesis(Box<Genesis>),
    /// To [`Query::Status`].
    Status(Box<Status>),
    /// To [`Query::Block`].
    Block(Option<Box<Found>>),
    /// To [`Query::BlocksAfter`].
    Blocks(Vec<Block>),
    /// To [`Query::Transaction`].
    Transaction(Option<Box<Included>>),
    /// To [`Query::Account`].
    Account(Box<Proved>),
    /// To [`Query::Model`].
    Model(Box<AtTip>),
    /// To [`Query::Submit`] and [`Query::Replace`]: its identity.
    Submitted(TransactionId),
    /// Why there is no answer.
    Refused(#[serde(deserialize_with = "codec::text")] String),
    /// To [`Query::Waiting`]: what the address sends, by nonce, then what it receives; at most [`MAX_WAITING`], and none
    /// where no node is running.
    Waiting(Vec<Transaction>),
    /// To [`Query::History`].
    History(Vec<Included>),
}

impl Encoded for Answer {
    const MAGIC: [u8; 8] = *b"GRADANSW";
    // 2: the genesis has a proof; 3: named slots; 4: sums of squares, clipping.
    const VERSION: u32 = 4;
    const NAME: &'static str = "answer";
}

/// How far a chain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Identity of the chain.
    pub chain: ChainId,
    /// The tip.
    pub tip: Record,
    /// Transactions that wait, if the node is running.
    pub waiting: Option<u64>,
}

/// A block, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// The block; the genesis is none.
    pub block: Option<Block>,
    /// Whether it is on the chain, not on a side branch.
    pub on_chain: bool,
}

/// A transaction of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The transaction.
    pub transaction: Transaction,
    /// Its block.
    pub block: BlockId,
    /// The block's height.
    pub height: u64,
    /// Number in the block.
    pub index: u32,
}

/// An account with its proof for the ledger root of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proved {
    /// The account.
    pub account: Account,
    /// The proof.
    pub proof: BalanceProof,
    /// The block.
    pub block: BlockId,
    /// Its height.
    pub height: u64,
}

/// The model state at the tip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtTip {
    /// The tip, which commits to it.
    pub record: Record,
    /// The state.
    pub state: ModelState,
}
