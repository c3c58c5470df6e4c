//! Why a node's answer does not hold.

use backend::ports::PortError;
use chain::ledger::{ProofError, TreeError};
use chain::transaction::TransactionError;
use circuits::model::file::ModelFileError;
use circuits::statements::codec::CodecError;
use std::convert::Infallible;

/// An answer that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// To another question.
    #[error("it answers another question")]
    Other,
    /// Of another chain than the directory's genesis.
    #[error("it is for another chain than the genesis in the directory")]
    Chain,
    /// Another block than the one asked for.
    #[error("it is for another block than the requested one")]
    Block,
    /// A genesis block that is not the genesis's.
    #[error("its block at height 0 is not the genesis block")]
    Genesis,
    /// The header holds the digest of another summary.
    #[error("the block's summary is not the one that its header commits to")]
    Body,
    /// The header was not worked on.
    #[error("the block's header does not meet its target, or the target is easier than the floor")]
    Work,
    /// The summary holds the digest of another state.
    #[error("the commitments of the model state are not those that the block's summary commits to")]
    State,
    /// A block's content has other digests than its summary.
    #[error("the block's {0} are not those that its summary commits to")]
    Content(&'static str),
    /// The account is proven to be another, or not at all.
    #[error("the account: {0}")]
    Proof(#[from] ProofError),
    /// The account is not the proven one.
    #[error("the account is not the one that its proof is for")]
    Account,
    /// The transaction is not the one asked for, or not where it is said to be.
    #[error("the transaction is not in the stated block")]
    NotIncluded,
    /// The transaction is of another chain, or not signed by its sender.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A listed transaction is none of the address's.
    #[error("a transaction does not involve the requested address")]
    Party,
    /// More transactions than were asked for, or not in order.
    #[error("the list of transactions is too long or out of order")]
    List,
    /// A submitted transaction was taken for another.
    #[error("the node mistook the transaction for another one")]
    Submitted,
    /// The model file is malformed.
    #[error("the model: {0}")]
    Model(#[from] ModelFileError),
    /// The model file is of another chain, configuration or step.
    #[error("the model has another {0} than the block")]
    Foreign(&'static str),
    /// The weights are not those that the block commits to.
    #[error("the model's weights are not those that the block commits to")]
    Weights,
    /// The commitments cannot be computed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The genesis ledger cannot be computed.
    #[error(transparent)]
    Ledger(#[from] TreeError<Infallible>),
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}
