//! The chain as a full node has it: all branches that were proven, and one of them, that of most work, executed.
//!
//! Each [`ChainState::insert`] is one transaction of the store, a reorganisation included. The caller verifies proofs
//! beforehand, wherever it likes: [`ChainState::admit`] says on what, [`Complete`] shows that it was done.

mod activate;
mod model;

pub use model::SNAPSHOT_INTERVAL;

use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::{self, Ancestry, Record};
use crate::consensus::semantic::Parent;
use crate::consensus::{BlockError, structural};
use crate::genesis::ChainSpec;
use crate::header::{BlockId, LedgerRoot};
use crate::ledger::{self, Account};
use crate::store::{Nodes, Store, StoreError, View};
use crate::tensors::Complete;
use crate::transaction::Transaction;
use backend::curve::Params;
use backend::ports::PortError;
use circuits::model::file::ModelState;
use circuits::model::{State, StateError};
use circuits::statements::StateCommitments;
use circuits::statements::codec::CodecError;
use std::sync::Arc;

/// Why the chain does not take a block, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds another chain.
    #[error("the store belongs to another chain")]
    OtherChain,
    /// The store is new.
    #[error("the store contains no chain yet")]
    Empty,
    /// The first model state is not the one that the genesis commits to.
    #[error("the model state is not the one that the genesis commits to")]
    GenesisState,
    /// The first model state is malformed.
    #[error(transparent)]
    Params(#[from] StateError),
    /// The block is known.
    #[error("the block is already known")]
    Known,
    /// The parent is not known, or its proofs are not verified yet.
    #[error("the block's parent is unknown")]
    UnknownParent(BlockId),
    /// The block, or one before it, was found invalid.
    #[error("the block or one of its ancestors is invalid: {0}")]
    Invalid(String),
    /// The block is on a branch that no reorganisation may lead to.
    #[error("the block is on a branch that forks off below the finalised height {finalised}")]
    TooDeep {
        /// Height of the last block that cannot be taken back: the rules' limit below the highest tip so far.
        finalised: u64,
    },
    /// The block breaks a rule.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A commitment cannot be computed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What inserting a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is on a side branch: of less work than the chain, or the same.
    Side,
    /// The tip moved.
    Moved(Switch),
}

/// The way from one tip to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// Blocks that left the chain, from the old tip down.
    pub disconnected: Vec<BlockId>,
    /// Blocks that joined it, up to the new tip.
    pub connected: Vec<BlockId>,
}

/// A full node's chain.
pub struct ChainState {
    spec: Arc<ChainSpec>,
    params: Arc<Params>,
    store: Arc<Store>,
    tip: Record,
    state: State,
}

impl ChainState {
    /// Starts a chain in a new store; `state` must be what the genesis commits to.
    pub fn create(
        store: Arc<Store>,
        spec: Arc<ChainSpec>,
        params: Arc<Params>,
        state: State,
    ) -> Result<Self, ChainError> {
        state.check(spec.config())?;
        if spec.layouts().commit_state(&params, &state)? != spec.genesis().state {
            return Err(ChainError::GenesisState);
        }
        let tip = activate::begin(&store, &spec, &state)?;
        Ok(ChainState { spec, params, store, tip, state })
    }

    /// Goes on with the chain of a store.
    pub fn open(store: Arc<Store>, spec: Arc<ChainSpec>, params: Arc<Params>) -> Result<Self, ChainError> {
        let view = store.view()?;
        let genesis = view.genesis()?.ok_or(ChainError::Empty)?;
        if genesis != *spec.genesis() {
            return Err(ChainError::OtherChain);
        }
        let tip = view.tip()?;
        let state = model::at_tip(&spec, &view)?;
        drop(view);
        Ok(ChainState { spec, params, store, tip, state })
    }

    /// The chain's specification.
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }

    /// Parameters.
    pub fn params(&self) -> &Arc<Params> {
        &self.params
    }

    /// The store, for reading.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The tip.
    pub fn tip(&self) -> &Record {
        &self.tip
    }

    /// The model state at the tip.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What proofs of the next block depend on.
    pub fn parent(&self) -> Parent {
        self.tip.parent()
    }

    /// An account at the tip.
    pub fn account(&self, address: &Address) -> Result<Account, StoreError> {
        self.store.view()?.account(address, self.tip.summary.height)
    }

    /// What the rules of a block on a known block look at.
    pub fn ancestry(&self, parent: &Record) -> Result<Ancestry, StoreError> {
        let view = self.store.view()?;
        Ancestry::of(self.spec.rules(), parent, |id| view.header(id))
    }

    /// Checks all of a block that neither proofs nor the ledger are needed for, the cheapest first; gives what its proofs
    /// are to be verified on. `now` is the clock, in seconds since 1970.
    pub fn admit(&self, block: &Block, now: u64) -> Result<Parent, ChainError> {
        structural::work(&self.spec, block).map_err(BlockError::from)?;
        let view = self.store.view()?;
        let id = block.id();
        if let Some(rule) = view.invalid(&id)? {
            return Err(ChainError::Invalid(rule));
        }
        if view.record(&id)?.is_some() {
            return Err(ChainError::Known);
        }
        // Before the parent is looked for: a block that waits for it is the one that its header names.
        structural::block(&self.spec, block).map_err(BlockError::from)?;
        let parent = self.building_on(&view, &block.header.parent)?;
        let ancestry = Ancestry::of(self.spec.rules(), &parent, |id| view.header(id))?;
        contextual::header(self.spec.rules(), &parent, &ancestry, block, now).map_err(BlockError::from)?;
        Ok(parent.parent())
    }

    fn building_on(&self, view: &View, parent: &BlockId) -> Result<Record, ChainError> {
        if let Some(rule) = view.invalid(parent)? {
            return Err(ChainError::Invalid(rule));
        }
        let parent = view.record(parent)?.ok_or(ChainError::UnknownParent(*parent))?;
        let finalised = view.finalised()?;
        let mut at = (parent.summary.height, parent.header);
        // No proof is verified for a branch that can never become the chain.
        while view.at_height(at.0)? != Some(at.1.id()) {
            if at.0 <= finalised {
                return Err(ChainError::TooDeep { finalised });
            }
            at = (at.0 - 1, view.header(&at.1.parent)?);
            if let Some(rule) = view.invalid(&at.1.id())? {
                return Err(ChainError::Invalid(rule));
            }
        }
        if at.0 < finalised { Err(ChainError::TooDeep { finalised }) } else { Ok(parent) }
    }

    /// Takes a block in, and moves the tip if its branch has more work. A block that turns out to break a rule when it is
    /// executed is remembered as invalid, and nothing else changes.
    pub fn insert(&mut self, complete: &Complete, now: u64) -> Result<Inserted, ChainError> {
        self.admit(complete.proven().block(), now)?;
        activate::insert(self, complete)
    }

    /// Root of the ledger after a next block with these transactions and contributors.
    pub fn ledger_root(
        &self,
        transactions: &[Transaction],
        contributors: &[Address],
        producer: &Address,
    ) -> Result<LedgerRoot, ChainError> {
        let view = self.store.view()?;
        let height = self.tip.summary.height + 1;
        let matured = activate::matured(&self.spec, height, |height| view.rewards(height))?;
        let accounts = (&view, height - 1);
        let (rules, chain) = (&self.spec.rules().ledger, self.spec.id());
        let executed = ledger::execute(&accounts, rules, chain, height, &matured, transactions, contributors, producer);
        let execution = executed.map_err(activate::ledger_error)?;
        view.ledger_root(height, &execution.changed).map_err(ChainError::from)
    }

    /// The model file of the state at the tip.
    pub fn model(&self) -> ModelState {
        model::file(&self.spec, &self.state, self.tip.summary.step)
    }

    /// Commitments of the state at the tip.
    pub fn commitments(&self) -> &StateCommitments {
        &self.tip.state
    }
}

/// The model file of the state at the tip of a store.
pub(crate) fn model_at_tip(spec: &ChainSpec, view: &View) -> Result<ModelState, StoreError> {
    let state = model::at_tip(spec, view)?;
    Ok(model::file(spec, &state, view.tip()?.summary.step))
}

/// The ledger's tree in a view, for dry runs.
impl View {
    fn ledger_root(
        &self,
        version: u64,
        changed: &std::collections::BTreeMap<Address, Account>,
    ) -> Result<LedgerRoot, StoreError> {
        self.with_ledger(|table| Ok(ledger::update(&Nodes(table), version, changed)?.0))
    }
}
