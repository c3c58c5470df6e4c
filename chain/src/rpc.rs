//! Questions to a node, and the answers: the same over a local socket of a running node and from the store of a stopped
//! one.

use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::Record;
use crate::genesis::Genesis;
use crate::header::{BlockId, ChainId};
use crate::ledger::{Account, BalanceProof};
use crate::store::{Location, Store, StoreError, View};
use crate::transaction::{Transaction, TransactionId};
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
    // 2: the genesis has a proof; 3: named slots.
    const VERSION: u32 = 3;
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

/// Answers from a store all questions but those that need a running node.
pub fn answer(store: &Store, query: &Query) -> Result<Answer, StoreError> {
    let view = store.view()?;
    let genesis = view.genesis()?.ok_or(StoreError::Missing("the genesis"))?;
    Ok(match query {
        Query::Genesis => Answer::Genesis(Box::new(genesis)),
        Query::Status => {
            let chain = ChainId::of(view.at_height(0)?.ok_or(StoreError::Missing("the genesis"))?);
            Answer::Status(Box::new(Status { chain, tip: view.tip()?, waiting: None }))
        }
        Query::Block(which) => Answer::Block(block(&view, which)?.map(Box::new)),
        Query::BlocksAfter { locator, limit } => Answer::Blocks(blocks_after(&view, locator, *limit)?),
        Query::Transaction(id) => Answer::Transaction(transaction(&view, id)?.map(Box::new)),
        Query::Account(address) => {
            let tip = view.tip()?;
            let height = tip.summary.height;
            let proof = view.prove_account(address, height)?;
            let account = view.account(address, height)?;
            Answer::Account(Box::new(Proved { account, proof, block: tip.header.id(), height }))
        }
        Query::Model => {
            let spec = crate::genesis::ChainSpec::new(genesis);
            let spec = spec.map_err(|_| StoreError::Missing("a sound genesis"))?;
            let record = view.tip()?;
            let state = crate::chain_state::model_at_tip(&spec, &view)?;
            Answer::Model(Box::new(AtTip { record, state }))
        }
        Query::Submit(_) | Query::Replace(_) => {
            Answer::Refused("no node is running here that could take a transaction".into())
        }
        Query::Waiting(_) => Answer::Waiting(vec![]),
        Query::History { address, before, limit } => Answer::History(history(&view, address, *before, *limit)?),
    })
}

fn block(view: &View, which: &BlockRef) -> Result<Option<Found>, StoreError> {
    let id = match which {
        BlockRef::Tip => view.at_height(view.height()?)?,
        BlockRef::Height(height) => view.at_height(*height)?,
        BlockRef::Id(id) => Some(*id),
    };
    let Some(id) = id else { return Ok(None) };
    let Some(record) = view.record(&id)? else { return Ok(None) };
    let on_chain = view.at_height(record.summary.height)? == Some(id);
    Ok(Some(Found { record, block: view.block(&id)?, on_chain }))
}

/// Height of the first of these blocks that is on the chain; the genesis if none is.
pub fn fork_height(view: &View, locator: &[BlockId]) -> Result<u64, StoreError> {
    for id in locator {
        if let Some(record) = view.record(id)?
            && view.at_height(record.summary.height)? == Some(*id)
        {
            return Ok(record.summary.height);
        }
    }
    Ok(0)
}

/// Identities from the tip down, ever sparser, the genesis last: where a peer finds the last block in common.
pub fn locator(view: &View) -> Result<Vec<BlockId>, StoreError> {
    let tip = view.height()?;
    let mut ids = vec![];
    let (mut back, mut gap) = (0u64, 1u64);
    while back < tip {
        ids.extend(view.at_height(tip - back)?);
        if ids.len() >= 10 {
            gap = gap.saturating_mul(2);
        }
        back = back.saturating_add(gap);
    }
    ids.extend(view.at_height(0)?);
    Ok(ids)
}

fn blocks_after(view: &View, locator: &[BlockId], limit: u32) -> Result<Vec<Block>, StoreError> {
    let from = fork_height(view, locator)?;
    let (mut blocks, mut bytes): (Vec<Block>, u64) = (vec![], 0);
    for height in from + 1..=view.height()?.min(from.saturating_add(limit.min(MAX_BLOCKS).into())) {
        if bytes > MAX_PROOF_BYTES {
            break;
        }
        let block = block_at(view, height)?;
        bytes += block.proof_bytes();
        blocks.push(block);
    }
    Ok(blocks)
}

fn transaction(view: &View, id: &TransactionId) -> Result<Option<Included>, StoreError> {
    let Some(location) = view.transaction(id)? else { return Ok(None) };
    included(&block_at(view, location.height)?, location).map(Some)
}

fn history(view: &View, address: &Address, before: Option<Location>, limit: u32) -> Result<Vec<Included>, StoreError> {
    let mut last: Option<Block> = None;
    let mut history = vec![];
    for location in view.transactions_of(address, before, limit.min(MAX_TRANSACTIONS) as usize)? {
        // Blocks are large, and may have several.
        let block = match last.take().filter(|block| block.summary.height == location.height) {
            Some(block) => block,
            None => block_at(view, location.height)?,
        };
        history.push(included(&block, location)?);
        last = Some(block);
    }
    Ok(history)
}

fn block_at(view: &View, height: u64) -> Result<Block, StoreError> {
    let id = view.at_height(height)?.ok_or(StoreError::Missing("a block of the chain"))?;
    view.block(&id)?.ok_or(StoreError::Missing("a block of the chain"))
}

fn included(block: &Block, Location { height, index }: Location) -> Result<Included, StoreError> {
    let transaction = block.transactions.get(index as usize).copied();
    let transaction = transaction.ok_or(StoreError::Missing("a transaction"))?;
    Ok(Included { transaction, block: block.id(), height, index })
}
