//! Why a proof could not be made.

use crate::input_digest::InputDigest;
use backend::ports::PortError;
use halo2_proofs::plonk;
use plonkish::{Violation, WitnessError};
use rayon::ThreadPoolBuildError;

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The parameters, the key or a witness are not those of the plan.
    #[error("{what} does not match the plan")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
    },
    /// No instance was given.
    #[error("a proof needs at least one instance")]
    NoInstances,
    /// An instance has too few or too many public values.
    #[error("instance {instance} has {found} public values, not {expected}")]
    Publics {
        /// The instance.
        instance: usize,
        /// Public values of the circuit.
        expected: usize,
        /// Public values given.
        found: usize,
    },
    /// Blinding for too few or too many ports.
    #[error("blinding for {found} ports is given, but the circuit has {expected}")]
    Ports {
        /// Ports of the circuit.
        expected: usize,
        /// Ports given.
        found: usize,
    },
    /// Blinding that a port cannot have.
    #[error("the blinding of port `{port}` does not fit it")]
    Blinding {
        /// The port.
        port: String,
    },
    /// A value lies outside what the circuit can hold.
    #[error("instance {instance}: {source}")]
    Witness {
        /// The instance.
        instance: usize,
        /// The value.
        source: WitnessError,
    },
    /// A commitment that cannot be written.
    #[error("instance {instance}: {source}")]
    Port {
        /// The instance.
        instance: usize,
        /// What is wrong with it.
        source: PortError,
    },
    /// Tensors or commitments of a state or of gradients have no canonical commitments.
    #[error("commitments: {0}")]
    Commitments(PortError),
    /// The operating system gave no threads.
    #[error("threads: {0}")]
    Threads(ThreadPoolBuildError),
    /// The operating system gave no randomness.
    #[error("the operating system returned no randomness")]
    NoRandomness,
    /// The proof does not begin with the commitments that the challenges were drawn from.
    #[error("instance {instance}, column {column}: the proof and the first pass have different commitments")]
    Commitment {
        /// The instance.
        instance: usize,
        /// The advice column.
        column: usize,
    },
    /// The proof does not have the length that follows from the plan, or not all scripted draws were used.
    #[error("halo2 did not draw or write what this prover expects of the pinned version")]
    UnexpectedHalo2,
    /// The witness breaks a constraint.
    #[error("instance {instance} violates `{violation}`")]
    Unsatisfied {
        /// The instance.
        instance: usize,
        /// The constraint.
        violation: Violation,
    },
    /// Whoever asked for the proof stopped it.
    #[error("the proof was stopped")]
    Cancelled,
    /// The finished proof does not verify, though no constraint was found broken.
    #[error("the finished proof does not verify")]
    SelfCheck,
    /// halo2 refused.
    #[error("halo2: {0}")]
    Halo2(#[from] plonk::Error),
    /// A task's input is not at hand.
    #[error("the task's input {digest:?} is missing")]
    MissingInput {
        /// Its name.
        digest: InputDigest,
    },
    /// A task's input is none of the model.
    #[error("a task's input: {0}")]
    Input(#[from] circuits::segments::InputError),
    /// An input cannot be encoded.
    #[error(transparent)]
    Codec(#[from] circuits::statements::codec::CodecError),
    /// A sequence is not one of the model.
    #[error(transparent)]
    Sequence(#[from] circuits::model::SequenceError),
    /// The state is not one of the model.
    #[error("state: {0}")]
    State(#[from] circuits::model::StateError),
    /// A loss is not one that a statement can name.
    #[error(transparent)]
    Loss(#[from] circuits::model::LossError),
    /// The data have no batches for the run.
    #[error("data: {0}")]
    Data(#[from] circuits::statements::AssignError),
    /// The run is malformed.
    #[error(transparent)]
    Run(#[from] circuits::statements::RunError),
    /// The key could not be made.
    #[error(transparent)]
    Key(#[from] backend::keys::KeyError),
}
