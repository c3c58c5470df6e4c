//! The values of a plan's cells, and the computation of phase 2 from the challenges.

use super::Field;
use super::cells::{Challenge, Uniform};
use super::plan::{Assignment, Global, Helper, LookupSlot, Plan};
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
    #[error("column `{column}`, row {row}: the value is not in table {tag}")]
    NotInTable {
        /// Name of the column.
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
        let find = |lane: &LookupSlot, row: usize| {
            let x = self.values[lane.x][row].to_repr();
            match lane.pair {
                None => {
                    let low = u16::from_le_bytes([x[0], x[1]]) as usize;
                    if x[2..].iter().any(|&b| b != 0) { None } else { small.get(low).copied().flatten() }
                }
                Some((y, tag)) => {
                    let tag = tag_of(plan, tag, row);
                    plan.table_rows.get(&(tag, x, self.values[y][row].to_repr())).copied()
                }
            }
        };
        let lanes: Vec<&LookupSlot> = plan.helpers.iter().flat_map(|h| &h.slots).collect();
        // As many lanes at a time as keep all threads busy.
        for lanes in lanes.chunks(8 * rayon::current_num_threads()) {
            let found: Vec<Vec<Option<(usize, usize)>>> =
                lanes.par_iter().map(|lane| (0..plan.usable).map(|row| find(lane, row)).collect()).collect();
            for (lane, positions) in lanes.iter().zip(found) {
                for (row, position) in positions.into_iter().enumerate() {
                    match position {
                        Some((table, at)) => counts[table][at] += 1,
                        None => errors.push(WitnessError::NotInTable {
                            column: plan.advice[lane.x].name.clone(),
                            row,
                            tag: lane.pair.map_or(0, |(_, tag)| tag_of(plan, tag, row)),
                        }),
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
        let inverses = |&LookupSlot { x, pair }: &LookupSlot| {
            let mut inverses: Vec<F> = (0..plan.usable)
                .map(|row| {
                    let base = pole + self.values[x][row];
                    pair.map_or(base, |(y, tag)| {
                        base + tuple_y * self.values[y][row] + tuple_tag * plan.fixed[tag][row]
                    })
                })
                .collect();
            inverses.iter_mut().batch_invert();
            inverses
        };
        let total = |helper: &Helper| {
            helper.slots.iter().fold(vec![F::ZERO; plan.usable], |mut total, slot| {
                total.iter_mut().zip(inverses(slot)).for_each(|(total, inverse)| *total += inverse);
                total
            })
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

fn tag_of<F: Field>(plan: &Plan<F>, column: usize, row: usize) -> u64 {
    let repr = plan.fixed[column][row].to_repr();
    u64::from_le_bytes(repr[..8].try_into().expect("eight bytes"))
}
