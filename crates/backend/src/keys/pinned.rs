//! A verifying key as halo2 writes it out: what it hashes into a transcript, and what our digest of a key is of.
//!
//! halo2 keeps the fields of its own key to itself. What it prints of them is made here from the same parts, under the
//! same names, and compared with what a stock key prints (`keys::tests`).

use crate::Plan;
use crate::curve::{F, Point};
use crate::generators;
use crate::halo2::{PlanCircuit, with_plan};
use crate::queries::Queries;
use ff::{FromUniformBytes, PrimeField};
use halo2_proofs::plonk::{Circuit, ConstraintSystem, PinnedConstraintSystem};
use halo2_proofs::poly::{EvaluationDomain, PinnedEvaluationDomain};
use pasta_curves::arithmetic::CurveAffine;
use std::sync::Arc;

// The names are halo2's, as they are printed.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct PinnedVerificationKey<'a> {
    base_modulus: &'static str,
    scalar_modulus: &'static str,
    domain: PinnedEvaluationDomain<'a, F>,
    cs: PinnedConstraintSystem<'a, F>,
    fixed_commitments: &'a [Point],
    permutation: VerifyingKey<'a>,
}

/// Of the permutation.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct VerifyingKey<'a> {
    commitments: &'a [Point],
}

/// What halo2 prints of the key of a plan with these commitments of fixed columns and of the permutation's.
pub fn text(plan: &Arc<Plan>, fixed: &[Point], sigma: &[Point]) -> String {
    let mut cs = ConstraintSystem::<F>::default();
    with_plan(plan, || PlanCircuit::configure(&mut cs));
    let domain = EvaluationDomain::<F>::new(cs.degree() as u32, plan.k);
    let key = PinnedVerificationKey {
        base_modulus: <Point as CurveAffine>::Base::MODULUS,
        scalar_modulus: F::MODULUS,
        domain: domain.pinned(),
        cs: cs.pinned(),
        fixed_commitments: fixed,
        permutation: VerifyingKey { commitments: sigma },
    };
    format!("{key:?}")
}

/// The scalar that stands for a key in halo2's transcripts.
pub fn transcript_scalar(text: &str) -> F {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(b"Halo2-Verify-Key").to_state();
    state.update(&(text.len() as u64).to_le_bytes());
    state.update(text.as_bytes());
    F::from_uniform_bytes(state.finalize().as_array())
}

/// The commitments of fixed columns and of the permutation's that stand in what halo2 prints of a key. It gives them in
/// no other way.
pub fn commitments(text: &str) -> Option<(Vec<Point>, Vec<Point>)> {
    Some((points(text, "fixed_commitments: [")?, points(text, "{ commitments: [")?))
}

/// Whether what halo2 prints of a key has these queries, in this order.
pub fn has_queries(text: &str, queries: &Queries) -> bool {
    let list = |kind: &str, cells: &mut dyn Iterator<Item = (usize, i32)>| {
        let printed = |(column, rotation): (usize, i32)| {
            format!("(Column {{ index: {column}, column_type: {kind} }}, Rotation({rotation}))")
        };
        cells.map(printed).collect::<Vec<_>>().join(", ")
    };
    let advice = list("Advice", &mut queries.advice.iter().copied());
    let fixed = list("Fixed", &mut queries.fixed.iter().map(|&column| (column, 0)));
    let instance = list("Instance", &mut queries.instance.iter().map(|&column| (column, 0)));
    let has = |label: &str, list: &str| text.matches(&format!("{label}: [{list}]")).count() == 1;
    has("instance_queries", &instance) && has("advice_queries", &advice) && has("fixed_queries", &fixed)
}

/// The list of points after a label that occurs once.
fn points(text: &str, label: &str) -> Option<Vec<Point>> {
    let (_, list) = text.split_once(label)?;
    if list.contains(label) {
        return None;
    }
    let (list, _) = list.split_once(']')?;
    let coordinates: Vec<&str> = list.split("0x").skip(1).map(|text| text.get(..64)).collect::<Option<_>>()?;
    let (pairs, rest) = coordinates.as_chunks::<2>();
    let point = |pair: &[&str; 2]| {
        let mut bytes = [0; 64];
        for (to, text) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(pair) {
            // Printed with the highest digit first.
            for (byte, digits) in to.iter_mut().rev().zip(text.as_bytes().as_chunks::<2>().0) {
                *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            }
        }
        generators::point(&bytes)
    };
    if rest.is_empty() { pairs.iter().map(point).collect() } else { None }
}
