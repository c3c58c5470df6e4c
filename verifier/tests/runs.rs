//! Runs as a library user holds them: proven and verified, with as few instances in a proof as there may be.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{DEFAULT_K, Params};
use backend::parameters;
use circuits::model::{Optimizer, Schedule, Spec, State};
use circuits::statements::dataset::{Dataset, DatasetError, DatasetRoot, MerkleProof};
use circuits::statements::{AssignError, Bundle, Corpus, GenesisProof, Leaf, RunData, RunError, TrainingData};
use common::small;
use prover::step::StepOf;
use prover::{ProveError, ProvenRun, RunOptions, StepKeys, StepProver};
use std::sync::LazyLock;
use verifier::{RunRefused, RunVerifier, StepError, StepVerifier};

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

#[derive(Clone)]
struct Proven {
    run: circuits::statements::Run,
    genesis: GenesisProof,
    bundles: Vec<Bundle>,
}

static KEYS: LazyLock<(Spec, StepKeys, StepVerifier)> = LazyLock::new(|| {
    let spec = small();
    let keys = StepKeys::generate(&PARAMS, &spec).unwrap();
    let verifier = StepVerifier::with_keys(&PARAMS, &spec.config, keys.verifying.clone()).unwrap();
    (spec, keys, verifier)
});

const TEXT: &[u8] = &[1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7, 3, 3, 15, 0, 1];
static CORPUS: LazyLock<Corpus> = LazyLock::new(|| Corpus::of_bytes(TEXT));

/// A step of one sequence, so many instances in a proof.
fn proven(instances_per_proof: u32) -> Proven {
    proven_on(&TrainingData::Corpus(CORPUS.clone()), instances_per_proof, 1)
}

/// A step of so many sequences in each of so many contributions.
fn proven_on(data: &TrainingData, instances_per_proof: u32, sequences: u32) -> Proven {
    let (spec, keys, _) = &*KEYS;
    let options = RunOptions {
        instances_per_proof,
        batch: sequences,
        accumulate: sequences,
        optimizer: Optimizer::Sgd {
            momentum: "0.5".parse().unwrap(),
            weight_decay: "0.01".parse().unwrap(),
            clip: None,
        },
        ..RunOptions::new(Schedule::constant(&"0.1".parse().unwrap()).unwrap())
    };
    let first = State::init(&spec.config, 3);
    let mut run = ProvenRun::begin((&PARAMS, keys, spec), first.clone(), data, options).unwrap();
    let genesis = run.genesis_proof().unwrap();
    let bundles = vec![run.step().unwrap()];
    assert_eq!(run.steps(), 1);
    assert_ne!(*run.state(), first);
    assert!(matches!(run.genesis_proof(), Err(ProveError::Mismatch { .. })));
    Proven { run: run.run().clone(), genesis, bundles }
}

fn verify(p: &Proven) -> Result<verifier::VerifiedRun, RunRefused> {
    let begun = RunVerifier::new(&PARAMS, &KEYS.2, &p.run, Some(&CORPUS))?.genesis_proof(&p.genesis)?;
    p.bundles.iter().try_fold(begun, RunVerifier::step)?.finish()
}

#[test]
fn the_number_of_instances_in_a_proof_is_part_of_the_statement() {
    let one = proven(1);
    // Two layer instances, one head, an update each for three segments.
    let proofs = |p: &Proven| {
        let bundle = &p.bundles[0];
        (bundle.contributions[0].layers.len(), bundle.contributions[0].heads.len(), bundle.updates.len())
    };
    let verified = verify(&one).unwrap();
    assert!(verified.basis.genesis_proof && verified.corpus && verified.steps.len() == 1);
    assert_eq!((proofs(&one), one.genesis.updates.len()), ((2, 1, 3), 3));

    let three = proven(3);
    assert_eq!((proofs(&three), three.genesis.updates.len()), ((1, 1, 1), 1));
    assert_eq!(verify(&three).unwrap().after, verified.after, "what is computed does not depend on it");

    // A bundle of one run is none of the other.
    let of_step = |p: &Proven| match verify(p).unwrap_err() {
        RunRefused::Step { step: 0, source } => *source,
        other => panic!("{other}"),
    };
    let mixed = Proven { bundles: three.bundles.clone(), ..one.clone() };
    assert!(matches!(of_step(&mixed), StepError::OtherRun));
    // Nor does it become one by saying so: the number of proofs is another, and the run's identity is in every domain.
    let mut claimed = one.clone();
    claimed.run.instances_per_proof = 3;
    claimed.bundles.iter_mut().for_each(|bundle| bundle.run.instances_per_proof = 3);
    assert!(matches!(of_step(&claimed), StepError::Count { what: "proofs", expected: 1, found: 2 }));
    // A genesis proof is of its own number.
    let other = Proven { genesis: three.genesis.clone(), ..one.clone() };
    verify(&other).unwrap();
    let mut wrong = one.clone();
    wrong.genesis.instances_per_proof = 3;
    assert!(
        matches!(verify(&wrong), Err(RunRefused::Genesis(e)) if matches!(*e, StepError::Count { what: "proofs", .. }))
    );

    for count in [0, 9] {
        let mut none = one.clone();
        none.run.instances_per_proof = count;
        let refused = RunVerifier::new(&PARAMS, &KEYS.2, &none.run, None).map(drop);
        assert!(matches!(refused, Err(RunRefused::Run(RunError::Instances(c))) if c == count));
        none = one.clone();
        none.genesis.instances_per_proof = count;
        let Err(RunRefused::Genesis(error)) = verify(&none) else { panic!("accepted") };
        assert!(matches!(*error, StepError::Run(RunError::Instances(c)) if c == count));
    }
}

/// A run on a data set: bundles show that each sequence is the leaf that the seed assigns, to who knows the root alone.
#[test]
fn a_run_on_a_data_set_shows_its_batches() {
    let context = KEYS.0.config.context;
    let data = Dataset::new(&PARAMS, context, CORPUS.tokens()).unwrap();
    let root = data.root();
    let honest = proven_on(&TrainingData::Dataset(Box::new(data.clone())), 8, 2);
    assert_eq!((honest.run.data, honest.bundles[0].leaves.len()), (RunData::Dataset(root), 4));
    let assigned = honest.run.assigned_leaves(&root, 0).concat();
    assert!(assigned.iter().any(|&leaf| leaf != assigned[0]), "{assigned:?}");

    let alone = |p: &Proven| {
        let begun = RunVerifier::new(&PARAMS, &KEYS.2, &p.run, None)?.genesis_proof(&p.genesis)?;
        p.bundles.iter().try_fold(begun, RunVerifier::step)?.finish()
    };
    assert!(!alone(&honest).unwrap().corpus);
    assert!(verify(&honest).unwrap().corpus);
    // Another corpus is another data set; bytes at the end, which fill no sequence, belong to neither.
    let mut other = TEXT.to_vec();
    let with = |text: &[u8]| RunVerifier::new(&PARAMS, &KEYS.2, &honest.run, Some(&Corpus::of_bytes(text))).map(drop);
    other.extend([3, 3, 3]);
    with(&other).unwrap();
    other[2] ^= 1;
    assert!(matches!(with(&other), Err(RunRefused::Corpus)));
    assert!(matches!(with(&[1; 4]), Err(RunRefused::Dataset(DatasetError::TooShort { .. }))));

    let refused = |alter: &dyn Fn(&mut Bundle)| {
        let mut altered = honest.clone();
        alter(&mut altered.bundles[0]);
        match alone(&altered).unwrap_err() {
            RunRefused::Step { step: 0, source } => *source,
            other => panic!("{other}"),
        }
    };
    let count = |error: StepError| matches!(error, StepError::Count { what: "leaves", expected: 4, .. });
    assert!(count(refused(&|b| b.leaves.clear())));
    assert!(count(refused(&|b| drop(b.leaves.pop()))));
    assert!(count(refused(&|b| b.leaves.push(b.leaves[0].clone()))));
    // The last sequence's leaf is another one of the data set, with the path of the assigned one or with its own.
    let wrong = |error: StepError| matches!(error, StepError::Leaf { contribution: 1, sequence: 1, .. });
    let elsewhere = (0..root.leaves()).find(|&leaf| leaf != assigned[3]).unwrap();
    assert!(wrong(refused(&|b| b.leaves[3] = data.leaf(elsewhere).unwrap())));
    assert!(wrong(refused(&|b| b.leaves[3].commitment = data.commitment(elsewhere).unwrap())));
    assert!(wrong(refused(&|b| b.leaves[3].path = data.proof(elsewhere).unwrap())));
    assert!(wrong(refused(&|b| b.leaves[3].path = MerkleProof(vec![]))));
    // All leaves are in order, all proofs are valid, but one of them is of other tokens.
    let (spec, keys, _) = &*KEYS;
    let mut batches = honest.run.assigned(&spec.config, &TrainingData::Dataset(Box::new(data.clone())), 0).unwrap();
    batches[1].sequences[0][2] ^= 1;
    let at = StepOf { run: &honest.run, step: 0, before: &honest.run.genesis };
    let prover = StepProver::new(&PARAMS, keys, spec);
    let (cheat, _) = prover.step(at, &mut State::init(&spec.config, 3), &batches, &mut |_| {}).unwrap();
    let error = refused(&|b| b.clone_from(&cheat));
    assert!(matches!(error, StepError::LeafWire { contribution: 1, sequence: 0 }), "{error:?}");

    // A root that others made, or of another number of leaves: another run, and another draw.
    let claimed = |data: RunData| {
        let mut claimed = honest.clone();
        claimed.run.data = data;
        claimed.bundles[0].run.data = data;
        match alone(&claimed).unwrap_err() {
            RunRefused::Step { step: 0, source } => *source,
            other => panic!("{other}"),
        }
    };
    let forged = RunData::Dataset(DatasetRoot::new([9; 32], root.leaves()).unwrap());
    assert!(matches!(claimed(forged), StepError::Leaf { contribution: 0, sequence: 0, .. }));
    let fewer = RunData::Dataset(DatasetRoot::new(*root.hash(), 1).unwrap());
    assert!(matches!(claimed(fewer), StepError::Leaf { contribution: 0, sequence: 0, .. }));
    let corpus = TrainingData::Corpus(CORPUS.clone());
    assert!(matches!(claimed(corpus.named()), StepError::Count { what: "leaves", expected: 0, found: 4 }));

    // The data that are at hand must be those that the run names.
    let config = &KEYS.0.config;
    assert_eq!(honest.run.assigned(config, &corpus, 0), Err(AssignError::Other));
    let other =
        TrainingData::Dataset(Box::new(Dataset::new(&PARAMS, context, Corpus::of_bytes(&other).tokens()).unwrap()));
    assert_eq!(honest.run.assigned(config, &other, 0), Err(AssignError::Other));
    let same = honest.run.assigned(config, &TrainingData::Dataset(Box::new(data.clone())), 0).unwrap();
    let leaves: Vec<Leaf> = same.into_iter().flat_map(|batch| batch.leaves).collect();
    assert_eq!(leaves, honest.bundles[0].leaves);
}

/// Equal sequences are leaves of their own; one sequence is a data set.
#[test]
fn small_data_sets_are_trained_on() {
    let context = KEYS.0.config.context;
    for corpus in [&[7; 13][..], &[1, 2, 3, 4, 5]].map(Corpus::of_bytes) {
        let data = TrainingData::Dataset(Box::new(Dataset::new(&PARAMS, context, corpus.tokens()).unwrap()));
        let p = proven_on(&data, 8, 1);
        let begun =
            RunVerifier::new(&PARAMS, &KEYS.2, &p.run, Some(&corpus)).unwrap().genesis_proof(&p.genesis).unwrap();
        assert!(p.bundles.iter().try_fold(begun, RunVerifier::step).unwrap().finish().unwrap().corpus);
    }
}
