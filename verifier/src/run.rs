//! Verifying a run: its steps in order, each from the state that the one before left, all claims in one multi-scalar
//! multiplication.
//!
//! Bundles are given one at a time; what stays in memory of each proof is its claim.
//!
//! Proofs of a step mean something only if the state before it is in range. [`Basis`] says what shows that of the first
//! state: every later one has it by the update before.

use crate::batch::Batch;
use crate::error::{BatchError, Culprit, Part, RunRefused, StepError};
use crate::step::{StepVerifier, genesis_parts, parts};
use backend::curve::{Params, PointSum};
use circuits::model::{Config, State};
use circuits::statements::dataset::Dataset;
use circuits::statements::{Bundle, Corpus, GenesisProof, Layouts, Run, RunData, StateCommitments};
use group::{CurveAffine, Group};

/// What a step of a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSummary {
    /// Number of the step.
    pub step: u64,
    /// Sum of the losses over all predictions, frac 24. Of a private run's step the sum that it discloses, if it does, and if all
    /// steps that belong to it were verified.
    pub loss: Option<u128>,
    /// Predictions of the step, or of the steps that the sum is of.
    pub predictions: u64,
    /// Bytes of its proofs.
    pub proof_bytes: u64,
}

impl StepSummary {
    /// Mean loss per prediction in nats, for display only.
    pub fn mean_loss(&self) -> Option<f64> {
        self.loss.map(|loss| loss as f64 / f64::from(1 << 24) / self.predictions as f64)
    }
}

/// What shows that the state before the first verified step is in range: weights of 17 bits, low parts of 24, momentum of
/// 42.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// A genesis proof whose new state it is; its commitments are canonical, too.
    pub genesis_proof: bool,
    /// The tensors themselves, of which the commitments were computed.
    pub tensors: bool,
    /// The steps before, whose proven updates lead to it: two, or one from a state that is in range.
    pub step_before: bool,
}

impl Basis {
    /// Whether anything shows it. If not, all that was verified holds on the condition that the state is in range.
    pub fn is_some(self) -> bool {
        self.genesis_proof || self.tensors || self.step_before
    }
}

/// A run that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRun {
    /// State before the first step.
    pub before: StateCommitments,
    /// What shows that this state is in range.
    pub basis: Basis,
    /// State after the last step.
    pub after: StateCommitments,
    /// Every step.
    pub steps: Vec<StepSummary>,
    /// Proofs of the steps, openings not counted.
    pub proofs: usize,
    /// Whether the run's data were compared with a corpus: each batch is the one that the seed assigns from it.
    pub corpus: bool,
}

/// A run being verified.
pub struct RunVerifier<'a> {
    params: &'a Params,
    keys: &'a StepVerifier,
    run: &'a Run,
    config: Config,
    /// Given, and that of the run.
    compared: bool,
    /// What batches are compared with; bundles of a run on a data set show theirs.
    corpus: Option<&'a Corpus>,
    batch: Batch<'a>,
    /// Whose the claims in the batch are, in order.
    claims: Vec<Culprit>,
    first: u64,
    before: StateCommitments,
    basis: Basis,
    at: StateCommitments,
    /// Of a private run, what the losses since the last sum that was disclosed add up to; none where a step is missing.
    undisclosed: Option<PointSum>,
    steps: Vec<StepSummary>,
}

impl<'a> RunVerifier<'a> {
    /// Starts at the genesis commitments.
    pub fn new(
        params: &'a Params,
        keys: &'a StepVerifier,
        run: &'a Run,
        corpus: Option<&'a Corpus>,
    ) -> Result<Self, RunRefused> {
        Self::starting_at(params, keys, (run, 0, &run.genesis), corpus)
    }

    /// Starts at a step from a state. What shows that it is in range is for the caller to give:
    /// [`Self::genesis_proof`], [`Self::tensors`], or the step before, see [`Self::after`].
    pub fn starting_at(
        params: &'a Params,
        keys: &'a StepVerifier,
        (run, first, before): (&'a Run, u64, &StateCommitments),
        corpus: Option<&'a Corpus>,
    ) -> Result<Self, RunRefused> {
        let config = run.check()?;
        if *keys.config() != config || keys.variant() != run.variant() {
            return Err(RunRefused::Keys);
        }
        let compared = corpus.is_some();
        let corpus = match (corpus, &run.data) {
            (Some(corpus), RunData::Corpus(digest)) if corpus.digest() == *digest => Some(corpus),
            (Some(corpus), RunData::Dataset(root))
                if Dataset::new(params, config.context, corpus.tokens())?.root() == *root =>
            {
                None
            }
            (Some(_), _) => return Err(RunRefused::Corpus),
            (None, _) => None,
        };
        if first == 0 && *before != run.genesis {
            let source = Box::new(StepError::Before { step: 0 });
            return Err(RunRefused::Step { step: 0, source });
        }
        Ok(RunVerifier {
            params,
            keys,
            run,
            config,
            compared,
            corpus,
            batch: Batch::new(params),
            claims: vec![],
            first,
            before: before.clone(),
            basis: Basis::default(),
            at: before.clone(),
            undisclosed: starts_sum(run, first).then(PointSum::identity),
            steps: vec![],
        })
    }

    /// Starts after some steps, whose proofs are verified with all others, see [`Self::from_here`].
    pub fn after(
        params: &'a Params,
        keys: &'a StepVerifier,
        steps: &'a [Bundle],
        corpus: Option<&'a Corpus>,
    ) -> Result<Self, RunRefused> {
        let first = steps.first().ok_or(RunRefused::Empty)?;
        let verifier = Self::starting_at(params, keys, (&first.run, first.step, &first.before), corpus)?;
        Ok(steps.iter().try_fold(verifier, Self::step)?.from_here())
    }

    /// Begins anew at the state that the steps so far lead to: they are verified with all others, but are no part of what is
    /// shown. The last one's update leaves weights in range, whatever it began with. The momentum that it leaves is the
    /// difference of these and of those before it, so that it takes two steps to show it, or one from a state that is
    /// shown.
    #[must_use]
    pub fn from_here(mut self) -> Self {
        let step_before = self.basis.is_some() && !self.steps.is_empty() || self.steps.len() >= 2;
        self.first = self.next();
        self.steps.clear();
        self.before = self.at.clone();
        self.basis = Basis { step_before, ..Basis::default() };
        self
    }

    /// Checks all of the run's genesis proof but its claims. Must come before the first step, and the run must start at
    /// its first state.
    pub fn genesis_proof(mut self, proof: &GenesisProof) -> Result<Self, RunRefused> {
        if self.next() != 0 || self.before != self.run.genesis {
            return Err(RunRefused::TooLate);
        }
        let refused = |source| RunRefused::Genesis(Box::new(source));
        self.keys.genesis(&mut self.batch, &self.run.genesis, proof).map_err(refused)?;
        self.claims.extend(genesis_parts(proof).into_iter().map(|part| Culprit { step: None, part }));
        self.basis.genesis_proof = true;
        Ok(self)
    }

    /// Computes the commitments of a model's tensors, in range, and requires them to be those of the state before the
    /// first step. Must come before that.
    pub fn tensors(mut self, state: &State) -> Result<Self, RunRefused> {
        if !self.steps.is_empty() {
            return Err(RunRefused::TooLate);
        }
        state.check(&self.config)?;
        let committed = Layouts::new(&self.config).commit_state(self.params, state);
        if committed.as_ref() != Ok(&self.before) {
            return Err(RunRefused::OtherState { step: self.first });
        }
        self.basis.tensors = true;
        Ok(self)
    }

    /// Number of the step that is expected next. That of no step is the last number.
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
        if step == u64::MAX {
            return Err(RunRefused::LastNumber);
        }
        let sequences = self.corpus.map(|corpus| self.run.batches(&self.config, corpus, step)).transpose()?;
        let at = (self.run, step, &self.at);
        let verified = self
            .keys
            .check(self.params, &mut self.batch, at, bundle, sequences.as_deref())
            .map_err(|source| RunRefused::Step { step, source: Box::new(source) })?;
        let parts = parts(self.run, &self.config).into_iter();
        self.claims.extend(parts.map(|part| Culprit { step: Some(step), part }));
        let mut loss = verified.loss;
        if let Some(sums) = verified.losses {
            loss = sums.said;
            let before = sums.before.map_or_else(PointSum::identity, |before| CurveAffine::to_curve(&before));
            match self.undisclosed {
                Some(sum) if loss.is_some() && sum != before => {
                    return Err(RunRefused::Step { step, source: Box::new(StepError::LossesBefore { step }) });
                }
                Some(_) => {}
                None => loss = None,
            }
            self.undisclosed = match starts_sum(self.run, step + 1) {
                true => Some(PointSum::identity()),
                false => self.undisclosed.map(|sum| sum + sums.own),
            };
        }
        let steps = self.run.disclosure.loss_of(step).unwrap_or(1);
        self.steps.push(StepSummary {
            step,
            loss,
            predictions: self.run.predictions(&self.config).saturating_mul(steps),
            proof_bytes: bundle.proof_bytes(),
        });
        self.at = verified.after;
        Ok(self)
    }

    /// Evaluates the one multi-scalar multiplication.
    pub fn finish(self) -> Result<VerifiedRun, RunRefused> {
        if self.steps.is_empty() {
            return Err(RunRefused::Empty);
        }
        let is_of_steps = |claim: &Culprit| {
            claim.step.is_some_and(|step| step >= self.first) && !matches!(claim.part, Part::Canonical | Part::Span)
        };
        match self.batch.finish() {
            Ok(()) => Ok(VerifiedRun {
                before: self.before,
                basis: self.basis,
                after: self.at,
                steps: self.steps,
                proofs: self.claims.iter().filter(|claim| is_of_steps(claim)).count(),
                corpus: self.compared,
            }),
            Err(BatchError::Empty) => Err(RunRefused::Empty),
            Err(BatchError::Invalid(indices)) => {
                let culprits = indices.into_iter().filter_map(|index| self.claims.get(index).copied());
                Err(RunRefused::Invalid(culprits.collect()))
            }
        }
    }
}

/// Whether a sum of losses begins with the losses of this step.
fn starts_sum(run: &Run, step: u64) -> bool {
    step.checked_sub(1).is_none_or(|last| run.disclosure.loss_of(last).is_some())
}
