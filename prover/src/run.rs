//! A run that is proven step by step: what a library user holds.

use crate::error::ProveError;
use crate::private::Secrets;
use crate::step::{Progress, StepKeys, StepOf, StepProver, commit_state};
use backend::curve::{CIRCUIT_VERSION, Params};
use circuits::model::{Optimizer, Schedule, Spec, State, StateError};
use circuits::segments::Privacy;
use circuits::statements::hidden::Opening;
use circuits::statements::{
    Bundle, Disclosure, GenesisProof, MAX_INSTANCES_PER_PROOF, Run, StateCommitments, TrainingData,
};

/// How a run is trained and proven.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Seed of the batches.
    pub seed: u64,
    /// B: sequences of a contribution.
    pub batch: u32,
    /// N: contributions of a step.
    pub accumulate: u32,
    /// Most instances of one circuit that share a proof.
    pub instances_per_proof: u32,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// How the state moves. Its kind must be that of the state's moments.
    pub optimizer: Optimizer,
    /// Steps that the optimizer has taken to the first state.
    pub taken: u64,
    /// What is shown of it: a private run is on a private data set, with keys of private circuits.
    pub disclosure: Disclosure,
}

impl RunOptions {
    /// One sequence a step, SGD without momentum and decay, as many instances in a proof as there may be.
    pub fn new(schedule: Schedule) -> Self {
        RunOptions {
            seed: 0,
            batch: 1,
            accumulate: 1,
            instances_per_proof: MAX_INSTANCES_PER_PROOF,
            schedule,
            optimizer: Optimizer::PLAIN,
            taken: 0,
            disclosure: Disclosure::Public,
        }
    }
}

/// A run from its first state on.
pub struct ProvenRun<'a> {
    params: &'a Params,
    keys: &'a StepKeys,
    spec: &'a Spec,
    data: &'a TrainingData,
    run: Run,
    state: State,
    at: StateCommitments,
    step: u64,
    /// Of a private run: what hides it, and the proof that its first state is in range, which begins it.
    private: Option<(Secrets, GenesisProof)>,
}

impl<'a> ProvenRun<'a> {
    /// Begins a run of a model in `state` on a corpus or a data set. A private one begins with its genesis proof, which takes time.
    ///
    /// # Errors
    /// If the state is not one of the model, or the options contradict each other.
    pub fn begin(
        (params, keys, spec): (&'a Params, &'a StepKeys, &'a Spec),
        state: State,
        data: &'a TrainingData,
        options: RunOptions,
    ) -> Result<Self, ProveError> {
        if keys.config != spec.config {
            return Err(ProveError::Mismatch { what: "the keys' configuration" });
        }
        state.check(&spec.config)?;
        let (expected, found) = (options.optimizer.kind(), state.moments.kind());
        if expected != found {
            return Err(StateError::Optimizer { expected: expected.name(), found: found.name() }.into());
        }
        let RunOptions { seed, batch, accumulate, instances_per_proof, schedule, optimizer, taken, disclosure } =
            options;
        let mut run = Run {
            circuits: CIRCUIT_VERSION,
            config: spec.config.to_json(),
            genesis: StateCommitments::default(),
            taken,
            disclosure,
            data: data.named(),
            seed,
            batch,
            accumulate,
            instances_per_proof,
            schedule,
            optimizer,
        };
        // What is wrong with the run shows before anything is proven.
        run.check_settings(&spec.config)?;
        let (at, private) = match disclosure.privacy() {
            Privacy::Public => (commit_state(params, spec, &state)?, None),
            Privacy::Private => {
                let prover = StepProver::new(params, keys, spec).with_instances_per_proof(instances_per_proof);
                let (secrets, proof, at) = prover.private_genesis(&state, &mut |_| {})?;
                (at, Some((secrets, proof)))
            }
        };
        run.genesis = at.clone();
        run.check()?;
        Ok(ProvenRun { params, keys, spec, data, run, state, at, step: 0, private })
    }

    /// What all of its steps have in common.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The state after the steps taken.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Of a private run, what ties its state to it, for whoever is to see that.
    pub fn opening(&self) -> Result<Opening, ProveError> {
        let (secrets, _) = self.private.as_ref().ok_or(ProveError::Mismatch { what: "the kind of the run" })?;
        Ok(Opening::of(self.run.id()?, self.step, secrets.segments()))
    }

    fn prover(&self) -> StepProver<'a> {
        StepProver::new(self.params, self.keys, self.spec).with_instances_per_proof(self.run.instances_per_proof)
    }

    /// Proves that the first state is in range; before any step. A private run has the proof from its beginning.
    ///
    /// # Errors
    /// After a step, the state is no longer the first one.
    pub fn genesis_proof(&self) -> Result<GenesisProof, ProveError> {
        self.genesis_proof_told(&mut |_| {})
    }

    /// The same, telling how far it is.
    pub fn genesis_proof_told(&self, progress: &mut Progress<'_>) -> Result<GenesisProof, ProveError> {
        if let Some((_, proof)) = &self.private {
            return Ok(proof.clone());
        }
        if self.step > 0 {
            return Err(ProveError::Mismatch { what: "the state after a step" });
        }
        Ok(self.prover().genesis(&self.state, progress)?.0)
    }

    /// Takes and proves the next step, on the sequences that the seed assigns to it.
    pub fn step(&mut self) -> Result<Bundle, ProveError> {
        self.step_told(&mut |_| {})
    }

    /// The same, telling how far it is.
    pub fn step_told(&mut self, progress: &mut Progress<'_>) -> Result<Bundle, ProveError> {
        let batches = self.run.assigned(&self.spec.config, self.data, self.step)?;
        let at = StepOf { run: &self.run, step: self.step, before: &self.at };
        let prover = self.prover();
        let (bundle, after) = match &mut self.private {
            None => prover.step(at, &mut self.state, &batches, progress)?,
            Some((secrets, _)) => prover.private_step(at, (&mut self.state, secrets), &batches, progress)?,
        };
        self.at = after;
        self.step += 1;
        Ok(bundle)
    }
}
