//! The opening that shows blinds to be 1 (SOUNDNESS 15).
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{F, Point, ProofWriter, columns_domain};
use backend::ports::{absorb_canonical, canonical_length, commit_port, commit_with_blind};
use common::*;
use ff::{Field, PrimeField};
use halo2_proofs::arithmetic::eval_polynomial;
use halo2_proofs::poly::commitment::{Blind, create_proof};
use halo2_proofs::transcript::TranscriptWrite;
use prover::canonical::prove_canonical;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use verifier::{Batch, BatchError, VerifyError, verify_canonical};

fn columns() -> Vec<Vec<F>> {
    // One that is zero: its commitment is W itself, and its term vanishes.
    let column = |seed: u64| (0..200).map(|i| F::from(seed * i)).collect();
    vec![column(0), column(5), column(9)]
}

/// Blinds other than 1.
fn blinded(blinds: [u64; 3]) -> Vec<Point> {
    let columns = columns();
    columns.iter().zip(blinds).map(|(c, b)| commit_with_blind(&PARAMS, c, F::from(b)).unwrap()).collect()
}

#[test]
fn canonical_commitments_are_shown_to_be() {
    for columns in [columns(), columns()[..1].to_vec()] {
        let commitments = commit_port(&PARAMS, &columns).unwrap();
        let proof = prove_canonical(&PARAMS, &columns, &commitments).unwrap();
        assert_eq!(proof.len(), canonical_length(8));
        verify_canonical(&PARAMS, &commitments, &proof).unwrap();
    }
}

#[test]
fn it_joins_a_batch() {
    let commitments = commit_port(&PARAMS, &columns()).unwrap();
    let proof = prove_canonical(&PARAMS, &columns(), &commitments).unwrap();
    let with = |commitments: &[Point]| {
        let mut batch = Batch::new(&PARAMS);
        batch.add(&KEY.verifying, 1, &ONE.bytes, &ONE.instances).unwrap();
        batch.add_canonical(commitments, &proof).unwrap();
        batch.finish()
    };
    assert_eq!(with(&commitments), Ok(()));
    assert_eq!(with(&commitments[..2]), Err(BatchError::Invalid(vec![1])));
    assert_eq!(with(&blinded([1, 2, 1])), Err(BatchError::Invalid(vec![1])));
}

/// A cheater who opens with the true blind, and then claims that it is 0.
#[test]
fn another_blind() {
    for blinds in [[2, 1, 1], [1, 1, 3], [2, 3, 4]] {
        let commitments = blinded(blinds);
        // Through the honest prover.
        let proof = prove_canonical(&PARAMS, &columns(), &commitments).unwrap();
        assert!(matches!(verify_canonical(&PARAMS, &commitments, &proof), Err(VerifyError::Invalid)));

        let mut transcript = ProofWriter::init(vec![]);
        let (rho, point) = absorb_canonical(&mut transcript, 8, &commitments).unwrap();
        let (mut total, mut blind, mut weight) = (vec![F::ZERO; 256], F::ZERO, F::ONE);
        for (column, b) in columns().iter().zip(blinds) {
            total.iter_mut().zip(column).for_each(|(t, c)| *t += weight * c);
            blind += weight * (F::from(b) - F::ONE);
            weight *= rho;
        }
        let domain = columns_domain(8);
        let total = domain.lagrange_to_coeff(domain.lagrange_from_vec(total));
        let value = eval_polynomial(&total, point);
        transcript.write_scalar(value).unwrap();
        let rng = ChaCha20Rng::seed_from_u64(1);
        create_proof(PARAMS.halo2(), rng, &mut transcript, &total, Blind(blind), point).unwrap();
        let mut proof = transcript.finalize();
        assert!(matches!(verify_canonical(&PARAMS, &commitments, &proof), Err(VerifyError::Blind)));
        let last = proof.len() / 32 - 1;
        put(&mut proof, last, &[0; 32]);
        assert!(matches!(verify_canonical(&PARAMS, &commitments, &proof), Err(VerifyError::Invalid)));
    }
}

#[test]
fn malformed_openings() {
    let commitments = commit_port(&PARAMS, &columns()).unwrap();
    let proof = prove_canonical(&PARAMS, &columns(), &commitments).unwrap();
    let refused = |proof: &[u8]| verify_canonical(&PARAMS, &commitments, proof).unwrap_err();
    for length in 0..proof.len() {
        assert!(matches!(refused(&proof[..length]), VerifyError::ProofLength { .. }));
    }
    assert!(matches!(refused(&[&proof[..], &[0]].concat()), VerifyError::ProofLength { .. }));
    assert!(matches!(verify_canonical(&PARAMS, &[], &proof), Err(VerifyError::NoInstances)));
    let identity = [commitments[0], Point::default(), commitments[2]];
    assert!(matches!(verify_canonical(&PARAMS, &identity, &proof), Err(VerifyError::Identity { item: 1 })));
    let items = proof.len() / 32;
    for at in 0..items {
        let mut zero = proof.clone();
        put(&mut zero, at, &[0; 32]);
        let mut high = proof.clone();
        put(&mut high, at, &[0xff; 32]);
        let point = (1..items - 2).contains(&at);
        match refused(&high) {
            VerifyError::Point { item } => assert!(point && item == at),
            VerifyError::Scalar { item } => assert!(!point && item == at),
            VerifyError::Blind => assert_eq!(at, items - 1),
            other => panic!("item {at}: {other}"),
        }
        if at < items - 1 {
            match refused(&zero) {
                VerifyError::Identity { item } => assert!(point && item == at),
                VerifyError::Invalid => assert!(!point),
                other => panic!("item {at}: {other}"),
            }
        }
        for bit in [0, 100, 253] {
            let mut flipped = proof.clone();
            flipped[at * 32 + bit / 8] ^= 1 << (bit % 8);
            refused(&flipped);
        }
    }
    // Another order of the same commitments.
    let swapped = [commitments[1], commitments[0], commitments[2]];
    assert!(matches!(verify_canonical(&PARAMS, &swapped, &proof), Err(VerifyError::Invalid)));
    // The value, plus one.
    let mut other = proof.clone();
    let value = F::from_repr(proof[..32].try_into().unwrap()).unwrap() + F::ONE;
    put(&mut other, 0, &value.to_repr());
    assert!(matches!(refused(&other), VerifyError::Invalid));
}
