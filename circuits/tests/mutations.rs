//! Constraints are taken out of a circuit, one at a time: the search must find the hole that each leaves.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use audit::{Choice, Forge};
use backend::{Plan, curve::F};
use common::{Case, K, Values, cases, small, update_case};
use ff::Field;
use plonkish::Global;
use std::collections::{BTreeMap, BTreeSet};

/// Holes that the search does not find, and why.
const NOT_FOUND: &[(&str, &str)] = &[
    ("attention/scores: : maximum mark is 0 or 1", MARKS),
    ("cross_entropy: : maximum mark is 0 or 1", MARKS),
    (
        "swiglu: z: end is -1, 0 or 1",
        "index and fraction leave z 18 bits, which a forged z, a fraction in the field, would have to have; found in the \
         other divisions",
    ),
    ("rmsnorm: dh: end is -1, 0 or 1", FRACTION),
    ("rmsnorm: x mid: end is -1, 0 or 1", FRACTION),
];

const FRACTION: &str = "a forged y is a fraction in the field, and the norm computed from it would have to come out whole; found \
                        in the other divisions";

const MARKS: &str = "redundant: marks that add up to 1 are not all zero, and a mark that is not zero pins the maximum, \
                     whatever its value";

/// Rows of each kind (see `phase1_cells`) on which a hole is looked for.
const ROWS: usize = 12;

/// Cells on each side of an equation that a hole is looked for in.
const SIDE: usize = 24;

/// Moves after which a mend is given up.
const EFFORT: usize = 1000;

type CellAt = (usize, usize);

fn forge<'p>(case: &Case, plan: &'p Plan) -> Forge<'p, F> {
    let witness = case.segment.witness.clone();
    Forge::new(plan, witness, &case.publics, &case.roles).expect("honest").without_excuses().effort(EFFORT)
}

/// Whether the search finds a hole in `plan` that was not in the honest circuit: free cells among `cells` (tried one
/// group after the other), or phase 2 or a public value not determined.
fn is_found(case: &Case, honest: &Forge<'_, F>, plan: &Plan, cells: impl Iterator<Item = Vec<CellAt>>) -> bool {
    let forge = forge(case, plan);
    for cells in cells {
        if forge.find(&cells).is_some() {
            return honest.find(&cells).is_none();
        }
    }
    !forge.search(&Choice::Cells(vec![])).is_clean()
}

/// Gates and copies that differ by a lane alone have one name.
fn without_lane(name: &str) -> String {
    let (op, rest) = name.split_once(": ").unwrap_or(("", name));
    if op == "lookup" {
        return name.chars().filter(|c| !c.is_ascii_digit()).collect();
    }
    let (subject, rest) = rest.split_once(": ").unwrap_or(("", rest));
    let rest = rest.split(" (lane").next().unwrap_or(rest);
    format!("{op}: {}: {rest}", subject.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// All witnesses: what one cannot show, another may.
fn all_cases() -> Vec<Case> {
    let mut all = vec![update_case(5)];
    all.extend(cases(small(12, 3), K, Values::Extreme));
    all.extend(cases(small(12, 3), K, Values::Flat));
    all.extend(cases(small(8, 2), K, Values::Usual));
    all.extend(cases(small(8, 2), K, Values::Tiny));
    all
}

/// Names found and not found, over all cases.
#[derive(Default)]
struct Tally {
    found: BTreeSet<String>,
    missed: BTreeMap<String, String>,
}

impl Tally {
    /// Tries a removal, unless it was found before.
    fn note(&mut self, name: &str, case: &Case, is_found: impl FnOnce() -> bool) {
        if !self.found.contains(name) {
            if is_found() {
                self.missed.remove(name);
                self.found.insert(name.to_owned());
            } else {
                self.missed.insert(name.to_owned(), case.name.clone());
            }
        }
    }

    fn check(self, excused: &[(&str, &str)]) {
        println!("{} found, {} not: {:#?}", self.found.len(), self.missed.len(), self.missed);
        let missed: BTreeSet<&str> = self.missed.keys().map(String::as_str).collect();
        let excused: BTreeSet<&str> = excused.iter().map(|e| e.0).collect();
        assert_eq!(missed, excused);
    }
}

#[test]
fn every_gate_taken_out_leaves_a_hole() {
    let mut tally = Tally::default();
    for case in &all_cases() {
        let honest = &case.segment.plan;
        let base = forge(case, honest);
        let mut plan = Plan::clone(honest);
        let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for gate in &honest.gates {
            names.entry(without_lane(&gate.name)).or_default().insert(&gate.name);
        }
        let start = std::time::Instant::now();
        for (name, gates) in names {
            // Two lanes at most: norms over ports have more of them than others.
            tally.note(&name, case, || {
                gates.into_iter().take(2).any(|gate| {
                    let removed: Vec<usize> = (0..plan.gates.len()).filter(|&g| plan.gates[g].name == gate).collect();
                    for &g in &removed {
                        plan.gates[g].rows.clear();
                    }
                    let cells = removed.iter().flat_map(|&g| phase1_cells(case, g));
                    let found = is_found(case, &base, &plan, cells);
                    for &g in &removed {
                        plan.gates[g].rows.clone_from(&honest.gates[g].rows);
                    }
                    found
                })
            });
        }
        println!("{}: {:?}", case.name, start.elapsed());
    }
    tally.check(NOT_FOUND);
}

/// Cells that a gate of phase 1 reads, row by row, on some rows of each kind: kinds differ in the flags that are set.
fn phase1_cells(case: &Case, gate: usize) -> Vec<Vec<CellAt>> {
    let (plan, values) = (&case.segment.plan, &case.segment.witness.values);
    let gate = &plan.gates[gate];
    let mut kinds: BTreeMap<Vec<Option<usize>>, usize> = BTreeMap::new();
    let mut chosen = vec![];
    for &row in &gate.rows {
        let mut cells = BTreeSet::new();
        gate.poly.cells(&mut |column, rotation| {
            if let Global::Advice(a) = column {
                cells.insert((a, (row as i64 + i64::from(rotation)) as usize));
            }
        });
        if cells.iter().any(|c| c.0 >= plan.phase1) {
            continue;
        }
        let flag = |&(column, row): &CellAt| [F::ONE, -F::ONE].iter().position(|flag| values[column][row] == *flag);
        let seen = kinds.entry(cells.iter().map(flag).collect()).or_default();
        *seen += 1;
        if *seen <= ROWS {
            chosen.push(cells.into_iter().collect());
        }
    }
    chosen
}

/// Copies of each pair of columns tried, unless the copy is an equation: those are tried all.
const COPIES: usize = 2;

#[test]
fn every_copy_taken_out_leaves_a_hole() {
    let mut tally = Tally::default();
    for case in &all_cases()[1..] {
        let honest = &case.segment.plan;
        let base = forge(case, honest);
        let mut plan = Plan::clone(honest);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let start = std::time::Instant::now();
        for i in 0..honest.copies.len() {
            let (a, b) = honest.copies[i];
            let side = |cell: CellAt| without_lane(&base.name(cell));
            let mut name = format!("{} = {}", side(a), side(b));
            let sources = [a, b].map(|cell| base.sources(cell));
            let is_equation = base.is_equation(i);
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if is_equation {
                name = format!("{}, equation {count}: {name}", case.name.split(',').next().unwrap_or_default());
            } else if *count > COPIES {
                continue;
            } else {
                name = format!("{name}, copy {count}");
            }
            tally.note(&name, case, || {
                let copy = plan.copies.remove(i);
                let cells = sources.iter().map(|cells| cells.iter().copied().take(SIDE).collect());
                let found = is_found(case, &base, &plan, cells);
                plan.copies.insert(i, copy);
                found
            });
        }
        println!("{}: {} copies, {:?}", case.name, honest.copies.len(), start.elapsed());
    }
    tally.check(&[]);
}

#[test]
fn every_public_value_taken_out_leaves_a_hole() {
    for case in &all_cases()[..3] {
        let honest = &case.segment.plan;
        let base = forge(case, honest);
        for i in 0..honest.publics.len() {
            let mut plan = Plan::clone(honest);
            let (_, row) = plan.publics.remove(i);
            assert!(is_found(case, &base, &plan, std::iter::empty()), "{}: instance row {row}", case.name);
        }
    }
}
