//! What is to be proven, written down: a proof is a task that any machine can do.
//!
//! A task names its inputs by digest, holds public values and blinding, and gives a proof that is cheap to check. Whoever
//! does it need not be trusted with soundness; as it holds blinding, only with secrecy.
//!
//! **One proof of a task may be published, ever.** Each opens a secret wire at points that its blinding hides, and the blinding
//! is sized for the two proofs at the wire's ends. If a task was done twice, one of the results is thrown away unseen; if
//! one may have been seen, the whole contribution is cut into fresh tasks.

use crate::blinding::PortBlinding;
use crate::error::ProveError;
pub use crate::input_digest::InputDigest;
use backend::curve::F;
use circuits::model::{Config, LayerWeights, Token, check_sequence};
use circuits::segments::head::{HeadInput, HeadWeights};
use circuits::segments::layer::LayerInput;
use circuits::segments::update::UpdateValues;
use circuits::segments::{Entering, SegmentKind, Variant};
use circuits::statements::check_instances;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// What instances are computed from. Sequences and layers share some of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Weights of a layer.
    LayerWeights(Box<LayerWeights>),
    /// Weights of the head.
    HeadWeights(HeadWeights),
    /// T + 1 tokens.
    Sequence(Vec<Token>),
    /// What enters a layer or a head from its neighbours.
    Entering(Entering),
    /// What enters an update.
    Update(UpdateValues),
}

impl Encoded for Input {
    const MAGIC: [u8; 8] = *b"GRADINPT";
    // 2: of an update, its dividends alone; 3: what enters it by port, and public integers; a layer may have biases,
    // and tokens have 16 bits; 4: AdamW's shares.
    const VERSION: u32 = 4;
    const NAME: &'static str = "task input";
}

/// The inputs of an instance, by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceInputs {
    /// Of a layer of one sequence.
    Layer {
        /// [`Input::LayerWeights`].
        weights: InputDigest,
        /// [`Input::Entering`].
        entering: InputDigest,
    },
    /// Of the head of one sequence.
    Head {
        /// [`Input::HeadWeights`].
        weights: InputDigest,
        /// [`Input::Sequence`].
        sequence: InputDigest,
        /// [`Input::Entering`].
        entering: InputDigest,
    },
    /// Of the update of one lane group.
    Update {
        /// [`Input::Update`].
        values: InputDigest,
    },
}

impl InstanceInputs {
    /// The digests of all of them.
    pub fn digests(&self) -> Vec<InputDigest> {
        match *self {
            InstanceInputs::Layer { weights, entering } => vec![weights, entering],
            InstanceInputs::Head { weights, sequence, entering } => vec![weights, sequence, entering],
            InstanceInputs::Update { values } => vec![values],
        }
    }

    /// Which circuit they are for.
    pub fn segment(&self) -> SegmentKind {
        match self {
            InstanceInputs::Layer { .. } => SegmentKind::Layer,
            InstanceInputs::Head { .. } => SegmentKind::Head,
            InstanceInputs::Update { .. } => SegmentKind::Update,
        }
    }
}

/// One instance of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInstance {
    /// Its inputs.
    pub inputs: InstanceInputs,
    /// Public values, the context last.
    pub publics: Vec<F>,
    /// Blinding of each port.
    pub ports: Vec<PortBlinding>,
}

/// A proof to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Version of the circuits, other for each variant.
    pub circuits: u32,
    /// Digest of the model's configuration.
    pub config: [u8; 32],
    /// Which circuit.
    pub segment: SegmentKind,
    /// Its instances, in the order of the proof.
    pub instances: Vec<TaskInstance>,
}

impl Encoded for Task {
    const MAGIC: [u8; 8] = *b"GRADTASK";
    // 2: of an update, its dividends alone; 3: what enters it by port, and public integers; 4: sums of squares.
    const VERSION: u32 = 4;
    const NAME: &'static str = "task";
}

impl Task {
    /// A task of a model.
    pub fn new((variant, config): (Variant, &Config), segment: SegmentKind, instances: Vec<TaskInstance>) -> Self {
        Task { circuits: variant.circuits(), config: config.digest(), segment, instances }
    }

    /// Names the task: a hash of all of it. Tasks of one name have results of equal worth. Those of two attempts at one step have
    /// different names, as their wires are blinded afresh, and their results do not fit each other.
    pub fn name(&self) -> Result<[u8; 32], CodecError> {
        Ok(codec::digest(b"gradcoin-a-task", &codec::encode(self)?))
    }

    /// Refuses a task of other circuits or of another configuration, with more instances than a proof may have, or with
    /// instances that are none of its circuit.
    pub fn check(&self, variant: Variant, config: &Config) -> Result<(), ProveError> {
        let fits = |is: bool, what| if is { Ok(()) } else { Err(ProveError::Mismatch { what }) };
        fits(self.circuits == variant.circuits(), "the task's circuit version")?;
        fits(self.config == config.digest(), "the task's configuration")?;
        check_instances(u32::try_from(self.instances.len()).unwrap_or(u32::MAX))?;
        fits(self.instances.iter().all(|i| i.inputs.segment() == self.segment), "an instance of the task")?;
        let (publics, ports) = (self.segment.publics(variant), self.segment.ports(variant));
        for (instance, of) in self.instances.iter().enumerate() {
            if of.publics.len() != publics {
                return Err(ProveError::Publics { instance, expected: publics, found: of.publics.len() });
            }
            if of.ports.len() != ports {
                return Err(ProveError::Ports { expected: ports, found: of.ports.len() });
            }
        }
        Ok(())
    }
}

/// Instances of one circuit, cut into tasks of at most `per_proof` instances.
pub fn cut(of: (Variant, &Config), segment: SegmentKind, instances: Vec<TaskInstance>, per_proof: usize) -> Vec<Task> {
    let mut rest = instances.into_iter().peekable();
    let mut tasks = vec![];
    while rest.peek().is_some() {
        tasks.push(Task::new(of, segment, rest.by_ref().take(per_proof.max(1)).collect()));
    }
    tasks
}

/// Inputs at hand, by digest.
#[derive(Clone, Debug, Default)]
pub struct Inputs(HashMap<InputDigest, Arc<Input>>);

impl Inputs {
    /// Takes others' inputs in.
    pub fn extend(&mut self, others: Inputs) {
        self.0.extend(others.0);
    }

    /// Adds an input; gives its name.
    pub fn put(&mut self, input: Input) -> Result<InputDigest, CodecError> {
        let digest = InputDigest(codec::digest(b"gradcoin-input--", &codec::encode(&input)?));
        self.0.entry(digest).or_insert_with(|| Arc::new(input));
        Ok(digest)
    }

    /// The input of a name.
    pub fn get(&self, digest: &InputDigest) -> Result<&Input, ProveError> {
        self.0.get(digest).map(Arc::as_ref).ok_or(ProveError::MissingInput { digest: *digest })
    }

    /// Everything that a layer's instance is computed from, of the configuration and in range.
    pub fn layer(
        &self,
        config: &Config,
        weights: &InputDigest,
        entering: &InputDigest,
    ) -> Result<LayerInput, ProveError> {
        let (Input::LayerWeights(weights), Input::Entering(entering)) = (self.get(weights)?, self.get(entering)?)
        else {
            return Err(ProveError::Mismatch { what: "the kind of an input" });
        };
        let input = LayerInput { weights: LayerWeights::clone(weights), entering: entering.clone() };
        input.check(config)?;
        Ok(input)
    }

    /// The same of a head.
    pub fn head(
        &self,
        config: &Config,
        weights: &InputDigest,
        sequence: &InputDigest,
        entering: &InputDigest,
    ) -> Result<HeadInput, ProveError> {
        let found = (self.get(weights)?, self.get(sequence)?, self.get(entering)?);
        let (Input::HeadWeights(weights), Input::Sequence(sequence), Input::Entering(entering)) = found else {
            return Err(ProveError::Mismatch { what: "the kind of an input" });
        };
        check_sequence(config, sequence)?;
        let input = HeadInput { weights: weights.clone(), sequence: sequence.clone(), entering: entering.clone() };
        input.check(config)?;
        Ok(input)
    }

    /// The same of an update.
    pub fn update(&self, (variant, k): (Variant, u32), values: &InputDigest) -> Result<&UpdateValues, ProveError> {
        let Input::Update(values) = self.get(values)? else {
            return Err(ProveError::Mismatch { what: "the kind of an input" });
        };
        values.check(variant.update, k)?;
        Ok(values)
    }
}
