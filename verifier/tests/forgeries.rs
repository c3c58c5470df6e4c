//! Forgeries against the two-pass challenge and the batch (numbers are those of the list of forgeries). Where a forgery
//! would succeed without a rule of ours, the stock verifier is shown to accept it.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::F;
use backend::testing::toy;
use backend::{Witness, challenge};
use common::*;
use ff::Field;
use group::GroupEncoding;
use plonkish::{Challenge, Violation, check_witness};
use prover::engine::prove;
use prover::error::ProveError;
use verifier::{Batch, BatchError, VerifyError, check, verify};

fn refused(proof: &[u8], instances: &[Vec<F>]) -> VerifyError {
    verify(&PARAMS, &KEY.verifying, instances.len(), proof, instances).unwrap_err()
}

/// Accepted by the stock verifier, refused here for the challenge of this instance.
fn only_the_challenge_tells(proof: &[u8], instances: &[Vec<F>], at: usize) {
    assert!(stock_accepts(proof, instances), "the forgery does not work against the stock verifier");
    assert!(matches!(
        refused(proof, instances),
        VerifyError::Challenge { instance, .. } if instance == at
    ));
}

fn named(found: &[Violation], gate: &str) -> bool {
    found.iter().any(|v| matches!(v, Violation::Gate(name, _) if name.contains(gate)))
}

/// 5000 in a limb column, on a row that no block uses.
fn out_of_table(seed: u64) -> Witness {
    let toy = toy(seed);
    let mut witness = toy.witness;
    witness.values[toy.cells.limb.0][toy.cells.idle_row] = F::from(5000);
    assert_eq!(witness.count_lookups(&toy.plan).len(), 1);
    witness
}

#[test]
fn the_forger_of_these_tests_can_be_honest() {
    let publics = [toy(1).publics];
    let mut witness = [counted(1)];
    let challenges = drawn(&witness, &publics);
    fill(&mut witness, &challenges);
    let instances = under(&challenges, &publics);
    let proof = forge(&witness, &instances);
    assert!(verify(&PARAMS, &KEY.verifying, 1, &proof, &instances).is_ok());
}

/// 4, and 10: an out-of-table value, paid for by a multiplicity that depends on the pole.
#[test]
fn multiplicities_chosen_after_the_challenge() {
    let publics = [toy(1).publics];
    let mut witness = [out_of_table(1)];
    let challenges = drawn(&witness, &publics);
    let instances = under(&challenges, &publics);
    fill(&mut witness, &challenges);
    let found = check_witness(&KEY.plan, &witness[0], &instances[0]);
    assert!(named(&found, "every value is in its table") && found.len() == 1, "{found:?}");

    // Entry 0 of the range table: m/pole gains 1/(pole + 5000).
    let pole = challenges[&Challenge::Alpha];
    let gain = pole * (pole + F::from(5000)).invert().unwrap();
    witness[0].values[column("multiplicity 0")][0] += gain;
    fill(&mut witness, &challenges);
    assert_eq!(check_witness(&KEY.plan, &witness[0], &instances[0]), vec![]);
    only_the_challenge_tells(&forge(&witness, &instances), &instances, 0);
}

/// 10: the same value with honest multiplicities, and through the honest prover.
#[test]
fn out_of_table_value_on_an_idle_row() {
    let publics = [toy(1).publics];
    let mut witness = [out_of_table(1)];
    let challenges = drawn(&witness, &publics);
    fill(&mut witness, &challenges);
    let instances = under(&challenges, &publics);
    assert!(matches!(refused(&forge(&witness, &instances), &instances), VerifyError::Invalid));

    let mut toy = toy(1);
    toy.witness.values[toy.cells.limb.0][toy.cells.idle_row] = F::from(5000);
    let error = prove(&PARAMS, &KEY, vec![instance(toy, 1)], &mut |_| {}).unwrap_err();
    assert!(matches!(error, ProveError::Witness { instance: 0, .. }));
}

/// 3: a pair between two entries of its table, on a row where the lane is idle (tag 0).
#[test]
fn a_pair_that_is_no_entry() {
    let toy = toy(1);
    let mut witness = toy.witness.clone();
    let (x, row) = toy.cells.pair;
    for (pair, at) in [((3, 4), row), ((2, 4), toy.cells.idle_row)] {
        witness.values[x][at] = F::from(pair.0);
        witness.values[x + 1][at] = F::from(pair.1);
    }
    assert_eq!(witness.count_lookups(&toy.plan).len(), 2);
    let challenges = challenge::scalars(&[9; 64]);
    witness.fill_phase2(&toy.plan, &challenges);
    let found = check_witness(&toy.plan, &witness, &challenge::instance(&challenges, &toy.publics));
    assert!(named(&found, "every value is in its table"));
}

/// 5: each phase-1 column in turn.
#[test]
fn each_phase_1_column_altered_after_the_challenge() {
    let shape = &KEY.verifying.shape;
    let other = PARAMS.halo2().get_g()[0].to_bytes();
    for instance in 0..3 {
        for column in 0..shape.phase1 {
            let mut proof = THREE.bytes.clone();
            put(&mut proof, instance * shape.advice + column, &other);
            assert!(matches!(refused(&proof, &THREE.instances), VerifyError::Challenge { instance: 0, .. }));
        }
        // Phase 2 does not enter the challenge; the proof itself tells.
        let mut proof = THREE.bytes.clone();
        put(&mut proof, instance * shape.advice + shape.phase1, &other);
        assert!(matches!(refused(&proof, &THREE.instances), VerifyError::Invalid));
    }
}

/// 5: one column proven anew under the challenge of the old one; one column left out of the hash.
#[test]
fn a_column_that_the_challenge_does_not_depend_on() {
    let publics = [toy(1).publics];
    let mut witness = [counted(1)];
    let challenges = drawn(&witness, &publics);
    fill(&mut witness, &challenges);
    let instances = under(&challenges, &publics);
    // An unchecked cell on an idle row is free, so the altered witness satisfies every constraint.
    witness[0].values[column("unchecked 0")][toy(1).cells.idle_row] = F::from(77);
    assert_eq!(check_witness(&KEY.plan, &witness[0], &instances[0]), vec![]);
    only_the_challenge_tells(&forge(&witness, &instances), &instances, 0);

    let points = phase1_points(&witness, &publics);
    for column in [0, KEY.verifying.shape.phase1 - 1] {
        let mut without = points.clone();
        without[0].drain(column * 32..(column + 1) * 32);
        let digest = digest_of(&KEY.verifying.digest, &instances, &without);
        under_foreign_digest(&digest, &mut witness.clone(), &publics);
    }
}

fn under_foreign_digest(digest: &challenge::Digest, witness: &mut [Witness], publics: &[Vec<F>]) {
    let challenges = challenge::scalars(digest);
    fill(witness, &challenges);
    let instances = under(&challenges, publics);
    only_the_challenge_tells(&forge(witness, &instances), &instances, 0);
}

/// 7: known beforehand; from shorter, padded or other instances; under another key; from fewer instances.
#[test]
fn a_challenge_from_elsewhere() {
    let publics = [toy(1).publics, toy(2).publics];
    let mut witness = [counted(1), counted(2)];
    let key = &KEY.verifying.digest;
    let points = phase1_points(&witness, &publics);
    let unset = under(&challenge::scalars(&[0; 64]), &publics);
    let honest = digest_of(key, &unset, &points);
    let changed = |f: &dyn Fn(&mut Vec<F>)| {
        let mut instances = unset.clone();
        f(&mut instances[1]);
        digest_of(key, &instances, &points)
    };
    let digests = [
        [0; 64],
        changed(&|i| i.truncate(i.len() - 1)),
        changed(&|i| i.push(F::ZERO)),
        changed(&|i| *i.last_mut().unwrap() += F::ONE),
        digest_of(&SINK.verifying.digest, &unset, &points),
        digest_of(key, &unset[..1], &points[..1]),
    ];
    for digest in digests {
        assert_ne!(digest, honest);
        under_foreign_digest(&digest, &mut witness, &publics);
    }
    fill(&mut witness, &challenge::scalars(&honest));
    let instances = under(&challenge::scalars(&honest), &publics);
    let proof = forge(&witness, &instances);
    assert!(verify(&PARAMS, &KEY.verifying, 2, &proof, &instances).is_ok());
}

/// 6: wrong only in the last instance, proven so; the slots changed afterwards; instances swapped.
#[test]
fn a_challenge_wrong_only_in_the_last_instance() {
    let publics = [toy(1).publics, toy(2).publics];
    let mut witness = [counted(1), counted(2)];
    let right = drawn(&witness, &publics);
    for role in Challenge::ALL {
        let mut wrong = right.clone();
        *wrong.get_mut(&role).unwrap() += F::ONE;
        let mut instances = under(&right, &publics);
        instances[1] = challenge::instance(&wrong, &publics[1]);
        if role == Challenge::Keys || role == Challenge::Alpha {
            fill(&mut witness[..1], &right);
            fill(&mut witness[1..], &wrong);
            only_the_challenge_tells(&forge(&witness, &instances), &instances, 1);
        }
        let mut claimed = THREE.instances.clone();
        let row = Challenge::ALL.iter().position(|r| *r == role).unwrap();
        claimed[2][row] += F::ONE;
        assert!(matches!(
            refused(&THREE.bytes, &claimed),
            VerifyError::Challenge { instance: 2, role: r } if r == role
        ));
    }

    let mut swapped = THREE.instances.clone();
    swapped.swap(0, 1);
    assert!(matches!(refused(&THREE.bytes, &swapped), VerifyError::Challenge { instance: 0, .. }));
    let head = KEY.verifying.shape.advice * 32;
    let mut proof = THREE.bytes.clone();
    let (a, b) = proof[..2 * head].split_at_mut(head);
    a.swap_with_slice(b);
    assert!(matches!(refused(&proof, &swapped), VerifyError::Challenge { instance: 0, .. }));
}

/// 9: a challenge cell changed midway, and on the last row.
#[test]
fn a_challenge_cell_changed_midway() {
    let publics = [toy(1).publics];
    let mut witness = [counted(1)];
    let challenges = drawn(&witness, &publics);
    fill(&mut witness, &challenges);
    let instances = under(&challenges, &publics);
    for role in Challenge::ALL {
        let name = format!("challenge {}", role.label());
        // A challenge that no gate reads has no column.
        let Some(at) = KEY.plan.advice.iter().position(|c| c.name == name) else { continue };
        for row in [100, KEY.plan.usable - 1] {
            let mut forged = witness.clone();
            forged[0].values[at][row] += F::ONE;
            let found = check_witness(&KEY.plan, &forged[0], &instances[0]);
            assert!(named(&found, &format!("{} is the same on every row", role.label())), "{found:?}");
            if role == Challenge::Rows {
                assert!(matches!(refused(&forge(&forged, &instances), &instances), VerifyError::Invalid));
            }
        }
    }
}

/// 15: a canonical port with a row that carries no data, or with a blinding row, that is not zero.
#[test]
fn a_port_with_something_beside_its_data() {
    let publics = [toy(1).publics];
    let mut unused = [counted(1)];
    unused[0].values[0][toy(1).cells.idle_row] = F::ONE;
    let challenges = drawn(&unused, &publics);
    fill(&mut unused, &challenges);
    let instances = under(&challenges, &publics);
    let found = check_witness(&KEY.plan, &unused[0], &instances[0]);
    assert!(matches!(found[..], [Violation::Port(..)]), "{found:?}");
    assert!(matches!(refused(&forge(&unused, &instances), &instances), VerifyError::Invalid));

    let mut witness = [counted(1)];
    let blinded = |witness: &[Witness], instances: &[Vec<F>]| {
        forge_blinded(witness, instances, &mut |draws| draws.rows[0][2] = F::ONE)
    };
    let unset = under(&challenge::scalars(&[0; 64]), &publics);
    let instances = verifier::instances(&KEY.verifying, &blinded(&witness, &unset), &publics).unwrap();
    let challenges = Challenge::ALL.into_iter().zip(instances[0].iter().copied()).collect();
    fill(&mut witness, &challenges);
    assert!(matches!(refused(&blinded(&witness, &instances), &instances), VerifyError::Invalid));
}

/// 21: the last scalar of a proof enters its claim alone, times one fixed point.
#[test]
fn errors_of_two_proofs_that_cancel() {
    let by = F::from(1234);
    let (a, b) = (shifted(&ONE, by), shifted(&THREE, -by));
    for (proof, instances) in [(&a, &ONE.instances), (&b, &THREE.instances)] {
        assert!(matches!(refused(proof, instances), VerifyError::Invalid));
    }

    let claim = |n: usize, proof: &[u8], instances: &[Vec<F>]| {
        check(&PARAMS, &KEY.verifying, n, proof, instances).unwrap().into_parts().0
    };
    let mut unscaled = claim(1, &a, &ONE.instances);
    unscaled.add_msm(&claim(3, &b, &THREE.instances));
    assert!(unscaled.eval(), "the errors do not cancel");

    type Entry<'a> = (usize, &'a [u8], &'a [Vec<F>]);
    let [first, good, second]: [Entry; 3] =
        [(1, &a, &ONE.instances), (1, &ONE.bytes, &ONE.instances), (3, &b, &THREE.instances)];
    let filled = |mut batch: Batch<'static>, entries: &[Entry]| {
        for (n, proof, instances) in entries {
            batch.add(&KEY.verifying, *n, proof, instances).unwrap();
        }
        batch
    };
    let merged = |mut batch: Batch<'static>, other: Batch<'static>| {
        batch.merge(other);
        batch.finish()
    };
    for (empty, names) in [(Batch::new as fn(_) -> _, true), (Batch::folding, false)] {
        let invalid = |culprits: &[usize]| Err(BatchError::Invalid(if names { culprits.to_vec() } else { vec![] }));
        let with = |entries: &[Entry]| filled(empty(&PARAMS), entries);
        assert_eq!(with(&[first, good, second]).finish(), invalid(&[0, 2]));
        // In batches that are merged, on either side, or in one that is merged into a third.
        assert_eq!(merged(with(&[first]), with(&[second])), invalid(&[0, 1]));
        assert_eq!(merged(with(&[good]), with(&[first, second])), invalid(&[1, 2]));
        assert_eq!(merged(with(&[first, second]), with(&[])), invalid(&[0, 1]));
        let mut inner = with(&[first]);
        inner.merge(with(&[good, second]));
        assert_eq!(merged(with(&[]), inner), invalid(&[0, 2]));
        // What is valid stays so.
        assert_eq!(merged(with(&[good]), with(&[good, (3, &THREE.bytes, &THREE.instances)])), Ok(()));
    }
}

/// A refused proof does not enter a batch, and leaves it as it was.
#[test]
fn a_refused_proof_is_not_in_the_batch() {
    let mut batch = Batch::new(&PARAMS);
    assert!(matches!(
        batch.add(&KEY.verifying, 1, &ONE.bytes[1..], &ONE.instances),
        Err(VerifyError::ProofLength { .. })
    ));
    assert!(batch.is_empty());
    batch.add(&KEY.verifying, 1, &ONE.bytes, &ONE.instances).unwrap();
    assert_eq!(batch.finish(), Ok(()));
}

/// The honest prover names the constraint instead of handing out a proof that does not verify.
#[test]
fn the_prover_names_a_broken_constraint() {
    let mut toy = toy(1);
    let (column, row) = toy.cells.wire;
    toy.witness.values[column][row] += F::ONE;
    let error = prove(&PARAMS, &KEY, vec![instance(toy, 1)], &mut |_| {}).unwrap_err();
    assert!(matches!(error, ProveError::Unsatisfied { instance: 0, .. }));
}
