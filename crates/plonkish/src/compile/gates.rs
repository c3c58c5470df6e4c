//! The gates of a plan while they are collected, and the fixed columns that they read.

use super::super::cells::Role;
use super::super::plan::{Gate, Global};
use super::super::{Expr, Field};
use std::collections::HashMap;

/// A gate whose rows are not complete.
struct Unselected<F> {
    name: String,
    poly: Expr<F, Global>,
    rows: Vec<usize>,
    role: Role,
}

/// Gates and fixed columns.
pub(super) struct Gates<F> {
    usable: usize,
    fixed: Vec<Vec<F>>,
    gates: Vec<Unselected<F>>,
    by_expression: HashMap<Vec<u8>, usize>,
}

impl<F: Field> Gates<F> {
    /// No gates, and `fixed` fixed columns of zeros.
    pub fn new(usable: usize, fixed: usize) -> Self {
        Gates { usable, fixed: vec![vec![F::ZERO; usable]; fixed], gates: vec![], by_expression: HashMap::new() }
    }

    /// Adds a fixed column of zeros.
    pub fn fixed_column(&mut self) -> usize {
        self.fixed.push(vec![F::ZERO; self.usable]);
        self.fixed.len() - 1
    }

    /// The values of a fixed column.
    pub fn fixed(&mut self, column: usize) -> &mut [F] {
        &mut self.fixed[column]
    }

    /// Adds a gate; an expression that is there already gets the rows instead.
    pub fn add(&mut self, role: Role, name: String, poly: Expr<F, Global>, rows: impl IntoIterator<Item = usize>) {
        let mut key = vec![];
        let number = |c: Global| match c {
            Global::Advice(i) => 2 * i as u64,
            Global::Fixed(i) => 2 * i as u64 + 1,
        };
        poly.key(&number, &mut key);
        key.extend(name.as_bytes());
        key.push(role as u8);
        match self.by_expression.get(&key) {
            Some(&gate) => self.gates[gate].rows.extend(rows),
            None => {
                self.by_expression.insert(key, self.gates.len());
                self.gates.push(Unselected { name, poly, rows: rows.into_iter().collect(), role });
            }
        }
    }

    /// Adds a gate of every row.
    pub fn everywhere(&mut self, role: Role, name: String, poly: Expr<F, Global>) {
        self.add(role, name, poly, 0..self.usable);
    }

    /// The fixed columns and the gates. Those enforced on the same rows share a selector.
    pub fn finish(mut self) -> (Vec<Vec<F>>, Vec<Gate<F>>) {
        let mut selectors: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut gates = vec![];
        for Unselected { name, poly, mut rows, role } in std::mem::take(&mut self.gates) {
            rows.sort_unstable();
            rows.dedup();
            let next = self.fixed.len();
            let selector = *selectors.entry(rows.clone()).or_insert(next);
            if selector == next {
                let column = self.fixed_column();
                for &row in &rows {
                    self.fixed[column][row] = F::ONE;
                }
            }
            gates.push(Gate { name, selector, poly, rows, role });
        }
        (self.fixed, gates)
    }
}
