//! What nodes tell each other. A network moves these, and nothing else: see [`Network`].

use crate::block::Block;
use crate::contribution::Contribution;
use crate::header::BlockId;
use crate::tensors::GradientTensors;
use crate::transaction::Transaction;
use crate::work::Work;
use circuits::statements::codec::Encoded;
use serde::{Deserialize, Serialize};

/// A block with the tensors of its contributions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullBlock {
    /// The block.
    pub block: Block,
    /// One set for each contribution.
    pub tensors: Vec<GradientTensors>,
}

/// A contribution with its tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullContribution {
    /// The contribution.
    pub contribution: Contribution,
    /// Its gradient.
    pub tensors: GradientTensors,
}

/// What nodes tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The sender's tip.
    Tip {
        /// Identity.
        id: BlockId,
        /// Height.
        height: u64,
        /// Work of the chain up to it, as the sender says.
        work: Work,
    },
    /// Asks for the blocks that follow on the first known one of these.
    GetBlocks {
        /// Identities of blocks, from the asker's tip down, ever sparser.
        locator: Vec<BlockId>,
        /// Most blocks to send.
        limit: u32,
    },
    /// Blocks, ascending.
    Blocks(Vec<FullBlock>),
    /// A contribution to the next block.
    Contribution(Box<FullContribution>),
    /// A transaction.
    Transaction(Transaction),
}

impl Encoded for Message {
    const MAGIC: [u8; 8] = *b"GRADMSG\0";
    // 2: named slots; 3: sums of squares.
    const VERSION: u32 = 3;
    const NAME: &'static str = "message";
}

/// A peer, as the network numbers them.
pub type PeerId = u64;

/// What a node asks of a network: all that a network has to do.
pub trait Network {
    /// Sends to one peer, if it is still there.
    fn send(&self, to: PeerId, message: &Message);

    /// Sends to all peers but one.
    fn broadcast(&self, except: Option<PeerId>, message: &Message);

    /// Learns that a peer broke a rule.
    fn misbehaved(&self, peer: PeerId, reason: &str);
}
