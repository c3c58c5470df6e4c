//! A run: a first model, its data, its optimizer.

use super::codec::{self, CodecError, Encoded};
use super::data::RunData;
use super::{Domain, MAX_INSTANCES_PER_PROOF, StateCommitments, check_instances};
use crate::model::{Config, ConfigError, Hyper, Optimizer, Pace, Schedule, SquareSum};
use crate::ops::hyper::HyperError;
use crate::segments::{Privacy, Variant};
use backend::curve::CIRCUIT_VERSION;
use serde::{Deserialize, Serialize};

/// Most predictions of a step: what the update's range of a gradient allows.
pub const MAX_PREDICTIONS: u64 = (1 << 24) - 1;

/// Most steps that the optimizer has taken to a first state.
pub const MAX_TAKEN: u64 = 1 << 40;

/// Digest of a corpus: of the bytes of its text.
pub fn corpus_digest(corpus: &[u8]) -> [u8; 32] {
    codec::digest(b"gradcoin-corpus", corpus)
}

/// What a run shows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disclosure {
    /// Canonical commitments of states, gradients and sequences, and the loss of every sequence.
    #[default]
    Public,
    /// Sums of losses, and of the squares of gradients that are clipped.
    Private {
        /// Steps over which the losses are added up; of 0, none is shown.
        loss_steps: u32,
    },
}

impl Disclosure {
    /// The kind of circuits that this takes.
    pub fn privacy(self) -> Privacy {
        match self {
            Disclosure::Public => Privacy::Public,
            Disclosure::Private { .. } => Privacy::Private,
        }
    }

    /// Of a private run, how many steps' losses a step discloses, itself the last of them; none, if it discloses none.
    pub fn loss_of(self, step: u64) -> Option<u64> {
        match self {
            Disclosure::Private { loss_steps } if loss_steps > 0 => {
                (step % u64::from(loss_steps) == u64::from(loss_steps) - 1).then_some(loss_steps.into())
            }
            _ => None,
        }
    }
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
    /// Steps that the optimizer has taken to it: schedule and bias correction count from there. At most [`MAX_TAKEN`].
    pub taken: u64,
    /// What is shown of it.
    pub disclosure: Disclosure,
    /// What batches are drawn from.
    pub data: RunData,
    /// Seed of the batches.
    pub seed: u64,
    /// B: sequences of a contribution.
    pub batch: u32,
    /// N: contributions of a step.
    pub accumulate: u32,
    /// Most instances of one circuit that share a proof, 1 to [`MAX_INSTANCES_PER_PROOF`].
    pub instances_per_proof: u32,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// How the state moves.
    pub optimizer: Optimizer,
}

impl Encoded for Run {
    const MAGIC: [u8; 8] = *b"GRADRUN\0";
    // 2: optimizers by name, instances per proof; 3: a data set, where there was a corpus's digest alone; what is disclosed;
    // 4: steps taken before the first; 5: clipping.
    const VERSION: u32 = 5;
    const NAME: &'static str = "run";
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
    /// A private run would name a digest of its corpus.
    #[error("a private run is on a data set: the digest of a corpus would confirm a guess")]
    PrivateCorpus,
    /// No sequences, or more predictions than the update's circuit can add up.
    #[error(
        "a step has {0} predictions (sequences of a contribution × contributions × context); it must have 1 to \
         {MAX_PREDICTIONS}"
    )]
    Predictions(u64),
    /// Too few or too many instances in a proof.
    #[error("{0} instances per proof: it must be 1 to {MAX_INSTANCES_PER_PROOF}")]
    Instances(u32),
    /// Steps beyond any training.
    #[error("the first state's optimizer has taken {0} steps; it must be at most {MAX_TAKEN}")]
    Taken(u64),
    /// The optimizer's integers are out of range.
    #[error("optimizer: {0}")]
    Hyper(#[from] HyperError),
    /// The schedule's numbers contradict each other.
    #[error("the learning rate schedule is inconsistent")]
    Schedule,
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
        self.genesis.check(&config, self.optimizer.kind())?;
        Ok(config)
    }

    /// The part of [`Self::check`] that needs no commitments: batches, schedule and optimizer. No step of a run that
    /// passes has a rate that the update cannot express.
    pub fn check_settings(&self, config: &Config) -> Result<(), RunError> {
        check_instances(self.instances_per_proof)?;
        if self.disclosure != Disclosure::Public && matches!(self.data, RunData::Corpus(_)) {
            return Err(RunError::PrivateCorpus);
        }
        if !self.schedule.is_sound() {
            return Err(RunError::Schedule);
        }
        let predictions = self.predictions(config);
        if predictions == 0 || predictions > MAX_PREDICTIONS {
            return Err(RunError::Predictions(predictions));
        }
        if self.taken > MAX_TAKEN {
            return Err(RunError::Taken(self.taken));
        }
        // No step has a higher rate, and none another reason to be refused: μ follows from the schedule's shape, and the bounds
        // on AdamW's integers grow with the rate.
        let (_, step) = self.schedule.peak();
        self.optimizer.hyper(self.pace(config, step, SquareSum::ZERO))?;
        Ok(())
    }

    /// The circuits of its steps.
    pub fn variant(&self) -> Variant {
        Variant { privacy: self.disclosure.privacy(), update: self.optimizer.update() }
    }

    /// Predictions of a step: B·N·T.
    pub fn predictions(&self, config: &Config) -> u64 {
        u64::from(self.batch).saturating_mul(u64::from(self.accumulate)).saturating_mul(config.context as u64)
    }

    /// What an update goes by, of a step of the schedule.
    fn pace(&self, config: &Config, step: u64, squares: SquareSum) -> Pace {
        Pace {
            rates: self.schedule.rates_at(step),
            step: step.saturating_add(1),
            predictions: self.predictions(config),
            squares,
        }
    }

    /// The integers of a step's update; `squares` is the sum of the squares of its gradient, where it is clipped.
    pub fn hyper(&self, config: &Config, step: u64, squares: SquareSum) -> Result<Hyper, RunError> {
        Ok(self.optimizer.hyper(self.pace(config, self.taken.saturating_add(step), squares))?)
    }

    /// Identity of the run.
    pub fn id(&self) -> Result<[u8; 32], RunError> {
        Ok(codec::digest(b"gradcoin-run", &codec::encode(self)?))
    }

    /// Domain of a contribution to a step.
    pub fn contribution_domain(id: &[u8; 32], step: u64, before: &[u8; 32], contribution: u32) -> Domain {
        let (step, contribution) = (step.to_le_bytes(), contribution.to_le_bytes());
        Domain::new("gradientcoin contribution to a run", &[id, &step, before, &contribution])
    }

    /// Domain of a step's update.
    pub fn update_domain(id: &[u8; 32], step: u64, before: &[u8; 32]) -> Domain {
        Domain::new("gradientcoin update of a run", &[id, &step.to_le_bytes(), before])
    }
}
