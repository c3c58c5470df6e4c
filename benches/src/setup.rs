//! A model, its keys, and the second step of a run on the fixture corpus: before the first one momentum and low parts are
//! all zero, which commits faster than what a run has from then on.

use backend::curve::{CIRCUIT_VERSION, F, Params, Point, PointSum};
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Config, Draw, Optimizer, Pace, Schedule, Spec, State, Token, draw_batch};
use circuits::segments::SegmentKind;
use circuits::statements::domain::Domain;
use circuits::statements::{
    Assigned, Bundle, Corpus, Disclosure, GenesisProof, MAX_INSTANCES_PER_PROOF, Run, RunData, StateCommitments,
};
use ff::Field;
use halo2_proofs::arithmetic::best_multiexp;
use prover::blinding::fresh;
use prover::engine::ProofInstance;
use prover::step::{Progress, StepKeys, StepOf, StepProver, commit_state};
use prover::trainer::{Recipe, Trainer};
use std::path::Path;
use verifier::StepVerifier;

/// Seed of weights and batches.
pub const SEED: u64 = 1;

/// Environment variable that names the presets to measure, separated by commas; without it `nano` alone.
pub const PRESETS: &str = "GRADIENTCOIN_BENCH_PRESETS";

/// The presets that the environment names.
pub fn presets() -> Vec<String> {
    let names = std::env::var(PRESETS).unwrap_or_else(|_| "nano".into());
    names.split(',').map(|name| name.trim().to_owned()).collect()
}

/// A model of a preset's shape.
pub fn spec(preset: &str) -> Spec {
    Spec::new(Config::preset(preset).unwrap_or_else(|e| panic!("{e}")))
}

/// The fixture corpus.
pub fn corpus() -> Corpus {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus/stories.txt");
    Corpus::of_bytes(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// How the measured runs are trained: momentum is on, as it costs.
pub fn recipe() -> Recipe {
    let decimal = |text: &str| text.parse().expect("a decimal");
    Recipe {
        schedule: Schedule::constant(&decimal("0.05")).expect("a rate"),
        optimizer: Optimizer::Sgd { momentum: decimal("0.9"), weight_decay: Decimal::ZERO, clip: None },
    }
}

/// The batch that the seed assigns to a step's first contribution.
pub fn batch(spec: &Spec, corpus: &Corpus, size: usize, step: u64) -> Vec<Vec<Token>> {
    batch_of(spec, corpus, size, Draw { seed: SEED, step, contribution: 0 })
}

fn batch_of(spec: &Spec, corpus: &Corpus, size: usize, draw: Draw) -> Vec<Vec<Token>> {
    draw_batch(corpus.tokens(), spec.config.context, size, draw).expect("the corpus is long enough")
}

/// A native trainer at its first step.
pub fn trainer(spec: &Spec) -> Trainer {
    let state = State::init(&spec.config, SEED);
    Trainer::new(spec.config.clone(), state, recipe()).expect("the state is one of the model")
}

/// Number of the step that is measured.
const STEP: u64 = 1;

/// What a step of a run of batch 1 is proven and verified with.
pub struct Setup<'p> {
    params: &'p Params,
    /// A verifier has no prepared bases: with them, it would be measured faster than it is.
    plain: Params,
    spec: Spec,
    keys: StepKeys,
    /// Keys of the verifier.
    pub verifier: StepVerifier,
    run: Run,
    first: State,
    /// Before the measured step.
    state: State,
    before: StateCommitments,
    /// Of each contribution.
    batches: Vec<Vec<Vec<Token>>>,
}

impl<'p> Setup<'p> {
    /// Brings keys and the run's beginning together.
    pub fn new(params: &'p Params, spec: Spec, keys: StepKeys, verifier: StepVerifier) -> Self {
        let first = State::init(&spec.config, SEED);
        let genesis = committed(params, &spec, &first);
        let Recipe { schedule, optimizer } = recipe();
        let run = Run {
            circuits: CIRCUIT_VERSION,
            config: spec.config.to_json(),
            genesis: genesis.clone(),
            taken: 0,
            disclosure: Disclosure::Public,
            data: RunData::Corpus(corpus().digest()),
            seed: SEED,
            batch: 1,
            accumulate: 1,
            schedule,
            optimizer,
            instances_per_proof: MAX_INSTANCES_PER_PROOF,
        };
        let plain = Params::from(params.generators().clone());
        let (state, batches) = (first.clone(), vec![]);
        Setup { params, plain, spec, keys, verifier, run, first, state, before: genesis, batches }.accumulating(1)
    }

    /// The same with steps of this many contributions.
    pub fn accumulating(mut self, contributions: u32) -> Self {
        let text = corpus();
        let draw = |step: u64| -> Vec<_> {
            let of_contribution = |contribution| Draw { seed: SEED, step, contribution };
            (0..contributions.into()).map(|c| batch_of(&self.spec, &text, 1, of_contribution(c))).collect()
        };
        let mut trainer = trainer(&self.spec);
        for step in 0..STEP {
            trainer.accumulate(&draw(step)).expect("a step");
        }
        self.batches = draw(STEP);
        self.before = committed(self.params, &self.spec, &trainer.state);
        self.state = trainer.state;
        self.run.accumulate = contributions;
        self
    }

    /// The model.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its keys.
    pub fn keys(&self) -> &StepKeys {
        &self.keys
    }

    /// Proves the step.
    pub fn prove(&self) -> Bundle {
        self.prove_watched(&mut |_| {})
    }

    /// Proves the step, and is told how far it is.
    pub fn prove_watched(&self, progress: &mut Progress<'_>) -> Bundle {
        let prover = StepProver::new(self.params, &self.keys, &self.spec);
        let mut state = self.state.clone();
        let at = StepOf { run: &self.run, step: STEP, before: &self.before };
        let batches: Vec<_> = self.batches.iter().cloned().map(Assigned::from).collect();
        let proven = prover.step(at, &mut state, &batches, progress);
        proven.expect("an honest step is proven").0
    }

    /// Proves that the first state is in range.
    pub fn prove_genesis(&self) -> GenesisProof {
        let prover = StepProver::new(self.params, &self.keys, &self.spec);
        prover.genesis(&self.first, &mut |_| {}).expect("a state in range is proven").0
    }

    /// Verifies that.
    pub fn verify_genesis(&self, proof: &GenesisProof) {
        let verified = self.verifier.verify_genesis(&self.plain, &self.run.genesis, proof);
        verified.expect("an honest proof is accepted");
    }

    /// Verifies the step as a stranger without the corpus does.
    pub fn verify(&self, bundle: &Bundle) {
        let at = (&self.run, STEP, &self.before);
        self.verifier.verify(&self.plain, at, bundle, None).expect("an honest step is accepted");
    }
}

fn committed(params: &Params, spec: &Spec, state: &State) -> StateCommitments {
    commit_state(params, spec, state).expect("the state has commitments")
}

/// So many instances of a segment, filled as for the measured step.
pub fn filled(
    params: &Params,
    keys: &StepKeys,
    spec: &Spec,
    segment: SegmentKind,
    instances: usize,
) -> Vec<ProofInstance> {
    let (prover, text, mut trainer) = (StepProver::new(params, keys, spec), corpus(), trainer(spec));
    for step in 0..STEP {
        trainer.step(&batch(spec, &text, instances, step)).expect("a step");
    }
    let (state, Recipe { schedule, optimizer }) = (trainer.state, trainer.recipe);
    let domain = Domain::new("a measurement", &[]);
    let batch = batch(spec, &text, instances, STEP);
    let of_gradient = prover.gradient_tasks(&domain, &state, &batch).expect("the state is one of the model");
    let (mut tasks, mut inputs) = (of_gradient.tasks, of_gradient.inputs);
    if segment == SegmentKind::Update {
        let predictions = (instances * spec.config.context) as u64;
        let pace = Pace { rates: schedule.rates_at(STEP), step: STEP + 1, predictions, squares: Default::default() };
        let hyper = optimizer.hyper(pace).expect("rates in range");
        let of_update = prover.update_tasks(&domain, &state, &of_gradient.gradients, &hyper);
        let of_update = of_update.expect("values in range");
        (tasks, inputs) = (of_update.tasks, of_update.inputs);
    }
    let mut filled = vec![];
    for task in tasks.iter().filter(|task| task.segment == segment) {
        filled.extend(prover.fill(task, &inputs).expect("values in range"));
    }
    assert!(filled.len() >= instances, "a step has {} of these", filled.len());
    filled.truncate(instances);
    filled
}

/// `2^k` scalars as random as those of a proof.
pub fn scalars(params: &Params) -> Vec<F> {
    let mut rng = fresh().expect("the system has randomness");
    (0..1usize << params.k()).map(|_| F::random(&mut rng)).collect()
}

/// One multi-scalar multiplication over some bases.
pub fn msm(scalars: &[F], bases: &[Point]) -> PointSum {
    best_multiexp(scalars, bases)
}
