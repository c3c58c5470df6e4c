//! Constraints are taken out of a circuit, one at a time: the search must find the hole that each leaves.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use audit::mutants::{self, Tally};
use backend::curve::F;
use circuits::model::UpdateKind;
use circuits::segments::{Privacy, Variant};
use common::{Case, K, Values, adamw_cases, biased, cases_of, grouped, small, update_case, wide};
use std::collections::BTreeSet;

/// Holes that the search does not find, and why.
const NOT_FOUND: &[(&str, &str)] = &[
    ("attention/scores: : maximum mark is 0 or 1", MARKS),
    ("cross_entropy: : maximum mark is 0 or 1", MARKS),
    (
        "swiglu: z: end is -1, 0 or 1",
        "index and fraction leave z 18 bits, which a forged z, a fraction in the field, would have to have; found in the \
         other divisions",
    ),
    (
        "adamw: w': end is -1, 0 or 1",
        "a forged flag solves a quadratic equation, which the search does not; refused in `tests/adamw.rs`",
    ),
    (
        "adamw: w': top limb has 5 bits",
        "a weight beyond its range takes another flag, weight, remainder and complement at once, forged in `tests/adamw.rs`",
    ),
    ("rmsnorm: dh: end is -1, 0 or 1", FRACTION),
    ("rmsnorm: x mid: end is -1, 0 or 1", FRACTION),
];

/// The same of heads of a vocabulary beyond bytes.
const NOT_FOUND_WIDE: &[(&str, &str)] = &[
    ("cross_entropy: : maximum mark is 0 or 1", MARKS),
    ("cross_entropy: : one-hot is 0 or 1", NARROWER),
    ("rmsnorm: dh: end is -1, 0 or 1", FRACTION),
    ("rmsnorm: dh: extra limbs only when saturated", NARROWER),
];

const NARROWER: &str = "the same gate whatever the vocabulary, found in the heads of fewer tokens, where forgeries are tried that need \
                        other cells to fit";

const FRACTION: &str = "a forged y is a fraction in the field, and the norm computed from it would have to come out whole; found \
                        in the other divisions";

const MARKS: &str = "redundant: marks that add up to 1 are not all zero, and a mark that is not zero pins the maximum, \
                     whatever its value";

/// All witnesses: what one cannot show, another may.
fn all_cases(privacy: Privacy) -> Vec<Case> {
    let update = |update| update_case(Variant { privacy, update }, 5);
    let mut all = vec![update(UpdateKind::Sgd), update(UpdateKind::ClippedSgd)];
    all.extend(adamw_cases(privacy, 5));
    all.extend(cases_of(privacy, small(12, 3), K, Values::Extreme));
    all.extend(cases_of(privacy, small(12, 3), K, Values::Flat));
    all.extend(cases_of(privacy, small(8, 2), K, Values::Usual));
    all.extend(cases_of(privacy, small(8, 2), K, Values::Tiny));
    all
}

/// Layers whose heads share keys and values, some with biases.
fn grouped_cases() -> Vec<Case> {
    let of = |config, values| cases_of(Privacy::Public, config, K, values).swap_remove(0);
    vec![of(biased(), Values::Usual), of(biased(), Values::Extreme), of(grouped(), Values::Usual)]
}

/// Heads of a vocabulary beyond bytes.
fn wide_cases() -> Vec<Case> {
    let of = |values| cases_of(Privacy::Public, wide(), K, values).swap_remove(1);
    vec![of(Values::Usual), of(Values::Extreme), of(Values::Tiny)]
}

fn of_case(Case { name, segment, publics, roles }: &Case) -> mutants::Case<'_, F> {
    mutants::Case { name, plan: &segment.plan, witness: &segment.witness, publics, roles }
}

fn of(cases: &[Case]) -> Vec<mutants::Case<'_, F>> {
    cases.iter().map(of_case).collect()
}

fn check(tally: &Tally, excused: &[(&str, &str)]) {
    println!("{} found, {} not: {:#?}", tally.found.len(), tally.missed.len(), tally.missed);
    assert_eq!(tally.missed(), excused.iter().map(|e| e.0).collect::<BTreeSet<&str>>());
}

#[test]
fn every_gate_taken_out_leaves_a_hole() {
    check(&mutants::gates(&of(&all_cases(Privacy::Public))), NOT_FOUND);
}

#[test]
fn every_gate_taken_out_of_private_circuits_leaves_a_hole() {
    check(&mutants::gates(&of(&all_cases(Privacy::Private))), NOT_FOUND);
}

#[test]
fn every_gate_taken_out_of_heads_of_more_tokens_than_bytes_leaves_a_hole() {
    check(&mutants::gates(&of(&wide_cases())), NOT_FOUND_WIDE);
}

#[test]
fn every_copy_taken_out_of_heads_of_more_tokens_than_bytes_leaves_a_hole() {
    check(&mutants::copies(&of(&wide_cases()[..1])), &[]);
}

#[test]
fn every_copy_taken_out_leaves_a_hole() {
    check(&mutants::copies(&of(&all_cases(Privacy::Public)[1..])), &[]);
}

#[test]
fn every_copy_taken_out_of_grouped_and_biased_layers_leaves_a_hole() {
    check(&mutants::copies(&of(&grouped_cases())), &[]);
}

/// The gates that other layers do not have.
#[test]
fn every_gate_of_a_bias_taken_out_leaves_a_hole() {
    let tally = mutants::gates(&of(&grouped_cases()));
    let of_biases = |names: BTreeSet<&str>| names.iter().filter(|name| name.starts_with("linear/bias")).count();
    assert_eq!(of_biases(tally.missed()), 0, "{:#?}", tally.missed);
    assert!(tally.found.iter().any(|found| format!("{found:?}").contains("linear/bias")), "{:#?}", tally.found);
}

/// The copy that makes a private head's loss a port among them.
#[test]
fn every_copy_taken_out_of_private_circuits_leaves_a_hole() {
    check(&mutants::copies(&of(&all_cases(Privacy::Private)[4..])), &[]);
}

#[test]
fn every_public_value_taken_out_leaves_a_hole() {
    check(&mutants::publics(&of(&all_cases(Privacy::Public)[..6])), &[]);
}
