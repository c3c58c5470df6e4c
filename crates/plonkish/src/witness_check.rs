//! Direct checking of a witness against a plan, constraint by constraint.

use super::{Field, Plan, Witness};

/// A constraint that a witness breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A gate, by name, and the row.
    Gate(String, usize),
    /// Two cells (column name, row) that should be equal.
    Copy((String, usize), (String, usize)),
    /// A cell that should equal an instance row.
    Public((String, usize), usize),
    /// A port cell outside the data that is not zero.
    Port(String, usize),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Violation::Gate(name, row) => write!(f, "{name} (row {row})"),
            Violation::Copy(a, b) => write!(f, "copy {} row {} = {} row {}", a.0, a.1, b.0, b.1),
            Violation::Public(a, row) => write!(f, "{} row {} = instance row {row}", a.0, a.1),
            Violation::Port(name, row) => write!(f, "{name} row {row} carries no data and must be zero"),
        }
    }
}

/// Names of phase-1 cells that lie outside what is known of them, with their rows. An honest witness has none: otherwise
/// a range is declared too small.
pub fn out_of_range<F: Field>(plan: &Plan<F>, witness: &Witness<F>) -> Vec<(String, usize)> {
    let mut found = vec![];
    for (column, spans) in plan.spans.iter().enumerate() {
        for span in spans {
            let outside = span.all_rows().filter(|&row| !span.interval.holds(witness.values[column][row]));
            found.extend(outside.map(|row| (plan.cell_name(column, row), row)));
        }
    }
    found
}

/// All constraints that the witness breaks. `instance` is the instance column.
pub fn check_witness<F: Field>(plan: &Plan<F>, witness: &Witness<F>, instance: &[F]) -> Vec<Violation> {
    let mut found = vec![];
    let uniform = plan.uniform_values(instance);
    for gate in &plan.gates {
        for &row in &gate.rows {
            if witness.eval(plan, &gate.poly, row, &uniform) != F::ZERO {
                found.push(Violation::Gate(gate.name.clone(), row));
            }
        }
    }
    let name = |(column, row): (usize, usize)| (plan.advice[column].name.clone(), row);
    for &(a, b) in &plan.copies {
        if witness.values[a.0][a.1] != witness.values[b.0][b.1] {
            found.push(Violation::Copy(name(a), name(b)));
        }
    }
    for &(cell, row) in &plan.publics {
        if instance.get(row) != Some(&witness.values[cell.0][cell.1]) {
            found.push(Violation::Public(name(cell), row));
        }
    }
    for (column, rows) in plan.port_rows.iter().enumerate() {
        for (row, &data) in rows.iter().enumerate() {
            if !data && witness.values[column][row] != F::ZERO {
                found.push(Violation::Port(plan.advice[column].name.clone(), row));
            }
        }
    }
    found
}
