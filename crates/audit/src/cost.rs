//! What a circuit costs, as far as its plan says it: columns, cells, lookups, queries. Times are measured elsewhere.

use plonkish::{Field, Plan};
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
        let mut columns = BTreeMap::new();
        let mut ops: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (column, owners) in plan.advice.iter().zip(&plan.owners) {
            let pool = pool(&column.name);
            *columns.entry(pool.to_owned()).or_insert(0) += 1;
            for owner in owners {
                *ops.entry(owner.op.clone()).or_default().entry(pool.to_owned()).or_insert(0) += owner.rows;
            }
        }
        let (mut queries, mut fixed, mut gates) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for gate in &plan.gates {
            *gates.entry(gate.name.clone()).or_insert(0) += gate.rows.len();
            fixed.insert(gate.selector.column);
            gate.poly.cells(&mut |column, rotation| match column {
                plonkish::Global::Advice(column) => drop(queries.insert((column, rotation))),
                plonkish::Global::Fixed(column) => drop(fixed.insert(column)),
            });
        }
        fixed.extend(&plan.port_flags);
        let slots = || plan.helpers.iter().flat_map(|helper| &helper.slots);
        Cost {
            k: plan.k,
            columns,
            fixed_columns: fixed.len(),
            copied_columns: plan.advice.iter().filter(|column| column.equality).count(),
            queries: queries.len(),
            polynomials: plan.gates.len(),
            degree: plan.degree(),
            gates,
            slots: [
                slots().filter(|slot| slot.pair.is_none()).count(),
                slots().filter(|slot| slot.pair.is_some()).count(),
            ],
            ops,
        }
    }
}

/// What a column holds, by its name: "limb 3" is of the pool "limb", "lookup x 3" of "lookup".
pub(crate) fn pool(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}
