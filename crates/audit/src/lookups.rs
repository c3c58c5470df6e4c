//! The lookup argument of a plan: who looks up what, and where.

use plonkish::{Field, Plan};
use serde::Serialize;
use std::collections::BTreeMap;

/// The lookup argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LookupReport {
    /// The tables, by tag; 0 is the range of a limb.
    pub tables: BTreeMap<u64, TableReport>,
    /// The columns over which the tables are spread.
    pub columns: Vec<TableColumnsReport>,
    /// Helper columns, each the sum of its slots' inverses on every row.
    pub helpers: Vec<HelperReport>,
    /// The column of the running sum.
    pub running: String,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Entries.
    pub entries: usize,
    /// Cells that are looked up in it, by op and what the op calls the column of the first component, and limbs that no cell holds, by
    /// name. Cells that no op owns, and those of a pair on rows that name no table, are looked up in table 0 as well.
    pub looked_up: BTreeMap<String, usize>,
}

/// Columns of a part of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableColumnsReport {
    /// Fixed columns: the entries' tags, their first components, their second ones.
    pub fixed: [String; 3],
    /// Advice column: how often each entry is looked up.
    pub multiplicity: String,
    /// Advice column: the sum of multiplicities over entries, where the running sum does not take them away itself.
    pub quotient: Option<String>,
}

/// A helper column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HelperReport {
    /// The column.
    pub column: String,
    /// The slots that it serves: the columns of a limb, or of both components and the tag.
    pub slots: Vec<Vec<String>>,
    /// Names of the limbs that it serves which no cell holds.
    pub implied: Vec<String>,
}

/// Of a plan whose fixed columns have these names.
pub(crate) fn of<F: Field>(plan: &Plan<F>, fixed: &[String]) -> LookupReport {
    let advice = |column: usize| plan.advice[column].name.clone();
    let mut tables: BTreeMap<u64, TableReport> = BTreeMap::new();
    for (tag, _, _) in plan.table_rows.keys() {
        tables.entry(*tag).or_default().entries += 1;
    }
    let limbs = tables.entry(0).or_default();
    limbs.looked_up.extend(plan.implied.iter().map(|limb| (limb.name.clone(), plan.usable)));
    for slot in plan.helpers.iter().flat_map(|helper| &helper.slots) {
        for owner in &plan.owners[slot.x] {
            let name = format!("{}: {}", owner.op, owner.column);
            for row in owner.all_rows() {
                // Rows of a pair that name no table hold a limb.
                let tag = slot.pair.map_or(F::ZERO, |(_, tag)| plan.fixed[tag][row]);
                if slot.pair.is_none() || tag != F::ZERO {
                    let found = tables.iter_mut().find(|(number, _)| F::from(**number) == tag);
                    found.into_iter().for_each(|(_, table)| *table.looked_up.entry(name.clone()).or_default() += 1);
                }
            }
        }
    }
    let slot = |slot: &plonkish::LookupSlot| {
        let pair = slot.pair.into_iter().flat_map(|(y, tag)| [advice(y), fixed[tag].clone()]);
        [advice(slot.x)].into_iter().chain(pair).collect()
    };
    let helper = |helper: &plonkish::Helper| HelperReport {
        column: advice(helper.column),
        slots: helper.slots.iter().map(slot).collect(),
        implied: helper.implied.iter().map(|&number| plan.implied[number].name.clone()).collect(),
    };
    let columns = |part: &plonkish::TableColumns| TableColumnsReport {
        fixed: [part.tag, part.x, part.y].map(|column| fixed[column].clone()),
        multiplicity: advice(part.multiplicity),
        quotient: part.quotient.map(advice),
    };
    LookupReport {
        tables,
        columns: plan.tables.iter().map(columns).collect(),
        helpers: plan.helpers.iter().map(helper).collect(),
        running: advice(plan.running),
    }
}
