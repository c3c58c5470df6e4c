//! The lookup argument: logarithmic derivatives (logUp, Haböck 2022). Every looked-up value adds `1/(alpha + value)`
//! to a running sum, every table entry takes away its multiplicity over `alpha + entry`, and the sum ends at zero.

use super::super::MAX_GATE_DEGREE;
use super::super::cells::{Challenge, Role, Uniform};
use super::super::plan::{Global, Helper, ImpliedLimb, LookupSlot, TableColumns, TablePositions, uniform_column};
use super::super::{Expr, Field, field};
use super::gates::Gates;
use super::layout::Layout;
use std::collections::{BTreeSet, HashMap};

/// What the degrees of the values that one helper column serves may add up to: with the helper and a selector they make the
/// constraint's degree.
const SERVED_DEGREE: usize = MAX_GATE_DEGREE - 2;

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

fn uniform<F>(layout: &Layout, challenge: Challenge) -> Expr<F, Global> {
    Expr::Cell(uniform_column(&layout.uniform, Uniform::Power(challenge, 1)), 0)
}

fn fixed_cell<F>(column: usize) -> Expr<F, Global> {
    Expr::Cell(Global::Fixed(column), 0)
}

/// Adds the argument's columns and gates. `tags` are the fixed columns that say which table a pair is looked up in.
pub(super) fn add<F: Field>(
    layout: &mut Layout,
    gates: &mut Gates<F>,
    (tags, implied): (&[usize], &[ImpliedLimb<F>]),
    usable: usize,
) -> Lookups {
    let helpers = add_helpers(layout, gates, tags, implied);
    let Tables { columns: tables, positions, taken: (counts, entries) } = add_tables(layout, gates, usable);
    let running = layout.add("lookup running sum".into());
    let added = Expr::sum(helpers.iter().map(|h| cell(h.column, 0)));
    let quotients: BTreeSet<usize> = tables.iter().filter_map(|t| t.quotient).collect();
    let removed = Expr::sum(quotients.into_iter().map(|quotient| cell(quotient, 0)));
    gates.add(Role::Lookup, "lookup: running sum begins at zero".into(), cell(running, 0), [0]);
    gates.add(
        Role::Lookup,
        "lookup: running sum adds helpers and takes tables away".into(),
        (cell(running, 1) - cell(running, 0) - added.clone() + removed.clone()) * entries.clone() + counts.clone(),
        0..usable - 1,
    );
    let last = (cell(running, 0) + added - removed) * entries - counts;
    gates.add(Role::Lookup, "lookup: every value is in its table".into(), last, [usable - 1]);
    Lookups { helpers, tables, running, positions }
}

/// `value + tuple_y · y + tuple_tag · tag`.
fn pair<F: Field>(layout: &Layout, x: Expr<F, Global>, y: Expr<F, Global>, tag: usize) -> Expr<F, Global> {
    let weight = |challenge| uniform(layout, challenge);
    x + weight(Challenge::TupleY) * y + weight(Challenge::TupleTag) * fixed_cell(tag)
}

/// Numerator and denominator of a sum of fractions, each a numerator (1 if there is none) over a denominator.
fn sum_of_fractions<F: Field>(
    fractions: impl IntoIterator<Item = (Option<Expr<F, Global>>, Expr<F, Global>)>,
) -> (Expr<F, Global>, Expr<F, Global>) {
    let mut fractions = fractions.into_iter();
    let (numerator, denominator) = fractions.next().expect("a sum has a term");
    fractions.fold((numerator.unwrap_or(Expr::int(1)), denominator), |(sum, product), (numerator, denominator)| {
        let added = numerator.map_or(product.clone(), |numerator| numerator * product.clone());
        (sum * denominator.clone() + added, product * denominator)
    })
}

/// What a helper serves.
#[derive(Clone, Copy)]
enum Served {
    Slot(LookupSlot),
    Implied(usize),
}

/// One helper for a few slots, pairs and limbs: the sum of their inverses.
fn add_helpers<F: Field>(
    layout: &mut Layout,
    gates: &mut Gates<F>,
    tags: &[usize],
    implied: &[ImpliedLimb<F>],
) -> Vec<Helper> {
    let limbs = layout.limbs().map(|x| Served::Slot(LookupSlot { x, pair: None }));
    let mut limbs: Vec<Served> = limbs.chain((0..implied.len()).map(Served::Implied)).rev().collect();
    let pairs: Vec<Served> = tags
        .iter()
        .enumerate()
        .map(|(i, &tag)| Served::Slot(LookupSlot { x: layout.pair(i), pair: Some((layout.pair(i) + 1, tag)) }))
        .collect();
    // Pairs have degree 2; limbs fill up what they leave.
    let mut groups: Vec<Vec<Served>> = pairs.chunks(SERVED_DEGREE / 2).map(<[_]>::to_vec).collect();
    for group in &mut groups {
        let spare = SERVED_DEGREE - 2 * group.len();
        group.extend((0..spare).map_while(|_| limbs.pop()));
    }
    while !limbs.is_empty() {
        groups.push((0..SERVED_DEGREE).map_while(|_| limbs.pop()).collect());
    }
    let alpha = uniform(layout, Challenge::Alpha);
    let mut helpers = vec![];
    for (i, served) in groups.into_iter().enumerate() {
        let column = layout.add(format!("helper {i}"));
        let mut helper = Helper { column, slots: vec![], implied: vec![] };
        let mut terms = vec![];
        for served in served {
            terms.push(match served {
                Served::Implied(number) => {
                    helper.implied.push(number);
                    alpha.clone() + implied[number].form.clone()
                }
                Served::Slot(slot) => {
                    helper.slots.push(slot);
                    let x = alpha.clone() + cell(slot.x, 0);
                    match slot.pair {
                        None => x,
                        Some((y, tag)) => pair(layout, x, cell(y, 0), tag),
                    }
                }
            });
        }
        let (numerator, product) = sum_of_fractions(terms.into_iter().map(|term| (None, term)));
        gates.everywhere(
            Role::Lookup,
            format!("lookup: helper {i} is the sum of inverses"),
            cell(column, 0) * product - numerator,
        );
        helpers.push(helper);
    }
    helpers
}

/// The columns of all parts of the tables.
struct Tables<F> {
    columns: Vec<TableColumns>,
    positions: TablePositions,
    /// Numerator and denominator of the multiplicities over entries of the parts without a quotient.
    taken: (Expr<F, Global>, Expr<F, Global>),
}

/// The tables' fixed columns, padded with the entry zero. As many parts as the degree allows are taken from the running sum
/// where it stands; as many of the others at a time have a quotient.
fn add_tables<F: Field>(layout: &mut Layout, gates: &mut Gates<F>, usable: usize) -> Tables<F> {
    let (mut tables, mut positions, mut taken) = (vec![], HashMap::new(), None);
    let served = if layout.pairs() > 0 { SERVED_DEGREE / 2 } else { SERVED_DEGREE };
    let parts: Vec<(usize, usize)> = layout.multiplicity.clone().into_iter().enumerate().collect();
    for (q, parts) in parts.chunks(served).enumerate() {
        let quotient = q.checked_sub(1).map(|q| layout.add(format!("table quotient {q}")));
        let mut fractions = vec![];
        for &(t, multiplicity) in parts {
            let (tag, x, y) = (gates.fixed_column(), gates.fixed_column(), gates.fixed_column());
            for row in 0..usable {
                let (row_tag, row_x, row_y) = layout.entries.get(t * usable + row).copied().unwrap_or((0, 0, 0));
                let (fx, fy) = (field(row_x), field(row_y));
                gates.fixed(tag)[row] = F::from(row_tag);
                gates.fixed(x)[row] = fx;
                gates.fixed(y)[row] = fy;
                positions.entry((row_tag, fx.to_repr(), fy.to_repr())).or_insert((t, row));
            }
            let entry = uniform(layout, Challenge::Alpha) + fixed_cell(x);
            let entry = if layout.pairs() > 0 { pair(layout, entry, fixed_cell(y), tag) } else { entry };
            fractions.push((Some(cell(multiplicity, 0)), entry));
            tables.push(TableColumns { tag, x, y, multiplicity, quotient });
        }
        let (counts, product) = sum_of_fractions(fractions);
        match quotient {
            None => taken = Some((counts, product)),
            Some(quotient) => gates.everywhere(
                Role::Lookup,
                format!("lookup: {} is the sum of multiplicities over entries", layout.advice[quotient].name),
                cell(quotient, 0) * product - counts,
            ),
        }
    }
    Tables { columns: tables, positions, taken: taken.expect("the range table has a part") }
}
