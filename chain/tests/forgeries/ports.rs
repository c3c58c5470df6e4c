//! Every port of every proof replaced by another valid commitment.

use crate::common::golden::GOLDEN;
use crate::common::{NANO, PARAMS, assert_unsealed, resign};
use backend::curve::{ENCODED, Point};
use backend::keys::VerifyingKey;
use backend::ports::commit_canonical;
use chain::block::Block;
use chain::consensus::SemanticError;
use circuits::model::{OptimizerKind, Slot};
use circuits::segments::{head, layer};
use circuits::statements::{Encoding, commit_movement};
use group::GroupEncoding;
use verifier::{BatchError, StepError};

const LAYER: [&str; 4] = ["weights", "gradients", "lower", "upper"];
const HEAD: [&str; 5] = ["weights", "gradients", "lower", "upper", "batch"];
const UPDATE: [&str; 3] = ["x", "w new", "lo new"];

/// `(instance, port, item)` of every port column of a proof.
fn columns(key: &VerifyingKey, instances: usize) -> Vec<(usize, usize, usize)> {
    let of = |i: usize| {
        let ports = key.shape.ports.iter().enumerate();
        ports.flat_map(move |(port, range)| range.clone().map(move |c| (i, port, i * key.shape.advice + c)))
    };
    (0..instances).flat_map(of).collect()
}

fn point(proof: &[u8], item: usize) -> Encoding {
    proof[item * ENCODED..][..ENCODED].try_into().unwrap()
}

/// Commitments to put in place of one: the one after it in the proof, that of another port, and one that is valid and
/// nowhere in the proof.
fn others(proof: &[u8], all: &[(usize, usize, usize)], (_, port, item): (usize, usize, usize)) -> Vec<Encoding> {
    let own = point(proof, item);
    let elsewhere = all.iter().filter(|(_, p, _)| *p != port).map(|(_, _, item)| point(proof, *item));
    let foreign = GOLDEN.block(3).update.unwrap().after.segments[0].w[0];
    let next = point(proof, item + 1);
    let mut others: Vec<Encoding> = [next, foreign].into_iter().chain(elsewhere.take(1)).collect();
    others.retain(|point| *point != own);
    assert!(others.len() >= 2);
    others
}

fn put(proof: &mut [u8], item: usize, point: &Encoding) {
    proof[item * ENCODED..][..ENCODED].copy_from_slice(point);
}

/// The contributor replaces them, and signs; nobody else can.
#[test]
fn every_port_of_a_contribution() {
    let (spec, parent, block) = (&GOLDEN.spec, GOLDEN.before(1).parent(), GOLDEN.block(1));
    let honest = &block.contributions[0];
    let mut replaced = 0;
    for of_layer in [true, false] {
        let (verifying, names) =
            if of_layer { (&NANO.keys.keys().layer, &LAYER[..]) } else { (&NANO.keys.keys().head, &HEAD[..]) };
        let proof = if of_layer { &honest.proofs.layers[0] } else { &honest.proofs.heads[0] };
        let all = columns(verifying, 1);
        for &at in &all {
            let name = names[at.1];
            for other in others(proof, &all, at) {
                let mut forged = honest.clone();
                let proofs = if of_layer { &mut forged.proofs.layers } else { &mut forged.proofs.heads };
                put(&mut proofs[0], at.2, &other);
                assert_unsealed(spec, &forged);
                resign(spec, &mut forged);
                let checker = NANO.checker(spec);
                let error = checker.verify_contribution(&parent, &forged).map(|_| ()).unwrap_err();
                match (&error, name) {
                    (SemanticError::Step(StepError::State { contribution: 0, port: "weights", .. }), "weights")
                    | (SemanticError::Gradient { index: 0 }, "gradients")
                    | (SemanticError::Step(StepError::Wire { boundary: 0, .. }), "lower")
                    | (SemanticError::Step(StepError::Wire { boundary: 1, .. }), "upper")
                    | (SemanticError::Batch { index: 0, sequence: 0, .. }, "batch") => {}
                    _ => panic!("{name}: {error:?}"),
                }
                replaced += 1;
                // The gradient that is signed is replaced with the port: then the proof itself does not hold.
                if name == "gradients" {
                    let segment = usize::from(!of_layer);
                    let first = verifying.shape.ports[layer::GRADIENTS].start;
                    forged.gradient[segment][at.2 - first] = other;
                    resign(spec, &mut forged);
                    let error = checker.verify_contribution(&parent, &forged).map(|_| ()).unwrap_err();
                    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
                    assert_eq!(culprits, [segment]);
                }
                // Both ends of a wire are replaced: neither proof holds.
                if of_layer && (name == "lower" || name == "upper") {
                    let [layers, heads] = [&NANO.keys.keys().layer, &NANO.keys.keys().head].map(|key| &key.shape.ports);
                    let port = at.1;
                    let there = heads[port].start + (at.2 - layers[port].start);
                    put(&mut forged.proofs.heads[0], there, &other);
                    resign(spec, &mut forged);
                    let error = checker.verify_contribution(&parent, &forged).map(|_| ()).unwrap_err();
                    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
                    assert_eq!(culprits, [0, 1]);
                }
            }
        }
    }
    assert_eq!((layer::LOWER, layer::UPPER), (head::LOWER, head::UPPER));
    println!("{replaced} replacements");
}

#[test]
fn every_port_of_the_update() {
    let (spec, parent, block) = (&GOLDEN.spec, GOLDEN.before(1).parent(), GOLDEN.block(1));
    let proof = &block.update.as_ref().unwrap().proofs[0];
    let instances = spec.layouts().updates().len();
    let all = columns(&NANO.keys.keys().update, instances);
    assert_eq!(all.len(), instances * 6);
    let refused = |forged: Block| NANO.checker(spec).verify(&parent, &forged.into()).map(|_| ()).unwrap_err();
    for &at in &all {
        let name = UPDATE[at.1];
        for other in others(proof, &all, at).into_iter().take(2) {
            let mut forged = block.clone();
            put(&mut forged.update.as_mut().unwrap().proofs[0], at.2, &other);
            let error = refused(forged.clone());
            match (&error, name) {
                (SemanticError::Step(StepError::Entering { .. }), "x") | (SemanticError::After, "w new" | "lo new") => {
                }
                _ => panic!("{name}: {error:?}"),
            }
        }
        // The state after is replaced with the port: then the proof does not hold, nor does the opening.
        if at.1 >= 1 {
            let (segment, group) = spec.layouts().updates()[at.0];
            let first = NANO.keys.keys().update.shape.ports[at.1].clone();
            let column = group * first.len() + at.2 - at.0 * NANO.keys.keys().update.shape.advice - first.start;
            let other = GOLDEN.block(3).update.unwrap().after.segments[0].w[0];
            let mut forged = block.clone();
            let of_block = forged.update.as_mut().unwrap();
            put(&mut of_block.proofs[0], at.2, &other);
            let state = &mut of_block.after.segments[segment];
            let port = std::iter::once(&mut state.w).chain(state.slots.values_mut()).nth(at.1 - 1).unwrap();
            port[column] = other;
            // So is the movement that follows from it.
            let before = parent.state.segments[segment].decode(OptimizerKind::Sgd).unwrap();
            let zero = commit_canonical(&PARAMS, &[]).unwrap();
            let moved = commit_movement(before.whole(), state.decode(OptimizerKind::Sgd).unwrap().whole(), &zero);
            state.slots.insert(Slot::Momentum, moved.iter().map(Point::to_bytes).collect());
            let error = refused(forged);
            let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
            assert_eq!(culprits, [4, 5]);
        }
    }
}

/// The instances of the update exchanged: segments' commitments stand in each other's place.
#[test]
fn instances_are_permuted() {
    let (spec, parent, block) = (&GOLDEN.spec, GOLDEN.before(1).parent(), GOLDEN.block(1));
    let advice = NANO.keys.keys().update.shape.advice * ENCODED;
    let instances = spec.layouts().updates().len();
    assert!(instances >= 2);
    for i in 0..instances - 1 {
        let mut forged = block.clone();
        let proof = &mut forged.update.as_mut().unwrap().proofs[0];
        let (head, tail) = proof.split_at_mut((i + 1) * advice);
        head[i * advice..].swap_with_slice(&mut tail[..advice]);
        let error = NANO.checker(spec).verify(&parent, &forged.into()).map(|_| ()).unwrap_err();
        let SemanticError::Step(error) = error else { panic!("{error:?}") };
        assert!(matches!(error, StepError::Entering { .. }), "{error:?}");
    }
}
