//! Steps of a cheating prover whose proofs are all valid: what is wrong is how they hang together.
#![allow(clippy::unwrap_used)]

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K};
use backend::parameters;
use circuits::model::{Config, Hyper, Optimizer, Schedule, Spec, SquareSum, State};
use circuits::ops::sgd;
use circuits::segments::UpdatePort;
use circuits::statements::{Bundle, Disclosure, MAX_INSTANCES_PER_PROOF, Run, RunData};
use prover::step::{ProvenUpdate, StepKeys, StepOf, StepProver, commit_state};
use verifier::{Part, StepError, StepVerifier, VerifyError};

/// Two layers, few cells.
fn tiny() -> Config {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    config.check().unwrap();
    config
}

#[test]
fn valid_proofs_that_do_not_belong_together() {
    let params = parameters::load(None, DEFAULT_K).unwrap().params;
    let spec = Spec::new(tiny());
    let keys = StepKeys::generate(&params, &spec).unwrap();
    let verifier = StepVerifier::new(&params, &spec.config).unwrap();
    let state = State::init(&spec.config, 1);
    let genesis = commit_state(&params, &spec, &state).unwrap();
    let run = Run {
        circuits: CIRCUIT_VERSION,
        config: spec.config.to_json(),
        genesis: genesis.clone(),
        taken: 0,
        disclosure: Disclosure::Public,
        data: RunData::Corpus([0; 32]),
        seed: 1,
        batch: 2,
        accumulate: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: "0".parse().unwrap(), clip: None },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
    };
    let prover = StepProver::new(&params, &keys, &spec);
    let batch = vec![vec![1, 5, 2, 7, 3], vec![5, 2, 7, 3, 3]];
    let assigned = std::slice::from_ref(&batch);
    let verify = |bundle: &Bundle| verifier.verify(&params, (&run, 0, &genesis), bundle, Some(assigned));

    let mut after = state.clone();
    let (honest, commitments) = prover
        .step(StepOf { run: &run, step: 0, before: &genesis }, &mut after, &[batch.clone().into()], &mut |_| {})
        .unwrap();
    assert_eq!(verify(&honest).unwrap().after, commitments);
    let both = StepVerifier::new(&params, &spec.config).unwrap().with_oracles(&params, &keys.circuits).unwrap();
    assert_eq!(both.verify(&params, (&run, 0, &genesis), &honest, Some(assigned)).unwrap().after, commitments);

    // The same contribution proven again: the same values under other blinding.
    let (id, before) = (run.id().unwrap(), genesis.digest());
    let domain = Run::contribution_domain(&id, 0, &before, 0);
    let of_update = Run::update_domain(&id, 0, &before);
    let again = prover.gradient(&domain, &state, &batch, &mut |_| {}).unwrap();
    let mut forged = honest.clone();
    forged.contributions[0].heads = again.contribution.heads.clone();
    assert!(matches!(verify(&forged), Err(StepError::Wire { boundary: 0, .. })));

    // A gradient at weights that are not the state's.
    let elsewhere = State::init(&spec.config, 2);
    let other = prover.gradient(&domain, &elsewhere, &batch, &mut |_| {}).unwrap();
    let mut forged = honest.clone();
    forged.contributions[0] = other.contribution;
    assert!(matches!(verify(&forged), Err(StepError::State { port: "weights", .. })));

    // An update by a gradient that is off by one in one entry.
    let hyper = run.hyper(&spec.config, 0, SquareSum::ZERO).unwrap();
    let mut gradients = again.gradients;
    gradients.layers[1].wq.data[5] += 1;
    let ProvenUpdate { proofs: updates, .. } =
        prover.update(&of_update, (&state, &genesis), &gradients, &hyper, &mut |_| {}).unwrap();
    let forged = Bundle { updates, ..honest.clone() };
    assert!(matches!(verify(&forged), Err(StepError::Entering { segment: 1, port: UpdatePort::Dividends })));

    // The right gradient, applied to another momentum.
    gradients.layers[1].wq.data[5] -= 1;
    let mut stale = state.clone();
    stale.movement_mut().unwrap().layers[0].wo.data[3] += 1;
    let ProvenUpdate { proofs: updates, .. } =
        prover.update(&of_update, (&stale, &genesis), &gradients, &hyper, &mut |_| {}).unwrap();
    let forged = Bundle { updates, ..honest.clone() };
    assert!(matches!(verify(&forged), Err(StepError::Entering { segment: 0, port: UpdatePort::Dividends })));

    // Another learning rate or weight decay than the run's. Of momentum there is none before the first step.
    for alter in [(|h| h.lambda += 1) as fn(&mut sgd::Hyper), |h| h.omega += 1] {
        let mut other = hyper.sgd().unwrap();
        alter(&mut other);
        let other = Hyper::Sgd(other);
        let ProvenUpdate { proofs: updates, .. } =
            prover.update(&of_update, (&state, &genesis), &gradients, &other, &mut |_| {}).unwrap();
        let refused = verify(&Bundle { updates, ..honest.clone() });
        assert!(
            matches!(&refused, Err(StepError::Entering { segment: 0, port: UpdatePort::Dividends })),
            "{refused:?}"
        );
    }

    // The opening of other commitments.
    let mut forged = honest.clone();
    forged.canonical[40] ^= 1;
    match verify(&forged) {
        // The byte is part of a point: another one, or none.
        Err(StepError::Canonical { source: VerifyError::Point { .. } }) => {}
        Err(StepError::Invalid(parts)) => assert_eq!(parts, [Part::Canonical]),
        other => panic!("{other:?}"),
    }
}
