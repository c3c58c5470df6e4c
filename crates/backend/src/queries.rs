//! Which cells of which columns a proof opens, in halo2's order.

use plonkish::{Field, Global};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What halo2 reads of columns on a row: the order is that in which a configuration asks for it first, and in which a
/// proof has the evaluations. An instance column is read on the current row: that of the instance's values by copies alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// Instance columns: that of the instance's values, which is number 0, if cells are copied from it; the others, whose
    /// number is one more than that of the value that they have on every row.
    pub instance: Vec<usize>,
    /// Advice columns and rotations.
    pub advice: Vec<(usize, i32)>,
    /// Fixed columns, on the current row.
    pub fixed: Vec<usize>,
    /// Advice columns that can be copied; in the permutation the column of the instance's values comes before them, if cells are
    /// copied from it.
    pub permuted: Vec<usize>,
}

impl Queries {
    /// Those of a plan.
    pub fn of<F: Field>(plan: &plonkish::Plan<F>) -> Self {
        let (mut instance, mut advice, mut fixed) = (Ordered::default(), Ordered::default(), Ordered::default());
        if !plan.publics.is_empty() {
            instance.ask(0);
        }
        let permuted: Vec<usize> = (0..plan.advice.len()).filter(|&column| plan.advice[column].equality).collect();
        permuted.iter().for_each(|&column| advice.ask((column, 0)));
        for gate in &plan.gates {
            fixed.ask(gate.selector.column);
            gate.poly.cells(&mut |column, rotation| match column {
                Global::Advice(column) => advice.ask((column, rotation)),
                Global::Fixed(column) => fixed.ask(column),
                Global::Uniform(number) => instance.ask(number + 1),
            });
        }
        for port_column in 0..plan.port_rows.len() {
            fixed.ask(plan.port_flags[port_column]);
            advice.ask((port_column, 0));
        }
        Queries { instance: instance.items, advice: advice.items, fixed: fixed.items, permuted }
    }

    /// Whether cells are copied from the column of the instance's values.
    pub fn copies_publics(&self) -> bool {
        self.instance.first() == Some(&0)
    }

    /// Columns of the permutation.
    pub fn permuted(&self) -> usize {
        usize::from(self.copies_publics()) + self.permuted.len()
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
