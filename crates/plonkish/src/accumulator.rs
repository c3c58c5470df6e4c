//! Accumulators: vectors of copied values combined row by row, one below another, as long as a region is not too tall.

use super::Field;
use super::block::{Accumulator, Builder, LocalGate, Step};
use super::cells::{BlockId, Cell, Challenge, Col, Kind, Local, Role, index};
use super::fault::Fault;
use std::panic::Location;

/// A region is closed and a new one begun at this height, so that regions can be packed beside other blocks.
const ACCUMULATOR_ROWS: usize = 1024;

impl<F: Field, V> Builder<F, V> {
    /// `Σ_i c^(n−1−i)·v_i` of phase-2 or copyable cells.
    pub fn horner(&mut self, cells: &[Cell], challenge: Challenge) -> Cell {
        let (block, start) = self.accumulator(cells.len(), true);
        let (value, acc) = (Col::Local(0), Col::Local(1));
        for (i, &cell) in cells.iter().enumerate() {
            let to = self.cell(block, value, start + i);
            self.copy(cell, to);
        }
        self.define_more(block, "horner: begins with the first value", acc, value.cur(), start..start + 1);
        // One gate per challenge in each region.
        self.define_more(
            block,
            &format!("horner: next = acc·{} + value", challenge.label()),
            acc,
            acc.at(-1) * challenge.power(1) + value.cur(),
            start + 1..start + cells.len(),
        );
        self.cell(block, acc, start + cells.len() - 1)
    }

    /// `Σ_i weight_i·v_i` of copyable cells.
    pub fn sum(&mut self, terms: &[(Cell, i128)]) -> Cell {
        let (block, start) = self.accumulator(terms.len(), true);
        let (value, acc) = (Col::Local(0), Col::Local(1));
        for (i, &(cell, weight)) in terms.iter().enumerate() {
            let row = start + i;
            let to = self.cell(block, value, row);
            self.copy(cell, to);
            let term = value.cur().times(weight);
            if i == 0 {
                self.define_more(block, &format!("sum: begins with {weight}·value"), acc, term, row..row + 1);
            } else {
                let next = acc.at(-1) + term;
                self.define_more(block, &format!("sum: next = acc + {weight}·value"), acc, next, row..row + 1);
            }
        }
        self.cell(block, acc, start + terms.len() - 1)
    }

    /// `Σ_i a_i·b_i` over copyable cells.
    pub fn dot(&mut self, pairs: &[(Cell, Cell)]) -> Cell {
        let (block, start) = self.accumulator(pairs.len(), false);
        let (left, right, acc) = (Col::Local(0), Col::Local(1), Col::Local(2));
        for (i, &(a, b)) in pairs.iter().enumerate() {
            let (to_left, to_right) = (self.cell(block, left, start + i), self.cell(block, right, start + i));
            self.copy(a, to_left);
            self.copy(b, to_right);
        }
        self.define_more(block, "dot: begins with the first product", acc, left.cur() * right.cur(), start..start + 1);
        self.define_more(
            block,
            "dot: next = acc + product",
            acc,
            acc.at(-1) + left.cur() * right.cur(),
            start + 1..start + pairs.len(),
        );
        self.cell(block, acc, start + pairs.len() - 1)
    }

    /// Like [`Self::define`], but adds the rows to the gate of the same name if the block has it. A gate of that name with
    /// another polynomial is a fault: one of the two would be lost.
    #[track_caller]
    fn define_more(&mut self, block: BlockId, name: &str, column: Col, poly: Local<F>, rows: std::ops::Range<usize>) {
        if rows.is_empty() {
            return;
        }
        let wanted = column.cur() - poly.clone();
        let b = &mut self.blocks[block];
        match b.gates.iter_mut().find(|g| g.name == name) {
            Some(gate) if gate.poly == wanted => gate.rows.extend(rows.clone()),
            Some(_) => self.faults.push(Fault::Gates { op: b.op.clone(), name: name.into() }),
            None => b.gates.push(LocalGate {
                name: name.into(),
                poly: wanted,
                rows: rows.clone().collect(),
                role: Role::Projection,
                stated: Location::caller(),
            }),
        }
        self.steps.push(Step::Define { block, column: index(column), poly, rows: rows.collect() });
    }

    /// Space for `rows` rows in the current region; a region grows as it is used.
    fn accumulator(&mut self, rows: usize, horner: bool) -> (BlockId, usize) {
        let current = if horner { self.horner } else { self.dot };
        let region = match current {
            Some(s) if s.next + rows <= ACCUMULATOR_ROWS.max(rows) => s,
            _ => {
                let block = self.block(if horner { "projection/horner" } else { "projection/dot" }, 0);
                let names: &[&str] = if horner { &["value", "acc"] } else { &["left", "right", "acc"] };
                for name in names {
                    self.column(block, Kind::Acc, name);
                }
                Accumulator { block, next: 0 }
            }
        };
        let grown = Some(Accumulator { block: region.block, next: region.next + rows });
        if horner {
            self.horner = grown;
        } else {
            self.dot = grown;
        }
        self.blocks[region.block].rows = region.next + rows;
        (region.block, region.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declared, Interval};
    use pasta_curves::Fp;

    /// 7.6: were the second constraint merged into the first, it would be lost.
    #[test]
    fn constraints_merged_by_name_are_equal() {
        for is_refused in [false, true] {
            let mut b = Builder::<Fp>::new(8);
            let source = b.block("source", 2);
            let x = b.column(source, Kind::Copyable, "x");
            b.declare(source, x, Declared::outside(Interval::unsigned(12), "the test"));
            b.gate(source, "read", x.cur() * x.cur(), 0..2);
            let cell = b.cell(source, x, 0);
            b.horner(&[cell], Challenge::Rows);
            let (block, start) = b.accumulator(1, true);
            let to = b.cell(block, Col::Local(0), start);
            b.copy(cell, to);
            let name = "horner: begins with the first value";
            let value = Col::Local(0).cur();
            let poly = if is_refused { value.times(2) } else { value };
            b.define_more(block, name, Col::Local(1), poly, start..start + 1);
            let fault = Fault::Gates { op: "projection/horner".into(), name: name.into() };
            let expected = if is_refused { vec![fault] } else { vec![] };
            assert_eq!(b.compile_filled().0.faults, expected);
        }
    }
}
