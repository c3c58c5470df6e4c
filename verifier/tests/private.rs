//! Private runs: accepted, and refused in every way in which a private bundle can lie.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, ENCODED, F, Params};
use backend::parameters;
use backend::span::{Hiding, SPAN, SPAN_PROOF, SpanStatement, commit_hidden};
use circuits::model::{Gradients, Hyper, Optimizer, OptimizerKind, Schedule, Slot, Spec, SquareSum, State};
use circuits::ops::sgd;
use circuits::segments::{Privacy, SegmentKind};
use circuits::statements::dataset::{Dataset, LeafSecret};
use circuits::statements::{
    Bundle, Corpus, Disclosure, GenesisProof, Layouts, Leaf, MAX_INSTANCES_PER_PROOF, Run, RunData, RunError,
    StateCommitments, TrainingData,
};
use common::small;
use ff::{Field, PrimeField};
use group::GroupEncoding;
use plonkish::RESERVED_ROWS;
use prover::blinding::PortBlinding;
use prover::private::{PrivateTasks, Secrets, prove_span};
use prover::step::StepOf;
use prover::task::{Input, InstanceInputs};
use prover::{ProveError, ProvenRun, RunOptions, StepKeys, StepProver};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use verifier::{
    Batch, Claimed, Part, RunRefused, RunVerifier, StepError, StepVerifier, VerifiedRun, VerifyError, verify_span,
};

static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);

static KEYS: LazyLock<(Spec, StepKeys, StepVerifier)> = LazyLock::new(|| {
    let spec = small();
    let keys = StepKeys::generate_of(&PARAMS, &spec, Privacy::Private).unwrap();
    let verifier = StepVerifier::with_keys(&PARAMS, &spec.config, keys.verifying.clone()).unwrap();
    (spec, keys, verifier)
});

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| Corpus::of_bytes(&[1, 4, 2, 8, 5, 7, 1, 4, 2, 8, 5, 7, 3, 3, 15, 0, 1]));

fn dataset(secret: u8) -> Dataset {
    let secret = Some(LeafSecret::new([secret; 32]));
    Dataset::new_told(&PARAMS, KEYS.0.config.context, CORPUS.tokens(), secret, &mut |_, _| {}).unwrap()
}

#[derive(Clone)]
struct Proven {
    run: Run,
    genesis: GenesisProof,
    bundles: Vec<Bundle>,
    state: State,
    secrets: Secrets,
    /// Of each step's proof, what the prover had before it.
    before: Vec<(State, Secrets, StateCommitments)>,
}

/// A run of two contributions of two sequences a step.
fn proven(first: &State, data: &Dataset, loss_steps: u32, steps: u64) -> Proven {
    let (spec, keys, _) = &*KEYS;
    let prover = StepProver::new(&PARAMS, keys, spec);
    let (mut secrets, genesis, committed) = prover.private_genesis(first, &mut |_| {}).unwrap();
    let run = Run {
        circuits: CIRCUIT_VERSION,
        config: spec.config.to_json(),
        genesis: committed.clone(),
        taken: 0,
        disclosure: Disclosure::Private { loss_steps },
        data: RunData::Dataset(data.root()),
        seed: 5,
        batch: 2,
        accumulate: 2,
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
        schedule: Schedule::constant(&"0.1".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd {
            momentum: "0.5".parse().unwrap(),
            weight_decay: "0.01".parse().unwrap(),
            clip: None,
        },
    };
    run.check().unwrap();
    let (mut state, mut at, mut bundles, mut before) = (first.clone(), committed, vec![], vec![]);
    let data = TrainingData::Dataset(Box::new(data.clone()));
    for step in 0..steps {
        before.push((state.clone(), secrets.clone(), at.clone()));
        let batches = run.assigned(&spec.config, &data, step).unwrap();
        let of = StepOf { run: &run, step, before: &at };
        let (bundle, after) = prover.private_step(of, (&mut state, &mut secrets), &batches, &mut |_| {}).unwrap();
        // What hides the state opens its commitments.
        assert_eq!(secrets.commit_state(&PARAMS, &spec.config, &state).unwrap(), after);
        bundles.push(bundle);
        at = after;
    }
    Proven { run, genesis, bundles, state, secrets, before }
}

static RUN: LazyLock<Proven> = LazyLock::new(|| proven(&State::init(&KEYS.0.config, 3), &dataset(1), 1, 2));

fn verify(p: &Proven) -> Result<VerifiedRun, RunRefused> {
    let begun = RunVerifier::new(&PARAMS, &KEYS.2, &p.run, None)?.genesis_proof(&p.genesis)?;
    p.bundles.iter().try_fold(begun, RunVerifier::step)?.finish()
}

/// What is wrong with the first step of an altered run.
fn refused(alter: impl FnOnce(&mut Bundle)) -> StepError {
    let mut altered = RUN.clone();
    alter(&mut altered.bundles[0]);
    match verify(&altered).unwrap_err() {
        RunRefused::Step { step: 0, source } => *source,
        RunRefused::Invalid(culprits) => {
            assert!(culprits.iter().all(|culprit| culprit.step == Some(0)), "{culprits:?}");
            StepError::Invalid(culprits.into_iter().map(|culprit| culprit.part).collect())
        }
        other => panic!("{other}"),
    }
}

fn only_span(error: &StepError) -> bool {
    matches!(error, StepError::Invalid(parts) if *parts == [Part::Span])
}

#[test]
fn a_private_run_is_accepted() {
    let verified = verify(&RUN).unwrap();
    assert!(verified.basis.genesis_proof && verified.steps.len() == 2);
    // The losses are those of the public run.
    let (spec, ..) = &*KEYS;
    let recipe = prover::trainer::Recipe { schedule: RUN.run.schedule, optimizer: RUN.run.optimizer.clone() };
    let first = State::init(&spec.config, 3);
    let mut trainer = prover::trainer::Trainer::new(spec.config.clone(), first, recipe).unwrap();
    for summary in &verified.steps {
        let data = TrainingData::Dataset(Box::new(dataset(1)));
        let batches = RUN.run.assigned(&spec.config, &data, summary.step).unwrap();
        let log = trainer.accumulate(&batches).unwrap();
        assert_eq!(summary.loss, u128::try_from(log.loss).ok());
    }
    assert_eq!(trainer.state, RUN.state);
    for bundle in &RUN.bundles {
        assert_eq!(bundle.private.as_ref().unwrap().span.len(), SPAN_PROOF);
        assert!(bundle.canonical.is_empty() && bundle.contributions.iter().all(|c| c.losses.is_empty()));
    }
}

/// Sums over several steps: their parts stay hidden, and begin where the last one ended.
#[test]
fn losses_are_disclosed_as_the_run_says() {
    let first = State::init(&KEYS.0.config, 3);
    let each: Vec<u128> = verify(&RUN).unwrap().steps.iter().map(|step| step.loss.unwrap()).collect();
    let none = proven(&first, &dataset(1), 0, 1);
    assert_eq!(verify(&none).unwrap().steps[0].loss, None);
    let two = proven(&first, &dataset(1), 2, 3);
    let verified = verify(&two).unwrap();
    let losses: Vec<Option<u128>> = verified.steps.iter().map(|step| step.loss).collect();
    assert_eq!(losses, [None, Some(each[0] + each[1]), None]);
    assert_eq!(verified.steps[1].predictions, 2 * verified.steps[0].predictions);
    // Alone, the step that discloses the sum says nothing: who knows what came before?
    let at = (&two.run, 1, &two.before[1].2);
    let alone = RunVerifier::starting_at(&PARAMS, &KEYS.2, at, None).unwrap().step(&two.bundles[1]).unwrap();
    assert_eq!(alone.finish().unwrap().steps[0].loss, None);
    let said = KEYS.2.verify(&PARAMS, at, &two.bundles[1], None).unwrap();
    assert_eq!((said.loss, said.losses.unwrap().said), (None, Some(each[0] + each[1])));
    // A commitment of other losses before: of none.
    let mut other = two.clone();
    let loss = other.bundles[1].private.as_mut().unwrap().loss.as_mut().unwrap();
    loss.before = Some(commit_hidden(&PARAMS, &[], &Hiding::blind(F::ONE)).unwrap().to_bytes());
    let Err(RunRefused::Step { step: 1, source }) = verify(&other) else { panic!("accepted") };
    assert!(matches!(*source, StepError::LossesBefore { step: 1 }), "{source}");
    for alter in [
        |b: &mut Bundle| b.private.as_mut().unwrap().loss = None,
        |b: &mut Bundle| {
            b.private.as_mut().unwrap().loss.as_mut().unwrap().before = None;
        },
    ] {
        let mut other = two.clone();
        alter(&mut other.bundles[1]);
        let Err(RunRefused::Step { step: 1, source }) = verify(&other) else { panic!("accepted") };
        assert!(matches!(*source, StepError::Disclosed), "{source}");
    }
}

#[test]
fn public_and_private_are_not_mistaken_for_each_other() {
    let (spec, ..) = &*KEYS;
    // Keys of the other kind.
    let public = StepVerifier::new(&PARAMS, &spec.config).unwrap();
    let refused_keys = public.verify(&PARAMS, (&RUN.run, 0, &RUN.run.genesis), &RUN.bundles[0], None);
    assert!(matches!(refused_keys, Err(StepError::Keys)));
    assert!(matches!(RunVerifier::new(&PARAMS, &public, &RUN.run, None).map(drop), Err(RunRefused::Keys)));
    // The entries for contributions and updates of public runs alone, such as a chain's.
    let domain = Run::contribution_domain(&RUN.run.id().unwrap(), 0, &RUN.run.genesis.digest(), 0);
    let claimed = Claimed { domain: &domain, index: 0, before: &RUN.run.genesis, sequences: 2, instances_per_proof: 8 };
    let contribution = &RUN.bundles[0].contributions[0];
    let alone = KEYS.2.contribution(&mut Batch::new(&PARAMS), claimed, contribution);
    assert!(matches!(alone, Err(StepError::Keys)));
    let mut as_public = RUN.clone();
    as_public.run.disclosure = Disclosure::Public;
    as_public.bundles.iter_mut().for_each(|bundle| bundle.run.disclosure = Disclosure::Public);
    let at = (&as_public.run, 0, &as_public.run.genesis);
    assert!(matches!(KEYS.2.verify(&PARAMS, at, &as_public.bundles[0], None), Err(StepError::Keys)));
    assert!(public.verify(&PARAMS, at, &as_public.bundles[0], None).is_err());
    assert!(public.verify_genesis(&PARAMS, &RUN.run.genesis, &RUN.genesis).is_err());
    // Parts of the other kind.
    assert!(matches!(refused(|b| b.private = None), StepError::Kind));
    assert!(matches!(refused(|b| b.canonical = vec![1; 32]), StepError::Kind));
    let losses = |error| matches!(error, StepError::Count { what: "losses", expected: 0, found: 2 });
    assert!(losses(refused(|b| b.contributions[0].losses = vec![1, 2])));
    let mut opened = RUN.clone();
    opened.genesis.canonical = vec![1; 32];
    assert!(matches!(verify(&opened), Err(RunRefused::Genesis(error)) if matches!(*error, StepError::Kind)));
    // A corpus's digest would confirm a guess.
    let mut named = RUN.run.clone();
    named.data = RunData::Corpus([1; 32]);
    assert_eq!(named.check().unwrap_err(), RunError::PrivateCorpus);
    // Provers refuse keys of the other kind before they work.
    let keys = StepKeys::generate(&PARAMS, spec).unwrap();
    assert!(StepProver::new(&PARAMS, &keys, spec).private_genesis(&RUN.state, &mut |_| {}).is_err());
    assert!(StepProver::new(&PARAMS, &KEYS.1, spec).genesis(&RUN.state, &mut |_| {}).is_err());
}

/// Whatever of the statement is exchanged after ρ was drawn, the proof of the wires no longer holds.
#[test]
fn what_is_exchanged_after_the_fold_is_noticed() {
    let span = |b: &mut Bundle, at: usize| b.private.as_mut().unwrap().span[at] ^= 1;
    // Each answer, and R.
    for answer in 0..SPAN {
        assert!(only_span(&refused(|b| span(b, ENCODED * (1 + answer)))), "answer {answer}");
    }
    let error = refused(|b| {
        b.private.as_mut().unwrap().span[..ENCODED].copy_from_slice(&RUN.bundles[1].before.segments[0].w[0])
    });
    assert!(only_span(&error), "{error}");
    let length = |error| matches!(error, StepError::Span { source: VerifyError::ProofLength { .. } });
    assert!(length(refused(|b| b.private.as_mut().unwrap().span.truncate(SPAN_PROOF - 1))));
    assert!(length(refused(|b| b.private.as_mut().unwrap().span.push(0))));
    let identity = refused(|b| b.private.as_mut().unwrap().span[..ENCODED].fill(0));
    assert!(matches!(identity, StepError::Span { source: VerifyError::Identity { item: 0 } }), "{identity:?}");
    let scalar = refused(|b| b.private.as_mut().unwrap().span[ENCODED..2 * ENCODED].fill(0xff));
    assert!(matches!(scalar, StepError::Span { source: VerifyError::Scalar { item: 1 } }), "{scalar:?}");
    // Another step's proof.
    let other = RUN.bundles[1].private.as_ref().unwrap().span.clone();
    assert!(only_span(&refused(|b| b.private.as_mut().unwrap().span.clone_from(&other))));
    // The sum of losses.
    assert!(only_span(&refused(|b| b.private.as_mut().unwrap().loss.as_mut().unwrap().sum += 1)));
    assert!(matches!(refused(|b| b.private.as_mut().unwrap().loss = None), StepError::Disclosed));
    // A leaf, by another opening of the same tree: none. By that of another data set.
    let assigned = RUN.run.assigned_leaves(&dataset(1).root(), 0).concat();
    let leaf = |data: &Dataset| data.leaf(assigned[0]).unwrap();
    assert_eq!(leaf(&dataset(1)), RUN.bundles[0].leaves[0]);
    let wrong = refused(|b| b.leaves[0] = leaf(&dataset(2)));
    assert!(matches!(wrong, StepError::Leaf { contribution: 0, sequence: 0, .. }), "{wrong:?}");
    // The state before.
    let mut other = RUN.clone();
    other.run.genesis.segments[0].w.swap(0, 1);
    for bundle in &mut other.bundles {
        bundle.run = other.run.clone();
        bundle.before = other.run.genesis.clone();
    }
    assert!(verify(&other).is_err());
}

/// A cheating prover, who knows what hides everything and proves what he likes.
struct Cheat {
    bundle: Bundle,
    secrets: Secrets,
}

/// Proves the first step of the run's statement on a state and sequences of the cheat's choice.
fn cheat(state: &State, secrets: &Secrets, flip: Option<(usize, usize)>) -> Cheat {
    let (spec, keys, _) = &*KEYS;
    let data = TrainingData::Dataset(Box::new(dataset(1)));
    let mut batches = RUN.run.assigned(&spec.config, &data, 0).unwrap();
    if let Some((contribution, sequence)) = flip {
        batches[contribution].sequences[sequence][2] ^= 1;
    }
    let (mut state, mut secrets) = (state.clone(), secrets.clone());
    let at = StepOf { run: &RUN.run, step: 0, before: &RUN.run.genesis };
    let prover = StepProver::new(&PARAMS, keys, spec);
    let (bundle, _) = prover.private_step(at, (&mut state, &mut secrets), &batches, &mut |_| {}).unwrap();
    Cheat { bundle, secrets }
}

/// SOUNDNESS: a wire whose ends differ in one usable row.
#[test]
fn ends_that_differ_in_a_row_are_refused() {
    let (state, secrets, _) = &RUN.before[0];
    assert!(verify(&Proven { bundles: vec![cheat(state, secrets, None).bundle], ..RUN.clone() }).is_ok());
    // Other tokens than the leaf's; another weight than the state's; another momentum, which goes into the dividends.
    let altered = |f: &dyn Fn(&mut State)| {
        let mut state = state.clone();
        f(&mut state);
        cheat(&state, secrets, None)
    };
    let cheats = [
        cheat(state, secrets, Some((1, 0))),
        altered(&|state| state.w.embed.data[5] += 1),
        altered(&|state| state.w.layers[1].wq.data[0] -= 1),
    ];
    for cheat in cheats {
        let forged = Proven { bundles: vec![cheat.bundle], ..RUN.clone() };
        match verify(&forged).unwrap_err() {
            RunRefused::Invalid(culprits) => assert!(culprits.len() == 1 && culprits[0].part == Part::Span),
            other => panic!("{other}"),
        }
        assert!(format!("{:?}", cheat.secrets) == "Secrets");
    }
}

/// A cheat who does all tasks honestly but those that he exchanges, and then proves the wires with all that he knows.
fn exchanged(alter: impl FnOnce(&mut PrivateTasks, &StepProver<'_>, StepOf<'_>)) -> Result<Bundle, ProveError> {
    let (spec, keys, _) = &*KEYS;
    let (state, secrets, before) = &RUN.before[0];
    let data = TrainingData::Dataset(Box::new(dataset(1)));
    let batches = RUN.run.assigned(&spec.config, &data, 0).unwrap();
    let (prover, at) = (StepProver::new(&PARAMS, keys, spec), StepOf { run: &RUN.run, step: 0, before });
    let (mut tasks, _) = prover.private_tasks(at, (state, secrets), &batches)?;
    alter(&mut tasks, &prover, at);
    let proofs = prover.execute_private(&tasks, &mut |_| {})?;
    Ok(prover.private_bundle(at, secrets, &batches, &tasks, proofs)?.0)
}

fn verdict(bundle: Bundle) -> Result<VerifiedRun, RunRefused> {
    verify(&Proven { bundles: vec![bundle], ..RUN.clone() })
}

/// What the public suite forges with valid proofs, on private bundles: the proof of the wires fails, and it alone.
#[test]
fn valid_proofs_that_do_not_belong_together() {
    let refused = |what: &str, bundle: Bundle| match verdict(bundle) {
        Err(RunRefused::Invalid(culprits)) => {
            assert!(culprits.len() == 1 && culprits[0].part == Part::Span, "{what}: {culprits:?}");
        }
        other => panic!("{what}: {other:?}"),
    };
    let (state, secrets, _) = &RUN.before[0];
    let hyper = RUN.run.hyper(&KEYS.0.config, 0, SquareSum::ZERO).unwrap();
    let of_sgd = hyper.sgd().unwrap();
    verdict(exchanged(|_, _, _| {}).unwrap()).unwrap();
    let update = |state: &State, by: usize, hyper: Hyper| {
        let (state, hyper) = (state.clone(), hyper);
        exchanged(|tasks, prover, at| {
            let mut sum = Gradients::zeros(&KEYS.0.config);
            tasks.contributions.iter().for_each(|of| sum.add(&of.gradients));
            sum.layers[1].wq.data[5] += by as i128;
            tasks.update = prover.private_update_tasks(at, (&state, secrets), &sum, &hyper).unwrap();
        })
        .unwrap()
    };
    verdict(update(state, 0, hyper)).unwrap();
    refused("a gradient that is off by one", update(state, 1, hyper));
    let mut stale = state.clone();
    stale.movement_mut().unwrap().layers[0].wo.data[3] += 1;
    refused("another momentum", update(&stale, 0, hyper));
    refused("another rate", update(state, 0, Hyper::Sgd(sgd::Hyper { lambda: of_sgd.lambda + 1, ..of_sgd })));
    refused("another weight decay", update(state, 0, Hyper::Sgd(sgd::Hyper { omega: of_sgd.omega + 1, ..of_sgd })));
    // One contribution's gradient is left out of the sum.
    let one = exchanged(|tasks, prover, at| {
        let only = &tasks.contributions[0].gradients;
        tasks.update = prover.private_update_tasks(at, (state, secrets), only, &hyper).unwrap();
    });
    refused("a contribution left out", one.unwrap());
    // What enters a layer or a head is not what left its neighbour.
    for (segment, upper) in [(SegmentKind::Layer, true), (SegmentKind::Layer, false), (SegmentKind::Head, true)] {
        let bundle = exchanged(|tasks, _, _| {
            let of = &mut tasks.contributions[1];
            let task = of.tasks.iter_mut().find(|task| task.segment == segment).unwrap();
            match &mut task.instances[0].inputs {
                InstanceInputs::Layer { entering, .. } | InstanceInputs::Head { entering, .. } => {
                    let Input::Entering(mut other) = of.inputs.get(entering).unwrap().clone() else {
                        panic!("no edge")
                    };
                    (if upper { &mut other.dx } else { &mut other.x }).data[1] += 1;
                    *entering = of.inputs.put(Input::Entering(other)).unwrap();
                }
                InstanceInputs::Update { .. } => panic!("no edge"),
            }
        });
        refused("an edge", bundle.unwrap());
    }
    // Proofs exchanged afterwards: of the same values under other blinding.
    let (honest, again) = (exchanged(|_, _, _| {}).unwrap(), exchanged(|_, _, _| {}).unwrap());
    for exchange in [
        (|a: &mut Bundle, b: &Bundle| a.contributions[0].heads.clone_from(&b.contributions[0].heads))
            as fn(&mut Bundle, &Bundle),
        |a, b| a.contributions[1].layers.clone_from(&b.contributions[1].layers),
        |a, b| a.updates.clone_from(&b.updates),
        |a, b| a.private.clone_from(&b.private),
    ] {
        let mut spliced = honest.clone();
        exchange(&mut spliced, &again);
        refused("spliced", spliced);
    }
    // A port that hides nothing is none of a private proof.
    let canonical = exchanged(|tasks, _, _| tasks.update.tasks[0].instances[0].ports[0] = PortBlinding::CANONICAL);
    assert!(matches!(canonical, Err(ProveError::Mismatch { what: "the blinding of a private port" })));
}

/// A library user's private run, on data sets of equal sequences and of one.
#[test]
fn small_private_data_sets_are_trained_on() {
    let (spec, keys, verifier) = &*KEYS;
    for corpus in [&[7; 13][..], &[1, 2, 3, 4, 5]].map(Corpus::of_bytes) {
        let secret = Some(LeafSecret::new([3; 32]));
        let data = Dataset::new_told(&PARAMS, spec.config.context, corpus.tokens(), secret, &mut |_, _| {}).unwrap();
        let leaves: BTreeSet<_> = (0..data.root().leaves()).map(|leaf| data.commitment(leaf).unwrap()).collect();
        assert_eq!(leaves.len() as u64, data.root().leaves(), "equal sequences have different leaves");
        let data = TrainingData::Dataset(Box::new(data));
        let disclosure = Disclosure::Private { loss_steps: 1 };
        let options =
            RunOptions { disclosure, ..RunOptions::new(Schedule::constant(&"0.1".parse().unwrap()).unwrap()) };
        let of = (&*PARAMS, keys, spec);
        let mut run = ProvenRun::begin(of, State::init(&spec.config, 3), &data, options.clone()).unwrap();
        let bundle = run.step().unwrap();
        let begun = RunVerifier::new(&PARAMS, verifier, run.run(), None).unwrap();
        let verified = begun.genesis_proof(&run.genesis_proof().unwrap()).unwrap().step(&bundle).unwrap();
        let after = verified.finish().unwrap().after;
        let opening = run.opening().unwrap();
        assert_eq!(opening.opens(&PARAMS, &spec.config, (run.state(), &after)), Ok(true));
        // Momentum is no part of it.
        let resting = run.state().clone().at_rest_of(OptimizerKind::Sgd);
        assert!(resting != *run.state());
        assert_eq!(opening.opens(&PARAMS, &spec.config, (&resting, &after)), Ok(true));
        let first = State::init(&spec.config, 3);
        assert_eq!(opening.opens(&PARAMS, &spec.config, (&first, &after)), Ok(false));
        // On a corpus there is no private run, and without keys of its circuits none.
        let plain = TrainingData::Corpus(corpus);
        let refused = ProvenRun::begin(of, State::init(&spec.config, 3), &plain, options).map(drop);
        assert!(matches!(refused, Err(ProveError::Run(RunError::PrivateCorpus))));
    }
}

/// The rules that need no proof, as of public steps; and those of proofs that are cut, longer, or of nothing.
#[test]
fn each_rule_of_a_step_has_its_error() {
    let count = |what: &str, error: StepError| {
        assert!(matches!(&error, StepError::Count { what: found, .. } if *found == what), "{what}: {error}");
    };
    assert!(matches!(refused(|b| b.step = 1), StepError::Number { expected: 0, found: 1 }));
    assert!(matches!(refused(|b| b.run.seed += 1), StepError::OtherRun));
    assert!(matches!(refused(|b| b.before.segments[0].w.swap(0, 1)), StepError::Before { step: 0 }));
    count("contributions", refused(|b| b.contributions.clear()));
    count("contributions", refused(|b| b.contributions.push(b.contributions[0].clone())));
    count("leaves", refused(|b| b.leaves.clear()));
    count("proofs", refused(|b| b.contributions[0].layers.clear()));
    count("proofs", refused(|b| b.contributions[1].heads.clear()));
    count("proofs", refused(|b| b.updates.clear()));
    count("proofs", refused(|b| b.updates.push(b.updates[0].clone())));
    type Proof = fn(&mut Bundle) -> &mut Vec<u8>;
    let proofs: [(&str, Proof); 3] = [
        ("layer", |b| &mut b.contributions[0].layers[0]),
        ("head", |b| &mut b.contributions[1].heads[0]),
        ("update", |b| &mut b.updates[0]),
    ];
    for (name, proof) in proofs {
        let is = |error: StepError, rule: &dyn Fn(&VerifyError) -> bool| match &error {
            StepError::Proof { part, source, .. } if *part == name => assert!(rule(source), "{name}: {source}"),
            _ => panic!("{name}: {error}"),
        };
        let length = |e: &VerifyError| matches!(e, VerifyError::ProofLength { .. });
        is(refused(|b| proof(b).push(0)), &length);
        is(refused(|b| drop(proof(b).drain(..ENCODED))), &length);
        is(refused(|b| proof(b)[..ENCODED].fill(0)), &|e| matches!(e, VerifyError::Identity { item: 0 }));
        is(refused(|b| proof(b)[..ENCODED].fill(0xff)), &|e| matches!(e, VerifyError::Point { item: 0 }));
        // A port of another commitment: the challenges are drawn from it, the wires are of it.
        let other = RUN.run.genesis.segments[0].w[0];
        let StepError::Invalid(parts) = refused(|b| proof(b)[..ENCODED].copy_from_slice(&other)) else {
            panic!("{name}")
        };
        assert!(parts.len() == 2 && parts.contains(&Part::Span), "{name}: {parts:?}");
    }
    // Contributions in another order are in other contexts.
    assert!(matches!(refused(|b| b.contributions.swap(0, 1)), StepError::Invalid(parts) if parts.len() > 1));
    // The second step does not follow another first one.
    let mut replayed = RUN.clone();
    replayed.bundles[1] = replayed.bundles[0].clone();
    replayed.bundles[1].step = 1;
    let Err(RunRefused::Step { step: 1, source }) = verify(&replayed) else { panic!("accepted") };
    assert!(matches!(*source, StepError::Before { step: 1 }));
    replayed.bundles.swap(0, 1);
    assert!(matches!(verify(&replayed), Err(RunRefused::Step { step: 0, .. })));
}

/// The genesis proof is of the named commitments, each of them.
#[test]
fn a_genesis_proof_is_of_one_hidden_state() {
    let moved = proven(&RUN.state, &dataset(1), 1, 0);
    let refused = |p: &Proven, alter: &dyn Fn(&mut StateCommitments)| {
        let mut state = p.run.genesis.clone();
        alter(&mut state);
        KEYS.2.verify_genesis(&PARAMS, &state, &p.genesis).unwrap_err()
    };
    let is = |error: StepError, port: &str| {
        assert!(matches!(&error, StepError::Genesis { segment: 1, port: found } if *found == port), "{port}: {error}");
    };
    for p in [&*RUN, &moved] {
        KEYS.2.verify_genesis(&PARAMS, &p.run.genesis, &p.genesis).unwrap();
        is(refused(p, &|state| state.segments[1].w.swap(0, 1)), "weights");
        is(refused(p, &|state| state.segments[1].slots.get_mut(&Slot::Low).unwrap().swap(0, 1)), Slot::Low.name());
    }
    // A momentum from nowhere: with a second half, it must be what moved; without one, there must be none.
    let other = moved.run.genesis.segments[0].slot(Slot::Momentum)[0];
    let alter = |state: &mut StateCommitments| state.segments[1].slots.get_mut(&Slot::Momentum).unwrap()[0] = other;
    is(refused(&moved, &alter), Slot::Momentum.name());
    // Then the proof would have as many instances again.
    let none = refused(&RUN, &alter);
    assert!(matches!(none, StepError::Proof { source: VerifyError::ProofLength { .. }, .. }), "{none}");
}

/// The fold itself: differences that cancel unscaled, one left out, a row of data among the rows that hide.
#[test]
fn a_fold_is_of_every_difference_with_its_own_power() {
    let statement = SpanStatement::new(b"statement");
    let column = |rows: &[u64]| rows.iter().map(|&x| F::from(x)).collect::<Vec<F>>();
    let hiding = |seed: u64| {
        let element = |i: u64| (F::from(seed * 1000 + i) + F::from(7)).square().square();
        Hiding(std::array::from_fn(|i| element(i as u64)))
    };
    let commit = |rows: &[F], hiding: &Hiding| commit_hidden(&PARAMS, rows, hiding).unwrap();
    let (a, b) = (column(&[3, 1, 4]), column(&[3, 1, 5]));
    let hidings: Vec<Hiding> = (0..4).map(hiding).collect();
    let prove = |pairs: &[(Hiding, Hiding)]| prove_span(&PARAMS, &[1; 32], &statement, pairs).unwrap();
    let of = |i: usize, j: usize| (hidings[i].clone(), hidings[j].clone());
    let honest =
        [(commit(&a, &hidings[0]), commit(&a, &hidings[1])), (commit(&b, &hidings[2]), commit(&b, &hidings[3]))];
    let proof = prove(&[of(0, 1), of(2, 3)]);
    verify_span(&PARAMS, &statement, &honest, &proof).unwrap();
    let refused = |statement: &SpanStatement, pairs: &[_], proof: &[u8]| {
        assert!(matches!(verify_span(&PARAMS, statement, pairs, proof), Err(VerifyError::Invalid)));
    };
    refused(&SpanStatement::new(b"another"), &honest, &proof);
    // In another order, one left out, one more.
    refused(&statement, &[honest[1], honest[0]], &proof);
    refused(&statement, &honest[..1], &proof);
    refused(&statement, &[honest[0], honest[1], honest[1]], &proof);
    refused(&statement, &honest, &prove(&[of(0, 1)]));
    // a against b and b against a: their differences cancel.
    let cancelling =
        [(commit(&a, &hidings[0]), commit(&b, &hidings[1])), (commit(&b, &hidings[2]), commit(&a, &hidings[3]))];
    refused(&statement, &cancelling, &proof);
    let rho = statement.rho();
    assert!(rho != F::ONE && rho != F::ZERO);
    // One usable row, the last one before those that hide, is data; those behind it are not.
    let usable = (1usize << DEFAULT_K) - RESERVED_ROWS;
    let mut last = vec![F::ZERO; usable];
    last[usable - 1] = F::ONE;
    refused(&statement, &[(commit(&last, &hidings[0]), commit(&[], &hidings[1]))], &prove(&[of(0, 1)]));
    // An answer reused under another statement.
    let again = prove(&[of(0, 1), of(2, 3)]);
    assert!(proof.chunks(ENCODED).zip(again.chunks(ENCODED)).all(|(x, y)| x != y), "nonces are fresh");
}

/// All points and scalars of a run's public files.
fn items(p: &Proven) -> BTreeSet<[u8; 32]> {
    let mut all = BTreeSet::new();
    let mut add = |bytes: &[u8]| all.extend(bytes.as_chunks::<32>().0.iter().copied());
    for bundle in &p.bundles {
        let proofs = bundle.contributions.iter().flat_map(|c| c.layers.iter().chain(&c.heads)).chain(&bundle.updates);
        proofs.for_each(|proof| add(proof));
        add(&bundle.private.as_ref().unwrap().span);
        bundle.leaves.iter().for_each(|Leaf { commitment, .. }| add(commitment));
    }
    p.genesis.updates.iter().for_each(|proof| add(proof));
    // A fixed column that is zero everywhere is so at any point.
    all.remove(&[0; 32]);
    all
}

/// Two private runs of the same weights, data and seed share no point, no evaluation and no leaf; nothing that follows from weights
/// or data alone occurs in either.
#[test]
fn private_runs_share_nothing_and_confirm_nothing() {
    let first = State::init(&KEYS.0.config, 3);
    let other = proven(&first, &dataset(2), 1, 2);
    let (a, b) = (items(&RUN), items(&other));
    let shared: Vec<_> = a.intersection(&b).collect();
    assert_eq!(shared, Vec::<&[u8; 32]>::new());
    // Every canonical commitment of states, gradients and sequences.
    let layouts = Layouts::new(&KEYS.0.config);
    let mut canonical = BTreeSet::new();
    for state in RUN.before.iter().map(|(state, ..)| state).chain([&RUN.state]) {
        let committed = layouts.commit_state(&PARAMS, state).unwrap();
        canonical.extend(committed.points().unwrap().iter().map(GroupEncoding::to_bytes));
    }
    let public = Dataset::new(&PARAMS, KEYS.0.config.context, CORPUS.tokens()).unwrap();
    canonical.extend((0..public.root().leaves()).map(|leaf| public.commitment(leaf).unwrap()));
    assert!(canonical.len() > 20 && a.is_disjoint(&canonical) && b.is_disjoint(&canonical));
    // No commitment of one proof occurs in another one.
    let heads = |p: &Proven| -> Vec<Vec<[u8; 32]>> {
        let bundle = |b: &Bundle| {
            let proofs = b.contributions.iter().flat_map(|c| c.layers.iter().chain(&c.heads)).chain(&b.updates);
            proofs.map(|proof| proof.as_chunks::<32>().0.to_vec()).collect::<Vec<_>>()
        };
        p.bundles.iter().flat_map(bundle).collect()
    };
    let mut seen = BTreeSet::new();
    for proof in heads(&RUN) {
        let own: BTreeSet<_> = proof.into_iter().filter(|item| *item != F::ZERO.to_repr()).collect();
        let twice: Vec<_> = own.intersection(&seen).copied().collect();
        assert!(twice.is_empty(), "{twice:?}");
        seen.extend(own);
    }
}

/// A run that begins with a model that has moved: what its momentum's commitments are is shown by both ends of the movement.
#[test]
fn a_first_state_with_momentum_is_shown_to_be_in_range() {
    assert!(!RUN.state.at_rest());
    let moved = proven(&RUN.state, &dataset(1), 1, 1);
    assert_eq!(moved.genesis.updates.len(), 1 + usize::from(2 * 3 > MAX_INSTANCES_PER_PROOF as usize));
    verify(&moved).unwrap();
    let mut other = moved.clone();
    other.genesis = RUN.genesis.clone();
    assert!(verify(&other).is_err());
    assert_ne!(moved.secrets, RUN.secrets);
}
