//! Verifying a run: its steps in order, each from the state that the one before left, all claims in one multi-scalar
//! multiplication.
//!
//! Bundles are given one at a time; what stays in memory of each proof is its claim.

use crate::batch::Batch;
use crate::error::BatchError;
use crate::step::{StepError, StepVerifier};
use circuits::curve::Params;
use circuits::model::{Config, DataError, Draw, draw_batch};
use circuits::statement::{Bundle, INSTANCES_PER_PROOF, Layouts, Run, RunError, StateCommitments, corpus_digest};
use std::fmt;

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
    #[error("the corpus differs from the run's: its digest is not the one that the run names")]
    Corpus,
    /// The corpus is as long as a sequence.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A step is refused.
    #[error("step {step}: {source}")]
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
    #[error("not valid: {}", list(.0))]
    Invalid(Vec<Culprit>),
}

/// A proof that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Step.
    pub step: u64,
    /// Place within the step.
    pub part: Part,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}, {}", self.step, self.part)
    }
}

fn list(culprits: &[Culprit]) -> String {
    culprits.iter().map(Culprit::to_string).collect::<Vec<_>>().join("; ")
}

/// A proof's place within its step.
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
    /// The opening which shows that the new state's commitments are canonical.
    Canonical,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Layers { contribution, index } => write!(f, "contribution {contribution}, layer proof {index}"),
            Part::Heads { contribution, index } => write!(f, "contribution {contribution}, head proof {index}"),
            Part::Update { index } => write!(f, "update proof {index}"),
            Part::Canonical => f.write_str("opening of the new state's commitments"),
        }
    }
}

/// Number of a step's proofs, the opening not counted.
pub fn proofs(run: &Run, config: &Config) -> usize {
    parts(run, config).len() - 1
}

/// Places of a step's claims, in the order in which they are checked.
fn parts(run: &Run, config: &Config) -> Vec<Part> {
    let proofs = |instances: usize| 0..instances.div_ceil(INSTANCES_PER_PROOF);
    let batch = run.batch as usize;
    let mut parts = vec![];
    for contribution in 0..run.accumulate {
        parts.extend(proofs(batch * config.layers).map(|index| Part::Layers { contribution, index }));
        parts.extend(proofs(batch).map(|index| Part::Heads { contribution, index }));
    }
    parts.extend(proofs(Layouts::new(config).updates().len()).map(|index| Part::Update { index }));
    parts.push(Part::Canonical);
    parts
}

/// What a step of a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSummary {
    /// Number of the step.
    pub step: u64,
    /// Sum of the losses over all predictions, frac 24.
    pub loss: u128,
    /// Predictions of the step.
    pub predictions: u64,
    /// Bytes of its proofs.
    pub proof_bytes: u64,
}

impl StepSummary {
    /// Mean loss per prediction in nats, for display only.
    pub fn mean_loss(&self) -> f64 {
        self.loss as f64 / f64::from(1 << 24) / self.predictions as f64
    }
}

/// A run that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRun {
    /// State after the last step.
    pub after: StateCommitments,
    /// Every step.
    pub steps: Vec<StepSummary>,
    /// Proofs in the multi-scalar multiplication, openings not counted.
    pub proofs: usize,
    /// Whether the batches were compared with a corpus.
    pub corpus: bool,
}

/// A run being verified.
pub struct RunVerifier<'a> {
    params: &'a Params,
    keys: &'a StepVerifier,
    run: &'a Run,
    config: Config,
    corpus: Option<&'a [u8]>,
    batch: Batch<'a>,
    first: u64,
    at: StateCommitments,
    steps: Vec<StepSummary>,
}

impl<'a> RunVerifier<'a> {
    /// Starts at the genesis commitments.
    pub fn new(
        params: &'a Params,
        keys: &'a StepVerifier,
        run: &'a Run,
        corpus: Option<&'a [u8]>,
    ) -> Result<Self, RunRefused> {
        Self::starting_at(params, keys, (run, 0, &run.genesis), corpus)
    }

    /// Starts at a step from a state, which the caller vouches for.
    pub fn starting_at(
        params: &'a Params,
        keys: &'a StepVerifier,
        (run, first, before): (&'a Run, u64, &StateCommitments),
        corpus: Option<&'a [u8]>,
    ) -> Result<Self, RunRefused> {
        let config = run.check()?;
        if *keys.config() != config {
            return Err(RunRefused::Keys);
        }
        if corpus.is_some_and(|corpus| corpus_digest(corpus) != run.corpus) {
            return Err(RunRefused::Corpus);
        }
        let batch = Batch::new(params);
        Ok(RunVerifier { params, keys, run, config, corpus, batch, first, at: before.clone(), steps: vec![] })
    }

    /// Number of the step that is expected next.
    pub fn next(&self) -> u64 {
        self.first + self.steps.len() as u64
    }

    /// The steps so far; they are not verified before [`Self::finish`].
    pub fn steps(&self) -> &[StepSummary] {
        &self.steps
    }

    /// Checks all of the next step but its claims, which are left for [`Self::finish`]. A refused step ends the run.
    pub fn step(mut self, bundle: &Bundle) -> Result<Self, RunRefused> {
        let step = self.next();
        let sequences = self.corpus.map(|corpus| self.draw(corpus, step)).transpose()?;
        let at = (self.run, step, &self.at);
        let verified = self
            .keys
            .check(self.params, &mut self.batch, at, bundle, sequences.as_deref())
            .map_err(|source| RunRefused::Step { step, source: Box::new(source) })?;
        self.steps.push(StepSummary {
            step,
            loss: verified.loss,
            predictions: self.run.predictions(&self.config),
            proof_bytes: bundle.proof_bytes(),
        });
        self.at = verified.after;
        Ok(self)
    }

    fn draw(&self, corpus: &[u8], step: u64) -> Result<Vec<Vec<Vec<u8>>>, DataError> {
        let draw = |contribution| {
            let draw = Draw { seed: self.run.seed, step, contribution };
            draw_batch(corpus, self.config.context, self.run.batch as usize, draw)
        };
        (0..u64::from(self.run.accumulate)).map(draw).collect()
    }

    /// Evaluates the one multi-scalar multiplication.
    pub fn finish(self) -> Result<VerifiedRun, RunRefused> {
        let proofs = self.steps.len() * proofs(self.run, &self.config);
        let culprit = |index: usize| {
            let parts = parts(self.run, &self.config);
            Culprit { step: self.first + (index / parts.len()) as u64, part: parts[index % parts.len()] }
        };
        match self.batch.finish() {
            Ok(()) => Ok(VerifiedRun { after: self.at, steps: self.steps, proofs, corpus: self.corpus.is_some() }),
            Err(BatchError::Empty) => Err(RunRefused::Empty),
            Err(BatchError::Invalid(indices)) => Err(RunRefused::Invalid(indices.into_iter().map(culprit).collect())),
        }
    }
}
