//! Malformed proofs and instances: refused by the rule that they break, never by a panic (SOUNDNESS 20).
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{F, Params};
use backend::keys::Item;
use common::*;
use ff::Field;
use verifier::proof::port_encodings;
use verifier::{VerifyError, verify};

fn refused(expected: usize, proof: &[u8], instances: &[Vec<F>]) -> VerifyError {
    verify(&PARAMS, &KEY.verifying, expected, proof, instances).unwrap_err()
}

fn items() -> Vec<Item> {
    let runs = KEY.verifying.shape.items(1);
    runs.into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n)).collect()
}

#[test]
fn no_instances() {
    for expected in [0, 1] {
        assert!(matches!(refused(expected, &[], &[]), VerifyError::NoInstances));
        assert!(matches!(refused(expected, &ONE.bytes, &[]), VerifyError::NoInstances));
    }
}

#[test]
fn one_instance_more_or_less() {
    let twice = [ONE.instances[0].clone(), ONE.instances[0].clone()];
    assert!(matches!(refused(1, &ONE.bytes, &twice), VerifyError::InstanceCount { expected: 1, found: 2 }));
    assert!(matches!(
        refused(3, &THREE.bytes, &THREE.instances[..2]),
        VerifyError::InstanceCount { expected: 3, found: 2 }
    ));
    // The caller errs as well: the length tells.
    assert!(matches!(refused(2, &ONE.bytes, &twice), VerifyError::ProofLength { .. }));
    assert!(matches!(refused(2, &THREE.bytes, &THREE.instances[..2]), VerifyError::ProofLength { .. }));
}

#[test]
fn padding_that_the_stock_verifier_accepts() {
    for extra in [1, 32, 64] {
        let padded = [&ONE.bytes[..], &vec![7; extra]].concat();
        assert!(stock_accepts(&padded, &ONE.instances));
        let (expected, found) = (ONE.bytes.len(), padded.len());
        assert!(matches!(
            refused(1, &padded, &ONE.instances),
            VerifyError::ProofLength { expected: e, found: f } if (e, f) == (expected, found)
        ));
    }
    let mut padded = ONE.instances.clone();
    padded[0].push(F::ZERO);
    assert!(stock_accepts(&ONE.bytes, &padded));
    assert!(matches!(
        refused(1, &ONE.bytes, &padded),
        VerifyError::InstanceLength { instance: 0, expected: 10, found: 11 }
    ));
    let mut huge = ONE.instances.clone();
    huge[0].resize(1 << 12, F::ZERO);
    assert!(matches!(refused(1, &ONE.bytes, &huge), VerifyError::InstanceLength { found: 4096, .. }));
    let mut short = ONE.instances.clone();
    short[0].truncate(3);
    assert!(matches!(refused(1, &ONE.bytes, &short), VerifyError::InstanceLength { found: 3, .. }));
}

#[test]
fn truncation_at_every_offset() {
    for length in 0..ONE.bytes.len() {
        assert!(matches!(
            refused(1, &ONE.bytes[..length], &ONE.instances),
            VerifyError::ProofLength { found, .. } if found == length
        ));
        assert!(matches!(
            port_encodings(&KEY.verifying, 1, &ONE.bytes[..length]),
            Err(VerifyError::ProofLength { found, .. }) if found == length
        ));
    }
}

#[test]
fn the_identity_and_non_canonical_scalars_anywhere() {
    for (at, kind) in items().into_iter().enumerate() {
        let mut proof = ONE.bytes.clone();
        match kind {
            Item::Point => {
                put(&mut proof, at, &[0; 32]);
                assert!(matches!(
                    refused(1, &proof, &ONE.instances),
                    VerifyError::Identity { item } if item == at
                ));
            }
            Item::Scalar => {
                put(&mut proof, at, &[0xff; 32]);
                assert!(matches!(
                    refused(1, &proof, &ONE.instances),
                    VerifyError::Scalar { item } if item == at
                ));
            }
        }
    }
}

#[test]
fn encodings_of_no_point() {
    let phase1 = KEY.verifying.shape.phase1;
    // The challenge of a changed phase 1 is another; beyond, the stock verifier stops and the item is named. One of
    // each run of points: the first and the last.
    let kinds = items();
    let points: Vec<usize> = (phase1..kinds.len())
        .filter(|&i| kinds[i] == Item::Point)
        .filter(|&i| kinds.get(i + 1) != Some(&Item::Point) || kinds[i - 1] != Item::Point || i == phase1)
        .collect();
    assert!(points.len() >= 4);
    for at in points {
        let mut proof = ONE.bytes.clone();
        put(&mut proof, at, &[0xff; 32]);
        assert!(matches!(
            refused(1, &proof, &ONE.instances),
            VerifyError::Point { item } if item == at
        ));
    }
    let mut proof = ONE.bytes.clone();
    put(&mut proof, 0, &[0xff; 32]);
    assert!(matches!(refused(1, &proof, &ONE.instances), VerifyError::Challenge { instance: 0, .. }));
    // Drawn challenges do not help it.
    let publics = [ONE.instances[0][7..].to_vec()];
    let instances = verifier::instances(&KEY.verifying, &proof, &publics).unwrap();
    assert!(matches!(refused(1, &proof, &instances), VerifyError::Point { item: 0 }));
}

#[test]
fn flipped_bits() {
    let bits = ONE.bytes.len() * 8;
    // A stride that is coprime to 8 and to 256 meets every bit position of items.
    for bit in (0..bits).step_by(389) {
        let mut proof = ONE.bytes.clone();
        proof[bit / 8] ^= 1 << (bit % 8);
        let error = refused(1, &proof, &ONE.instances);
        let phase1 = bit / 256 < KEY.verifying.shape.phase1;
        assert_eq!(matches!(error, VerifyError::Challenge { .. }), phase1, "bit {bit}: {error}");
    }
    for row in 0..ONE.instances[0].len() {
        let mut instances = ONE.instances.clone();
        instances[0][row] += F::ONE;
        assert!(matches!(refused(1, &ONE.bytes, &instances), VerifyError::Challenge { instance: 0, .. }));
    }
}

#[test]
fn other_parameters_and_another_key() {
    let params = Params::new(6);
    assert!(matches!(
        verify(&params, &KEY.verifying, 1, &ONE.bytes, &ONE.instances),
        Err(VerifyError::Params { key: 8, params: 6 })
    ));
    assert!(matches!(
        verify(&PARAMS, &SINK.verifying, 1, &ONE.bytes, &ONE.instances),
        Err(VerifyError::InstanceLength { .. })
    ));
}
