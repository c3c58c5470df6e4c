//! Which cells of which columns a proof opens, in halo2's order.

use plonkish::{Field, Global};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What halo2 reads of columns on a row: the order is that in which a configuration asks for it first, and in which a
/// proof has the evaluations. A public value is read on the current row, by copies alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// Advice columns and rotations.
    pub advice: Vec<(usize, i32)>,
    /// Fixed columns, on the current row.
    pub fixed: Vec<usize>,
    /// Advice columns that can be copied; in the permutation the instance column comes before them.
    pub permuted: Vec<usize>,
}

impl Queries {
    /// Those of a plan.
    pub fn of<F: Field>(plan: &plonkish::Plan<F>) -> Self {
        let (mut advice, mut fixed) = (Ordered::default(), Ordered::default());
        let permuted: Vec<usize> = (0..plan.advice.len()).filter(|&column| plan.advice[column].equality).collect();
        permuted.iter().for_each(|&column| advice.ask((column, 0)));
        for gate in &plan.gates {
            fixed.ask(gate.selector.column);
            gate.poly.cells(&mut |column, rotation| match column {
                Global::Advice(column) => advice.ask((column, rotation)),
                Global::Fixed(column) => fixed.ask(column),
            });
        }
        for port_column in 0..plan.port_rows.len() {
            fixed.ask(plan.port_flags[port_column]);
            advice.ask((port_column, 0));
        }
        Queries { advice: advice.items, fixed: fixed.items, permuted }
    }

    /// Where each value of an advice column stands among those that a proof opens of an instance.
    pub fn advice_places(&self) -> HashMap<(usize, i32), usize> {
        self.advice.iter().enumerate().map(|(place, &query)| (query, place)).collect()
    }

    /// The rotations at which each advice column is read, in the order in which columns are asked for first.
    pub fn rotations(&self) -> Vec<(usize, Vec<i32>)> {
        let (mut columns, mut places) = (vec![], HashMap::new());
        for &(column, rotation) in &self.advice {
            let place = *places.entry(column).or_insert(columns.len());
            if place == columns.len() {
                columns.push((column, vec![]));
            }
            columns[place].1.push(rotation);
        }
        columns
    }
}

/// Items in the order in which they were asked for first.
struct Ordered<T> {
    items: Vec<T>,
    asked: HashSet<T>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Ordered { items: vec![], asked: HashSet::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Ordered<T> {
    fn ask(&mut self, item: T) {
        if self.asked.insert(item) {
            self.items.push(item);
        }
    }
}
