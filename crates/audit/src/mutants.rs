//! That the search is no sham: constraints are taken out of a circuit, one at a time, and it must find the hole that each
//! leaves.

use super::{Choice, Forge, Roles};
use plonkish::{Expr, Field, Global, Plan, Witness};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of each kind (see `Case::phase1_cells`) on which a hole is looked for.
const ROWS: usize = 12;

/// Cells on each side of an equation that a hole is looked for in.
const SIDE: usize = 24;

/// Moves after which a mend is given up.
const EFFORT: usize = 1000;

/// Gates of one name, different in the lane alone, that are tried: some ops have many lanes.
const LANES_TRIED: usize = 2;

/// Copies of each pair of columns tried, unless the copy is an equation: those are tried all.
const COPIES: usize = 2;

type CellAt = (usize, usize);

/// A circuit with an honest witness: what one cannot show, another may.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a, F> {
    /// What it is called. Equations of circuits whose names are equal up to a comma are the same.
    pub name: &'a str,
    /// The circuit.
    pub plan: &'a Plan<F>,
    /// Phase 1.
    pub witness: &'a Witness<F>,
    /// Public values.
    pub publics: &'a [F],
    /// What comes from outside.
    pub roles: &'a Roles,
}

impl<F: Field> Case<'_, F> {
    fn forge<'p>(&self, plan: &'p Plan<F>) -> Forge<'p, F> {
        let honest = Forge::new(plan, self.witness.clone(), self.publics, self.roles);
        honest.expect("the witness is honest").without_excuses().effort(EFFORT)
    }

    /// Whether the search finds a hole in a circuit that was not in the honest one: free cells among `cells` (tried one
    /// group after the other), or phase 2 or a public value not determined.
    fn is_found(&self, honest: &Forge<'_, F>, forge: &Forge<'_, F>, cells: impl Iterator<Item = Vec<CellAt>>) -> bool {
        for cells in cells {
            if forge.find(&cells).is_some() {
                return honest.find(&cells).is_none();
            }
        }
        !forge.search(&Choice::Cells(vec![])).is_clean()
    }

    /// Phase-1 cells that a constraint reads, row by row, on some rows of each kind: kinds differ in the flags that are set.
    fn phase1_cells(&self, poly: &Expr<F, Global>, rows: impl IntoIterator<Item = usize>) -> Vec<Vec<CellAt>> {
        let (plan, values) = (self.plan, &self.witness.values);
        let mut kinds: BTreeMap<Vec<Option<usize>>, usize> = BTreeMap::new();
        let mut chosen = vec![];
        for row in rows {
            let mut cells = BTreeSet::new();
            poly.cells(&mut |column, rotation| {
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
}

/// Names of constraints whose absence was noticed, and of those whose was not with the case tried last.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Noticed in some case.
    pub found: BTreeSet<String>,
    /// Noticed in none.
    pub missed: BTreeMap<String, String>,
}

impl Tally {
    /// Tries a removal, unless it was found before.
    fn note(&mut self, name: &str, case: &str, is_found: impl FnOnce() -> bool) {
        if !self.found.contains(name) {
            if is_found() {
                self.missed.remove(name);
                self.found.insert(name.to_owned());
            } else {
                self.missed.insert(name.to_owned(), case.to_owned());
            }
        }
    }

    /// Names whose absence nothing noticed.
    pub fn missed(&self) -> BTreeSet<&str> {
        self.missed.keys().map(String::as_str).collect()
    }
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

/// Takes every gate out, and every limb that no cell holds.
pub fn gates<F: Field>(cases: &[Case<'_, F>]) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        let honest = case.plan;
        let base = case.forge(honest);
        let mut plan = honest.clone();
        let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for gate in &honest.gates {
            names.entry(without_lane(&gate.name)).or_default().insert(&gate.name);
        }
        for (name, gates) in names {
            tally.note(&name, case.name, || {
                gates.into_iter().take(LANES_TRIED).any(|gate| {
                    let removed: Vec<usize> = (0..plan.gates.len()).filter(|&g| plan.gates[g].name == gate).collect();
                    for &g in &removed {
                        plan.gates[g].rows.clear();
                    }
                    let of_gate = |&g: &usize| {
                        let gate = &honest.gates[g];
                        case.phase1_cells(&gate.poly, gate.rows.iter().copied())
                    };
                    let cells = removed.iter().flat_map(of_gate);
                    let found = case.is_found(&base, &case.forge(&plan), cells);
                    for &g in &removed {
                        plan.gates[g].rows.clone_from(&honest.gates[g].rows);
                    }
                    found
                })
            });
        }
        for (number, limb) in honest.implied.iter().enumerate() {
            tally.note(&without_lane(&limb.name), case.name, || {
                let cells = case.phase1_cells(&limb.form, 0..honest.usable);
                case.is_found(&base, &case.forge(honest).without_implied(number), cells.into_iter())
            });
        }
    }
    tally
}

/// Takes every copy out that hands nothing but its like on.
pub fn copies<F: Field>(cases: &[Case<'_, F>]) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        let honest = case.plan;
        let base = case.forge(honest);
        let mut plan = honest.clone();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
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
            tally.note(&name, case.name, || {
                let copy = plan.copies.remove(i);
                let cells = sources.iter().map(|cells| cells.iter().copied().take(SIDE).collect());
                let found = case.is_found(&base, &case.forge(&plan), cells);
                plan.copies.insert(i, copy);
                found
            });
        }
    }
    tally
}

/// Takes every public value out.
pub fn publics<F: Field>(cases: &[Case<'_, F>]) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        let base = case.forge(case.plan);
        for i in 0..case.plan.publics.len() {
            let mut plan = case.plan.clone();
            let (_, row) = plan.publics.remove(i);
            let name = format!("{}: instance row {row}", case.name);
            tally.note(&name, case.name, || case.is_found(&base, &case.forge(&plan), std::iter::empty()));
        }
    }
    tally
}
