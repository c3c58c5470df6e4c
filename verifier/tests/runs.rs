//! Runs as a library user holds them: proven and verified, with as few instances in a proof as there may be.
#![allow(clippy::unwrap_used)]

use backend::curve::{DEFAULT_K, Params};
use backend::parameters;
use circuits::model::{Config, Optimizer, Schedule, Spec, State};
use circuits::statements::{Bundle, GenesisProof, RunError};
use prover::{ProveError, ProvenRun, RunOptions, StepKeys};
use std::sync::LazyLock;
use verifier::{RunRefused, RunVerifier, StepError, StepVerifier};

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

/// Two layers and few cells.
fn small() -> Spec {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (16, 8, 12);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    config.check().unwrap();
    Spec::new(config)
}

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

const CORPUS: &[u8] = &[1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7, 3, 3, 15, 0, 1];

/// A step of one sequence, so many instances in a proof.
fn proven(instances_per_proof: u32) -> Proven {
    let (spec, keys, _) = &*KEYS;
    let options = RunOptions {
        instances_per_proof,
        optimizer: Optimizer::Sgd { momentum: "0.5".parse().unwrap(), weight_decay: "0.01".parse().unwrap() },
        ..RunOptions::new(Schedule::constant(&"0.1".parse().unwrap()).unwrap())
    };
    let first = State::init(&spec.config, 3);
    let mut run = ProvenRun::begin((&PARAMS, keys, spec), first.clone(), CORPUS, options).unwrap();
    let genesis = run.genesis_proof().unwrap();
    let bundles = vec![run.step().unwrap()];
    assert_eq!(run.steps(), 1);
    assert_ne!(*run.state(), first);
    assert!(matches!(run.genesis_proof(), Err(ProveError::Mismatch { .. })));
    Proven { run: run.run().clone(), genesis, bundles }
}

fn verify(p: &Proven) -> Result<verifier::VerifiedRun, RunRefused> {
    let begun = RunVerifier::new(&PARAMS, &KEYS.2, &p.run, Some(CORPUS))?.genesis_proof(&p.genesis)?;
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
