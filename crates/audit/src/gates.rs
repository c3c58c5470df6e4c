//! The gates of a plan by name, each as an equation.

use crate::equation::Equation;
use crate::rows::{Run, runs};
use plonkish::{Field, Gate, Global, ImpliedLimb, Plan, Role};
use serde::Serialize;
use std::collections::BTreeMap;
use std::panic::Location;

/// Gates of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateReport {
    /// `op: constraint`.
    pub name: String,
    /// The op.
    pub op: String,
    /// What they are for.
    pub role: Role,
    /// Degree, with a selector of degree 1; shared selectors have more.
    pub degree: usize,
    /// Polynomials of this name.
    pub polynomials: usize,
    /// Rows on which they are enforced, over all polynomials.
    pub rows: usize,
    /// What they say: one for each lane where these have names of their own.
    pub equations: Vec<EquationReport>,
}

/// Gates that say the same of cells of the same names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EquationReport {
    /// What they say.
    pub equation: Equation,
    /// Highest degree, the selector included.
    pub degree: usize,
    /// Polynomials: over other columns of the grid, or on other rows.
    pub polynomials: usize,
    /// The rows of each, those of equal rows together.
    pub rows: Vec<RowsReport>,
    /// The lines that state them, in their order.
    pub stated: Vec<Line>,
}

/// Rows on which polynomials are enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowsReport {
    /// The rows of the grid.
    pub runs: Vec<Run>,
    /// How many polynomials are enforced on them.
    pub polynomials: usize,
}

/// A line of the source code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// From the root of the repository.
    pub file: String,
    /// Its number.
    pub line: u32,
}

impl From<&Location<'_>> for Line {
    fn from(location: &Location<'_>) -> Self {
        Line { file: location.file().replace('\\', "/"), line: location.line() }
    }
}

/// What gates of one name and equation have in common, and the rows of each by how many have them.
struct Alike<'p> {
    equation: Equation,
    degree: usize,
    polynomials: usize,
    rows: BTreeMap<&'p [usize], usize>,
    stated: Vec<Line>,
}

/// The gates of a plan, by name, and its limbs that no cell holds.
pub(crate) fn of<F: Field>(plan: &Plan<F>, fixed: &[String]) -> Vec<GateReport> {
    let mut named: BTreeMap<&str, (GateReport, Vec<Alike<'_>>)> = BTreeMap::new();
    for gate in &plan.gates {
        let (report, equations) = named.entry(&gate.name).or_insert_with(|| (empty(gate), vec![]));
        report.degree = report.degree.max(gate.poly.degree() + 1);
        report.polynomials += 1;
        report.rows += gate.rows.len();
        let equation = Equation::of(&gate.poly, &|column, rotation| name(plan, fixed, gate, column, rotation));
        let alike = match equations.iter_mut().find(|alike| alike.equation == equation) {
            Some(alike) => alike,
            None => {
                let none = Alike { equation, degree: 0, polynomials: 0, rows: BTreeMap::new(), stated: vec![] };
                equations.push(none);
                equations.last_mut().expect("just added")
            }
        };
        alike.degree = alike.degree.max(gate.degree());
        alike.polynomials += 1;
        *alike.rows.entry(&gate.rows).or_default() += 1;
        let line = Line::from(gate.stated);
        if let Err(at) = alike.stated.binary_search(&line) {
            alike.stated.insert(at, line);
        }
    }
    let complete = |(report, equations): (GateReport, Vec<Alike<'_>>)| GateReport {
        equations: equations.into_iter().map(EquationReport::from).collect(),
        ..report
    };
    let implied = plan.implied.iter().map(|limb| of_limb(plan, fixed, limb));
    let mut reports: Vec<GateReport> = named.into_values().map(complete).chain(implied).collect();
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    reports
}

fn of_limb<F: Field>(plan: &Plan<F>, fixed: &[String], limb: &ImpliedLimb<F>) -> GateReport {
    let equation = Equation::of_limb(&limb.form, &|column, rotation| of_op(plan, fixed, (column, rotation), Some(0)));
    let everywhere = Run { first: 0, count: plan.usable, step: 1, times: 1, every: 0 };
    let equation = EquationReport {
        equation,
        degree: 1,
        polynomials: 1,
        rows: vec![RowsReport { runs: vec![everywhere], polynomials: 1 }],
        stated: vec![Line::from(limb.stated)],
    };
    GateReport {
        name: limb.name.clone(),
        op: op(&limb.name).to_owned(),
        role: Role::Lookup,
        degree: 1,
        polynomials: 1,
        rows: plan.usable,
        equations: vec![equation],
    }
}

fn empty<F>(gate: &Gate<F>) -> GateReport {
    GateReport {
        name: gate.name.clone(),
        op: op(&gate.name).to_owned(),
        role: gate.role,
        degree: 0,
        polynomials: 0,
        rows: 0,
        equations: vec![],
    }
}

impl From<Alike<'_>> for EquationReport {
    fn from(alike: Alike<'_>) -> Self {
        let Alike { equation, degree, polynomials, rows, stated } = alike;
        let rows = rows.into_iter().map(|(rows, polynomials)| RowsReport { runs: runs(rows), polynomials });
        EquationReport { equation, degree, polynomials, rows: rows.collect(), stated }
    }
}

/// The op of a gate, by the gate's name.
pub(crate) fn op(gate: &str) -> &str {
    gate.split_once(": ").map_or(gate, |(op, _)| op)
}

/// What the op of a gate calls a column, and how many of its own rows below the cell is.
fn name<F: Field>(plan: &Plan<F>, fixed: &[String], gate: &Gate<F>, column: Global, rotation: i32) -> (String, i32) {
    let row = gate.rows.first().and_then(|row| row.checked_add_signed(rotation as isize));
    // What holds on whole columns holds for cells of any op.
    let is_of_op = matches!(gate.role, Role::Phase1 | Role::Projection);
    of_op(plan, fixed, (column, rotation), row.filter(|_| is_of_op))
}

/// The same of a cell on a row, if an op owns it.
fn of_op<F: Field>(
    plan: &Plan<F>,
    fixed: &[String],
    (column, rotation): (Global, i32),
    row: Option<usize>,
) -> (String, i32) {
    let owner = row.and_then(|row| match column {
        Global::Advice(a) => plan.owner(a, row),
        Global::Fixed(f) => plan.constants.get(f)?.iter().find(|owner| owner.cell(row).is_some()),
        Global::Uniform(_) => None,
    });
    match (owner, column) {
        // A row of the block takes as many rows of the grid, of which the column stands on one.
        (_, Global::Uniform(u)) => (plan.uniform_name(u), 0),
        (Some(owner), _) => (owner.column.clone(), rotation.div_euclid(owner.stride as i32)),
        (None, Global::Advice(a)) => (plan.advice[a].name.clone(), rotation),
        (None, Global::Fixed(f)) => (fixed[f].clone(), rotation),
    }
}
