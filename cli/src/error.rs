//! What can go wrong, and the exit code that says so.

mod answer;
mod key_file;
pub mod node;
pub mod passphrase;

pub use answer::AnswerError;
pub use key_file::KeyFileError;
pub use node::NodeError;
pub use passphrase::PassphraseError;

use crate::interchange::{InterchangeError, NotExact};
use crate::output::Output;
use crate::stray::Stray;
use backend::parameters::ParamsError;
use backend::ports::PortError;
use chain::address::NoRandomness;
use chain::amount::{Amount, AmountError};
use chain::chain_state::ChainError;
use chain::consensus::BlockError;
use chain::genesis::GenesisError;
use chain::light::CheckpointError;
use chain::work::WorkError;
use chain::worker::WorkerError;
use circuits::model::file::ModelFileError;
use circuits::model::{ConfigError, DataError, GenerateError, LossError, SequenceError};
use circuits::statements::codec::CodecError;
use circuits::statements::dataset::{DatasetError, DatasetRoot};
use circuits::statements::{AssignError, RunError};
use prover::error::ProveError;
use prover::trainer::TrainError;
use std::io;
use std::path::{Path, PathBuf};
use tokenizer::{EncodeError, TooManyTokens};
use verifier::{RunRefused, StepError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that contradict each other or the files.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process works there.
    #[error("{} is in use: {} {what}", path.display(), process(.holder))]
    Held {
        /// The directory or file.
        path: PathBuf,
        /// What the other process does with it.
        what: &'static str,
        /// Its number, if it left it.
        holder: Option<u32>,
    },
    /// A file is not what it should be.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
    /// A run or bundle is rejected.
    #[error("rejected: {0}")]
    Rejected(Box<Rejection>),
    /// What was verified holds on a condition. It is a result, not a failure.
    #[error("verified conditionally")]
    Conditional(Box<Output>),
    /// Cells of a circuit are free.
    #[error("the search found {holes} holes in the circuits")]
    Free {
        /// How many.
        holes: usize,
        /// What the audit found, for machines.
        report: serde_json::Value,
    },
    /// A circuit cannot be audited.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// A proof cannot be written down for Lean.
    #[cfg(feature = "lean")]
    #[error(transparent)]
    Lean(#[from] verifier::lean::LeanError),
    /// Values that a circuit cannot hold.
    #[error(transparent)]
    Witness(#[from] plonkish::WitnessError),
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] backend::keys::KeyError),
    /// A model's keys cannot be had.
    #[error(transparent)]
    Keys(#[from] verifier::keys::KeysError),
    /// The parameters cannot be had.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A step cannot be taken.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A proof cannot be made.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A tokenizer cannot be written.
    #[error(transparent)]
    Tokenizer(#[from] tokenizer::TrainError),
    /// A prompt has no tokens.
    #[error("prompt: {0}")]
    Prompt(#[from] EncodeError),
    /// The run is malformed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A loss is not one that a statement can name.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// No batch can be drawn.
    #[error(transparent)]
    Assigned(#[from] AssignError),
    /// The state is not the one to which the last proof leads.
    #[error(
        "{} is not the state that {} leads to: the next step would be proven from a state that is not the run's. {ADVICE}",
        state.display(), proof.display()
    )]
    OtherState {
        /// The state's file.
        state: PathBuf,
        /// The last bundle, or the run, whose first state it should be.
        proof: PathBuf,
    },
    /// A run's state cannot be read.
    #[error("{source}. {ADVICE}")]
    DamagedState {
        /// Why.
        source: Box<CliError>,
    },
    /// The proof of the last step cannot be read, or does not hold: what is proven after it would be worth nothing.
    #[error("{source}. {ADVICE}, and proves that step again")]
    DamagedBundle {
        /// Why.
        source: Box<CliError>,
    },
    /// A text is not one of the model.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// No text can be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// There is no passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// No key can be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A node does not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The chain has no such thing.
    #[error("the chain has no {0}")]
    NotFound(String),
    /// A message has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A chain cannot be had, or does not take something.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No chain begins with it.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A contribution or a block cannot be made.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A node does not take something in.
    #[error(transparent)]
    Taken(#[from] chain::node::NodeError),
    /// Keys for verifying cannot be made.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A data set cannot be had.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A commitment cannot be computed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Amounts do not add up.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// No such target.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A block breaks a rule.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A light client's file cannot be used.
    #[error("{}: {source}", path.display())]
    Light {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<chain::light::FileError>,
    },
    /// A light client cannot start there.
    #[error("rejected: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A node's blocks are refused.
    #[error("rejected: {0}")]
    Synced(String),
    /// A light client's machine is at fault, not the blocks.
    #[error("{0}")]
    Machine(String),
    /// A part of the devnet stopped by itself.
    #[error("{what} stopped: {why}")]
    Stopped {
        /// Which.
        what: String,
        /// What it said.
        why: String,
    },
    /// The devnet's nodes do not agree in time.
    #[error("the nodes still have different tips after {0} s")]
    Disagree(u64),
    /// Another process works in the directory.
    #[error("{holder} is using {}: it has locked {}", path.parent().unwrap_or(path).display(), path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// Who has locked it.
        holder: String,
    },
    /// There is no default key.
    #[error("there is no key in {}; `gradientcoin wallet keygen` creates one", .0.display())]
    NoKey(PathBuf),
    /// A transaction that was waited for comes in no block.
    #[error("{0}")]
    NotIncluded(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
    /// The devnet's coins are not those of the schedule: a bug.
    #[error("there are {found} coins, but the schedule has {expected}; this is a bug")]
    Supply {
        /// In accounts, or maturing.
        found: Amount,
        /// Genesis and subsidies.
        expected: Amount,
    },
    /// The native step and the proven one disagree: a bug.
    #[error("step {0}: the proven state differs from the native one; this is a bug")]
    Diverged(u64),
    /// The demo's forgery was accepted: a bug.
    #[error("the tampered artifact was accepted; this is a bug")]
    Accepted,
}

/// What to do where a run's state is lost.
const ADVICE: &str = "The previous state is kept: `train --resume --from-previous` resumes from it, one step earlier";

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its size is not sensible.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// It is of no kind that this program writes.
    #[error("this is not a GradientCoin file or directory")]
    Unknown,
    /// It is not the file that was meant.
    #[error(transparent)]
    Stray(#[from] Stray),
    /// It is not text.
    #[error("the file is not UTF-8 text")]
    Text,
    /// It does not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A state is refused.
    #[error(transparent)]
    Model(#[from] ModelFileError),
    /// A run is refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A tokenizer is refused.
    #[error(transparent)]
    Tokenizer(#[from] tokenizer::FileError),
    /// A tokenizer of another form.
    #[error(
        "the model has a tokenizer, but no tokenizer.json, which alone is read: \
         `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)` of `transformers` writes one. If bytes are the tokens, remove this file"
    )]
    OtherTokenizer,
    /// A tokenizer has tokens that the model does not have.
    #[error(transparent)]
    TooManyTokens(#[from] TooManyTokens),
    /// A text has no tokens.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// No tokenizer can be trained.
    #[error(transparent)]
    TrainTokenizer(#[from] tokenizer::TrainError),
    /// A corpus cannot be trained on.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A corpus that cannot be cut in two.
    #[error("of {corpus} bytes, {held_out} cannot be held out: either part needs a sequence, which is {needed} bytes")]
    HeldOut {
        /// Bytes in all.
        corpus: u64,
        /// Bytes to hold out.
        held_out: u64,
        /// T + 1.
        needed: u64,
    },
    /// The same in tokens.
    #[error("its parts have {training} and {held_out} tokens; either needs a sequence, which is {needed} tokens")]
    HeldOutTokens {
        /// Of what is left.
        training: usize,
        /// Of what is held out.
        held_out: usize,
        /// T + 1.
        needed: usize,
    },
    /// A data set's root is none, or a corpus has no sequence.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Weights cannot be exchanged.
    #[error(transparent)]
    Weights(#[from] InterchangeError),
    /// A key file is refused.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// No chain begins with it.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// JSON that is not what was expected.
    #[error("{0}")]
    Json(String),
    /// A file of secrets that others may read.
    #[error("this file holds secrets, and others may read or write it: its mode is {mode:03o} (chmod 600)")]
    Readable {
        /// Its permissions.
        mode: u32,
    },
    /// Belongs to something else.
    #[error("{0}")]
    Foreign(String),
}

/// Why a verifier says no.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The run is refused.
    #[error(transparent)]
    Run(#[from] RunRefused),
    /// A step is refused.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A file that was to be verified is malformed.
    #[error("{source}: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
    /// Nothing shows that a run's first state is in range.
    #[error(
        "the run's first state is not shown to be in range: {} is missing{}",
        path.display(), if *private { "" } else { "; --genesis MODEL compares the first model" }
    )]
    FirstState {
        /// Where the proof should be.
        path: PathBuf,
        /// Whether the run is private.
        private: bool,
    },
    /// Another number of steps than the caller expects.
    #[error("the run has {found} proven steps, not {expected}")]
    Steps {
        /// What the caller expects.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// The run is on other data than the caller expects.
    #[error("the run is not on this data set: {found}, not {expected}")]
    Dataset {
        /// The root that the caller expects.
        expected: DatasetRoot,
        /// What the run names.
        found: String,
    },
    /// A sequence is not one of the run's data set.
    #[error("the run's data set does not have this sequence: {}: {reason}", path.display())]
    Sequence {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The run does not begin with the given model, or does not end at it.
    #[error("the run does not {what} this model: {}: {reason}", path.display())]
    Model {
        /// `begin with`, for instance.
        what: &'static str,
        /// The model.
        path: PathBuf,
        /// In what it differs.
        reason: String,
    },
    /// Weights that do not come in as they are.
    #[error("{}: {source}", path.display())]
    NotExact {
        /// The file.
        path: PathBuf,
        /// What would change.
        source: NotExact,
    },
    /// A node's answer does not hold.
    #[error("the node's answer: {0}")]
    Answer(Box<AnswerError>),
}

impl From<Rejection> for CliError {
    fn from(rejection: Rejection) -> Self {
        CliError::Rejected(Box::new(rejection))
    }
}

fn process(holder: &Option<u32>) -> String {
    holder.map_or("another process".to_owned(), |number| format!("process {number}"))
}

impl CliError {
    /// A light client's file that cannot be used.
    pub fn light(path: &Path, source: chain::light::FileError) -> Self {
        CliError::Light { path: path.to_owned(), source: Box::new(source) }
    }

    /// A failed operation on a file.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| CliError::Io { action, path: path.to_owned(), source }
    }

    /// A file that is not what it should be.
    pub fn file<E: Into<FileError>>(path: &Path) -> impl FnOnce(E) -> Self {
        move |source| CliError::File { path: path.to_owned(), source: source.into() }
    }

    /// As the help says.
    pub fn exit_code(&self) -> u8 {
        match self.kind() {
            "rejected" => 1,
            "usage" => 2,
            "conditional" => 4,
            // As shells say it of a process that SIGINT ended.
            "interrupted" => 130,
            _ => 3,
        }
    }

    /// What a machine is told besides the error: a JSON object.
    pub fn report(&self) -> Option<&serde_json::Value> {
        match self {
            CliError::Free { report, .. } => Some(report),
            _ => None,
        }
    }

    /// The error's kind, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            CliError::Usage(_) => "usage",
            CliError::Conditional(_) => "conditional",
            CliError::Io { .. } | CliError::Held { .. } | CliError::NoKey(_) => "io",
            CliError::File { .. } | CliError::OtherState { .. } => "file",
            CliError::DamagedState { .. } => "file",
            CliError::DamagedBundle { .. } | CliError::Block(_) => "rejected",
            CliError::Rejected(_) | CliError::Checkpoint(_) | CliError::Synced(_) | CliError::Free { .. } => "rejected",
            CliError::Node(NodeError::OtherChain) => "rejected",
            CliError::Node(_) => "node",
            CliError::Light { source, .. } => match **source {
                chain::light::FileError::Io(_) => "io",
                chain::light::FileError::Refused { .. } => "rejected",
                chain::light::FileError::Locked | chain::light::FileError::Broken => "failed",
                _ => "file",
            },
            CliError::Interrupted(_) => "interrupted",
            _ => "failed",
        }
    }
}
