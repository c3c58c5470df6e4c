//! A full node, without input and output: messages and results of jobs go in, actions come out. Whoever drives it moves
//! messages over a [`Network`](crate::message::Network), and runs the jobs, which are all that is slow, on other threads.

mod answer;
mod job;
mod sync;

pub use job::{Done, Job, Verdict};

use crate::address::Address;
use crate::amount::Amount;
use crate::chain_state::{ChainError, ChainState, Inserted, Switch};
use crate::consensus::contextual::{Ancestry, Record};
use crate::consensus::semantic::Parent;
use crate::consensus::{BlockError, ContextualError};
use crate::header::{BlockId, LedgerRoot};
use crate::message::{FullBlock, FullContribution, Message, PeerId};
use crate::pool::contributions::{self, ContributionPool, JobError, Offer, PoolError, ResolveError};
use crate::pool::mempool::{self, Mempool, MempoolError};
use crate::pool::recent::Recent;
use crate::store::{StoreError, View};
use crate::tensors::{self, Complete};
use crate::transaction::{Transaction, TransactionId};
use circuits::model::{Gradients, State};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Most blocks that wait for their parents; the one that waited longest gives way.
const MAX_WAITING: usize = 64;

/// Most blocks of peers whose proofs are being verified. Others are asked for again when peers repeat their tips.
const MAX_VERIFYING: usize = 64;

/// Refused blocks that are remembered.
const MAX_REFUSED: usize = 1024;

/// What a node's pools hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions.
    pub mempool: mempool::Limits,
    /// Contributions.
    pub contributions: contributions::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        let mempool = mempool::Limits { transactions: 10_000, per_sender: 64, min_fee: Amount::ZERO, refused: 10_000 };
        let contributions = contributions::Limits { contributions: 64, bytes: 512 << 20, tries: 4, refused: 1024 };
        Limits { mempool, contributions }
    }
}

/// Most blocks of one message.
pub const BLOCKS_PER_MESSAGE: u32 = 16;

/// What the driver is to do.
#[derive(Debug)]
pub enum Action {
    /// Send to one peer.
    Send(PeerId, Message),
    /// Send to all peers but one.
    Broadcast(Option<PeerId>, Message),
    /// Run a job, on another thread, and bring the result to [`Node::done`].
    Run(Box<Job>),
    /// The tip is another: whoever works on the old one works in vain.
    TipMoved(Switch),
    /// A peer broke a rule.
    Misbehaved(PeerId, String),
    /// There is another contribution to the next block.
    Contribution,
}

/// Why a node does not take something in.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store fails: the node has to stop.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain refuses.
    #[error(transparent)]
    Chain(ChainError),
    /// The mempool refuses.
    #[error(transparent)]
    Mempool(#[from] MempoolError<StoreError>),
    /// A transaction that was not meant to replace another would.
    #[error("nonce {nonce} belongs to pending transaction {waiting}; only a replacement may use it")]
    NonceWaits {
        /// Of both.
        nonce: u64,
        /// Identity of the one that waits.
        waiting: TransactionId,
    },
}

impl From<ChainError> for NodeError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Store(error) => NodeError::Store(error),
            error => NodeError::Chain(error),
        }
    }
}

/// What a next block is made of.
#[derive(Clone, Debug)]
pub struct Template {
    /// The parent's record.
    pub record: Record,
    /// What its rules look at.
    pub ancestry: Ancestry,
    /// What proofs depend on.
    pub parent: Parent,
    /// The model state that gradients are taken at.
    pub state: Arc<State>,
    /// Verified contributions with their gradients, ascending by seat.
    pub contributions: Vec<contributions::Verified>,
    /// Transactions, in order.
    pub transactions: Vec<Transaction>,
    /// Ledger root after them.
    pub ledger: LedgerRoot,
}

/// A node.
pub struct Node {
    chain: ChainState,
    mempool: Mempool,
    contributions: ContributionPool,
    /// Blocks whose parent is not known yet, with tensors that are theirs.
    waiting: VecDeque<(Option<PeerId>, FullBlock)>,
    /// Blocks whose proofs are being verified.
    verifying: BTreeSet<BlockId>,
    /// Blocks whose proofs or tensors did not hold: all of it is in their headers, so no copy is better.
    refused: Recent<BlockId>,
}

impl Node {
    /// A node of this chain.
    pub fn new(chain: ChainState, limits: Limits) -> Self {
        let (chain_id, rules) = (*chain.spec().id(), chain.spec().rules().ledger);
        let mempool = Mempool::new(chain_id, rules, limits.mempool);
        let contributions = ContributionPool::new(limits.contributions, chain.parent());
        let (waiting, verifying) = Default::default();
        Node { chain, mempool, contributions, waiting, verifying, refused: Recent::new(MAX_REFUSED) }
    }

    /// The chain, when the node stops.
    pub fn into_chain(self) -> ChainState {
        self.chain
    }

    /// The chain.
    pub fn chain(&self) -> &ChainState {
        &self.chain
    }

    /// Transactions that wait.
    pub fn waiting_transactions(&self) -> usize {
        self.mempool.len()
    }

    /// Verified contributions to the next block.
    pub fn ready_contributions(&self) -> usize {
        self.contributions.verified()
    }

    /// What a new peer is told.
    pub fn greeting(&self) -> Message {
        let tip = self.chain.tip();
        Message::Tip { id: tip.header.id(), height: tip.summary.height, work: tip.work }
    }

    /// Takes a message in. An error means that the node has to stop; what a peer does wrong is an action.
    pub fn handle(&mut self, from: PeerId, message: Message, now: u64) -> Result<Vec<Action>, StoreError> {
        match message {
            Message::Tip { id, work, .. } => self.tip_of(from, &id, work),
            Message::GetBlocks { locator, limit } => self.send_blocks(from, &locator, limit),
            Message::Blocks(blocks) => {
                let mut actions = vec![];
                for block in blocks {
                    actions.extend(self.block(Some(from), block, now)?);
                }
                Ok(actions)
            }
            Message::Contribution(contribution) => self.contribution(Some(from), *contribution),
            Message::Transaction(transaction) => match self.transaction(transaction) {
                Ok(()) => Ok(vec![Action::Broadcast(Some(from), Message::Transaction(transaction))]),
                Err(NodeError::Store(error)) => Err(error),
                Err(_) => Ok(vec![]),
            },
        }
    }

    /// Takes a block in, whose proofs are then to be verified by a job.
    pub fn block(&mut self, from: Option<PeerId>, full: FullBlock, now: u64) -> Result<Vec<Action>, StoreError> {
        let id = full.block.id();
        if self.verifying.contains(&id) {
            return Ok(vec![]);
        }
        if self.refused.contains(&id) {
            return Ok(misbehaved(from, &"the block was rejected before"));
        }
        let admitted = self.chain.admit(&full.block, now);
        // Others' tensors must not keep the block's own from being looked at.
        if matches!(admitted, Ok(_) | Err(ChainError::UnknownParent(_)))
            && let Err(error) = tensors::check_signed(self.chain.spec(), &full.block.contributions, &full.tensors)
        {
            return Ok(misbehaved(from, &error));
        }
        match admitted {
            Ok(_) if from.is_some() && self.verifying.len() >= MAX_VERIFYING => Ok(vec![]),
            Ok(parent) => {
                self.verifying.insert(id);
                let FullBlock { block, tensors } = full;
                Ok(vec![Action::Run(Box::new(Job::Block { from, parent, block: Arc::new(block), tensors }))])
            }
            Err(ChainError::Known) => Ok(vec![]),
            Err(ChainError::UnknownParent(parent)) => self.wait(from, parent, full),
            Err(ChainError::Store(error)) => Err(error),
            Err(error) => Ok(refused(from, &error)),
        }
    }

    fn wait(&mut self, from: Option<PeerId>, parent: BlockId, full: FullBlock) -> Result<Vec<Action>, StoreError> {
        let mut waiting = self.waiting.iter().map(|(_, known)| &known.block.header);
        let asked = self.verifying.contains(&parent) || waiting.clone().any(|header| header.parent == parent);
        if !waiting.any(|header| *header == full.block.header) {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back((from, full));
        }
        match from {
            Some(peer) if !asked => self.ask_for_blocks(peer),
            _ => Ok(vec![]),
        }
    }

    /// Takes out the blocks that wait for this one.
    fn children(&mut self, id: &BlockId) -> VecDeque<(Option<PeerId>, FullBlock)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (children, others) = waiting.partition(|(_, child)| child.block.header.parent == *id);
        self.waiting = others;
        children
    }

    /// Takes a contribution in, whose proofs are then to be verified by a job.
    pub fn contribution(&mut self, from: Option<PeerId>, full: FullContribution) -> Result<Vec<Action>, StoreError> {
        let height = self.chain.tip().summary.height;
        let view = self.chain.store().view()?;
        match self.contributions.offer(self.chain.spec(), &(&view, height), Arc::new(full)) {
            Ok(Offer::Verify(job)) => Ok(vec![Action::Run(Box::new(Job::Contribution { from, job }))]),
            Ok(Offer::Known(_)) => Ok(vec![]),
            Err(PoolError::Accounts(error)) => Err(error),
            // Late, or too many: nobody's fault. A contributor may have used up the tries elsewhere.
            Err(
                PoolError::StaleParent { .. }
                | PoolError::Tries { .. }
                | PoolError::Full { .. }
                | PoolError::Bytes { .. },
            ) => Ok(vec![]),
            Err(error) => Ok(misbehaved(from, &error)),
        }
    }

    /// Takes a transaction in.
    pub fn transaction(&mut self, transaction: Transaction) -> Result<(), NodeError> {
        let view = self.chain.store().view()?;
        let accounts = (&view, self.chain.tip().summary.height);
        self.mempool.insert(&accounts, transaction)?;
        Ok(())
    }

    /// Takes in what a job found.
    pub fn done(&mut self, done: Done, now: u64) -> Result<Vec<Action>, StoreError> {
        match done {
            Done::Block { from, id, verdict } => {
                self.verifying.remove(&id);
                match verdict {
                    Ok(complete) => self.insert(from, &complete, now),
                    Err(error) => {
                        self.refused.insert(id);
                        self.children(&id);
                        Ok(misbehaved(from, &error))
                    }
                }
            }
            Done::Contribution { from, ticket, verdict } => Ok(self.contributed(from, ticket, verdict)),
        }
    }

    fn contributed(
        &mut self,
        from: Option<PeerId>,
        ticket: contributions::Ticket,
        verdict: Result<Gradients, JobError>,
    ) -> Vec<Action> {
        match self.contributions.resolve(ticket, verdict) {
            Ok(verified) => {
                let message = Message::Contribution(Box::new((*verified.offered).clone()));
                vec![Action::Broadcast(from, message), Action::Contribution]
            }
            // The tip moved, or another was faster.
            Err(ResolveError::Unknown | ResolveError::Superseded) => vec![],
            Err(ResolveError::Refused(error)) => misbehaved(from, &error),
        }
    }

    /// Takes a verified block in.
    pub fn insert(&mut self, from: Option<PeerId>, complete: &Complete, now: u64) -> Result<Vec<Action>, StoreError> {
        let block = complete.proven().block();
        let id = block.id();
        let mut actions = match self.chain.insert(complete, now) {
            Ok(Inserted::Side) => vec![],
            Ok(Inserted::Moved(switch)) => self.moved(from, switch, complete)?,
            Err(ChainError::Known) => vec![],
            Err(ChainError::Store(error)) => return Err(error),
            Err(error) => refused(from, &error),
        };
        for (from, child) in self.children(&id) {
            actions.extend(self.block(from, child, now)?);
        }
        Ok(actions)
    }

    fn moved(&mut self, from: Option<PeerId>, switch: Switch, complete: &Complete) -> Result<Vec<Action>, StoreError> {
        let view = self.chain.store().view()?;
        let accounts = (&view, self.chain.tip().summary.height);
        self.mempool.apply(&accounts)?;
        for id in switch.disconnected.iter().rev() {
            self.mempool.restore(&accounts, &transactions(&view, id)?)?;
        }
        self.contributions.retarget(self.chain.parent());
        let full = FullBlock { block: (**complete.proven().block()).clone(), tensors: complete.tensors().to_vec() };
        Ok(vec![
            Action::Broadcast(from, Message::Blocks(vec![full])),
            Action::Broadcast(None, self.greeting()),
            Action::TipMoved(switch),
        ])
    }

    /// What a next block by this producer is made of, now.
    pub fn template(&self, producer: &Address) -> Result<Template, NodeError> {
        let record = self.chain.tip().clone();
        let height = record.summary.height;
        let view = self.chain.store().view()?;
        let rules = self.chain.spec().rules();
        let most = rules.ledger.max_transactions as usize;
        let transactions = self.mempool.select(&(&view, height), height + 1, most)?;
        let contributions = self.contributions.select(rules.max_contributions as usize);
        let contributors: Vec<Address> =
            contributions.iter().map(|c| c.offered.contribution.seat.contributor).collect();
        let ledger = self.chain.ledger_root(&transactions, &contributors, producer)?;
        let ancestry = self.chain.ancestry(&record)?;
        let (parent, state) = (self.chain.parent(), Arc::new(self.chain.state().clone()));
        Ok(Template { record, ancestry, parent, state, contributions, transactions, ledger })
    }
}

fn transactions(view: &View, id: &BlockId) -> Result<Vec<Transaction>, StoreError> {
    Ok(view.block(id)?.ok_or(StoreError::Missing("a block"))?.transactions)
}

/// What a peer is told of that sent a block which the chain refuses. Clocks differ: a block that is ahead of this one was
/// not of those of whoever passed it on, and will be taken once it no longer is.
fn refused(from: Option<PeerId>, error: &ChainError) -> Vec<Action> {
    match error {
        ChainError::Block(BlockError::Contextual(ContextualError::TimeTooNew { .. })) => vec![],
        error => misbehaved(from, error),
    }
}

fn misbehaved(from: Option<PeerId>, reason: &dyn std::fmt::Display) -> Vec<Action> {
    from.map(|peer| Action::Misbehaved(peer, reason.to_string())).into_iter().collect()
}
