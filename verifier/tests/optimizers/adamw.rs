//! AdamW: proven and verified, public and private, from a first state that others have trained; and what does not pass
//! for an update of it.

use crate::setting::{ADAMW, CORPUS, PARAMS, PRIVATE_ADAMW, decimal};
use circuits::model::{Gradients, Hyper, Moments, Optimizer, OptimizerKind, Schedule, SquareSum, State, UpdateKind};
use circuits::ops::adamw::{self, Betas};
use circuits::segments::UpdatePort;

use circuits::statements::{
    Bundle, Disclosure, GenesisProof, MAX_INSTANCES_PER_PROOF, Run, RunError, StateCommitments, TrainingData,
};
use prover::step::{ProvenUpdate, commit_state};
use prover::{ProveError, ProvenRun, RunOptions};
use std::sync::LazyLock;
use verifier::{Part, RunRefused, RunVerifier, StepError};

fn options() -> RunOptions {
    let [beta1, beta2, eps, weight_decay, clip] = ["0.9", "0.999", "1e-8", "0.1", "0.5"].map(decimal);
    let schedule = Schedule::linear(&decimal("0.01"), 100, 5, &decimal("0.1")).unwrap();
    let optimizer = Optimizer::AdamW(Betas { beta1, beta2, eps, weight_decay, clip });
    RunOptions { batch: 2, optimizer, ..RunOptions::new(schedule) }
}

/// Two steps of a run that goes on from a state of two others.
struct Proven {
    run: Run,
    /// State and commitments before the first step.
    first: (State, StateCommitments),
    genesis: GenesisProof,
    bundles: [Bundle; 2],
    last: State,
}

static PROVEN: LazyLock<Proven> = LazyLock::new(|| {
    let data = TrainingData::Corpus(CORPUS.clone());
    let mut trained = ADAMW.begin(ADAMW.first(), &data, options());
    trained.step().unwrap();
    trained.step().unwrap();
    let first = trained.state().clone();
    assert!(!first.at_rest());
    let mut run = ADAMW.begin(first.clone(), &data, RunOptions { taken: 2, seed: 1, ..options() });
    let genesis = run.genesis_proof().unwrap();
    let bundles = [run.step().unwrap(), run.step().unwrap()];
    let committed = run.run().genesis.clone();
    Proven { run: run.run().clone(), first: (first, committed), genesis, bundles, last: run.state().clone() }
});

fn begun() -> RunVerifier<'static> {
    let proven = &*PROVEN;
    let verifier = RunVerifier::new(&PARAMS, &ADAMW.verifier, &proven.run, Some(&CORPUS)).unwrap();
    verifier.genesis_proof(&proven.genesis).unwrap()
}

fn refused(bundle: &Bundle) -> StepError {
    match begun().step(bundle).and_then(RunVerifier::finish).map(drop).unwrap_err() {
        RunRefused::Step { step: 0, source } => *source,
        RunRefused::Invalid(culprits) => StepError::Invalid(culprits.iter().map(|culprit| culprit.part).collect()),
        other => panic!("{other}"),
    }
}

#[test]
fn a_run_goes_on_from_a_trained_state() {
    let proven = &*PROVEN;
    let verified = proven.bundles.iter().try_fold(begun(), RunVerifier::step).unwrap().finish().unwrap();
    assert!(verified.basis.genesis_proof && verified.steps.len() == 2);
    assert_eq!(verified.after, commit_state(&PARAMS, &ADAMW.spec, &proven.last).unwrap());
    // The schedule and the correction of the moments count the steps before.
    let config = &ADAMW.spec.config;
    let fresh = Run { taken: 0, ..proven.run.clone() };
    let of = |run: &Run, step| run.hyper(config, step, SquareSum::ZERO).unwrap();
    assert_eq!(of(&proven.run, 0), of(&fresh, 2));
    assert_ne!(of(&proven.run, 0), of(&fresh, 0));
    let far = Run { taken: u64::MAX, ..proven.run.clone() };
    assert!(matches!(far.check(), Err(RunError::Taken(u64::MAX))));
}

/// SOUNDNESS 14, 17, 18 for AdamW: proofs that hold, of another update than the run's.
#[test]
fn an_update_of_other_values_is_refused() {
    let Proven { run, first: (state, at), bundles, .. } = &*PROVEN;
    let (config, prover) = (&ADAMW.spec.config, ADAMW.prover());
    let id = run.id().unwrap();
    let sequences = run.assigned(config, &TrainingData::Corpus(CORPUS.clone()), 0).unwrap().swap_remove(0).sequences;
    let of_contribution = Run::contribution_domain(&id, 0, &at.digest(), 0);
    let gradients = prover.gradient_tasks(&of_contribution, state, &sequences).unwrap().gradients;
    let hyper = run.hyper(config, 0, gradients.squares()).unwrap();
    let domain = Run::update_domain(&id, 0, &at.digest());
    let update = |state: &State, gradients: &Gradients, hyper: &Hyper| {
        let ProvenUpdate { proofs: updates, .. } =
            prover.update(&domain, (state, at), gradients, hyper, &mut |_| {}).unwrap();
        refused(&Bundle { updates, ..bundles[0].clone() })
    };
    let entering = |error: StepError, at: usize, entering: UpdatePort| match error {
        StepError::Entering { segment, port } => assert_eq!((segment, port), (at, entering)),
        other => panic!("{other}"),
    };
    let mut off = gradients.clone();
    off.layers[1].wq.data[5] += 1;
    entering(update(state, &off, &hyper), 1, UpdatePort::Gradient);
    let changed = |change: &dyn Fn(&mut State)| {
        let mut state = state.clone();
        change(&mut state);
        update(&state, &gradients, &hyper)
    };
    let moment = |change: fn(&mut i64, &mut i128)| {
        move |state: &mut State| {
            let Moments::AdamW { first, second } = &mut state.moments else { panic!("a state of AdamW") };
            change(&mut first.layers[0].wo.data[3], &mut second.layers[0].wo.data[3]);
        }
    };
    entering(changed(&|state| state.w.layers[0].wo.data[3] += 1), 0, UpdatePort::Decayed);
    entering(changed(&|state| state.lo.layers[0].wo.data[3] ^= 1), 0, UpdatePort::Decayed);
    let first = circuits::model::Slot::First;
    let second = circuits::model::Slot::Second;
    entering(changed(&moment(|m, _| *m += 1)), 0, UpdatePort::Slot(first));
    entering(changed(&moment(|_, v| *v += 1)), 0, UpdatePort::Slot(second));

    let Hyper::AdamW(of) = hyper else { panic!("an update of AdamW") };
    let with = |change: &dyn Fn(&mut adamw::Hyper)| {
        let mut other = of;
        change(&mut other);
        update(state, &gradients, &Hyper::AdamW(other))
    };
    entering(with(&|hyper| hyper.gamma += 1), 0, UpdatePort::Gradient);
    entering(with(&|hyper| hyper.omega += 1), 0, UpdatePort::Decayed);
    // What the circuit reads is a public value: with others the proofs do not hold.
    for change in [
        (|i| i.eta += 1) as fn(&mut adamw::Integers<i128>),
        |i| i.epsilon += 1,
        |i| i.beta1 -= 2,
        |i| i.share1 += 2,
        |i| i.share2 -= 1,
        |i| i.beta2 -= 1,
        |i| i.rounding = (1 << 24) - 1 - i.rounding,
    ] {
        match with(&|hyper| change(&mut hyper.integers)) {
            // The opening is of the state that the honest update leaves.
            StepError::Invalid(parts) => assert!(parts.iter().any(|part| matches!(part, Part::Update { .. }))),
            StepError::Proof { part: "update", .. } => {}
            other => panic!("{other}"),
        }
    }
}

/// SOUNDNESS 14: each column of each port of the update exchanged for one of another.
#[test]
fn every_port_of_the_update_is_compared() {
    let Proven { bundles, .. } = &*PROVEN;
    let shape = &ADAMW.keys.update.verifying.shape;
    let of_port = |port: usize| shape.ports[port].clone();
    for (port, _) in shape.ports.iter().enumerate() {
        let mut forged = bundles[0].clone();
        let proof = &mut forged.updates[0];
        let other = if port == 0 { of_port(1) } else { of_port(0) };
        let bytes = proof[32 * other.start..][..32].to_vec();
        proof[32 * of_port(port).start..][..32].copy_from_slice(&bytes);
        match refused(&forged) {
            StepError::Entering { .. } | StepError::Proof { .. } | StepError::Invalid(_) => {}
            other => panic!("port {port}: {other}"),
        }
    }
}

/// A first state with other moments, and one of SGD.
#[test]
fn a_genesis_proof_is_of_every_slot() {
    let Proven { first: (state, at), genesis, .. } = &*PROVEN;
    let (spec, prover, verifier) = (&ADAMW.spec, ADAMW.prover(), &ADAMW.verifier);
    verifier.verify_genesis(&PARAMS, at, genesis).unwrap();
    for (slot, name) in [(0, "first moments"), (1, "second moments")] {
        let mut other = state.clone();
        let Moments::AdamW { first, second } = &mut other.moments else { panic!("a state of AdamW") };
        if slot == 0 {
            first.norm_f.data[1] += 1
        } else {
            second.norm_f.data[1] += 1
        }
        let claimed = commit_state(&PARAMS, spec, &other).unwrap();
        // In the domain of what is claimed, so that the ports alone tell.
        let tasks = prover.genesis_tasks(&GenesisProof::domain(&spec.config, &claimed), state).unwrap();
        let updates = prover.execute_all(&tasks.tasks, &tasks.inputs, &mut |_| {}).unwrap();
        let canonical = prover.outputs(&[], &other, &claimed).unwrap();
        let forged = GenesisProof { instances_per_proof: MAX_INSTANCES_PER_PROOF, updates, canonical };
        match verifier.verify_genesis(&PARAMS, &claimed, &forged).unwrap_err() {
            StepError::Genesis { port, .. } => assert_eq!(port, name),
            other => panic!("{other}"),
        }
    }
    // An update by other integers than those of the identity.
    let domain = GenesisProof::domain(&spec.config, at);
    let Hyper::AdamW(mut hyper) = Hyper::identity(UpdateKind::AdamW) else { panic!("an update of AdamW") };
    hyper.integers.beta1 -= 1;
    let none = Gradients::zeros(&spec.config);
    let tasks = prover.update_tasks(&domain, state, &none, &Hyper::AdamW(hyper)).unwrap();
    let updates = prover.execute_all(&tasks.tasks, &tasks.inputs, &mut |_| {}).unwrap();
    let other = GenesisProof { updates, ..genesis.clone() };
    assert!(verifier.verify_genesis(&PARAMS, at, &other).is_err());
    let of_sgd = commit_state(&PARAMS, spec, &state.clone().at_rest_of(OptimizerKind::Sgd)).unwrap();
    let refused = verifier.verify_genesis(&PARAMS, &of_sgd, genesis).unwrap_err();
    assert!(refused.to_string().contains("the slots of segment 0"), "{refused}");
    // No prover takes a state, or keys, of another optimizer.
    let sgd = state.clone().at_rest_of(OptimizerKind::Sgd);
    let refused = prover.update_tasks(&domain, &sgd, &none, &Hyper::AdamW(hyper)).map(drop);
    assert!(matches!(refused, Err(ProveError::Mismatch { what: "the optimizer of the state" })));
    let data = TrainingData::Corpus(CORPUS.clone());
    let begun = ProvenRun::begin((&PARAMS, &ADAMW.keys, spec), sgd, &data, options());
    assert!(matches!(begun.map(drop), Err(ProveError::State(_))));
}

#[test]
fn a_private_run() {
    let (private, data) = (&*PRIVATE_ADAMW, PRIVATE_ADAMW.hidden());
    let disclosure = Disclosure::Private { loss_steps: 1 };
    let mut run = private.begin(private.first(), &data, RunOptions { disclosure, ..options() });
    let bundles = [run.step().unwrap(), run.step().unwrap()];
    let begin = RunVerifier::new(&PARAMS, &private.verifier, run.run(), None).unwrap();
    let begun = begin.genesis_proof(&run.genesis_proof().unwrap()).unwrap();
    let verified = bundles.iter().try_fold(begun, RunVerifier::step).unwrap().finish().unwrap();
    // Weights are opened, moments are not.
    let (opening, config) = (run.opening().unwrap(), &private.spec.config);
    let resting = run.state().clone().at_rest_of(OptimizerKind::AdamW);
    assert_eq!(opening.opens(&PARAMS, config, (&resting, &verified.after)), Ok(true));
    assert_eq!(opening.opens(&PARAMS, config, (&private.first(), &verified.after)), Ok(false));
    // What enters the update is tied by the proof of the wires alone.
    let mut forged = bundles[0].clone();
    let proof = &mut forged.updates[0];
    let at = 32 * private.keys.update.verifying.shape.ports[2].start;
    let other = 32 * private.keys.update.verifying.shape.ports[3].start;
    let bytes = proof[other..other + 32].to_vec();
    proof[at..at + 32].copy_from_slice(&bytes);
    let begin = RunVerifier::new(&PARAMS, &private.verifier, run.run(), None).unwrap();
    let begun = begin.genesis_proof(&run.genesis_proof().unwrap()).unwrap();
    assert!(begun.step(&forged).and_then(RunVerifier::finish).is_err());
}
