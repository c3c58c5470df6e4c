//! Runs of a model whose attention is none of the presets': grouped queries, heads of a size of their own, biases, scaled
//! angles. Proven and verified, public and private.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, Params};
use backend::parameters;
use circuits::model::{Optimizer, RopeScaling, Schedule, Spec, State, Token};
use circuits::segments::Privacy;
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{Corpus, Disclosure, MAX_INSTANCES_PER_PROOF, Run, RunData, TrainingData};
use common::small;
use prover::step::StepOf;
use prover::{ProvenRun, RunOptions, StepKeys, StepProver};
use std::sync::LazyLock;
use verifier::{RunRefused, RunVerifier, StepError, StepVerifier};

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::of_bytes(&[1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7, 3, 3, 15, 0, 1]));

/// Four heads of queries, two of keys and values, together twice as wide as the hidden size.
fn grouped() -> Spec {
    let mut config = small().config;
    (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(2), Some(4), true);
    let decimal = |text: &str| text.parse().unwrap();
    config.rope_scaling =
        RopeScaling::Llama3 { factor: decimal("8"), low: decimal("0.1"), high: decimal("4"), original: 16 };
    config.check().unwrap();
    Spec::new(config)
}

fn optimizer() -> Optimizer {
    Optimizer::Sgd { momentum: "0.5".parse().unwrap(), weight_decay: "0.01".parse().unwrap() }
}

#[test]
fn a_public_run_of_grouped_queries_and_biases() {
    let spec = grouped();
    let keys = StepKeys::generate(&PARAMS, &spec).unwrap();
    let verifier = StepVerifier::with_keys(&PARAMS, &spec.config, keys.verifying.clone()).unwrap();
    let schedule = Schedule::constant(&"0.1".parse().unwrap()).unwrap();
    let options = RunOptions { batch: 2, optimizer: optimizer(), ..RunOptions::new(schedule) };
    let data = TrainingData::Corpus(CORPUS.clone());
    let first = State::init(&spec.config, 3);
    let mut run = ProvenRun::begin((&PARAMS, &keys, &spec), first.clone(), &data, options).unwrap();
    let genesis = run.genesis_proof().unwrap();
    let bundles = [run.step().unwrap(), run.step().unwrap()];
    let bias = |state: &State| state.w.layers[0].bias.clone().unwrap();
    let (before, after) = (bias(&first), bias(run.state()));
    assert!(before.q != after.q && before.k != after.k && before.v != after.v, "biases are trained");

    let begin =
        || RunVerifier::new(&PARAMS, &verifier, run.run(), Some(&CORPUS)).unwrap().genesis_proof(&genesis).unwrap();
    let verified = bundles.iter().try_fold(begin(), RunVerifier::step).unwrap().finish().unwrap();
    assert!(verified.basis.genesis_proof && verified.steps.len() == 2);

    // A first step with the gradient of other biases than the state's.
    let prover = StepProver::new(&PARAMS, &keys, &spec);
    let (id, at) = (run.run().id().unwrap(), run.run().genesis.clone());
    let batch = run.run().assigned(&spec.config, &data, 0).unwrap().swap_remove(0);
    let mut elsewhere = first;
    elsewhere.w.layers[1].bias.as_mut().unwrap().k.data[5] += 1;
    let domain = Run::contribution_domain(&id, 0, &at.digest(), 0);
    let sequences: Vec<Vec<Token>> = batch.as_ref().to_vec();
    let mut forged = bundles[0].clone();
    forged.contributions[0] = prover.gradient(&domain, &elsewhere, &sequences, &mut |_| {}).unwrap().contribution;
    match RunVerifier::step(begin(), &forged).map(drop).unwrap_err() {
        RunRefused::Step { step: 0, source } => {
            assert!(matches!(*source, StepError::State { port: "weights", .. }), "{source}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_private_run_of_grouped_queries_and_biases() {
    let spec = grouped();
    let keys = StepKeys::generate_of(&PARAMS, &spec, Privacy::Private).unwrap();
    let verifier = StepVerifier::with_keys(&PARAMS, &spec.config, keys.verifying.clone()).unwrap();
    let secret = Some(LeafSecret::new([1; 32]));
    let data = Dataset::new_told(&PARAMS, spec.config.context, CORPUS.tokens(), secret, &mut |_, _| {}).unwrap();
    let prover = StepProver::new(&PARAMS, &keys, &spec);
    let mut state = State::init(&spec.config, 3);
    let (mut secrets, genesis, at) = prover.private_genesis(&state, &mut |_| {}).unwrap();
    let run = Run {
        circuits: CIRCUIT_VERSION,
        config: spec.config.to_json(),
        genesis: at.clone(),
        taken: 0,
        disclosure: Disclosure::Private { loss_steps: 1 },
        data: RunData::Dataset(data.root()),
        seed: 5,
        batch: 1,
        accumulate: 1,
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
        schedule: Schedule::constant(&"0.1".parse().unwrap()).unwrap(),
        optimizer: optimizer(),
    };
    let batches = run.assigned(&spec.config, &TrainingData::Dataset(Box::new(data)), 0).unwrap();
    let of = StepOf { run: &run, step: 0, before: &at };
    let (bundle, after) = prover.private_step(of, (&mut state, &mut secrets), &batches, &mut |_| {}).unwrap();
    let begun = RunVerifier::new(&PARAMS, &verifier, &run, None).unwrap().genesis_proof(&genesis).unwrap();
    let verified = begun.step(&bundle).unwrap().finish().unwrap();
    assert_eq!(verified.after, after);
}
