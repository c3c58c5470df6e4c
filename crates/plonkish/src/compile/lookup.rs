//! The lookup argument: logarithmic derivatives (logUp, Haböck 2022). Every looked-up value adds `1/(alpha + value)`
//! to a running sum, every table entry takes away its multiplicity over `alpha + entry`, and the sum ends at zero.

use super::super::cells::{Challenge, Role};
use super::super::plan::{Global, Helper, LookupSlot, TableColumns, TablePositions};
use super::super::{Expr, Field, field};
use super::gates::Gates;
use super::layout::Layout;
use std::collections::HashMap;

/// Most lookups of limbs that one helper column serves, so that its constraint stays within degree 5.
const LIMBS_PER_HELPER: usize = 3;

/// The columns of the lookup argument.
pub(super) struct Lookups {
    pub helpers: Vec<Helper>,
    pub tables: Vec<TableColumns>,
    /// Column of the running sum.
    pub running: usize,
    /// Where each table entry stands.
    pub positions: TablePositions,
}

fn cell<F>(column: usize, rotation: i32) -> Expr<F, Global> {
    Expr::Cell(Global::Advice(column), rotation)
}

fn fixed_cell<F>(column: usize) -> Expr<F, Global> {
    Expr::Cell(Global::Fixed(column), 0)
}

/// Adds the argument's columns and gates. `tags` are the fixed columns that say which table a pair is looked up in.
pub(super) fn add<F: Field>(layout: &mut Layout, gates: &mut Gates<F>, tags: &[usize], usable: usize) -> Lookups {
    let helpers = add_helpers(layout, gates, tags);
    let (tables, positions) = add_tables(layout, gates, usable);
    let running = layout.add("lookup running sum".into());
    let added = Expr::sum(helpers.iter().map(|h| cell(h.column, 0)));
    let removed = Expr::sum(tables.iter().map(|t| cell(t.quotient, 0)));
    gates.add(Role::Lookup, "lookup: running sum begins at zero".into(), cell(running, 0), [0]);
    gates.add(
        Role::Lookup,
        "lookup: running sum adds helpers and takes tables away".into(),
        cell(running, 1) - cell(running, 0) - added.clone() + removed.clone(),
        0..usable - 1,
    );
    let last = cell(running, 0) + added - removed;
    gates.add(Role::Lookup, "lookup: every value is in its table".into(), last, [usable - 1]);
    Lookups { helpers, tables, running, positions }
}

/// `value + tuple_y · y + tuple_tag · tag`.
fn pair<F: Field>(layout: &Layout, x: Expr<F, Global>, y: Expr<F, Global>, tag: usize) -> Expr<F, Global> {
    let weight = |challenge| cell(layout.challenge[&challenge], 0);
    x + weight(Challenge::TupleY) * y + weight(Challenge::TupleTag) * fixed_cell(tag)
}

/// One helper a pair, or for a few limbs: the sum of their inverses.
fn add_helpers<F: Field>(layout: &mut Layout, gates: &mut Gates<F>, tags: &[usize]) -> Vec<Helper> {
    let limbs: Vec<LookupSlot> = layout.limbs().map(|x| LookupSlot { x, pair: None }).collect();
    let pairs = tags.iter().enumerate().map(|(i, &tag)| {
        let x = layout.pair(i);
        vec![LookupSlot { x, pair: Some((x + 1, tag)) }]
    });
    let groups: Vec<Vec<LookupSlot>> = limbs.chunks(LIMBS_PER_HELPER).map(<[_]>::to_vec).chain(pairs).collect();
    let alpha = cell(layout.challenge[&Challenge::Alpha], 0);
    let mut helpers = vec![];
    for (i, slots) in groups.into_iter().enumerate() {
        let column = layout.add(format!("helper {i}"));
        let terms: Vec<Expr<F, Global>> = slots
            .iter()
            .map(|slot| {
                let x = alpha.clone() + cell(slot.x, 0);
                match slot.pair {
                    None => x,
                    Some((y, tag)) => pair(layout, x, cell(y, 0), tag),
                }
            })
            .collect();
        let product = terms.iter().cloned().reduce(|a, b| a * b).expect("a helper serves a slot");
        let numerator = match terms.len() {
            1 => Expr::int(1),
            2 => terms[0].clone() + terms[1].clone(),
            _ => terms[0].clone() * terms[1].clone() + (terms[0].clone() + terms[1].clone()) * terms[2].clone(),
        };
        gates.everywhere(
            Role::Lookup,
            format!("lookup: helper {i} is the sum of inverses"),
            cell(column, 0) * product - numerator,
        );
        helpers.push(Helper { column, slots });
    }
    helpers
}

/// The tables' fixed columns, padded with the entry zero, and their quotients.
fn add_tables<F: Field>(
    layout: &mut Layout,
    gates: &mut Gates<F>,
    usable: usize,
) -> (Vec<TableColumns>, TablePositions) {
    let (mut tables, mut positions) = (vec![], HashMap::new());
    for (t, multiplicity) in layout.multiplicity.clone().into_iter().enumerate() {
        let quotient = layout.add(format!("table quotient {t}"));
        let (tag, x, y) = (gates.fixed_column(), gates.fixed_column(), gates.fixed_column());
        for row in 0..usable {
            let (row_tag, row_x, row_y) = layout.entries.get(t * usable + row).copied().unwrap_or((0, 0, 0));
            let (fx, fy) = (field(row_x), field(row_y));
            gates.fixed(tag)[row] = F::from(row_tag);
            gates.fixed(x)[row] = fx;
            gates.fixed(y)[row] = fy;
            positions.entry((row_tag, fx.to_repr(), fy.to_repr())).or_insert((t, row));
        }
        let entry = cell(layout.challenge[&Challenge::Alpha], 0) + fixed_cell(x);
        let denominator = if layout.pairs() > 0 { pair(layout, entry, fixed_cell(y), tag) } else { entry };
        gates.everywhere(
            Role::Lookup,
            format!("lookup: table {t} quotient is multiplicity over entry"),
            cell(quotient, 0) * denominator - cell(multiplicity, 0),
        );
        tables.push(TableColumns { tag, x, y, multiplicity, quotient });
    }
    (tables, positions)
}
