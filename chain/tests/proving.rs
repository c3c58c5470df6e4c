//! A cheater who proves: each of the proofs below is valid, or as valid as a cheater can make it, and states what it must
//! not. On a model of a few cells, and a data set of two sequences. Takes minutes.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "proving/tiny.rs"]
mod tiny;

use crate::common::golden::produce;
use crate::common::tip::{Refused, Tip};
use crate::common::{PARAMS, Setting, assert_unsealed, key, resign, sign};
use backend::curve::{ENCODED, F, Point};
use backend::keys::{Item, VerifyingKey};
use chain::block::Update;
use chain::consensus::SemanticError;
use chain::contribution::{Seat, encode_points};
use chain::genesis::{ChainSpec, Genesis};
use chain::unmined::{Parts, UnminedBlock};
use chain::worker::Worker;
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Gradients, Hyper, Optimizer, OptimizerKind, SquareSum, State, UpdateKind};
use circuits::ops::adamw::Betas;
use circuits::segments::{UpdatePort, Variant, head, layer};
use circuits::statements;
use circuits::statements::dataset::DatasetError;
use circuits::statements::domain::Place;
use ff::Field;
use group::GroupEncoding;
use plonkish::field;
use prover::canonical::prove_canonical;
use prover::engine::prove;
use prover::error::ProveError;
use prover::step::{StepKeys, StepProver};
use std::collections::HashSet;
use tiny::{TINY, culprits, forge};
use verifier::{StepError, StepVerifier, VerifyError};

#[test]
fn the_honest_block_is_accepted() {
    let tiny = &*TINY;
    tiny.tip.check(&tiny.setting, &tiny.spec, &tiny.block).unwrap();
    // The forger's proofs of honest witnesses are valid, so what the other tests find wrong is what was altered.
    let seat = tiny.honest[0].contribution.seat;
    let (layers, head, loss, gradients) = tiny.instances(&seat, 1);
    assert_eq!(gradients, tiny.honest[0].gradients);
    let gradient = tiny.spec.layouts().commit_gradients(&PARAMS, &gradients).unwrap();
    let (layers, heads) = (forge(&tiny.keys.layer, layers), forge(&tiny.keys.head, vec![head]));
    let c = tiny.contribution(seat, &gradient, (loss, layers, heads), tiny.leaf(&seat));
    tiny.setting.checker(&tiny.spec).verify_contribution(&tiny.tip.parent(), &c).unwrap();
}

#[test]
fn updates_by_something_else() {
    let tiny = &*TINY;
    let (state, sum, hyper) = (&tiny.state, tiny.sum(), tiny.spec.hyper(0, 2, SquareSum::ZERO).unwrap());
    let step = |error| match error {
        SemanticError::Step(error) => error,
        error => panic!("{error:?}"),
    };

    // Another sum: one entry off by one; one contribution left out.
    let mut off = sum.clone();
    off.layers[1].wq.data[5] += 1;
    let error = step(tiny.refused_update((state, &off, &hyper)));
    assert!(matches!(error, StepError::Entering { segment: 1, port: UpdatePort::Dividends }), "{error:?}");
    let error = step(tiny.refused_update((state, &tiny.honest[0].gradients, &hyper)));
    assert!(matches!(error, StepError::Entering { segment: 0, port: UpdatePort::Dividends }), "{error:?}");

    // Another state: stale momentum, a low part, weights.
    for alter in [
        (|s| s.movement_mut().unwrap().layers[0].wo.data[3] += 1) as fn(&mut State),
        |s| s.lo.layers[0].wo.data[3] ^= 1,
        |s| s.w.layers[0].wo.data[3] += 1,
    ] {
        let mut stale = state.clone();
        alter(&mut stale);
        let error = step(tiny.refused_update((&stale, &sum, &hyper)));
        assert!(matches!(error, StepError::Entering { segment: 0, port: UpdatePort::Dividends }), "{error:?}");
    }

    // Other integers: of the next step, of another number of contributions, each off by one.
    let (next, fewer) =
        (tiny.spec.hyper(1, 2, SquareSum::ZERO).unwrap(), tiny.spec.hyper(0, 1, SquareSum::ZERO).unwrap());
    let [next, fewer, hyper] = [next, fewer, hyper].map(|hyper| hyper.sgd().unwrap());
    assert!(next.lambda != hyper.lambda && next.omega != hyper.omega && fewer.lambda != hyper.lambda);
    let [mut heavier, mut decayed] = [hyper; 2];
    (heavier.mu, decayed.omega) = (hyper.mu + 1, hyper.omega + 1);
    for other in [next, fewer, heavier, decayed].map(Hyper::Sgd) {
        let error = step(tiny.refused_update((state, &sum, &other)));
        assert!(matches!(error, StepError::Entering { segment: 0, port: UpdatePort::Dividends }), "{error:?}");
    }
}

/// One entry +1 in one contribution and −1 in another: the sum, and with it the update, is the honest one.
#[test]
fn errors_of_two_contributions_that_cancel() {
    let tiny = &*TINY;
    let mut contributions = vec![];
    let mut gradients = vec![];
    for (proven, by) in tiny.honest.iter().zip([1i128, -1]) {
        let seat = proven.contribution.seat;
        let (mut layers, head, loss, mut gradient) = tiny.instances(&seat, 1);
        gradient.layers[1].wd.data[3] += by;
        let columns = tiny.spec.layouts().gradient_columns(1, &gradient);
        let port = tiny.keys.layer.verifying.shape.ports[layer::GRADIENTS].clone();
        let mut altered = 0;
        for (into, column) in layers[1].witness.values[port].iter_mut().zip(&columns) {
            for (cell, &value) in into.iter_mut().zip(column) {
                altered += usize::from(*cell != field(value));
                *cell = field(value);
            }
        }
        assert_eq!(altered, 1);
        // The prover gives out no such proof; the cheater's own does.
        if by == 1 {
            let refused = prove(&PARAMS, &tiny.keys.layer, layers.clone(), &mut |_| {}).map(|_| ());
            assert!(matches!(refused, Err(ProveError::Unsatisfied { instance: 1, .. })), "{refused:?}");
        }
        let commitments = tiny.spec.layouts().commit_gradients(&PARAMS, &gradient).unwrap();
        let (layers, heads) = (forge(&tiny.keys.layer, layers), forge(&tiny.keys.head, vec![head]));
        let c = tiny.contribution(seat, &commitments, (loss, layers, heads), tiny.leaf(&seat));
        assert_eq!(culprits(tiny.refused_alone(&c)), [0]);
        contributions.push(c);
        gradients.push(gradient);
    }
    let sum = tiny.sum();
    let hyper = tiny.spec.hyper(0, 2, SquareSum::ZERO).unwrap();
    let both: Vec<&Gradients> = gradients.iter().collect();
    let update = tiny.update(&contributions, &both, (&tiny.state, &sum, &hyper));
    assert_eq!(update.after, tiny.block.update.as_ref().unwrap().after);
    let Refused::Semantic(error) = tiny.refused(&tiny.block(contributions, update)) else { panic!("another rule") };
    assert_eq!(culprits(error), [0, 2]);

    // Only the commitments that are signed say so, not the ports.
    let mut contributions: Vec<_> = tiny.honest.iter().map(|proven| proven.contribution.clone()).collect();
    for (c, gradient) in contributions.iter_mut().zip(&gradients) {
        c.gradient = encode_points(&tiny.spec.layouts().commit_gradients(&PARAMS, gradient).unwrap());
        resign(&tiny.spec, c);
    }
    let update = tiny.block.update.clone().unwrap();
    let Refused::Semantic(error) = tiny.refused(&tiny.block(contributions, update)) else { panic!("another rule") };
    assert!(matches!(error, SemanticError::Gradient { index: 0 }), "{error:?}");
}

/// A gradient whose commitments have blind 2: all proofs and all sums hold, but nobody who recomputes the commitments
/// from the tensors would find them.
#[test]
fn a_gradient_with_another_blind() {
    let tiny = &*TINY;
    let (seat, layouts) = (tiny.honest[0].contribution.seat, tiny.spec.layouts());
    let (layers, head, loss, gradients) = tiny.instances(&seat, 2);
    let layers = prove(&PARAMS, &tiny.keys.layer, layers, &mut |_| {}).unwrap();
    let head = prove(&PARAMS, &tiny.keys.head, vec![head], &mut |_| {}).unwrap();
    let ports = layers.ports.iter().map(|ports| ports[layer::GRADIENTS].clone());
    let commitments: Vec<Vec<Point>> = ports.chain([head.ports[0][head::GRADIENTS].clone()]).collect();
    let c = tiny.contribution(seat, &commitments, (loss, layers.bytes, head.bytes), tiny.leaf(&seat));
    // The blind is the block's business: alone, the contribution holds. Whoever has its tensors sees the difference.
    let parent = tiny.tip.parent();
    tiny.setting.checker(&tiny.spec).verify_contribution(&parent, &c).unwrap();
    assert_ne!(encode_points(&layouts.commit_gradients(&PARAMS, &gradients).unwrap()), c.gradient);

    // The update opens the dividends of a gradient with blind 2.
    let hyper = tiny.spec.hyper(0, 1, SquareSum::ZERO).unwrap();
    let one = std::slice::from_ref(&c);
    let by = (&tiny.state, &gradients, &hyper);
    let honest_opening = tiny.update_with_blind(one, &[&gradients], by, F::ONE - F::from(hyper.sgd().unwrap().lambda));
    let refused = |update: &Update| match tiny.refused(&tiny.block(vec![c.clone()], update.clone())) {
        Refused::Semantic(error) => error,
        error => panic!("{error:?}"),
    };
    // Layer, head, update, opening: only the last one does not hold, whichever commitments it is of.
    assert_eq!(culprits(refused(&honest_opening)), [3]);
    let mut moved = tiny.state.clone();
    moved.update(&hyper, &gradients, &mut Saturations::default()).unwrap();
    let mut columns: Vec<Vec<F>> = vec![];
    for segment in 0..layouts.segments() {
        let of_segment = layouts.gradient_columns(segment, &gradients);
        columns.extend(of_segment.into_iter().map(|column| column.into_iter().map(field).collect::<Vec<F>>()));
    }
    for segment in 0..layouts.segments() {
        let of_segment = layouts.state_columns(segment, &moved).into_iter().flatten();
        columns.extend(of_segment.map(|column| column.into_iter().map(field).collect::<Vec<F>>()));
    }
    let points: Vec<Point> =
        commitments.iter().flatten().copied().chain(honest_opening.after.points().unwrap()).collect();
    let canonical = prove_canonical(&PARAMS, &columns, &points).unwrap();
    let mut forged = Update { canonical, ..honest_opening };
    assert_eq!(culprits(refused(&forged)), [3]);
    // The blind that is left, shown.
    let last = forged.canonical.len() - ENCODED;
    forged.canonical[last] = 1;
    let error = refused(&forged);
    let SemanticError::Step(StepError::Canonical { source: VerifyError::Blind }) = error else { panic!("{error:?}") };
}

#[test]
fn gradients_of_another_batch_or_state() {
    let tiny = &*TINY;
    let honest = &tiny.honest[0].contribution;
    let (seat, assigned) = (honest.seat, tiny.leaf(&honest.seat));
    let prover = tiny.prover();
    let proven = |state: &State, leaf: u64, path: u64| {
        let batch = [tiny.tokens(leaf).to_vec()];
        let gradient = prover.gradient(&tiny.seat_domain(&seat), state, &batch, &mut |_| {}).unwrap();
        let commitments = tiny.spec.layouts().commit_gradients(&PARAMS, &gradient.gradients).unwrap();
        let statements::Contribution { losses, mut layers, mut heads } = gradient.contribution;
        tiny.contribution(seat, &commitments, (losses[0], layers.remove(0), heads.remove(0)), path)
    };
    // A leaf of the data set that is not the assigned one, with its own path and with the assigned one's.
    let other = 1 - assigned;
    let mut elsewhere = proven(&tiny.state, other, other);
    for path in [other, assigned] {
        elsewhere.leaves[0] = tiny.setting.dataset.proof(path).unwrap();
        resign(&tiny.spec, &mut elsewhere);
        let error = tiny.refused_alone(&elsewhere);
        let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
        assert_eq!(source, DatasetError::NotIncluded { index: assigned });
    }
    // The other contributor's seat is assigned that leaf or this one: the proofs name the first contributor.
    let mut renamed = elsewhere;
    renamed.seat.contributor = crate::common::tried_keys()
        .map(|key| key.address())
        .find(|a| tiny.leaf(&Seat { contributor: *a, ..seat }) == other)
        .unwrap();
    let thief = crate::common::tried_keys().find(|key| key.address() == renamed.seat.contributor).unwrap();
    renamed.leaves[0] = tiny.setting.dataset.proof(other).unwrap();
    sign(&tiny.spec, &mut renamed, &thief);
    assert_eq!(culprits(tiny.refused_alone(&renamed)), [0, 1]);

    // At a state that is not the parent's: one weight is off by one.
    let mut stale = tiny.state.clone();
    stale.w.layers[1].wq.data[0] += 1;
    let error = tiny.refused_alone(&proven(&stale, assigned, assigned));
    let SemanticError::Step(StepError::State { contribution: 0, place, port: "weights" }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(place, Place::Layer { sequence: 0, layer: 1 });

    // Layers in each other's place.
    let mut permuted = honest.clone();
    let advice = tiny.keys.layer.verifying.shape.advice * ENCODED;
    let (first, second) = permuted.proofs.layers[0].split_at_mut(advice);
    first.swap_with_slice(&mut second[..advice]);
    assert_unsealed(&tiny.spec, &permuted);
    resign(&tiny.spec, &mut permuted);
    let error = tiny.refused_alone(&permuted);
    let SemanticError::Step(StepError::State { contribution: 0, place, port: "weights" }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(place, Place::Layer { sequence: 0, layer: 0 });
}

/// All commitments of a proof but the canonical ports'.
fn private(key: &VerifyingKey, instances: usize, proof: &[u8], secret: [usize; 2]) -> Vec<[u8; ENCODED]> {
    let shape = &key.shape;
    let canonical: HashSet<usize> = (0..instances)
        .flat_map(|i| {
            let ports = shape.ports.iter().enumerate().filter(|(port, _)| !secret.contains(port));
            ports.flat_map(move |(_, range)| range.clone().map(move |column| i * shape.advice + column))
        })
        .collect();
    let kinds = shape.items(instances).into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
    let items = kinds.zip(proof.as_chunks::<ENCODED>().0).enumerate();
    items
        .filter(|(i, (kind, _))| *kind == Item::Point && !canonical.contains(i))
        .map(|(_, (_, point))| *point)
        .collect()
}

#[test]
fn the_same_witness_under_two_domains_shares_no_private_commitment() {
    let tiny = &*TINY;
    let honest = &tiny.honest[0].contribution;
    let seat = Seat { slot: 1, ..honest.seat };
    let batch = [tiny.tokens(tiny.leaf(&honest.seat)).to_vec()];
    let again = tiny.prover().gradient(&tiny.seat_domain(&seat), &tiny.state, &batch, &mut |_| {}).unwrap();
    assert_eq!(again.gradients, tiny.honest[0].gradients);
    let wires = [layer::LOWER, layer::UPPER];
    let points = |c: &statements::Contribution| {
        let layers = private(&tiny.setting.keys.keys().layer, 2, &c.layers[0], wires);
        [layers, private(&tiny.setting.keys.keys().head, 1, &c.heads[0], wires)].concat()
    };
    let (first, second) = (points(&honest.proofs), points(&again.contribution));
    let distinct = |points: &[[u8; ENCODED]]| points.iter().copied().collect::<HashSet<_>>();
    // Within one contribution, each of three boundaries has two ends, and nothing else repeats.
    let columns = tiny.setting.keys.keys().layer.shape.ports[layer::LOWER].len();
    for points in [&first, &second] {
        assert!(points.len() > 200, "{}", points.len());
        assert_eq!(distinct(points).len(), points.len() - 3 * columns);
    }
    assert!(distinct(&first).is_disjoint(&distinct(&second)));
    // What is canonical is the same.
    let port = tiny.setting.keys.keys().head.shape.ports[head::GRADIENTS].clone();
    let gradient = |c: &statements::Contribution| c.heads[0].as_chunks::<ENCODED>().0[port.clone()].to_vec();
    assert_eq!(gradient(&honest.proofs), gradient(&again.contribution));
    assert_eq!(gradient(&honest.proofs), honest.gradient[2]);
    assert!(honest.gradient[2].iter().all(|bytes| Point::from_bytes(bytes).is_some().into()));
}

/// Blocks of a chain whose optimizer is AdamW: two steps, with the moments of the first.
#[test]
fn a_chain_trains_with_adamw() {
    let mut config = circuits::model::Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    let variant = Variant::public(UpdateKind::AdamW);
    let keys = StepVerifier::of(&PARAMS, variant, &config).unwrap();
    let setting = Setting { keys, ..Setting::new(config, &[1, 4, 2, 7, 5, 3, 0, 6, 1, 2, 3, 4, 5, 6, 7, 0, 1]) };
    let model = &setting.model;
    let proving = StepKeys::generate_of(&PARAMS, model, variant).unwrap();
    let mut state = State::init(&model.config, 1).at_rest_of(OptimizerKind::AdamW);
    let (proof, _) = StepProver::new(&PARAMS, &proving, model).genesis(&state, &mut |_| {}).unwrap();
    let [beta1, beta2, eps, weight_decay, clip] =
        ["0.9", "0.99", "1e-8", "0.1", "0.5"].map(|text| text.parse().unwrap());
    let optimizer = Optimizer::AdamW(Betas { beta1, beta2, eps, weight_decay, clip });
    let spec = ChainSpec::new(Genesis { optimizer, ..setting.genesis(&state, proof) }).unwrap();
    assert_eq!((spec.variant(), spec.first_state()), (variant, state.clone()));
    spec.check_keys(&setting.keys).unwrap();
    spec.check_proof(&PARAMS, &setting.keys).unwrap();
    let worker = Worker { spec: &spec, params: &PARAMS, keys: &proving, model, dataset: &setting.dataset };
    let mut tip = Tip::genesis(&spec);
    for step in 1..3 {
        let before = state.clone();
        let contribution = worker.contribute(&tip.parent(), &state, 0, &key(1), &mut |_| {}).unwrap();
        let now = spec.genesis().time + 60 * step;
        let (block, _) = produce(&worker, (&tip, &mut state), vec![contribution], vec![], now);
        tip.check(&setting, &spec, &block).unwrap();
        let after = block.update.as_ref().unwrap().after.clone();
        assert_eq!(after, spec.layouts().commit_state(&PARAMS, &state).unwrap());
        // The update of another state's moments is none of this block.
        let mut forged = block.clone();
        forged.update.as_mut().unwrap().after = spec.layouts().commit_state(&PARAMS, &before).unwrap();
        assert!(tip.check(&setting, &spec, &forged).is_err());
        // Nor is one that says another sum of squares, or none.
        for alter in [
            |squares: &mut Vec<SquareSum>| squares.swap(0, 1),
            |squares| squares[1] = squares[1].plus(SquareSum::of([1])),
            |squares| squares[0] = SquareSum::ZERO,
            |squares| squares.truncate(1),
        ] as [fn(&mut Vec<SquareSum>); 4]
        {
            let mut update = block.update.clone().unwrap();
            alter(&mut update.squares);
            let (contributions, update) = (block.contributions.clone(), Some(update));
            let (ledger, producer) = (block.summary.ledger, block.summary.producer);
            let parts = Parts { contributions, transactions: vec![], update, ledger, producer, now };
            let mut draft = UnminedBlock::new(&spec, &tip.record, &tip.ancestry(&spec), parts).unwrap();
            let refused = tip.check(&setting, &spec, &draft.mine(u64::MAX).unwrap()).map(drop);
            assert!(
                matches!(refused, Err(Refused::Semantic(SemanticError::Step(_) | SemanticError::Proofs(_)))),
                "{refused:?}"
            );
        }
        tip.push(&spec, &block, &after);
    }
}
