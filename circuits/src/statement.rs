//! What a step's proofs state: the run that they belong to, the state before, and for each proof its public values.
//!
//! | segment | public values after the challenges |
//! |---|---|
//! | layer | context |
//! | head | loss (frac 24), context |
//! | update | λ, μ, ω, context |
//!
//! The context binds the instance to its statement and its place: see [`crate::scope`].

use crate::codec::{self, CodecError, Encoded};
use crate::decimal::Decimal;
use crate::gadgets::PortLayout;
use crate::model::{Config, ConfigError, Gradients, Params, Schedule, State};
use crate::ops::sgd::{Hyper, HyperError, circuit::LAMBDA_BOUND};
use crate::poseidon;
use crate::scope::Scope;
use crate::segments::{head, layer};
use crate::tensor::Matrix;
use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, F, Params as CommitmentParams, Point};
use backend::ports::{PortError, commit_port};
use group::GroupEncoding;
use plonkish::field;
use serde::{Deserialize, Serialize};

/// Digest of a model: its configuration and the digest of its state. Two models with one digest compute the same and
/// commit to the same state.
pub fn model_digest(config: &Config, state: &[u8; 32]) -> [u8; 32] {
    poseidon::digest_bytes("gradientcoin model", &[config.digest(), *state].concat())
}

/// An encoded commitment.
pub type Encoding = [u8; 32];

/// Most instances of one circuit in one proof: it bounds the prover's memory.
pub const INSTANCES_PER_PROOF: usize = 8;

/// Most predictions of a step: what the update's gradient bound allows.
pub const MAX_PREDICTIONS: u64 = 1 << 13;

/// Digest of a corpus.
pub fn corpus_digest(corpus: &[u8]) -> [u8; 32] {
    codec::digest(b"gradcoin-corpus", corpus)
}

/// Commitments of the state of one segment: the columns of its three ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentState {
    /// Weights.
    pub w: Vec<Encoding>,
    /// Low parts.
    pub lo: Vec<Encoding>,
    /// Momentum.
    pub v: Vec<Encoding>,
}

/// Commitments of a model's state: one entry per layer, then the head's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCommitments {
    /// Layers from the bottom, then embedding, final norm and head.
    pub segments: Vec<SegmentState>,
}

impl Encoded for StateCommitments {
    const MAGIC: [u8; 8] = *b"GRADCOMM";
    const VERSION: u32 = 1;
    const NAME: &'static str = "set of state commitments";
}

/// A run: everything that its steps have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Version of the circuits.
    pub circuits: u32,
    /// Canonical JSON of the model's configuration.
    #[serde(deserialize_with = "codec::text")]
    pub config: String,
    /// State before the first step.
    pub genesis: StateCommitments,
    /// Digest of the corpus that batches are drawn from.
    pub corpus: [u8; 32],
    /// Seed of the batches.
    pub seed: u64,
    /// B: sequences of a contribution.
    pub batch: u32,
    /// N: contributions of a step.
    pub accumulate: u32,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Momentum, below 1.
    pub momentum: Decimal,
    /// Weight decay, at most 1.
    pub weight_decay: Decimal,
}

impl Encoded for Run {
    const MAGIC: [u8; 8] = *b"GRADRUN\0";
    const VERSION: u32 = 1;
    const NAME: &'static str = "run";
}

/// One contribution's proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Sum of the losses of each sequence, frac 24.
    pub losses: Vec<u64>,
    /// Layer proofs, [`INSTANCES_PER_PROOF`] instances each, ordered by sequence, then layer.
    pub layers: Vec<Vec<u8>>,
    /// Head proofs, ordered by sequence.
    pub heads: Vec<Vec<u8>>,
}

/// A proven step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The run.
    pub run: Run,
    /// Number of the step, from 0.
    pub step: u64,
    /// State before the step.
    pub before: StateCommitments,
    /// The gradient, in parts.
    pub contributions: Vec<Contribution>,
    /// Update proofs, ordered by segment, then lane group.
    pub updates: Vec<Vec<u8>>,
    /// Opening which shows that the commitments of the gradients and of the new state have the canonical blind.
    pub canonical: Vec<u8>,
}

impl Bundle {
    /// Bytes of everything that is proof.
    pub fn proof_bytes(&self) -> u64 {
        let gradients = self.contributions.iter().flat_map(|c| c.layers.iter().chain(&c.heads));
        gradients.chain(&self.updates).chain([&self.canonical]).map(|proof| proof.len() as u64).sum()
    }
}

impl Encoded for Bundle {
    const MAGIC: [u8; 8] = *b"GRADSTEP";
    const VERSION: u32 = 1;
    const NAME: &'static str = "bundle";
}

/// Shows that a first state is in range and canonically committed: an update by the identity
/// ([`Hyper::IDENTITY`]) whose new state it is. What an update leaves has the widths that the next step relies on,
/// whatever entered it, so the state that enters this one need not be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisProof {
    /// Update proofs, ordered by segment, then lane group.
    pub updates: Vec<Vec<u8>>,
    /// Opening which shows that the commitments of the state have the canonical blind.
    pub canonical: Vec<u8>,
}

impl GenesisProof {
    /// Its scope: of a model. It says the same of the model wherever a run or a chain begins with it.
    pub fn scope(config: &Config, state: &StateCommitments) -> Scope {
        Scope::new("gradientcoin genesis", &[&model_digest(config, &state.digest())])
    }

    /// Bytes of everything that is proof.
    pub fn proof_bytes(&self) -> u64 {
        self.updates.iter().chain([&self.canonical]).map(|proof| proof.len() as u64).sum()
    }
}

impl Encoded for GenesisProof {
    const MAGIC: [u8; 8] = *b"GRADGPRF";
    const VERSION: u32 = 1;
    const NAME: &'static str = "genesis proof";
}

/// A run that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Of circuits that this program does not have.
    #[error("the run uses circuit version {found}; this program has {CIRCUIT_VERSION}")]
    Circuits {
        /// In the run.
        found: u32,
    },
    /// The configuration is refused.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The configuration's text is not its canonical form.
    #[error("the configuration is not in canonical form")]
    ConfigText,
    /// No sequences, or more predictions than the update's circuit can add up.
    #[error(
        "a step has {0} predictions (sequences of a contribution × contributions × context); it must have 1 to \
         {MAX_PREDICTIONS}"
    )]
    Predictions(u64),
    /// The optimizer's integers are out of range.
    #[error("optimizer: {0}")]
    Hyper(#[from] HyperError),
    /// The schedule's numbers contradict each other.
    #[error("the learning rate schedule is inconsistent")]
    Schedule,
    /// The learning rate over the predictions is not below 1.
    #[error(
        "the learning rate of step {step} is too large: divided by its {predictions} predictions, it is not below 1"
    )]
    Rate {
        /// The step.
        step: u64,
        /// Predictions of a step.
        predictions: u64,
    },
    /// Not as many commitments as the configuration has columns.
    #[error("{what} has {found} commitments, not {expected}")]
    Shape {
        /// Which part.
        what: String,
        /// By the configuration.
        expected: usize,
        /// In the file.
        found: usize,
    },
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Run {
    /// The configuration, after all checks that need no proof.
    pub fn check(&self) -> Result<Config, RunError> {
        if self.circuits != CIRCUIT_VERSION {
            return Err(RunError::Circuits { found: self.circuits });
        }
        let config = Config::from_json(&self.config)?;
        if config.to_json() != self.config {
            return Err(RunError::ConfigText);
        }
        self.check_settings(&config)?;
        self.genesis.check(&config)?;
        Ok(config)
    }

    /// The part of [`Self::check`] that needs no commitments: batches, schedule and optimizer. No step of a run that
    /// passes has a rate that the update cannot express.
    pub fn check_settings(&self, config: &Config) -> Result<(), RunError> {
        if !self.schedule.is_sound() {
            return Err(RunError::Schedule);
        }
        let predictions = self.predictions(config);
        if predictions == 0 || predictions > MAX_PREDICTIONS {
            return Err(RunError::Predictions(predictions));
        }
        let (_, step) = self.schedule.peak();
        self.hyper(config, step)?;
        Ok(())
    }

    /// Predictions of a step: B·N·T.
    pub fn predictions(&self, config: &Config) -> u64 {
        u64::from(self.batch).saturating_mul(u64::from(self.accumulate)).saturating_mul(config.context as u64)
    }

    /// The public integers of a step's update.
    pub fn hyper(&self, config: &Config, step: u64) -> Result<Hyper, RunError> {
        let rate = self.schedule.lr_at(step);
        let hyper = Hyper::new(rate, &self.momentum, &self.weight_decay, self.predictions(config))?;
        if hyper.lambda >= LAMBDA_BOUND {
            return Err(RunError::Rate { step, predictions: self.predictions(config) });
        }
        Ok(hyper)
    }

    /// Identity of the run.
    pub fn id(&self) -> Result<[u8; 32], RunError> {
        Ok(codec::digest(b"gradcoin-run", &codec::encode(self)?))
    }

    /// Scope of a contribution to a step.
    pub fn contribution_scope(id: &[u8; 32], step: u64, before: &[u8; 32], contribution: u32) -> Scope {
        let (step, contribution) = (step.to_le_bytes(), contribution.to_le_bytes());
        Scope::new("gradientcoin contribution to a run", &[id, &step, before, &contribution])
    }

    /// Scope of a step's update.
    pub fn update_scope(id: &[u8; 32], step: u64, before: &[u8; 32]) -> Scope {
        Scope::new("gradientcoin update of a run", &[id, &step.to_le_bytes(), before])
    }
}

impl StateCommitments {
    /// Requires the number of columns that the configuration has.
    pub fn check(&self, config: &Config) -> Result<(), RunError> {
        let layouts = Layouts::new(config);
        let shape = |what: String, expected: usize, found: usize| {
            if expected == found { Ok(()) } else { Err(RunError::Shape { what, expected, found }) }
        };
        shape("the state".into(), config.layers + 1, self.segments.len())?;
        for (i, segment) in self.segments.iter().enumerate() {
            for (name, port) in [("w", &segment.w), ("lo", &segment.lo), ("v", &segment.v)] {
                shape(format!("{name} of segment {i}"), layouts.of(i).columns(), port.len())?;
            }
        }
        Ok(())
    }

    /// All commitments, decoded: by segment, then w, lo, v.
    pub fn points(&self) -> Result<Vec<Point>, PortError> {
        let encodings = self.segments.iter().flat_map(|s| [&s.w, &s.lo, &s.v]).flatten();
        encodings
            .enumerate()
            .map(|(column, bytes)| Point::from_bytes(bytes).into_option().ok_or(PortError::NoPoint { column }))
            .collect()
    }

    /// Digest of the state.
    pub fn digest(&self) -> [u8; 32] {
        let points = self.segments.iter().flat_map(|s| [&s.w, &s.lo, &s.v]).flatten();
        poseidon::digest_bytes("gradientcoin state", &points.flatten().copied().collect::<Vec<u8>>())
    }
}

/// Layouts of the weight ports of a model.
#[derive(Clone, Debug)]
pub struct Layouts {
    layer: PortLayout,
    head: PortLayout,
    layers: usize,
}

impl Layouts {
    /// Layouts of a configuration.
    pub fn new(config: &Config) -> Self {
        Layouts {
            layer: layer::weight_layout(config, DEFAULT_K),
            head: head::weight_layout(config, DEFAULT_K),
            layers: config.layers,
        }
    }

    /// Segments: layers, then the head.
    pub fn segments(&self) -> usize {
        self.layers + 1
    }

    /// Layout of a segment's weight port.
    pub fn of(&self, segment: usize) -> &PortLayout {
        if segment < self.layers { &self.layer } else { &self.head }
    }

    /// `(segment, lane group)` of each update instance, in order.
    pub fn updates(&self) -> Vec<(usize, usize)> {
        (0..self.segments()).flat_map(|s| (0..self.of(s).groups).map(move |g| (s, g))).collect()
    }

    /// Columns of a segment's port, for any tensor-shaped part of the model.
    pub fn columns<E: Copy + Default>(
        &self,
        segment: usize,
        parameters: &crate::model::Parameters<Matrix<E>>,
    ) -> Vec<Vec<E>> {
        let tensors: Vec<&Matrix<E>> = match parameters.layers.get(segment) {
            Some(layer) => layer.fields().to_vec(),
            None => [&parameters.embed, &parameters.norm_f].into_iter().chain(&parameters.head).collect(),
        };
        self.of(segment).fill(|tensor, run, column| {
            let t = tensors[tensor];
            t.data[run * t.cols + column]
        })
    }

    /// Columns of the three state ports of a segment.
    pub fn state_columns(&self, segment: usize, state: &State) -> [Vec<Vec<i64>>; 3] {
        [&state.w, &state.lo, &state.v].map(|p: &Params| self.columns(segment, p))
    }

    /// Columns of a segment's gradient port.
    pub fn gradient_columns(&self, segment: usize, gradients: &Gradients) -> Vec<Vec<i128>> {
        self.columns(segment, gradients)
    }

    /// Canonical commitments of a state.
    pub fn commit_state(&self, params: &CommitmentParams, state: &State) -> Result<StateCommitments, PortError> {
        let commit = |columns: Vec<Vec<i64>>| -> Result<Vec<Encoding>, PortError> {
            let columns = columns.into_iter().map(|c| c.into_iter().map(|x| field(x.into())).collect::<Vec<F>>());
            let points = commit_port(params, &columns.collect::<Vec<_>>())?;
            Ok(points.iter().map(GroupEncoding::to_bytes).collect())
        };
        let segment = |segment| {
            let [w, lo, v] = self.state_columns(segment, state);
            Ok(SegmentState { w: commit(w)?, lo: commit(lo)?, v: commit(v)? })
        };
        Ok(StateCommitments { segments: (0..self.segments()).map(segment).collect::<Result<_, _>>()? })
    }

    /// Canonical commitments of a gradient, by segment.
    pub fn commit_gradients(
        &self,
        params: &CommitmentParams,
        gradients: &Gradients,
    ) -> Result<Vec<Vec<Point>>, PortError> {
        let segment = |segment| {
            let columns = self.gradient_columns(segment, gradients).into_iter();
            let columns: Vec<Vec<F>> = columns.map(|c| c.into_iter().map(field).collect()).collect();
            commit_port(params, &columns)
        };
        (0..self.segments()).map(segment).collect()
    }
}
