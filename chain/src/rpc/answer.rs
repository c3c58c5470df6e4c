//! Answers from a store.

use super::{
    Answer, AtTip, BlockRef, Found, Included, MAX_BLOCKS, MAX_PROOF_BYTES, MAX_TRANSACTIONS, Proved, Query, Status,
};
use crate::address::Address;
use crate::block::Block;
use crate::header::{BlockId, ChainId};
use crate::store::{Store, StoreError, View};
use crate::transaction::{Location, TransactionId};

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
