//! Honest proofs verify, and their ports are what any node computes.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{F, Point};
use backend::ports::{commit_port, commit_with_blind, sum};
use backend::testing::{toy, toy_sink};
use common::*;
use group::GroupEncoding;
use prover::blinding::PortBlinding;
use prover::engine::{ProofInstance, Stage, prove};
use std::time::Instant;
use verifier::proof::{PortEncodings, port_encodings};
use verifier::{Batch, BatchError, verify};

fn tensor(seed: u64) -> Vec<Vec<F>> {
    let toy = toy(seed);
    toy.witness.values[toy.plan.port_columns(0)].to_vec()
}

#[test]
fn one_and_three_instances_verify() {
    for proof in [&*ONE, &*THREE] {
        let n = proof.instances.len();
        assert_eq!(proof.bytes.len(), KEY.verifying.shape.proof_length(n));
        let start = Instant::now();
        let ports = verify(&PARAMS, &KEY.verifying, n, &proof.bytes, &proof.instances).unwrap();
        println!("{n} instances, {} bytes: verified in {:?}", proof.bytes.len(), start.elapsed());
        assert_eq!(ports, proof.ports);
        let encoded: PortEncodings =
            ports.iter().map(|i| i.iter().map(|p| p.iter().map(Point::to_bytes).collect()).collect()).collect();
        assert_eq!(port_encodings(&KEY.verifying, n, &proof.bytes).unwrap(), encoded);
        for (i, ports) in ports.iter().enumerate() {
            assert_eq!(ports[0], commit_port(&PARAMS, &tensor(i as u64 + 1)).unwrap());
            assert_ne!(ports[1], commit_port(&PARAMS, &tensor(i as u64 + 1)).unwrap());
        }
        let publics: Vec<Vec<F>> = proof.instances.iter().map(|i| i[7..].to_vec()).collect();
        assert_eq!(verifier::instances(&KEY.verifying, &proof.bytes, &publics).unwrap(), proof.instances);
    }
}

#[test]
fn proofs_of_one_statement_share_only_their_canonical_ports() {
    let again = honest(&[1]);
    let heads = |bytes: &[u8]| -> Vec<[u8; 32]> { bytes.as_chunks::<32>().0[..KEY.verifying.shape.advice].to_vec() };
    let (a, b) = (heads(&ONE.bytes), heads(&again.bytes));
    for (column, (a, b)) in a.iter().zip(&b).enumerate() {
        // The wire's blinding is derived from the same statement here, so it is the same as well.
        assert_eq!(a == b, column < 8, "column {column}");
    }
}

#[test]
fn a_sum_of_commitments_is_opened_with_the_number_of_terms_as_blind() {
    let (a, b) = (&THREE.ports[0][0], &THREE.ports[1][0]);
    let total = sum([&a[..], &b[..]]).unwrap();
    let added: Vec<Vec<F>> =
        tensor(1).iter().zip(&tensor(2)).map(|(x, y)| x.iter().zip(y).map(|(x, y)| x + y).collect()).collect();
    let expected: Vec<Point> = added.iter().map(|c| commit_with_blind(&PARAMS, c, F::from(2)).unwrap()).collect();
    assert_eq!(total, expected);

    // The same tensor, proven with blind 2.
    let mut two = instance(toy(1), 1);
    two.ports[0] = PortBlinding::Canonical(F::from(2));
    let proof = prove(&PARAMS, &KEY, vec![two], &mut |_| {}).unwrap();
    let ports = verify(&PARAMS, &KEY.verifying, 1, &proof.bytes, &proof.instances).unwrap();
    let expected: Vec<Point> = tensor(1).iter().map(|c| commit_with_blind(&PARAMS, c, F::from(2)).unwrap()).collect();
    assert_eq!(ports[0][0], expected);
}

#[test]
fn a_secret_wire_is_equal_at_both_ends() {
    let sink = toy_sink(1);
    let instance = ProofInstance { witness: sink.witness, publics: sink.publics, ports: vec![wire(1)] };
    let proof = prove(&PARAMS, &SINK, vec![instance], &mut |_| {}).unwrap();
    let ports = verify(&PARAMS, &SINK.verifying, 1, &proof.bytes, &proof.instances).unwrap();
    assert_eq!(ports[0][0], ONE.ports[0][1]);
    // Even though one of the two blinds more rows.
    let rows = [&*KEY, &*SINK].map(|k| k.verifying.shape.blinding_rows);
    assert_eq!(rows, [6, 9]);

    let mut batch = Batch::new(&PARAMS);
    batch.add(&KEY.verifying, 1, &ONE.bytes, &ONE.instances).unwrap();
    batch.add(&SINK.verifying, 1, &proof.bytes, &proof.instances).unwrap();
    batch.add(&KEY.verifying, 3, &THREE.bytes, &THREE.instances).unwrap();
    assert_eq!(batch.len(), 3);
    assert_eq!(batch.finish(), Ok(()));
    assert_eq!(Batch::new(&PARAMS).finish(), Err(BatchError::Empty));
}

#[test]
fn progress_is_told_in_order() {
    let mut stages = vec![];
    let start = Instant::now();
    let proof = prove(&PARAMS, &KEY, vec![instance(toy(4), 4), instance(toy(5), 5)], &mut |s| stages.push(s)).unwrap();
    println!("proved two instances in {:?}", start.elapsed());
    let of = proof.bytes.len();
    assert_eq!(stages[0], Stage::Committed { done: 1, of: 2 });
    assert_eq!(stages[1], Stage::Committed { done: 2, of: 2 });
    assert_eq!(stages[2], Stage::Filled);
    assert_eq!(stages[stages.len() - 2], Stage::Proving { written: of, of });
    assert_eq!(stages[stages.len() - 1], Stage::Checked { instances: 2 });
}
