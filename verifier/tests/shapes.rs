//! Runs of models of other shapes than the presets': grouped queries, heads of a size of their own, biases, scaled angles, a
//! vocabulary beyond bytes. Proven and verified, public and private.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, Params};
use backend::parameters;
use circuits::model::{Optimizer, RopeScaling, Schedule, Spec, State, Token};
use circuits::segments::Privacy;
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{Corpus, Disclosure, MAX_INSTANCES_PER_PROOF, Run, RunData, TrainingData};
use common::small;
use prover::step::{StepOf, commit_state};
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
    Optimizer::Sgd { momentum: "0.5".parse().unwrap(), weight_decay: "0.01".parse().unwrap(), clip: None }
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

/// A whole step of 4,096 tokens: a corpus of more tokens than bytes is a data set, whose leaves are shown.
#[test]
fn a_step_of_a_vocabulary_of_4096() {
    let mut config = small().config;
    (config.vocab, config.hidden, config.context, config.layers) = (4096, 16, 8, 1);
    config.check().unwrap();
    let params = parameters::load(None, config.k()).unwrap().params;
    let spec = Spec::new(config);
    let keys = StepKeys::generate(&params, &spec).unwrap();
    let verifier = StepVerifier::with_keys(&params, &spec.config, keys.verifying.clone()).unwrap();
    let tokens: Vec<Token> = (0..40u32).map(|i| (i * i * 131 % 4096) as Token).collect();
    assert!(tokens.iter().any(|&token| token > 255));
    let data = TrainingData::Dataset(Box::new(Dataset::new(&params, spec.config.context, &tokens).unwrap()));
    let schedule = Schedule::constant(&"0.1".parse().unwrap()).unwrap();
    let options = RunOptions { optimizer: optimizer(), ..RunOptions::new(schedule) };
    let first = State::init(&spec.config, 3);
    let mut run = ProvenRun::begin((&params, &keys, &spec), first, &data, options).unwrap();
    let genesis = run.genesis_proof().unwrap();
    let bundle = run.step().unwrap();
    let begin = || RunVerifier::new(&params, &verifier, run.run(), None).unwrap().genesis_proof(&genesis).unwrap();
    let verified = begin().step(&bundle).unwrap().finish().unwrap();
    assert!(verified.basis.genesis_proof && verified.after == commit_state(&params, &spec, run.state()).unwrap());

    // The same sequence but for one token, 256 away, is none of the data set.
    let prover = StepProver::new(&params, &keys, &spec);
    let (id, at) = (run.run().id().unwrap(), run.run().genesis.clone());
    let mut sequences = run.run().assigned(&spec.config, &data, 0).unwrap().swap_remove(0).sequences;
    sequences[0][5] ^= 256;
    let domain = Run::contribution_domain(&id, 0, &at.digest(), 0);
    let mut forged = bundle.clone();
    let state = State::init(&spec.config, 3);
    forged.contributions[0] = prover.gradient(&domain, &state, &sequences, &mut |_| {}).unwrap().contribution;
    assert!(matches!(RunVerifier::step(begin(), &forged).map(drop), Err(RunRefused::Step { step: 0, .. })));
}
