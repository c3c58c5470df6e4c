//! Why a block is refused: one variant for each rule.

use crate::address::{Address, SignatureError};
use crate::header::LedgerRoot;
use crate::ledger::LedgerError;
use crate::tensors::TensorError;
use crate::transaction::TransactionError;
use crate::work::CompactTarget;
use circuits::ops::hyper::HyperError;
use circuits::statements::codec::CodecError;
use circuits::statements::dataset::DatasetError;
use std::convert::Infallible;
use verifier::{BatchError, StepError};

/// A block that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum StructuralError {
    /// A block has a version that this program knows.
    #[error("the block has the unknown version {0}")]
    Version(u32),
    /// The header commits to the summary.
    #[error("the header does not commit to this summary")]
    Summary,
    /// The summary commits to the content.
    #[error("the summary does not commit to these {0}")]
    Digest(&'static str),
    /// The target is not easier than the chain's floor.
    #[error("the target is easier than the chain's floor")]
    Floor,
    /// The identity, as a number, is at most the target.
    #[error("the header has too little work")]
    Work,
    /// A block has at most so many contributions.
    #[error("{found} contributions exceed the limit of {most}")]
    Contributions {
        /// In the block.
        found: usize,
        /// By the rules.
        most: u32,
    },
    /// The proofs of a block have at most so many bytes.
    #[error("{found} bytes of proofs exceed the limit of {most}")]
    ProofBytes {
        /// In the block.
        found: u64,
        /// By the rules.
        most: u64,
    },
    /// Seats are distinct and ascending.
    #[error("a contribution is a duplicate or out of order: contribution {0}")]
    Order(usize),
    /// All gradients are taken at the parent's state.
    #[error("a contribution is for another parent: contribution {index}")]
    Parent {
        /// The contribution.
        index: usize,
    },
    /// A contributor has so many slots.
    #[error("slot {slot} is not below {slots}: contribution {index}")]
    Slot {
        /// The contribution.
        index: usize,
        /// Its slot.
        slot: u32,
        /// By the rules.
        slots: u32,
    },
    /// A contribution has as many parts as the genesis says.
    #[error("the number of {what} is {found}, not {expected}: contribution {index}")]
    Count {
        /// The contribution.
        index: usize,
        /// Of what.
        what: &'static str,
        /// By the genesis.
        expected: usize,
        /// In the contribution.
        found: usize,
    },
    /// There is an update if and only if there are contributions.
    #[error("a block has an update if and only if it has contributions")]
    Update,
    /// A block has at most so many transactions.
    #[error("{found} transactions exceed the limit of {most}")]
    Transactions {
        /// In the block.
        found: usize,
        /// By the rules.
        most: u32,
    },
    /// The summary names the state that the update leads to.
    #[error("the summary and the update name different states")]
    State,
    /// The state's commitments have the shape of the configuration, and there is at most a proof for each lane group.
    #[error("the update has a number of commitments other than the configuration's columns, or too many proofs")]
    Shape,
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A block whose signatures or proofs do not hold.
#[derive(Debug, thiserror::Error)]
pub enum SemanticError {
    /// The keys are those of the genesis.
    #[error("the verifying keys are not those of the chain")]
    Keys,
    /// The genesis proof shows that the first state is in range.
    #[error("{0} (genesis proof)")]
    Genesis(Box<StepError>),
    /// Proofs are checked on the block's own parent.
    #[error("the block is checked against a parent that is not its own")]
    Parent,
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A contributor signed.
    #[error("{source}: contribution {index}")]
    Signature {
        /// The contribution.
        index: usize,
        /// Why.
        source: SignatureError,
    },
    /// A contribution carries a small proof of work.
    #[error("the stamp has {found} zero bits, not {needed}: contribution {index}")]
    Stamp {
        /// The contribution.
        index: usize,
        /// Leading zeros found.
        found: u32,
        /// By the rules.
        needed: u32,
    },
    /// The proofs' gradient ports are the commitments that the contribution states.
    #[error("the proofs are for another gradient: contribution {index}")]
    Gradient {
        /// The contribution.
        index: usize,
    },
    /// A contribution is to the batch that its seat is assigned.
    #[error("a sequence is not the assigned leaf ({source}): contribution {index}, sequence {sequence}")]
    Batch {
        /// The contribution.
        index: usize,
        /// The sequence.
        sequence: usize,
        /// Why.
        source: DatasetError,
    },
    /// Proofs and wires hold.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The update's ports are the state that the block states.
    #[error("the update's proofs lead to another state")]
    After,
    /// The optimizer's integers are in range.
    #[error("{0} (optimizer)")]
    Hyper(#[from] HyperError),
    /// A transaction is signed and of this chain.
    #[error("{source}: transaction {index}")]
    Transaction {
        /// The transaction.
        index: usize,
        /// Why.
        source: TransactionError,
    },
    /// All proofs hold in the final multi-scalar multiplication.
    #[error("{0}")]
    Proofs(#[from] BatchError),
}

/// A block that does not fit the chain before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextualError {
    /// The parent is the block that is claimed to be before.
    #[error("the block has another parent")]
    Parent,
    /// Heights count up by one.
    #[error("the height is {found}, but the parent requires {expected}")]
    Height {
        /// Parent's height + 1.
        expected: u64,
        /// In the block.
        found: u64,
    },
    /// The target is the one that the retarget rule gives.
    #[error("the target is {:#010x}, not {:#010x}", found.bits(), expected.bits())]
    Target {
        /// By the rule.
        expected: CompactTarget,
        /// In the header.
        found: CompactTarget,
    },
    /// The time is after the median of the last blocks'.
    #[error("time {found} is not after the median {median} of the preceding blocks")]
    TimeTooOld {
        /// Median time past.
        median: u64,
        /// In the header.
        found: u64,
    },
    /// The time is not far in the future. The block may be valid later.
    #[error("time {found} is too far ahead of {now}")]
    TimeTooNew {
        /// The clock.
        now: u64,
        /// In the header.
        found: u64,
    },
    /// Training steps count the blocks with contributions.
    #[error("the training step is {found}, not {expected}")]
    Step {
        /// By the rule.
        expected: u64,
        /// In the block.
        found: u64,
    },
    /// A block without contributions leaves the model as it is.
    #[error("a block without contributions changes the model")]
    StateChanged,
    /// A contributor is registered.
    #[error("a contributor is not registered: contribution {index}, {contributor}")]
    NotRegistered {
        /// The contribution.
        index: usize,
        /// The contributor.
        contributor: Address,
    },
    /// A contributor's registration has matured.
    #[error("a contributor registered too recently, at height {registered}: contribution {index}, {contributor}")]
    Immature {
        /// The contribution.
        index: usize,
        /// The contributor.
        contributor: Address,
        /// Height of the registration.
        registered: u64,
    },
    /// The ledger's root is that of the executed ledger.
    #[error("the block's ledger root is not the one that its transactions lead to")]
    LedgerRoot {
        /// Executed.
        expected: LedgerRoot,
        /// In the block.
        found: LedgerRoot,
    },
}

/// Why a block is refused.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It contradicts itself.
    #[error(transparent)]
    Structural(#[from] StructuralError),
    /// Its signatures or proofs do not hold.
    #[error(transparent)]
    Semantic(#[from] SemanticError),
    /// It does not fit the chain before it.
    #[error(transparent)]
    Contextual(#[from] ContextualError),
    /// The ledger refuses a transaction.
    #[error("{0} (ledger)")]
    Ledger(#[from] LedgerError<Infallible>),
    /// The contributions' tensors are not those of their commitments.
    #[error(transparent)]
    Tensors(#[from] TensorError),
    /// The state that full nodes compute is the one that is proven; this cannot fail unless a proof is unsound.
    #[error("the computed model state is not the proven one")]
    Model,
}

impl BlockError {
    /// Whether the same block may be valid later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, BlockError::Contextual(ContextualError::TimeTooNew { .. }))
    }
}
