//! What the threads of a devnet tell each other.

use chain::message::{FullBlock, FullContribution, PeerId};
use chain::node::{Done, NodeError, Template};
use chain::rpc::{Answer, Query};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What a node's thread is fed with.
pub enum Input {
    /// From another node, encoded.
    Message(PeerId, Arc<Vec<u8>>),
    /// A job is done.
    Done(Box<Done>),
    /// The node's own contribution.
    Contributed(Box<FullContribution>),
    /// The node's own block.
    Mined(Box<FullBlock>),
    /// What a next block would be made of.
    Template(Sender<Result<Box<Template>, NodeError>>),
    /// A question.
    Query(Box<Query>, Sender<Answer>),
    /// Something that honest nodes do not do.
    Complaint(String),
    /// The end.
    Stop,
}

/// What node 0 and the producer tell whoever watches.
pub enum Event {
    /// Its tip moved.
    Block(Box<Seen>),
    /// So many contributions to the next block are ready.
    Contributions(usize),
    /// What the producer does.
    Doing(String),
    /// The producer works on a block without gradients, though there are contributors.
    Idle,
    /// Something that should not be.
    Complaint(String),
}

/// A new tip.
pub struct Seen {
    /// Height.
    pub height: u64,
    /// Training steps so far.
    pub step: u64,
    /// Sum of the losses, frac 24.
    pub loss: u128,
    /// Contributions.
    pub contributions: usize,
    /// Transactions.
    pub transactions: usize,
    /// Bytes of the block.
    pub bytes: usize,
}
