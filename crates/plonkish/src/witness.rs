//! The values of a plan's cells, and the computation of phase 2 from the challenges.

use super::Field;
use super::cells::{Challenge, Uniform};
use super::plan::{Assignment, Global, Helper, ImpliedLimb, LookupSlot, Plan};
use ff::BatchInvert;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Values of all advice cells, column by column over the usable rows.
#[derive(Clone, Debug, Default)]
pub struct Witness<F> {
    /// `values[column][row]`.
    pub values: Vec<Vec<F>>,
}

/// A witness that no constraint could accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// A looked-up value is in no table.
    #[error("`{column}`, row {row}: the value is not in table {tag}")]
    NotInTable {
        /// Name of the column, or of what is looked up without one.
        column: String,
        /// Row of the grid.
        row: usize,
        /// Table.
        tag: u64,
    },
    /// A value lies outside what the cell's op declares.
    #[error("the value for {cell}, row {row}, is outside its declared range")]
    OutOfRange {
        /// Op and column.
        cell: String,
        /// Row of the grid.
        row: usize,
    },
}

impl<F: Field> Witness<F> {
    /// Counts how often each table entry is looked up. Values outside their table are returned (the first is an error
    /// for a prover; a forger goes on).
    pub fn count_lookups(&mut self, plan: &Plan<F>) -> Vec<WitnessError> {
        let mut errors = vec![];
        let mut counts = vec![vec![0u64; plan.usable]; plan.tables.len()];
        let mut small: Vec<Option<(usize, usize)>> = vec![None; 1 << super::LIMB_BITS];
        for (&(tag, x, _), &position) in &plan.table_rows {
            if tag == 0 {
                small[u16::from_le_bytes([x[0], x[1]]) as usize] = Some(position);
            }
        }
        let find = |lane: &Lane<'_, F>, row: usize| match lane.pair() {
            None => limb(lane.first(self, plan, row)).and_then(|limb| small[limb]),
            Some((y, tag)) => {
                let (x, y) = (lane.first(self, plan, row).to_repr(), self.values[y][row].to_repr());
                plan.table_rows.get(&(tag_of(plan, tag, row), x, y)).copied()
            }
        };
        let lanes: Vec<Lane<'_, F>> = plan.helpers.iter().flat_map(|helper| served(plan, helper)).collect();
        // As many lanes at a time as keep all threads busy.
        for lanes in lanes.chunks(8 * rayon::current_num_threads()) {
            let found: Vec<Vec<Option<(usize, usize)>>> =
                lanes.par_iter().map(|lane| (0..plan.usable).map(|row| find(lane, row)).collect()).collect();
            for (lane, positions) in lanes.iter().zip(found) {
                for (row, position) in positions.into_iter().enumerate() {
                    match position {
                        Some((table, at)) => counts[table][at] += 1,
                        None => errors.push(lane.not_in_table(plan, row)),
                    }
                }
            }
        }
        for (table, counts) in plan.tables.iter().zip(counts) {
            for (cell, count) in self.values[table.multiplicity].iter_mut().zip(counts) {
                *cell = F::from(count);
            }
        }
        errors
    }

    /// Fills every phase-2 column from the challenges.
    pub fn fill_phase2(&mut self, plan: &Plan<F>, challenges: &BTreeMap<Challenge, F>) {
        let uniform = plan.uniform_values(&Challenge::rows(challenges).collect::<Vec<F>>());
        for assignment in &plan.assignments {
            self.assign(plan, assignment, &uniform);
        }
        self.fill_lookups(plan, challenges);
    }

    pub(super) fn assign(&mut self, plan: &Plan<F>, assignment: &Assignment<F>, uniform: &[F]) {
        match assignment {
            Assignment::Define { column, poly, rows } => {
                for &row in rows {
                    self.values[*column][row] = self.eval(plan, poly, row, uniform);
                }
            }
            Assignment::Copy { from, to } => self.values[to.0][to.1] = self.values[from.0][from.1],
        }
    }

    /// Value of an expression on a row; `uniform` are the plan's values that are the same on every row.
    pub fn eval(&self, plan: &Plan<F>, poly: &super::Expr<F, Global>, row: usize, uniform: &[F]) -> F {
        poly.eval(&|column, rotation| {
            let row = (row as i64 + i64::from(rotation)) as usize;
            match column {
                Global::Advice(a) => self.values[a][row],
                Global::Fixed(f) => plan.fixed[f][row],
                Global::Uniform(u) => uniform[u],
            }
        })
    }

    fn fill_lookups(&mut self, plan: &Plan<F>, challenges: &BTreeMap<Challenge, F>) {
        let (pole, tuple_y, tuple_tag) =
            (challenges[&Challenge::Alpha], challenges[&Challenge::TupleY], challenges[&Challenge::TupleTag]);
        // Limbs are few: their inverses are taken once.
        let mut of_limbs: Vec<F> = (0..1 << super::LIMB_BITS).map(|limb| pole + F::from(limb)).collect();
        of_limbs.iter_mut().batch_invert();
        let of_limb = |value: F| match limb(value) {
            Some(limb) => of_limbs[limb],
            None => Option::from((pole + value).invert()).unwrap_or(F::ZERO),
        };
        let add_inverses = |lane: &Lane<'_, F>, total: &mut [F]| {
            let Some((y, tag)) = lane.pair() else {
                let cells = total.iter_mut().enumerate();
                return cells.for_each(|(row, total)| *total += of_limb(lane.first(self, plan, row)));
            };
            let value = |row| {
                let rest = tuple_y * self.values[y][row] + tuple_tag * plan.fixed[tag][row];
                pole + lane.first(self, plan, row) + rest
            };
            let mut inverses: Vec<F> = (0..plan.usable).map(value).collect();
            inverses.iter_mut().batch_invert();
            total.iter_mut().zip(inverses).for_each(|(total, inverse)| *total += inverse);
        };
        let total = |helper: &Helper| {
            let mut total = vec![F::ZERO; plan.usable];
            served(plan, helper).for_each(|lane| add_inverses(&lane, &mut total));
            total
        };
        let totals: Vec<Vec<F>> = plan.helpers.par_iter().map(total).collect();
        let mut sums = vec![F::ZERO; plan.usable];
        for (helper, total) in plan.helpers.iter().zip(totals) {
            sums.iter_mut().zip(&total).for_each(|(sum, term)| *sum += term);
            self.values[helper.column] = total;
        }
        for quotient in plan.tables.iter().filter_map(|table| table.quotient) {
            self.values[quotient].fill(F::ZERO);
        }
        for table in &plan.tables {
            let mut quotients: Vec<F> = (0..plan.usable)
                .map(|row| {
                    let entry = pole + plan.fixed[table.x][row];
                    // Without pairs all entries are limbs, and no gate weighs the other components.
                    if plan.uniform.contains(&Uniform::Power(Challenge::TupleY, 1)) {
                        entry + tuple_y * plan.fixed[table.y][row] + tuple_tag * plan.fixed[table.tag][row]
                    } else {
                        entry
                    }
                })
                .collect();
            quotients.iter_mut().batch_invert();
            for ((q, m), s) in quotients.iter_mut().zip(&self.values[table.multiplicity]).zip(sums.iter_mut()) {
                *q *= m;
                *s -= *q;
            }
            if let Some(quotient) = table.quotient {
                self.values[quotient].iter_mut().zip(&quotients).for_each(|(sum, q)| *sum += q);
            }
        }
        let mut running = F::ZERO;
        for (cell, s) in self.values[plan.running].iter_mut().zip(&sums) {
            *cell = running;
            running += s;
        }
    }
}

/// What is looked up on every row.
enum Lane<'p, F> {
    Slot(&'p LookupSlot),
    /// Its name, a constant, and what of each column is added to it.
    Implied(&'p str, F, Vec<(Global, F)>),
}

impl<'p, F: Field> Lane<'p, F> {
    fn implied(limb: &'p ImpliedLimb<F>) -> Self {
        let (constant, terms) = limb.form.linear().expect("a builder refuses other forms");
        Lane::Implied(&limb.name, constant, terms)
    }

    /// The first component, or the limb.
    fn first(&self, witness: &Witness<F>, plan: &Plan<F>, row: usize) -> F {
        match self {
            Lane::Slot(slot) => witness.values[slot.x][row],
            Lane::Implied(_, constant, terms) => terms.iter().fold(*constant, |sum, &(column, of)| match column {
                Global::Advice(a) if of == F::ONE => sum + witness.values[a][row],
                Global::Advice(a) => sum + of * witness.values[a][row],
                Global::Fixed(f) => sum + of * plan.fixed[f][row],
                Global::Uniform(_) => unreachable!("a builder refuses other forms"),
            }),
        }
    }

    fn pair(&self) -> Option<(usize, usize)> {
        match self {
            Lane::Slot(slot) => slot.pair,
            Lane::Implied(..) => None,
        }
    }

    fn not_in_table(&self, plan: &Plan<F>, row: usize) -> WitnessError {
        let column = match *self {
            Lane::Implied(name, ..) => name,
            Lane::Slot(slot) => &plan.advice[slot.x].name,
        };
        let tag = self.pair().map_or(0, |(_, tag)| tag_of(plan, tag, row));
        WitnessError::NotInTable { column: column.to_owned(), row, tag }
    }
}

/// What a helper serves.
fn served<'p, F: Field>(plan: &'p Plan<F>, helper: &'p Helper) -> impl Iterator<Item = Lane<'p, F>> {
    let implied = helper.implied.iter().map(|&number| Lane::implied(&plan.implied[number]));
    helper.slots.iter().map(Lane::Slot).chain(implied)
}

/// The limb that a field element is, if it is one.
fn limb<F: Field>(value: F) -> Option<usize> {
    let repr = value.to_repr();
    let low = usize::from(u16::from_le_bytes([repr[0], repr[1]]));
    (low < 1 << super::LIMB_BITS && repr[2..] == [0; 30]).then_some(low)
}

fn tag_of<F: Field>(plan: &Plan<F>, column: usize, row: usize) -> u64 {
    let repr = plan.fixed[column][row].to_repr();
    u64::from_le_bytes(repr[..8].try_into().expect("eight bytes"))
}
