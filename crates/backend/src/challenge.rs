//! The challenges between the two passes. This module and its use in the verifier carry the soundness of everything
//! that a circuit computes in phase 2.
//!
//! # Argument
//!
//! Let a *statement* be (version, curve, k, key, number of instances, all public values). A prover who is to make the
//! verifier accept must query the random oracle `digest` at the statement and the phase-1 commitments that stand in
//! the proof: the verifier recomputes the digest from them and from nothing that the prover says beside them, and
//! compares every challenge slot of every instance. So:
//!
//! 1. *Phase 1 comes first.* The input of the digest is injective in the statement and the commitments (every part has
//!    a fixed width or a length before it), so each query fixes them. The commitments bind their columns, as the proof
//!    shows that each is opened (every phase-1 column is queried at the current row: `keys`). The challenges are drawn
//!    after that query, uniform, and independent of the columns. A forger gets as many attempts as queries.
//! 2. *Phase 2 adds no freedom.* Its columns are determined by phase 1, the fixed columns and the challenges; the
//!    constraints then are polynomial identities in the challenges. An identity of total degree d that does not
//!    hold formally holds for a random challenge with probability at most d/|F| (Schwartz 1980, Zippel 1979). When keys
//!    are made it is required that an instance's lookup argument has at most [`MAX_TERMS`] terms, which is its degree
//!    (a pole that meets a term, where the argument says nothing, is as likely again), and that the degrees of its
//!    equations between projections add up to at most [`MAX_DEGREE`](plonkish::MAX_DEGREE). With 8 instances a proof,
//!    8·(2·2^25 + 2^20) < 2^30: a false proof passes with probability below 2^-224 for each query.
//! 3. *One scalar, one role.* Each role's scalar comes from its own oracle query, with its own label. Were two roles
//!    powers of one scalar, terms of two different identities could cancel.
//! 4. *All instances share the scalars*, which is sound as the digest covers all of their columns and values.
//!
//! The scalars are instance values (`Challenge::ALL` first, then the public values). Gates read them, and powers of them, from further
//! instance columns, which the verifier makes of the instance ([`Uniform`](plonkish::Uniform)). The slots are left out of the
//! digest, whose output they are; nothing else is.
//!
//! Completeness: a pole that hits a table entry, with probability 2^-240, makes the prover fail, not the verifier err.

use crate::curve::{CIRCUIT_VERSION, CURVE, F};
use ff::{Field, FromUniformBytes, PrimeField};
use plonkish::Challenge;
use std::collections::BTreeMap;

/// Instance rows that hold challenges; the public values follow.
pub const SLOTS: usize = Challenge::ALL.len();

/// Most terms of an instance's lookup argument, [`Plan::lookup_terms`](plonkish::Plan::lookup_terms). Each is a cell of
/// the circuit, of which a configuration may have about as many; corners of the configurations have up to 2^23.8.
pub const MAX_TERMS: u64 = 1 << 25;

/// One scalar for each role.
pub type Challenges = BTreeMap<Challenge, F>;

/// The digest that all scalars of a proof come from.
pub type Digest = [u8; 64];

const DIGEST: &[u8; 16] = b"GradCoin-phase-1";
const SCALAR: &[u8; 16] = b"GradCoin-scalars";
const TAG: &[u8] = b"two-pass challenge over stock halo2";

/// Hashes what the challenges must depend on. `key` is the digest of the verifying key; `instances` are whole instance
/// columns, whose first [`SLOTS`] rows are ignored; `phase1` holds, for each instance in the order of the proof, the
/// encodings of its phase-1 commitments one after the other.
pub fn digest(k: u32, key: &[u8; 64], instances: &[Vec<F>], phase1: &[&[u8]]) -> Digest {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(DIGEST).to_state();
    let mut bytes = |bytes: &[u8]| {
        state.update(&(bytes.len() as u64).to_le_bytes());
        state.update(bytes);
    };
    bytes(TAG);
    bytes(CURVE.as_bytes());
    bytes(&CIRCUIT_VERSION.to_le_bytes());
    bytes(&k.to_le_bytes());
    bytes(key);
    bytes(&(SLOTS as u64).to_le_bytes());
    bytes(&(instances.len() as u64).to_le_bytes());
    for instance in instances {
        let values = instance.get(SLOTS..).unwrap_or(&[]);
        bytes(&(instance.len() as u64).to_le_bytes());
        bytes(&values.iter().flat_map(PrimeField::to_repr).collect::<Vec<u8>>());
    }
    bytes(&(phase1.len() as u64).to_le_bytes());
    for points in phase1 {
        bytes(points);
    }
    *state.finalize().as_array()
}

/// Draws the scalar of every role.
pub fn scalars(digest: &Digest) -> Challenges {
    let draw = |(index, role): (usize, &Challenge)| {
        let label = role.label().as_bytes();
        let hash = blake2b_simd::Params::new()
            .hash_length(64)
            .personal(SCALAR)
            .to_state()
            .update(digest)
            .update(&(label.len() as u64).to_le_bytes())
            .update(label)
            .update(&(index as u64).to_le_bytes())
            .finalize();
        (*role, F::from_uniform_bytes(hash.as_array()))
    };
    Challenge::ALL.iter().enumerate().map(draw).collect()
}

/// The instance column: challenges, then public values.
pub fn instance(challenges: &Challenges, publics: &[F]) -> Vec<F> {
    Challenge::rows(challenges).chain(publics.iter().copied()).collect()
}

/// The same before any challenge is drawn: the digest ignores the slots.
pub fn unset(publics: &[Vec<F>]) -> Vec<Vec<F>> {
    publics.iter().map(|publics| [&[F::ZERO; SLOTS][..], publics].concat()).collect()
}

/// The first role whose slot in an instance column is not the scalar drawn for it.
pub fn wrong_slot(challenges: &Challenges, instance: &[F]) -> Option<Challenge> {
    Challenge::ALL
        .iter()
        .enumerate()
        .find(|&(row, role)| instance.get(row) != challenges.get(role))
        .map(|(_, &role)| role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> (Vec<Vec<F>>, Vec<Vec<u8>>) {
        let column = |seed: u64| (0..SLOTS as u64 + 2).map(|i| F::from(seed + i)).collect();
        (vec![column(1), column(50)], vec![vec![1; 64], vec![2; 64]])
    }

    fn of(k: u32, key: u8, instances: &[Vec<F>], points: &[Vec<u8>]) -> Digest {
        let points: Vec<&[u8]> = points.iter().map(Vec::as_slice).collect();
        digest(k, &[key; 64], instances, &points)
    }

    #[test]
    fn digest_ignores_the_slots_and_nothing_else() {
        let (instances, points) = base();
        let honest = of(8, 0, &instances, &points);
        let mut slots = instances.clone();
        slots[1][SLOTS - 1] += F::ONE;
        assert_eq!(honest, of(8, 0, &slots, &points));

        let mut seen = std::collections::HashSet::from([honest]);
        let mut differs = |d: Digest| assert!(seen.insert(d));
        differs(of(9, 0, &instances, &points));
        differs(of(8, 1, &instances, &points));
        for i in 0..2 {
            for row in SLOTS..SLOTS + 2 {
                let mut changed = instances.clone();
                changed[i][row] += F::ONE;
                differs(of(8, 0, &changed, &points));
            }
            let mut padded = instances.clone();
            padded[i].push(F::ZERO);
            differs(of(8, 0, &padded, &points));
            let mut shorter = instances.clone();
            shorter[i].pop();
            differs(of(8, 0, &shorter, &points));
            for byte in 0..64 {
                let mut changed = points.clone();
                changed[i][byte] ^= 1;
                differs(of(8, 0, &instances, &changed));
            }
        }
        // A boundary moved between two lists, an instance less, swapped instances.
        differs(of(8, 0, &instances, &[vec![1; 64], vec![2; 32], vec![2; 32]]));
        differs(of(8, 0, &instances, &[[vec![1; 64], vec![2; 32]].concat(), vec![2; 32]]));
        differs(of(8, 0, &instances[..1], &points));
        differs(of(8, 0, &[instances[1].clone(), instances[0].clone()], &points));
        differs(of(8, 0, &instances, &[points[1].clone(), points[0].clone()]));
    }

    #[test]
    fn every_role_has_a_scalar_of_its_own() {
        let drawn = scalars(&[7; 64]);
        let distinct: std::collections::HashSet<[u8; 32]> = drawn.values().map(PrimeField::to_repr).collect();
        assert_eq!(distinct.len(), SLOTS);
        // No role is a small power of another.
        for (a, x) in &drawn {
            for (b, y) in &drawn {
                assert!(a == b || (2..8u64).all(|e| x.pow_vartime([e]) != *y));
            }
        }
        assert_ne!(drawn, scalars(&[8; 64]));
        let column = instance(&drawn, &[F::ONE]);
        assert_eq!(column.len(), SLOTS + 1);
        assert_eq!(wrong_slot(&drawn, &column), None);
        let mut wrong = column.clone();
        wrong[SLOTS - 1] += F::ONE;
        assert_eq!(wrong_slot(&drawn, &wrong), Some(Challenge::Inputs));
        assert_eq!(wrong_slot(&drawn, &column[..3]), Some(Challenge::Rows));
    }
}
