//! Keys, proof sizes and a proven step of `nano`, pinned: the statement cannot change in silence.
//!
//! `GRADIENTCOIN_REGENERATE=1 cargo test -p verifier --test golden` writes them anew, which is right only when the
//! circuits were meant to change.
#![allow(clippy::unwrap_used)]

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K};
use backend::parameters;
use backend::ports::commit_canonical;
use circuits::model::{
    Config, Draw, Optimizer, OptimizerKind, Pace, Rates, Schedule, Slot, Spec, SquareSum, State, Token, UpdateKind,
    draw_batch, tokens_of_bytes,
};
use circuits::ops::adamw::Betas;
use circuits::segments::{Privacy, UpdatePort, Variant};
use circuits::statements::codec::{decode, encode};
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{
    Bundle, Corpus, Disclosure, GenesisProof, MAX_INSTANCES_PER_PROOF, Run, RunData, RunError, StateCommitments,
    TrainingData, corpus_digest,
};
use group::GroupEncoding;
use prover::step::{StepKeys, StepOf, StepProver, commit_state};
use prover::trainer::batch_gradient;
use prover::{ProvenRun, RunOptions};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use verifier::{Part, RunRefused, RunVerifier, StepError, StepVerifier, VerifyError};

const CORPUS: &[u8] = include_bytes!("../../fixtures/corpus/stories.txt");
const DRAW: Draw = Draw { seed: 1, step: 0, contribution: 0 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden").join(name)
}

/// A line per circuit: name, key digest, bytes of a proof of one instance.
fn keys(verifier: &StepVerifier) -> String {
    let mut text = String::new();
    for (name, key) in
        [("layer", &verifier.keys().layer), ("head", &verifier.keys().head), ("update", &verifier.keys().update)]
    {
        let digest: String = key.digest.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(text, "{name} {digest} {}", key.shape.proof_length(1)).unwrap();
    }
    text
}

/// The pinned run of a kind.
fn run(spec: &Spec, genesis: &StateCommitments, disclosure: Disclosure, data: RunData) -> Run {
    Run {
        circuits: CIRCUIT_VERSION,
        config: spec.config.to_json(),
        genesis: genesis.clone(),
        taken: 0,
        disclosure,
        data,
        seed: DRAW.seed,
        batch: 1,
        accumulate: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: "0".parse().unwrap(), clip: None },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
    }
}

fn regenerate(params: &backend::curve::Params, spec: &Spec, verifier: &StepVerifier) {
    let first = State::init(&spec.config, 1);
    let mut state = first.clone();
    let genesis = commit_state(params, spec, &state).unwrap();
    let run = run(spec, &genesis, Disclosure::Public, RunData::Corpus(corpus_digest(CORPUS)));
    let keys_made = StepKeys::generate(params, spec).unwrap();
    let prover = StepProver::new(params, &keys_made, spec);
    let batch = draw_batch(&tokens_of_bytes(CORPUS), spec.config.context, 1, DRAW).unwrap();
    let (bundle, _) =
        prover.step(StepOf { run: &run, step: 0, before: &genesis }, &mut state, &[batch.into()], &mut |_| {}).unwrap();
    let (proof, _) = prover.genesis(&first, &mut |_| {}).unwrap();
    fs::write(fixture("nano-genesis.proof"), encode(&proof).unwrap()).unwrap();
    fs::write(fixture("nano-keys.txt"), keys(verifier)).unwrap();
    fs::write(fixture("nano-step.bundle"), encode(&bundle).unwrap()).unwrap();
}

#[test]
fn the_pinned_step_is_accepted_under_the_pinned_keys() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(Config::NANO);
    let verifier = StepVerifier::new(&params, &spec.config).unwrap();
    if std::env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        regenerate(&params, &spec, &verifier);
    }
    assert_eq!(keys(&verifier), fs::read_to_string(fixture("nano-keys.txt")).unwrap());

    let bundle: Bundle = decode(&fs::read(fixture("nano-step.bundle")).unwrap()).unwrap();
    let genesis = commit_state(&params, &spec, &State::init(&spec.config, 1)).unwrap();
    assert_eq!(bundle.before, genesis);
    let batch = vec![draw_batch(&tokens_of_bytes(CORPUS), spec.config.context, 1, DRAW).unwrap()];
    let run = bundle.run.clone();
    let verified = verifier.verify(&params, (&run, 0, &genesis), &bundle, Some(&batch)).unwrap();
    assert_eq!(verified.loss, Some(bundle.contributions[0].losses[0].into()));

    // The same step under another statement: each rule has its own error.
    let check =
        |bundle: &Bundle, batch: &[Vec<Vec<Token>>]| verifier.verify(&params, (&run, 0, &genesis), bundle, Some(batch));
    let altered = |f: &dyn Fn(&mut Bundle)| {
        let mut altered = bundle.clone();
        f(&mut altered);
        check(&altered, &batch).unwrap_err()
    };
    let mut other = batch.clone();
    other[0][0][3] ^= 1;
    assert!(matches!(check(&bundle, &other), Err(StepError::Batch { .. })));
    assert!(matches!(altered(&|b| b.step = 1), StepError::Number { expected: 0, found: 1 }));
    assert!(matches!(altered(&|b| b.run.seed = 2), StepError::OtherRun));
    assert!(matches!(altered(&|b| b.before.segments[0].w.swap(0, 1)), StepError::Before { .. }));
    assert!(matches!(altered(&|b| b.contributions.clear()), StepError::Count { what: "contributions", .. }));
    assert!(matches!(altered(&|b| b.contributions[0].losses.push(1)), StepError::Count { what: "losses", .. }));
    assert!(matches!(altered(&|b| b.updates.clear()), StepError::Count { what: "proofs", .. }));
    // Batches that are missing are not batches that match, and keys of another configuration check nothing.
    let none = verifier.verify(&params, (&run, 0, &genesis), &bundle, Some(&[]));
    assert!(matches!(none, Err(StepError::Count { what: "assigned batches", .. })));
    let mut untied = run.clone();
    untied.config = Config::NANO.untied().to_json();
    let refused = verifier.verify(&params, (&untied, 0, &genesis), &bundle, None);
    assert!(matches!(refused, Err(StepError::Run(_) | StepError::Keys)), "{refused:?}");
    // A loss off by one: the public value is that of another proof.
    let StepError::Invalid(parts) = altered(&|b| b.contributions[0].losses[0] += 1) else { panic!("another rule") };
    assert_eq!(parts, [Part::Heads { contribution: 0, index: 0 }]);
    let as_of = |alter: &dyn Fn(&mut Run)| {
        let mut renamed = bundle.clone();
        alter(&mut renamed.run);
        let other = renamed.run.clone();
        verifier.verify(&params, (&other, 0, &genesis), &renamed, None).unwrap_err()
    };
    // The run's identity is in all contexts, the rate in the update's dividends.
    let refused = as_of(&|run| run.data = RunData::Corpus([7; 32]));
    assert!(matches!(&refused, StepError::Invalid(parts) if parts.len() == 3), "{refused:?}");
    let refused = as_of(&|run| run.schedule = Schedule::constant(&"0.06".parse().unwrap()).unwrap());
    assert!(matches!(&refused, StepError::Entering { segment: 0, port: UpdatePort::Dividends }), "{refused:?}");
}

/// 7.1: the pinned proof shows that `nano`'s first state of seed 1 is in range, and nothing else does.
#[test]
fn the_pinned_genesis_proof_is_of_one_model() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(Config::NANO);
    let verifier = StepVerifier::new(&params, &spec.config).unwrap();
    let proof: GenesisProof = decode(&fs::read(fixture("nano-genesis.proof")).unwrap()).unwrap();
    let state = commit_state(&params, &spec, &State::init(&spec.config, 1)).unwrap();
    verifier.verify_genesis(&params, &state, &proof).unwrap();

    let refused = |state: &StateCommitments, alter: &dyn Fn(&mut GenesisProof)| {
        let mut altered = proof.clone();
        alter(&mut altered);
        verifier.verify_genesis(&params, state, &altered).unwrap_err()
    };
    let no_updates = refused(&state, &|p| p.updates.clear());
    assert!(matches!(no_updates, StepError::Count { what: "proofs", expected: 1, found: 0 }));
    let twice = refused(&state, &|p| p.updates.push(p.updates[0].clone()));
    assert!(matches!(twice, StepError::Count { what: "proofs", expected: 1, found: 2 }));
    let StepError::Invalid(parts) = refused(&state, &|p| *p.updates[0].iter_mut().rev().nth(63).unwrap() ^= 1) else {
        panic!("another rule")
    };
    assert_eq!(parts, [Part::Update { index: 0 }]);
    let blinded = refused(&state, &|p| *p.canonical.last_mut().unwrap() ^= 1);
    assert!(matches!(blinded, StepError::Canonical { source: VerifyError::Blind }));
    // The domain holds the state: for another one the challenges are others, and the ports are not its.
    for (alter, port) in [
        ((|s| s.segments[1].w.swap(0, 1)) as fn(&mut StateCommitments), "weights"),
        (|s| s.segments[1].slots.get_mut(&Slot::Low).unwrap().swap(0, 1), "low parts"),
    ] {
        let mut other = state.clone();
        alter(&mut other);
        let error = refused(&other, &|_| ());
        assert!(matches!(error, StepError::Genesis { segment: 1, port: p } if p == port), "{error}");
    }
    // A state in motion takes as many instances more.
    let mut moving = state.clone();
    let w = moving.segments[1].w.clone();
    moving.segments[1].slots.insert(Slot::Momentum, w);
    let error = refused(&moving, &|_| ());
    let StepError::Proof { part: "genesis update", index: 0, source } = error else { panic!("{error}") };
    assert!(matches!(source, VerifyError::ProofLength { .. }), "{source}");
    let mut short = state.clone();
    short.segments.pop();
    assert!(matches!(refused(&short, &|_| ()), StepError::Run(RunError::Shape { .. })));
    // The proofs of a step's update are no genesis proof of the weights that it leaves: integers and domain are others.
    let bundle: Bundle = decode(&fs::read(fixture("nano-step.bundle")).unwrap()).unwrap();
    let at = (&bundle.run, bundle.step, &bundle.before);
    let mut after = verifier.verify(&params, at, &bundle, None).unwrap().after;
    let zero = commit_canonical(&params, &[]).unwrap().to_bytes();
    for segment in &mut after.segments {
        segment.slots.get_mut(&Slot::Momentum).unwrap().fill(zero);
    }
    let of_step = GenesisProof { updates: bundle.updates, canonical: bundle.canonical, ..proof };
    let error = verifier.verify_genesis(&params, &after, &of_step).unwrap_err();
    let all = [Part::Update { index: 0 }, Part::Canonical];
    assert!(matches!(&error, StepError::Invalid(parts) if *parts == all), "{error}");
}

/// Proves a private step of `nano` and its first state; writes both.
fn regenerate_private(params: &backend::curve::Params, spec: &Spec) {
    let keys = StepKeys::generate_of(params, spec, Privacy::Private).unwrap();
    let prover = StepProver::new(params, &keys, spec);
    let mut state = State::init(&spec.config, 1);
    let (mut secrets, genesis_proof, genesis) = prover.private_genesis(&state, &mut |_| {}).unwrap();
    let secret = Some(LeafSecret::new([1; 32]));
    let dataset =
        Dataset::new_told(params, spec.config.context, &tokens_of_bytes(CORPUS), secret, &mut |_, _| {}).unwrap();
    let data = TrainingData::Dataset(Box::new(dataset));
    let run = run(spec, &genesis, Disclosure::Private { loss_steps: 1 }, data.named());
    let batches = run.assigned(&spec.config, &data, 0).unwrap();
    let at = StepOf { run: &run, step: 0, before: &genesis };
    let (bundle, _) = prover.private_step(at, (&mut state, &mut secrets), &batches, &mut |_| {}).unwrap();
    fs::write(fixture("nano-private-genesis.proof"), encode(&genesis_proof).unwrap()).unwrap();
    fs::write(fixture("nano-private-step.bundle"), encode(&bundle).unwrap()).unwrap();
}

/// A private step: nothing but its files is needed, and nothing else can be compared.
#[test]
fn the_pinned_private_step_is_accepted() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(Config::NANO);
    let verifier = StepVerifier::of(&params, Privacy::Private, &spec.config).unwrap();
    assert_eq!(Some(*verifier.digest()), verifier::keys::pinned(Privacy::Private.into(), &spec.config));
    if std::env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        regenerate_private(&params, &spec);
    }
    let bundle: Bundle = decode(&fs::read(fixture("nano-private-step.bundle")).unwrap()).unwrap();
    let proof: GenesisProof = decode(&fs::read(fixture("nano-private-genesis.proof")).unwrap()).unwrap();
    let run = bundle.run.clone();
    let begun = || RunVerifier::new(&params, &verifier, &run, None).unwrap().genesis_proof(&proof).unwrap();
    let verified = begun().step(&bundle).unwrap().finish().unwrap();
    assert_eq!(verified.steps[0].loss, bundle.private.as_ref().unwrap().loss.as_ref().map(|loss| loss.sum));
    // One byte near the end of each proof: the culprit is named.
    let culprit = |alter: &dyn Fn(&mut Bundle) -> &mut Vec<u8>| {
        let mut altered = bundle.clone();
        let bytes = alter(&mut altered);
        let at = bytes.len() - 64;
        bytes[at] ^= 1;
        match verifier.verify(&params, (&run, 0, &run.genesis), &altered, None).unwrap_err() {
            StepError::Invalid(parts) => parts,
            other => panic!("{other}"),
        }
    };
    // What the wires are folded by is hashed from all proofs.
    let (layers, heads) = (Part::Layers { contribution: 0, index: 0 }, Part::Heads { contribution: 0, index: 0 });
    assert_eq!(culprit(&|b| &mut b.contributions[0].layers[0]), [layers, Part::Span]);
    assert_eq!(culprit(&|b| &mut b.contributions[0].heads[0]), [heads, Part::Span]);
    assert_eq!(culprit(&|b| &mut b.updates[0]), [Part::Update { index: 0 }, Part::Span]);
    assert_eq!(culprit(&|b| &mut b.private.as_mut().unwrap().span), [Part::Span]);
    let mut altered = proof.clone();
    let at = altered.updates[0].len() - 64;
    altered.updates[0][at] ^= 1;
    let refused = verifier.verify_genesis(&params, &run.genesis, &altered);
    assert!(matches!(&refused, Err(StepError::Invalid(parts)) if *parts == [Part::Update { index: 0 }]), "{refused:?}");
    let mut other = run.genesis.clone();
    other.segments[0].w.swap(0, 1);
    let refused = verifier.verify_genesis(&params, &other, &proof);
    assert!(matches!(&refused, Err(StepError::Genesis { segment: 0, port: "weights" })), "{refused:?}");
}

/// A step of AdamW from a state in motion, with the proof that this is in range.
#[test]
fn the_pinned_step_of_adamw_is_accepted() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(Config::NANO);
    let variant = Variant::public(UpdateKind::AdamW);
    let verifier = StepVerifier::of(&params, variant, &spec.config).unwrap();
    assert_eq!(Some(*verifier.digest()), verifier::keys::pinned(variant, &spec.config));
    if std::env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        regenerate_adamw(&params, &spec);
    }
    let bundle: Bundle = decode(&fs::read(fixture("nano-adamw-step.bundle")).unwrap()).unwrap();
    let proof: GenesisProof = decode(&fs::read(fixture("nano-adamw-genesis.proof")).unwrap()).unwrap();
    let run = bundle.run.clone();
    let corpus = Corpus::of_bytes(CORPUS);
    let begun = RunVerifier::new(&params, &verifier, &run, Some(&corpus)).unwrap().genesis_proof(&proof).unwrap();
    let verified = begun.step(&bundle).unwrap().finish().unwrap();
    assert_eq!(verified.steps.len(), 1);
    // What is committed to before and after is of the reference.
    let mut state = second_state(&spec);
    assert_eq!(bundle.before, commit_state(&params, &spec, &state).unwrap());
    let sequences = run.assigned(&spec.config, &TrainingData::Corpus(corpus), 0).unwrap().swap_remove(0).sequences;
    let gradients = batch_gradient(&spec, &state.w, &sequences).unwrap().gradients;
    let hyper = run.hyper(&spec.config, 0, SquareSum::total(&bundle.squares)).unwrap();
    state.update(&hyper, &gradients, &mut Default::default()).unwrap();
    assert_eq!(verified.after, commit_state(&params, &spec, &state).unwrap());
    // Nor is it a step of another optimizer.
    let of_sgd = StepVerifier::new(&params, &spec.config).unwrap();
    assert!(matches!(RunVerifier::new(&params, &of_sgd, &run, None).map(drop), Err(RunRefused::Keys)));
}

fn adamw() -> Optimizer {
    let [beta1, beta2, eps, weight_decay, clip] =
        ["0.9", "0.999", "1e-8", "0.01", "1"].map(|text| text.parse().unwrap());
    Optimizer::AdamW(Betas { beta1, beta2, eps, weight_decay, clip })
}

/// After one step.
fn second_state(spec: &Spec) -> State {
    let mut state = State::init(&spec.config, 1).at_rest_of(OptimizerKind::AdamW);
    let batch = draw_batch(&tokens_of_bytes(CORPUS), spec.config.context, 1, DRAW).unwrap();
    let gradients = batch_gradient(spec, &state.w, &batch).unwrap().gradients;
    let rates = Rates::constant(1 << 26);
    let pace = Pace { rates, step: 1, predictions: spec.config.context as u64, squares: gradients.squares() };
    state.update(&adamw().hyper(pace).unwrap(), &gradients, &mut Default::default()).unwrap();
    state
}

fn regenerate_adamw(params: &backend::curve::Params, spec: &Spec) {
    let keys = StepKeys::generate_of(params, spec, Variant::public(UpdateKind::AdamW)).unwrap();
    let data = TrainingData::Corpus(Corpus::of_bytes(CORPUS));
    let schedule = Schedule::stable(&"0.003".parse().unwrap(), (100, 10, 20), &"0.1".parse().unwrap()).unwrap();
    let options = RunOptions { optimizer: adamw(), taken: 1, seed: DRAW.seed, ..RunOptions::new(schedule) };
    let mut run = ProvenRun::begin((params, &keys, spec), second_state(spec), &data, options).unwrap();
    fs::write(fixture("nano-adamw-genesis.proof"), encode(&run.genesis_proof().unwrap()).unwrap()).unwrap();
    fs::write(fixture("nano-adamw-step.bundle"), encode(&run.step().unwrap()).unwrap()).unwrap();
}
