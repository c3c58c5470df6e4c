//! Gradient blocks.

use crate::contribution::{self, Contribution, ContributionId};
use crate::header::{
    BLOCK_VERSION, BlockId, ChainId, ContributionsDigest, Header, LedgerRoot, ProofsDigest, StateDigest, Summary,
    TransactionsDigest,
};
use crate::transaction::Transaction;
use circuits::model::SquareSum;
use circuits::statements::StateCommitments;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};

/// The optimizer's step by the sum of a block's contributions, with its proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Commitments of the model state after the block; the proofs' ports must be these.
    pub after: StateCommitments,
    /// Sums of the squares of the gradient, by instance of the update, where it is clipped.
    pub squares: Vec<SquareSum>,
    /// Update proofs, ordered by segment, then lane group.
    pub proofs: Vec<Vec<u8>>,
    /// Opening which shows that the commitments of gradients and of the new state are canonical.
    pub canonical: Vec<u8>,
}

/// A block: no tensor is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Header.
    pub header: Header,
    /// What the header commits to.
    pub summary: Summary,
    /// Gradients by seat, ascending; may be none, which leaves the model as it is.
    pub contributions: Vec<Contribution>,
    /// Transactions, in the order in which they are executed.
    pub transactions: Vec<Transaction>,
    /// Present if there are contributions.
    pub update: Option<Update>,
}

impl Encoded for Block {
    const MAGIC: [u8; 8] = *b"GRADBLCK";
    // 2: named slots; 3: sums of squares.
    const VERSION: u32 = 3;
    const NAME: &'static str = "block";
}

/// All that is proof.
#[derive(Serialize, Deserialize)]
struct Proofs {
    contributions: Vec<Contribution>,
    update: Option<Update>,
}

impl Encoded for Proofs {
    const MAGIC: [u8; 8] = *b"GRADPRFS";
    // 2: sums of squares.
    const VERSION: u32 = 2;
    const NAME: &'static str = "set of proofs";
}

/// The ordered transactions of a block.
#[derive(Serialize, Deserialize)]
struct Transactions(Vec<Transaction>);

impl Encoded for Transactions {
    const MAGIC: [u8; 8] = *b"GRADTXS\0";
    const VERSION: u32 = 1;
    const NAME: &'static str = "list of transactions";
}

/// The digests of a block's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Of the contributions' identities.
    pub contributions: ContributionsDigest,
    /// Of the transactions, signatures included.
    pub transactions: TransactionsDigest,
    /// Of contributions and update, proofs included.
    pub proofs: ProofsDigest,
}

impl Digests {
    /// Which of them a summary does not have.
    pub fn missing_from(&self, summary: &Summary) -> Option<&'static str> {
        [
            ("contributions", summary.contributions == self.contributions),
            ("transactions", summary.transactions == self.transactions),
            ("proofs", summary.proofs == self.proofs),
        ]
        .into_iter()
        .find_map(|(what, same)| (!same).then_some(what))
    }
}

/// The digests of some content.
pub fn digests(
    chain: &ChainId,
    contributions: &[Contribution],
    transactions: &[Transaction],
    update: &Option<Update>,
) -> Result<Digests, CodecError> {
    let ids: Vec<ContributionId> = contributions.iter().map(|c| c.id(chain)).collect();
    let proofs = Proofs { contributions: contributions.to_vec(), update: update.clone() };
    let transactions = Transactions(transactions.to_vec());
    Ok(Digests {
        contributions: contribution::digest(&ids),
        transactions: TransactionsDigest::from_bytes(codec::digest(b"gradcoin-txs", &codec::encode(&transactions)?)),
        proofs: ProofsDigest::from_bytes(codec::digest(b"gradcoin-proofs", &codec::encode(&proofs)?)),
    })
}

impl Block {
    /// Identity.
    pub fn id(&self) -> BlockId {
        self.header.id()
    }

    /// The digests of its content.
    pub fn digests(&self, chain: &ChainId) -> Result<Digests, CodecError> {
        digests(chain, &self.contributions, &self.transactions, &self.update)
    }

    /// Bytes of all that is proof.
    pub fn proof_bytes(&self) -> u64 {
        let update = self.update.iter().flat_map(|u| u.proofs.iter().chain([&u.canonical])).map(|p| p.len() as u64);
        self.contributions.iter().map(Contribution::proof_bytes).chain(update).sum()
    }

    /// Proofs in it, the opening of the outputs among them.
    pub fn proofs(&self) -> u64 {
        let gradients = self.contributions.iter().map(|c| c.proofs.layers.len() + c.proofs.heads.len());
        let update = self.update.iter().map(|update| update.proofs.len() + 1);
        gradients.chain(update).map(|count| count as u64).sum()
    }

    /// Sum of the losses over all predictions, frac 24.
    pub fn loss(&self) -> u128 {
        self.contributions.iter().map(Contribution::loss).sum()
    }
}

impl Summary {
    /// The summary of a block of this program's version; the digests are those of its content.
    pub fn new(
        (height, step): (u64, u64),
        (state, ledger): (StateDigest, LedgerRoot),
        producer: crate::address::Address,
        digests: Digests,
    ) -> Self {
        let Digests { contributions, transactions, proofs } = digests;
        Summary { version: BLOCK_VERSION, height, step, state, contributions, transactions, ledger, producer, proofs }
    }
}
