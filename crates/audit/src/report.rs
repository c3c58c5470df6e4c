//! What a circuit is made of.

use crate::columns::{self, ColumnReport};
use crate::gates::{self, GateReport};
use crate::lookups::{self, LookupReport};
use plonkish::{Blinding, Challenge, DeclaredRange, Field, Global, Plan, RESERVED_ROWS, Uniform};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortReport {
    /// Name.
    pub name: String,
    /// Columns.
    pub columns: usize,
    /// What hides it.
    pub blinding: Blinding,
    /// Rows that carry data, over all columns.
    pub data: usize,
}

/// Cells that must be equal, by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CopyReport {
    /// Op and column of one.
    pub left: String,
    /// Op and column of the other.
    pub right: String,
    /// How many pairs have these names.
    pub pairs: usize,
}

/// A cell that is compared with the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicReport {
    /// Op and column of the cell.
    pub cell: String,
    /// Its row.
    pub row: usize,
    /// The row of the instance.
    pub instance: usize,
}

/// A value that an instance has on every usable row, in an instance column of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UniformReport {
    /// The instance column; column 0 is that of the instance's values.
    pub column: usize,
    /// What equations call it.
    pub name: String,
    /// The row of column 0 that it is, or is a power of.
    pub instance: usize,
    /// The challenge that stands there, if it is one.
    pub challenge: Option<&'static str>,
}

/// Columns of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolReport {
    /// Columns.
    pub columns: usize,
    /// Cells that ops own.
    pub owned: usize,
    /// Cells over all usable rows.
    pub cells: usize,
}

/// What a circuit is made of. The size of its proofs and the digest of its key follow from it but are computed by
/// `keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Log2 of the rows.
    pub k: u32,
    /// Rows that cells may use.
    pub usable_rows: usize,
    /// Rows kept free for blinding.
    pub reserved_rows: usize,
    /// Ports, in order.
    pub ports: Vec<PortReport>,
    /// Advice columns of phase 1, ports included.
    pub phase1_columns: usize,
    /// Advice columns of phase 2.
    pub phase2_columns: usize,
    /// Fixed columns, selectors included.
    pub fixed_columns: usize,
    /// Columns by what they hold (`port`, `limb`, `unchecked`, `copyable`, …), with their use.
    pub pools: BTreeMap<String, PoolReport>,
    /// Advice cells of each op.
    pub ops: BTreeMap<String, usize>,
    /// Highest degree of a gate.
    pub degree: usize,
    /// Gates by name.
    pub gates: Vec<GateReport>,
    /// Rows of each table, by tag; 0 is the range of a limb.
    pub tables: BTreeMap<u64, usize>,
    /// Columns over which the tables are spread.
    pub table_columns: usize,
    /// Lanes of limbs.
    pub limb_lanes: usize,
    /// Lanes of pairs.
    pub pair_lanes: usize,
    /// Helper columns of the lookup argument.
    pub helpers: usize,
    /// Copy constraints.
    pub copies: usize,
    /// Columns in the permutation argument, without the instance.
    pub copied_columns: usize,
    /// Cells compared with the instance.
    pub publics: usize,
    /// For each rotation, the advice columns queried at it.
    pub rotations: BTreeMap<i32, usize>,
    /// Queries of advice columns.
    pub advice_queries: usize,
    /// Terms of the lookup argument of an instance.
    pub lookup_terms: u64,
    /// Ranges of cells that are declared rather than shown by a table or a gate alone.
    pub declared: Vec<DeclaredRange>,
    /// Advice columns, in order.
    pub columns: Vec<ColumnReport>,
    /// Fixed columns, in order.
    pub fixed: Vec<ColumnReport>,
    /// The lookup argument.
    pub lookups: LookupReport,
    /// Copy constraints, by the names of the cells.
    pub equal: Vec<CopyReport>,
    /// Cells compared with the instance, in the order of its rows.
    pub instance: Vec<PublicReport>,
    /// Values that are the same on every row.
    pub uniform: Vec<UniformReport>,
}

impl Report {
    /// Of a plan.
    pub fn of<F: Field>(plan: &Plan<F>) -> Self {
        let mut queries: BTreeSet<(usize, i32)> = BTreeSet::new();
        for gate in &plan.gates {
            gate.poly.cells(&mut |column, rotation| {
                if let Global::Advice(a) = column {
                    queries.insert((a, rotation));
                }
            });
        }
        let mut rotations = BTreeMap::new();
        for &(_, rotation) in &queries {
            *rotations.entry(rotation).or_insert(0) += 1;
        }
        let mut tables = BTreeMap::new();
        for (tag, _, _) in plan.table_rows.keys() {
            *tables.entry(*tag).or_insert(0) += 1;
        }
        let ports = plan.ports.iter().enumerate().map(|(i, port)| PortReport {
            name: port.name.clone(),
            columns: port.columns,
            blinding: port.blinding,
            data: plan.port_columns(i).map(|c| plan.port_rows[c].iter().filter(|d| **d).count()).sum(),
        });
        let mut pools: BTreeMap<String, PoolReport> = BTreeMap::new();
        for (column, owners) in plan.advice.iter().zip(&plan.owners) {
            let pool = pools.entry(columns::pool(&column.name).to_owned()).or_default();
            pool.columns += 1;
            pool.cells += plan.usable;
            pool.owned += owners.iter().map(|o| o.rows).sum::<usize>();
        }
        let fixed = columns::fixed_names(plan);
        let lanes = || plan.helpers.iter().flat_map(|h| &h.slots);
        Report {
            k: plan.k,
            usable_rows: plan.usable,
            reserved_rows: RESERVED_ROWS,
            ports: ports.collect(),
            phase1_columns: plan.phase1,
            phase2_columns: plan.advice.len() - plan.phase1,
            fixed_columns: plan.fixed.len(),
            pools,
            ops: plan.ops.clone(),
            degree: plan.degree(),
            gates: gates::of(plan, &fixed),
            tables,
            table_columns: plan.tables.len(),
            limb_lanes: lanes().filter(|l| l.pair.is_none()).count() + plan.implied.len(),
            pair_lanes: lanes().filter(|l| l.pair.is_some()).count(),
            helpers: plan.helpers.len(),
            copies: plan.copies.len(),
            copied_columns: plan.advice.iter().filter(|c| c.equality).count(),
            publics: plan.publics.len(),
            rotations,
            advice_queries: queries.len(),
            lookup_terms: plan.lookup_terms(),
            declared: plan.declared.clone(),
            columns: columns::advice(plan),
            fixed: columns::fixed(plan, &fixed),
            lookups: lookups::of(plan, &fixed),
            equal: equal(plan),
            instance: instance(plan),
            uniform: uniform(plan),
        }
    }
}

fn equal<F: Field>(plan: &Plan<F>) -> Vec<CopyReport> {
    let mut pairs = BTreeMap::new();
    for (a, b) in &plan.copies {
        *pairs.entry([a, b].map(|cell| plan.name_of(cell.0, cell.1))).or_insert(0) += 1;
    }
    pairs.into_iter().map(|([left, right], pairs)| CopyReport { left, right, pairs }).collect()
}

fn uniform<F: Field>(plan: &Plan<F>) -> Vec<UniformReport> {
    let report = |(number, value): (usize, &Uniform)| UniformReport {
        column: number + 1,
        name: plan.uniform_name(number),
        instance: value.row(),
        challenge: Challenge::ALL.get(value.row()).map(|challenge| challenge.label()),
    };
    plan.uniform.iter().enumerate().map(report).collect()
}

fn instance<F: Field>(plan: &Plan<F>) -> Vec<PublicReport> {
    let public = |&((column, row), instance): &((usize, usize), usize)| PublicReport {
        cell: plan.name_of(column, row),
        row,
        instance,
    };
    let mut cells: Vec<PublicReport> = plan.publics.iter().map(public).collect();
    cells.sort_by_key(|public| public.instance);
    cells
}
