//! What a circuit costs, as far as its plan says it: columns, cells, lookups, queries. Times are measured elsewhere.

use crate::Report;
use crate::columns::pool;
use plonkish::{Field, Global, Plan};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a circuit costs. Counts are of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Log2 of the rows.
    pub k: u32,
    /// Advice columns by what they hold (`port`, `limb`, `unchecked`, …).
    pub columns: BTreeMap<String, usize>,
    /// Fixed columns that gates read.
    pub fixed_columns: usize,
    /// Advice columns that the permutation covers.
    pub copied_columns: usize,
    /// Cells of advice columns that gates read, relative to a row.
    pub queries: usize,
    /// Constraints.
    pub polynomials: usize,
    /// Highest degree of a constraint, its selector included.
    pub degree: usize,
    /// Rows on which constraints are enforced, by their name.
    pub gates: BTreeMap<String, usize>,
    /// Slots of the lookup argument: of limbs, and of pairs.
    pub slots: [usize; 2],
    /// Cells that each op owns, by what their columns hold.
    pub ops: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Cost {
    /// Of a plan.
    pub fn of<F: Field>(plan: &Plan<F>) -> Self {
        let report = Report::of(plan);
        let mut ops: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (column, owners) in plan.advice.iter().zip(&plan.owners) {
            for owner in owners {
                let cells = ops.entry(owner.op.clone()).or_default().entry(pool(&column.name).to_owned()).or_insert(0);
                *cells += owner.rows;
            }
        }
        let mut fixed: BTreeSet<usize> = plan.port_flags.iter().copied().collect();
        for gate in &plan.gates {
            fixed.insert(gate.selector.column);
            gate.poly.cells(&mut |column, _| {
                if let Global::Fixed(column) = column {
                    fixed.insert(column);
                }
            });
        }
        Cost {
            k: report.k,
            columns: report.pools.into_iter().map(|(name, pool)| (name, pool.columns)).collect(),
            fixed_columns: fixed.len(),
            copied_columns: report.copied_columns,
            queries: report.advice_queries,
            polynomials: plan.gates.len(),
            degree: report.degree,
            gates: report.gates.into_iter().map(|gate| (gate.name, gate.rows)).collect(),
            slots: [report.limb_lanes, report.pair_lanes],
            ops,
        }
    }
}
