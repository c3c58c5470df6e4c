//! Why a proof, a step or a run is refused: one variant for each rule. Messages name the rule, then the place.

use backend::keys::KeyError;
use backend::ports::PortError;
use circuits::model::{DataError, StateError};
use circuits::segments::UpdatePort;
use circuits::statements::RunError;
use circuits::statements::codec::CodecError;
use circuits::statements::dataset::DatasetError;
use circuits::statements::domain::Place;
use plonkish::Challenge;
use std::fmt;

/// Why one proof is refused. `item` counts the 32-byte items of a proof from 0.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The parameters must have as many rows as the key's circuit.
    #[error("the key is for 2^{key} rows, the parameters have 2^{params}")]
    Params {
        /// Log2 of the rows of the key.
        key: u32,
        /// Log2 of the rows of the parameters.
        params: u32,
    },
    /// A proof proves at least one instance.
    #[error("a proof of no instances proves nothing")]
    NoInstances,
    /// A proof proves exactly the instances that the statement calls for.
    #[error("{found} instances are given, but the statement has {expected}")]
    InstanceCount {
        /// Instances of the statement.
        expected: usize,
        /// Instances given.
        found: usize,
    },
    /// An instance holds exactly the challenge slots and the public values of the circuit, with no padding.
    #[error("an instance has {found} values, not {expected}: instance {instance}")]
    InstanceLength {
        /// The instance.
        instance: usize,
        /// Values of the circuit.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A proof has exactly the length that follows from the circuit and the number of instances.
    #[error("the proof has {found} bytes, not {expected}")]
    ProofLength {
        /// Bytes that the proof must have.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// No commitment is the point at infinity.
    #[error("a commitment is the point at infinity: item {item} of the proof")]
    Identity {
        /// The item.
        item: usize,
    },
    /// Every scalar is below the field's order.
    #[error("a scalar is not canonical: item {item} of the proof")]
    Scalar {
        /// The item.
        item: usize,
    },
    /// Every commitment is the canonical encoding of a point of the curve.
    #[error("a commitment is not a point on the curve: item {item} of the proof")]
    Point {
        /// The item.
        item: usize,
    },
    /// Every challenge slot of every instance holds the scalar drawn from the statement and the phase-1 commitments.
    #[error("a challenge is not the one drawn from the proof: that for {}, instance {instance}", role.label())]
    Challenge {
        /// The instance.
        instance: usize,
        /// The role.
        role: Challenge,
    },
    /// The opening of canonical commitments ends with a blind of 0.
    #[error("the blind is not the canonical one")]
    Blind,
    /// A key whose parts do not fit together.
    #[error("the key's parts do not fit together")]
    Items,
    /// A challenge is one of the few numbers for which the argument says nothing: of probability 2^-240.
    #[error("a challenge is one for which the argument says nothing; it happens once in 2^240 proofs")]
    Unlucky,
    /// halo2's transcript absorbs what it is given; its verifier finds the proof well formed.
    #[error("halo2 rejects the proof: {0}")]
    Halo2(halo2_proofs::plonk::Error),
    /// The proof's final multi-scalar multiplication is zero.
    #[error("the proof is not valid")]
    Invalid,
}

/// Why a batch is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A batch has at least one proof.
    #[error("an empty batch proves nothing")]
    Empty,
    /// All proofs of a batch are valid. Holds the numbers of those that are not; none if the batch does not name them.
    #[error("a proof is not valid{}", numbers(.0))]
    Invalid(Vec<usize>),
}

/// Why a step is refused: one variant for each rule.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The run itself is refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file is refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The keys are those of another configuration.
    #[error("the keys are not those of the run's configuration")]
    Keys,
    /// The step belongs to another run.
    #[error("the step belongs to another run")]
    OtherRun,
    /// The step is not the next one.
    #[error("a step does not follow the previous one: found step {found}, expected step {expected}")]
    Number {
        /// The next step.
        expected: u64,
        /// In the bundle.
        found: u64,
    },
    /// The step does not begin at the state at which the step before ended.
    #[error("a step does not start at the state that the previous step left: step {step}")]
    Before {
        /// The step.
        step: u64,
    },
    /// Too few or too many contributions, sequences or proofs.
    #[error("the number of {what} is {found}, not {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// By the run.
        expected: usize,
        /// In the bundle.
        found: usize,
    },
    /// A proof is refused.
    #[error("{source}: {part} proof {index}")]
    Proof {
        /// Which kind.
        part: &'static str,
        /// Its number among its kind, over all contributions.
        index: usize,
        /// Why.
        source: VerifyError,
    },
    /// A port that should hold the state holds something else.
    #[error("the {port} are not those of the state: contribution {contribution}, {place}")]
    State {
        /// The contribution.
        contribution: u32,
        /// The instance.
        place: Place,
        /// The port.
        port: &'static str,
    },
    /// Two ends of a wire differ.
    #[error(
        "the two ends of a wire differ: contribution {contribution}, sequence {sequence}, below layer {boundary} (the \
         last one is below the head)"
    )]
    Wire {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
        /// The boundary: that of layer 0 is below it, the last one below the head.
        boundary: usize,
    },
    /// What enters the update does not follow from the state before, the sum of the contributions' gradients and the run's
    /// integers.
    #[error(
        "what enters the update does not follow from the state, the sum of the gradients and the run's integers: `{}` of segment \
         {segment}",
        port.name()
    )]
    Entering {
        /// The segment.
        segment: usize,
        /// The port.
        port: UpdatePort,
    },
    /// Commitments that are no points, or parameters that give none.
    #[error("commitments: {0}")]
    Commitments(PortError),
    /// Gradients that cannot be added up.
    #[error("{source}: segment {segment}")]
    Sum {
        /// The segment.
        segment: usize,
        /// Why.
        source: PortError,
    },
    /// The commitments of the gradients and of the new state are not shown to have the canonical blind.
    #[error("{source}: the opening of the output commitments")]
    Canonical {
        /// Why.
        source: VerifyError,
    },
    /// The genesis proof's new state is the first state.
    #[error("the genesis proof is for another state: {port} of segment {segment}")]
    Genesis {
        /// The segment.
        segment: usize,
        /// The port.
        port: &'static str,
    },
    /// A batch is not the one that the run's seed assigns.
    #[error("a batch is not the one that the seed assigns: contribution {contribution}, sequence {sequence}")]
    Batch {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
    },
    /// A leaf is not the one of the run's data set that the seed assigns.
    #[error("{source}: contribution {contribution}, sequence {sequence}")]
    Leaf {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
        /// Why.
        source: DatasetError,
    },
    /// The sequence that a head was proven on is not that of the leaf.
    #[error("a sequence is not that of its leaf: contribution {contribution}, sequence {sequence}")]
    LeafWire {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
    },
    /// A private run's bundle is given as a public one's, or the other way round.
    #[error("the step is public where the run is private, or private where the run is public")]
    Kind,
    /// A private step discloses a sum of losses where its run discloses none, none where it does, or one of other steps.
    #[error("the step does not disclose the sum of losses that the run discloses")]
    Disclosed,
    /// A sum of losses begins with those of other steps.
    #[error("a sum of losses does not begin with those of the steps before: step {step}")]
    LossesBefore {
        /// The step that discloses it.
        step: u64,
    },
    /// What is wired is not shown to differ in its blinding alone.
    #[error("{source}: the proof that both ends of each wire hold the same")]
    Span {
        /// Why.
        source: VerifyError,
    },
    /// Proofs fail the final multi-scalar multiplication.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Part>),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a run is refused.
#[derive(Debug, thiserror::Error)]
pub enum RunRefused {
    /// The run itself is refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The keys are those of the run's configuration.
    #[error("the keys are not those of the run's configuration")]
    Keys,
    /// The corpus is the one that the run names.
    #[error(
        "the corpus is not the run's, which names another digest, or another data set: of another file, another held-out part, or other tokens"
    )]
    Corpus,
    /// The corpus has sequences.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The corpus can be drawn from.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The genesis proof is refused.
    #[error("{0} (genesis proof)")]
    Genesis(Box<StepError>),
    /// A model that is offered for a state is a model of the run's configuration.
    #[error("the model is not one of the run's configuration: {0}")]
    Tensors(#[from] StateError),
    /// A model that is offered for a state is that state.
    #[error("the model's state is not the one before step {step}")]
    OtherState {
        /// The step.
        step: u64,
    },
    /// What shows the range of a state comes before the first step.
    #[error("the first state's range must be shown before the first step")]
    TooLate,
    /// A run has fewer steps than there are numbers: none is before step 0.
    #[error("a step has the last number, which no step may have")]
    LastNumber,
    /// A step is refused.
    #[error("{source} (step {step})")]
    Step {
        /// Number that the step should have.
        step: u64,
        /// Why.
        source: Box<StepError>,
    },
    /// A run has at least one proven step.
    #[error("a run without proven steps proves nothing")]
    Empty,
    /// Proofs fail the final multi-scalar multiplication.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Culprit>),
}

/// A proof that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Step; none for the genesis proof.
    pub step: Option<u64>,
    /// Place within it.
    pub part: Part,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "{} (step {step})", self.part),
            None => write!(f, "{} (genesis proof)", self.part),
        }
    }
}

/// A proof's place within its step, or within a genesis proof, which has updates and an opening alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Layers of a contribution.
    Layers {
        /// Contribution.
        contribution: u32,
        /// Number among the contribution's layer proofs.
        index: usize,
    },
    /// Heads of a contribution.
    Heads {
        /// Contribution.
        contribution: u32,
        /// Number among the contribution's head proofs.
        index: usize,
    },
    /// The update.
    Update {
        /// Number among the update proofs.
        index: usize,
    },
    /// The opening which shows that the output commitments are canonical.
    Canonical,
    /// The proof that both ends of each wire of a private step hold the same.
    Span,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Layers { contribution, index } => write!(f, "contribution {contribution}, layer proof {index}"),
            Part::Heads { contribution, index } => write!(f, "contribution {contribution}, head proof {index}"),
            Part::Update { index } => write!(f, "update proof {index}"),
            Part::Canonical => f.write_str("opening of the output commitments"),
            Part::Span => f.write_str("proof that both ends of each wire hold the same"),
        }
    }
}

/// Which proofs of a batch; a batch that folds does not know.
fn numbers(indices: &[usize]) -> String {
    let numbers: Vec<String> = indices.iter().map(usize::to_string).collect();
    if numbers.is_empty() { String::new() } else { format!(": {} of the batch", numbers.join(", ")) }
}

/// The rule, then the places at which it is broken.
fn invalid<T: fmt::Display>(places: &[T]) -> String {
    let places: Vec<String> = places.iter().map(T::to_string).collect();
    format!("a proof is not valid: {}", places.join("; "))
}
