//! The end of a chain that is kept in memory, and all rules of a block on it, in the order of a node.

use super::Setting;
use chain::address::Address;
use chain::block::Block;
use chain::consensus::contextual::{self, Ancestry, Record};
use chain::consensus::semantic::Parent;
use chain::consensus::{ContextualError, SemanticError, StructuralError, structural};
use chain::genesis::ChainSpec;
use chain::header::{BlockId, Header, LedgerRoot};
use chain::ledger::{self, Account, Execution, LedgerError, MemoryNodes, NodeBatch, Reward};
use chain::transaction::Transaction;
use chain::work::Work;
use circuits::statements::StateCommitments;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Why a block is refused, with the ledger's reason as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Structural(#[from] StructuralError),
    #[error(transparent)]
    Contextual(#[from] ContextualError),
    #[error(transparent)]
    Ledger(#[from] LedgerError<Infallible>),
    #[error(transparent)]
    Semantic(#[from] SemanticError),
}

/// A block, and all that blocks on it depend on.
#[derive(Clone)]
pub struct Tip {
    pub record: Record,
    pub headers: BTreeMap<BlockId, Header>,
    pub accounts: BTreeMap<Address, Account>,
    pub nodes: MemoryNodes,
    /// What each block paid, by height.
    pub rewards: Vec<Vec<Reward>>,
}

/// What a block does to the ledger.
pub struct Executed {
    pub execution: Execution,
    pub root: LedgerRoot,
    pub nodes: NodeBatch,
}

impl Tip {
    pub fn genesis(spec: &ChainSpec) -> Self {
        let accounts = spec.genesis().accounts();
        let mut nodes = MemoryNodes::default();
        let (root, batch) = ledger::update(&nodes, 0, &accounts).unwrap();
        nodes.insert(batch);
        let header = spec.header().unwrap();
        assert_eq!(header.id(), spec.id().genesis());
        let record = Record {
            header,
            summary: spec.summary(root).unwrap(),
            work: Work::ZERO,
            state: spec.genesis().state.clone(),
        };
        Tip { record, headers: BTreeMap::from([(header.id(), header)]), accounts, nodes, rewards: vec![vec![]] }
    }

    pub fn parent(&self) -> Parent {
        self.record.parent()
    }

    pub fn ancestry(&self, spec: &ChainSpec) -> Ancestry {
        let header = |id: &BlockId| self.headers.get(id).copied().ok_or(*id);
        Ancestry::of(spec.rules(), &self.record, header).unwrap()
    }

    /// The ledger after a block's content.
    pub fn execute(
        &self,
        spec: &ChainSpec,
        transactions: &[Transaction],
        contributors: &[Address],
        producer: &Address,
    ) -> Result<Executed, LedgerError<Infallible>> {
        let (height, rules) = (self.record.summary.height + 1, &spec.rules().ledger);
        let matured = height.checked_sub(rules.coinbase_maturity).and_then(|h| self.rewards.get(h as usize));
        let matured = matured.map_or(&[][..], Vec::as_slice);
        let execution =
            ledger::execute(&self.accounts, rules, spec.id(), height, matured, transactions, contributors, producer)?;
        let (root, nodes) = ledger::update(&self.nodes, height, &execution.changed).unwrap();
        Ok(Executed { execution, root, nodes })
    }

    fn execute_block(&self, spec: &ChainSpec, block: &Block) -> Result<Executed, LedgerError<Infallible>> {
        let contributors: Vec<Address> = block.contributions.iter().map(|c| c.seat.contributor).collect();
        self.execute(spec, &block.transactions, &contributors, &block.summary.producer)
    }

    /// All rules but those that take proofs.
    pub fn cheap(&self, spec: &ChainSpec, block: &Block, now: u64) -> Result<Executed, Refused> {
        structural::block(spec, block)?;
        contextual::header(spec.rules(), &self.record, &self.ancestry(spec), block, now)?;
        let Ok(checked) = contextual::contributors(&self.accounts, spec.rules(), block);
        checked?;
        let executed = self.execute_block(spec, block)?;
        let (expected, found) = (executed.root, block.summary.ledger);
        if expected != found {
            return Err(ContextualError::LedgerRoot { expected, found }.into());
        }
        Ok(executed)
    }

    /// All rules; the clock stands at the block's time.
    pub fn check(&self, setting: &Setting, spec: &ChainSpec, block: &Block) -> Result<Executed, Refused> {
        let executed = self.cheap(spec, block, block.header.time)?;
        setting.checker(spec).verify(&self.parent(), &Arc::new(block.clone()))?;
        Ok(executed)
    }

    /// Goes on to a block that was checked, or will be.
    pub fn push(&mut self, spec: &ChainSpec, block: &Block, after: &StateCommitments) {
        let Executed { execution, nodes, .. } = self.execute_block(spec, block).unwrap();
        self.nodes.insert(nodes);
        self.accounts.extend(execution.changed);
        self.rewards.push(execution.rewards);
        self.headers.insert(block.id(), block.header);
        self.record = self.record.child(block, after);
    }
}
