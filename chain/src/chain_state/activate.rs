//! Moving the tip: taking blocks back, executing others, all in one transaction.

use super::model::{self, SNAPSHOT_INTERVAL};
use super::{ChainError, ChainState, Inserted, Switch};
use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::{self, Record};
use crate::consensus::{BlockError, ContextualError};
use crate::genesis::ChainSpec;
use crate::header::{BlockId, StateDigest};
use crate::ledger::{self, LedgerError, Reward, version_prefix};
use crate::store::{
    AccountsAt, BlockTensors, Nodes, Rewards, StaleKeys, Store, StoreError, Tables, at_height, by_height, by_id,
    finalised, required, state_at_or_below,
};
use crate::tensors::Complete;
use circuits::model::State;
use circuits::statements::codec;
use redb::ReadableTable;

/// Writes the genesis.
pub fn begin(store: &Store, spec: &ChainSpec, state: &State) -> Result<Record, ChainError> {
    store.change(|tables| {
        if tables.genesis.get(()).map_err(StoreError::from)?.is_some() {
            return Err(ChainError::OtherChain);
        }
        let (root, batch) =
            ledger::update(&Nodes(&tables.ledger), 0, &spec.genesis().accounts()).map_err(StoreError::from)?;
        let (header, summary) = (spec.header()?, spec.summary(root)?);
        let record = Record { header, summary, work: Default::default(), state: spec.genesis().state.clone() };
        put_nodes(tables, 0, batch)?;
        let mut write = || -> Result<(), StoreError> {
            tables.genesis.insert((), codec::encode(spec.genesis())?.as_slice())?;
            let id = spec.id().genesis();
            tables.records.insert(id.as_bytes(), codec::encode(&record)?.as_slice())?;
            tables.gradients.insert(id.as_bytes(), codec::encode(&BlockTensors(vec![]))?.as_slice())?;
            tables.chain.insert(0, id.as_bytes())?;
            tables.states.insert(0, codec::encode(&model::file(spec, state, 0))?.as_slice())?;
            Ok(())
        };
        write()?;
        Ok(record)
    })
}

/// Rewards that a block of this height credits.
pub fn matured<E>(
    spec: &ChainSpec,
    height: u64,
    rewards: impl FnOnce(u64) -> Result<Vec<Reward>, E>,
) -> Result<Vec<Reward>, E> {
    height.checked_sub(spec.rules().ledger.coinbase_maturity).map_or(Ok(vec![]), rewards)
}

/// A broken rule, or a failing store.
pub fn ledger_error(error: LedgerError<StoreError>) -> ChainError {
    match error.rule() {
        Ok(rule) => ChainError::Block(BlockError::Ledger(rule)),
        Err(store) => ChainError::Store(store),
    }
}

/// Why no branch was executed.
enum Refused {
    /// Nothing is known of any block.
    Chain(ChainError),
    /// This block breaks a rule; the ones after it build on it.
    Block { at: usize, path: Vec<BlockId>, error: BlockError },
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Chain(error.into())
    }
}

/// See [`ChainState::insert`].
pub fn insert(chain: &mut ChainState, complete: &Complete) -> Result<Inserted, ChainError> {
    let proven = complete.proven();
    let block = proven.block();
    let id = block.id();
    let outcome = chain.store.change(|tables| -> Result<_, Refused> {
        let parent: Record = required(by_id(&tables.records, &block.header.parent)?, "the parent's record")?;
        let record = parent.child(block, proven.after());
        put_block(tables, &id, block, &record, complete)?;
        if record.work <= chain.tip.work {
            return Ok(None);
        }
        Ok(Some((switch(chain, tables, &record)?, record)))
    });
    match outcome {
        Ok(None) => Ok(Inserted::Side),
        Ok(Some(((switch, state), record))) => {
            chain.tip = record;
            chain.state = state;
            Ok(Inserted::Moved(switch))
        }
        Err(Refused::Chain(error)) => Err(error),
        Err(Refused::Block { at, path, error }) => {
            // Whatever builds on it falls with it.
            chain.store.change(|tables| -> Result<(), StoreError> {
                for id in path.iter().skip(at) {
                    tables.invalid.insert(id.as_bytes(), error.to_string().as_str())?;
                }
                Ok(())
            })?;
            Err(error.into())
        }
    }
}

fn put_block(
    tables: &mut Tables<'_>,
    id: &BlockId,
    block: &Block,
    record: &Record,
    complete: &Complete,
) -> Result<(), StoreError> {
    tables.blocks.insert(id.as_bytes(), codec::encode(block)?.as_slice())?;
    tables.records.insert(id.as_bytes(), codec::encode(record)?.as_slice())?;
    let tensors = BlockTensors(complete.tensors().to_vec());
    tables.gradients.insert(id.as_bytes(), codec::encode(&tensors)?.as_slice())?;
    Ok(())
}

fn put_nodes(tables: &mut Tables<'_>, height: u64, batch: ledger::NodeBatch) -> Result<(), StoreError> {
    for (key, row) in &batch.nodes {
        tables.ledger.insert(key.as_slice(), row.as_slice())?;
    }
    tables.stale.insert(height, codec::encode(&StaleKeys(batch.stale))?.as_slice())?;
    Ok(())
}

/// Makes the branch that ends with `tip` the chain.
fn switch(chain: &ChainState, tables: &mut Tables<'_>, tip: &Record) -> Result<(Switch, State), Refused> {
    let (path, fork) = branch(tables, tip)?;
    let old = chain.tip.summary.height;
    let finalised = finalised(&tables.stale)?;
    if fork < finalised {
        return Err(Refused::Chain(ChainError::TooDeep { finalised }));
    }
    let disconnected = disconnect(tables, fork, old)?;
    let mut state = if disconnected.is_empty() {
        chain.state.clone()
    } else {
        let kept = state_at_or_below(&tables.states, fork)?;
        model::replay(&chain.spec, kept, fork, |height| {
            let id = required_at(tables, height)?;
            by_id(&tables.gradients, &id)
        })?
    };
    for at in 0..path.len() {
        if let Err(error) = connect(chain, tables, &path[at], &mut state) {
            return Err(match error {
                ChainError::Block(error) => Refused::Block { at, path, error },
                error => Refused::Chain(error),
            });
        }
    }
    let height = tip.summary.height;
    let file = codec::encode(&model::file(&chain.spec, &state, tip.summary.step)).map_err(StoreError::from)?;
    tables.states.insert(height, file.as_slice()).map_err(StoreError::from)?;
    prune(tables, finalised, height, chain.spec.rules().reorg_limit)?;
    Ok((Switch { disconnected, connected: path }, state))
}

/// Blocks of a branch that are not of the chain, ascending, and the height of the last that is.
fn branch(tables: &Tables<'_>, tip: &Record) -> Result<(Vec<BlockId>, u64), StoreError> {
    let mut path = vec![];
    let mut at = tip.clone();
    loop {
        let (id, height) = (at.header.id(), at.summary.height);
        if at_height(&tables.chain, height)? == Some(id) {
            path.reverse();
            return Ok((path, height));
        }
        path.push(id);
        at = required(by_id(&tables.records, &at.header.parent)?, "a block's record")?;
    }
}

fn required_at(tables: &Tables<'_>, height: u64) -> Result<BlockId, StoreError> {
    at_height(&tables.chain, height)?.ok_or(StoreError::Missing("a block of the chain"))
}

/// Takes back the blocks above the fork, from the tip down.
fn disconnect(tables: &mut Tables<'_>, fork: u64, tip: u64) -> Result<Vec<BlockId>, StoreError> {
    let mut disconnected = vec![];
    for height in (fork + 1..=tip).rev() {
        let id = required_at(tables, height)?;
        let block: Block = required(by_id(&tables.blocks, &id)?, "a block of the chain")?;
        for (index, transaction) in (0..).zip(&block.transactions) {
            tables.transactions.remove(transaction.id()?.as_bytes())?;
            for party in transaction.body.parties() {
                tables.parties.remove((&party.0, height, index))?;
            }
        }
        tables.chain.remove(height)?;
        tables.rewards.remove(height)?;
        tables.stale.remove(height)?;
        tables.states.remove(height)?;
        disconnected.push(id);
    }
    tables.ledger.retain_in(version_prefix(fork + 1).as_slice().., |_, _| false)?;
    Ok(disconnected)
}

/// Executes a block on the one before.
fn connect(chain: &ChainState, tables: &mut Tables<'_>, id: &BlockId, state: &mut State) -> Result<(), ChainError> {
    let (spec, rules) = (&chain.spec, chain.spec.rules());
    let block: Block = required(by_id(&tables.blocks, id)?, "a block")?;
    let summary = &block.summary;
    let height = summary.height;
    let accounts = AccountsAt { table: &tables.ledger, height: height - 1 };
    contextual::contributors(&accounts, rules, &block)?.map_err(BlockError::from)?;

    let matured = matured(spec, height, |height| -> Result<_, StoreError> {
        // The genesis pays nothing.
        if height == 0 {
            return Ok(vec![]);
        }
        let rewards: Rewards = required(by_height(&tables.rewards, height)?, "a block's rewards")?;
        Ok(rewards.0)
    })?;
    let contributors: Vec<Address> = block.contributions.iter().map(|c| c.seat.contributor).collect();
    let (transactions, producer) = (&block.transactions, &summary.producer);
    let execution =
        ledger::execute(&accounts, &rules.ledger, spec.id(), height, &matured, transactions, &contributors, producer)
            .map_err(ledger_error)?;
    let (root, batch) = ledger::update(&Nodes(&tables.ledger), height, &execution.changed).map_err(StoreError::from)?;
    if root != summary.ledger {
        let (expected, found) = (root, summary.ledger);
        return Err(BlockError::from(ContextualError::LedgerRoot { expected, found }).into());
    }
    if !block.contributions.is_empty() {
        let tensors: BlockTensors = required(by_id(&tables.gradients, id)?, "a block's gradients")?;
        model::apply(spec, state, summary.step - 1, &tensors.0)?;
        if StateDigest::of(&spec.layouts().commit_state(&chain.params, state)?) != summary.state {
            return Err(BlockError::Model.into());
        }
    }
    put_nodes(tables, height, batch)?;
    let write = || -> Result<(), StoreError> {
        tables.chain.insert(height, id.as_bytes())?;
        tables.rewards.insert(height, codec::encode(&Rewards(execution.rewards))?.as_slice())?;
        for (index, transaction) in (0..).zip(&block.transactions) {
            tables.transactions.insert(transaction.id()?.as_bytes(), (height, index))?;
            for party in transaction.body.parties() {
                tables.parties.insert((&party.0, height, index), ())?;
            }
        }
        if height.is_multiple_of(SNAPSHOT_INTERVAL) {
            let file = model::file(spec, state, summary.step);
            tables.states.insert(height, codec::encode(&file)?.as_slice())?;
        }
        Ok(())
    };
    Ok(write()?)
}

/// Drops what no reorganisation needs any more: states that were kept as the tip's only, states and stale rows far below.
fn prune(tables: &mut Tables<'_>, finalised: u64, tip: u64, limit: u64) -> Result<(), StoreError> {
    let far = tip.saturating_sub(limit).max(finalised);
    // The last snapshot at or below the deepest fork stays, and with it the way from there.
    let oldest = far - far % SNAPSHOT_INTERVAL;
    tables
        .states
        .retain_in(..tip, |height, _| height == 0 || (height.is_multiple_of(SNAPSHOT_INTERVAL) && height >= oldest))?;
    for height in finalised..=far {
        let stale: Option<StaleKeys> = by_height(&tables.stale, height)?;
        for key in stale.map_or(vec![], |stale| stale.0) {
            tables.ledger.remove(key.as_slice())?;
        }
        tables.stale.remove(height)?;
    }
    Ok(())
}
