//! The search for free cells finds none, finds the hole that each constraint leaves which is taken out, and every constraint
//! is documented.
#![allow(clippy::unwrap_used)]

mod common;

use audit::mutants::{self, Tally};
use audit::{Choice, Forge};
use backend::curve::F;
use backend::{Plan, Witness};
use circuits::ops::readmes::{Readme, constraints, readmes, undocumented};
use common::{Like, compared, inputs, small};
use peers::circuit::ROLES;
use peers::{Mlp, Values, circuit};
use std::collections::BTreeSet;
use std::sync::Arc;

struct Case {
    name: String,
    plan: Arc<Plan>,
    witness: Witness,
    publics: Vec<F>,
}

fn case(mlp: &Mlp, like: Like) -> Case {
    let (circuit, values) = (circuit(mlp, mlp.shape.k()), Values::of(mlp, inputs(mlp, like)).unwrap());
    let witness = circuit.fill(&values).unwrap();
    Case { name: format!("mlp, {like:?}"), plan: circuit.plan, witness, publics: vec![F::from(values.loss.total)] }
}

fn search(case: &Case, choice: &Choice) -> audit::Findings {
    let forge = Forge::new(&case.plan, case.witness.clone(), &case.publics, &ROLES).expect("honest");
    let findings = forge.search(choice);
    println!(
        "{}: {} of {} cells ({} idle, {} zero), {} changes, {} moves, {} declared, inert {:?}",
        case.name,
        findings.tried,
        findings.cells,
        findings.idle,
        findings.zero,
        findings.changes,
        findings.moves,
        findings.declared,
        findings.inert,
    );
    assert!(
        findings.is_clean(),
        "{} unnoticed, undetermined {:?}, unread {:?}; first: {:#?}",
        findings.unnoticed.len(),
        findings.undetermined,
        findings.unread_publics,
        findings.unnoticed.iter().take(12).collect::<Vec<_>>()
    );
    assert_eq!(findings.declared, 0);
    findings
}

#[test]
fn nothing_is_free() {
    for like in [Like::Usual, Like::Extreme, Like::Steep, Like::Zero] {
        let findings = search(&case(&small(), like), &Choice::All);
        assert_eq!(findings.tried, findings.cells);
    }
}

#[test]
fn nothing_is_free_in_a_sample_of_the_compared_step() {
    search(&case(&compared(), Like::Usual), &Choice::Sample(1500, 1));
}

/// Witnesses in which each case of each division occurs: what one cannot show, another may.
fn cases() -> Vec<Case> {
    [Like::Usual, Like::Extreme, Like::Steep].map(|like| case(&small(), like)).into()
}

fn of_case(Case { name, plan, witness, publics }: &Case) -> mutants::Case<'_, F> {
    mutants::Case { name, plan, witness, publics, roles: &ROLES }
}

fn check(tally: impl Fn(&[mutants::Case<'_, F>]) -> Tally, excused: &[&str]) {
    let cases = cases();
    let tally = tally(&cases.iter().map(of_case).collect::<Vec<_>>());
    println!("{} found: {:#?}, {} not: {:#?}", tally.found.len(), tally.found, tally.missed.len(), tally.missed);
    assert_eq!(tally.missed(), BTreeSet::from_iter(excused.iter().copied()));
}

#[test]
fn every_gate_taken_out_leaves_a_hole() {
    check(mutants::gates, &[]);
}

#[test]
fn every_copy_taken_out_leaves_a_hole() {
    check(mutants::copies, &[]);
}

#[test]
fn the_public_value_taken_out_leaves_a_hole() {
    check(mutants::publics, &[]);
}

#[test]
fn every_constraint_is_documented() {
    let own = Readme { path: "benches/peers/README.md", text: include_str!("../README.md") };
    let all = |op: &str| [&[own], readmes(op)].concat();
    let missing = undocumented(&constraints(&circuit(&compared(), 10).plan), all);
    assert!(missing.is_empty(), "{missing:#?}");
}
