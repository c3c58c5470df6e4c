//! The columns of a plan: what each holds, and whose cells are where.

use crate::gates::op;
use crate::rows::{Run, runs};
use plonkish::{Basis, Field, Global, Owner, Plan, Span};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An advice or a fixed column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// What it is called.
    pub name: String,
    /// What it holds: `port`, `limb`, …; of fixed columns `constant`, `tag`, `table`, `selector`, `data`.
    pub kind: String,
    /// Whether its cells are copied.
    pub copied: bool,
    /// Cells in use: those that an op owns, or that are read on all rows; of a fixed column's last three kinds those that are not zero.
    pub cells: usize,
    /// Whose they are.
    pub owned: Vec<OwnedReport>,
}

/// Cells of a column that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedReport {
    /// Op whose cells they are, or whose gates read them.
    pub op: String,
    /// What the op calls the column; empty for cells that are none of a block.
    pub column: String,
    /// Number of the block.
    pub block: Option<usize>,
    /// Rows of the cells.
    pub rows: Run,
    /// Where the integers in them lie, as far as it is known.
    pub ranges: Vec<RangeReport>,
}

/// Where integers lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeReport {
    /// The range.
    pub range: String,
    /// What it rests on.
    pub basis: Basis,
    /// Cells.
    pub cells: usize,
}

/// What a column holds, by its name: "limb 3" is of the pool "limb", "lookup x 3" of "lookup".
pub(crate) fn pool(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

/// The advice columns.
pub(crate) fn advice<F: Field>(plan: &Plan<F>) -> Vec<ColumnReport> {
    let readers = readers(plan);
    let column = |(i, column): (usize, &plonkish::Column)| {
        let spans = plan.spans.get(i).map_or(&[][..], |spans| spans);
        let owned: Vec<OwnedReport> = match &plan.owners[i][..] {
            [] => readers.get(&i).into_iter().flatten().map(|op| OwnedReport::whole(op, plan.usable)).collect(),
            owners => owners.iter().map(|owner| OwnedReport::of(owner, &spans[owner.spans.clone()])).collect(),
        };
        ColumnReport {
            name: column.name.clone(),
            kind: pool(&column.name).to_owned(),
            copied: column.equality,
            // What several read on all rows is in use once.
            cells: if plan.owners[i].is_empty() { plan.usable } else { cells(&owned) },
            owned,
        }
    };
    plan.advice.iter().enumerate().map(column).collect()
}

/// Whose gates read columns that no op owns: those of the lookup argument.
fn readers<F: Field>(plan: &Plan<F>) -> BTreeMap<usize, BTreeSet<&str>> {
    let mut readers: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for gate in &plan.gates {
        gate.poly.cells(&mut |column, _| {
            if let Global::Advice(a) = column
                && plan.owners[a].is_empty()
            {
                readers.entry(a).or_default().insert(op(&gate.name));
            }
        });
    }
    readers
}

fn cells(owned: &[OwnedReport]) -> usize {
    owned.iter().map(|owned| owned.rows.count * owned.rows.times).sum()
}

impl OwnedReport {
    fn of(owner: &Owner, spans: &[Span]) -> Self {
        let mut ranges: Vec<RangeReport> = vec![];
        for span in spans {
            let (range, basis) = (span.interval.to_string(), span.basis);
            match ranges.iter_mut().find(|known| known.range == range && known.basis == basis) {
                Some(known) => known.cells += span.rows,
                None => ranges.push(RangeReport { range, basis, cells: span.rows }),
            }
        }
        let step = if owner.rows > 1 { owner.stride } else { 1 };
        OwnedReport {
            op: owner.op.clone(),
            column: owner.column.clone(),
            block: Some(owner.block),
            rows: Run { first: owner.first, count: owner.rows, step, times: 1, every: 0 },
            ranges,
        }
    }

    fn whole(op: &str, usable: usize) -> Self {
        let rows = Run { first: 0, count: usable, step: 1, times: 1, every: 0 };
        OwnedReport { op: op.to_owned(), column: String::new(), block: None, rows, ranges: vec![] }
    }
}

/// What the fixed columns are called.
pub(crate) fn fixed_names<F: Field>(plan: &Plan<F>) -> Vec<String> {
    let mut names: Vec<String> = (0..plan.fixed.len()).map(|i| format!("constant {i}")).collect();
    for (i, slot) in plan.helpers.iter().flat_map(|helper| &helper.slots).filter_map(|slot| slot.pair).enumerate() {
        names[slot.1] = format!("tag {i}");
    }
    for (i, table) in plan.tables.iter().enumerate() {
        for (column, what) in [(table.tag, "tag"), (table.x, "x"), (table.y, "y")] {
            names[column] = format!("table {i} {what}");
        }
    }
    let selectors: BTreeSet<usize> = plan.gates.iter().map(|gate| gate.selector.column).collect();
    for (i, column) in selectors.into_iter().enumerate() {
        names[column] = format!("selector {i}");
    }
    let flags: BTreeSet<usize> = plan.port_flags.iter().copied().collect();
    for (i, column) in flags.into_iter().enumerate() {
        names[column] = format!("data {i}");
    }
    names
}

/// The fixed columns.
pub(crate) fn fixed<F: Field>(plan: &Plan<F>, names: &[String]) -> Vec<ColumnReport> {
    // The ops that each value of a selector's column selects gates of.
    let mut selected: BTreeMap<usize, BTreeMap<&str, BTreeSet<usize>>> = BTreeMap::new();
    for gate in &plan.gates {
        let ops = selected.entry(gate.selector.column).or_default();
        ops.entry(op(&gate.name)).or_default().insert(gate.selector.value);
    }
    let column = |(i, values): (usize, &Vec<F>)| {
        let owned: Vec<OwnedReport> = match (plan.constants.get(i), selected.get(&i)) {
            (Some(owners), _) => owners.iter().map(|owner| OwnedReport::of(owner, &[])).collect(),
            (None, Some(ops)) => ops
                .iter()
                .flat_map(|(op, selects)| {
                    let selects: Vec<F> = selects.iter().map(|&value| F::from(value as u64)).collect();
                    nonzero(op, values, &|value| selects.contains(value))
                })
                .collect(),
            (None, None) => {
                let op = if pool(&names[i]) == "data" { "port" } else { "lookup" };
                nonzero(op, values, &|value| *value != F::ZERO)
            }
        };
        let cells = match plan.constants.get(i) {
            Some(_) => cells(&owned),
            None => values.iter().filter(|value| **value != F::ZERO).count(),
        };
        ColumnReport { name: names[i].clone(), kind: pool(&names[i]).to_owned(), copied: false, cells, owned }
    };
    plan.fixed.iter().enumerate().map(column).collect()
}

/// Cells of a fixed column by their values.
fn nonzero<F: Field>(op: &str, values: &[F], is: &dyn Fn(&F) -> bool) -> Vec<OwnedReport> {
    let rows: Vec<usize> = (0..values.len()).filter(|&row| is(&values[row])).collect();
    let owned = |rows| OwnedReport { op: op.to_owned(), column: String::new(), block: None, rows, ranges: vec![] };
    runs(&rows).into_iter().map(owned).collect()
}
