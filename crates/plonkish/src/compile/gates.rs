//! The gates of a plan while they are collected, and the fixed columns that they read.

use super::super::cells::Role;
use super::super::plan::{Gate, Global, Selector};
use super::super::{Expr, Field};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::panic::Location;

/// A gate whose rows are not complete.
struct Unselected<F> {
    name: String,
    poly: Expr<F, Global>,
    rows: Vec<usize>,
    role: Role,
    stated: &'static Location<'static>,
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
    #[track_caller]
    pub fn add(&mut self, role: Role, name: String, poly: Expr<F, Global>, rows: impl IntoIterator<Item = usize>) {
        self.add_stated(Location::caller(), role, name, poly, rows);
    }

    /// As [`Self::add`], for the line that states the constraint; no key depends on it.
    pub fn add_stated(
        &mut self,
        stated: &'static Location<'static>,
        role: Role,
        name: String,
        poly: Expr<F, Global>,
        rows: impl IntoIterator<Item = usize>,
    ) {
        let mut key = vec![];
        let number = |c: Global| match c {
            Global::Advice(i) => 3 * i as u64,
            Global::Fixed(i) => 3 * i as u64 + 1,
            Global::Uniform(i) => 3 * i as u64 + 2,
        };
        poly.key(&number, &mut key);
        key.extend(name.as_bytes());
        key.push(role as u8);
        match self.by_expression.get(&key) {
            Some(&gate) => self.gates[gate].rows.extend(rows),
            None => {
                self.by_expression.insert(key, self.gates.len());
                self.gates.push(Unselected { name, poly, rows: rows.into_iter().collect(), role, stated });
            }
        }
    }

    /// Adds a gate of every row.
    #[track_caller]
    pub fn everywhere(&mut self, role: Role, name: String, poly: Expr<F, Global>) {
        self.add(role, name, poly, 0..self.usable);
    }

    /// The fixed columns and the gates. Those enforced on the same rows share a selector, and selectors of disjoint rows a
    /// column, as far as no constraint's degree exceeds [`SELECTED_DEGREE`].
    pub fn finish(mut self) -> (Vec<Vec<F>>, Vec<Gate<F>>) {
        let mut selected: Vec<Selected> = vec![];
        let mut by_rows: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut gates = vec![];
        for Unselected { name, poly, mut rows, role, stated } in std::mem::take(&mut self.gates) {
            rows.sort_unstable();
            rows.dedup();
            let number = *by_rows.entry(rows.clone()).or_insert(selected.len());
            if number == selected.len() {
                selected.push(Selected { rows: rows.clone(), degree: 0 });
            }
            selected[number].degree = selected[number].degree.max(poly.degree());
            gates.push((number, name, poly, rows, role, stated));
        }
        let first = self.fixed.len();
        let shared = share(&selected, self.usable);
        let mut selectors = vec![None; selected.len()];
        for (column, together) in shared.iter().enumerate() {
            let values = &mut self.fixed;
            values.push(vec![F::ZERO; self.usable]);
            for (i, &number) in together.iter().enumerate() {
                selected[number].rows.iter().for_each(|&row| values[first + column][row] = F::from(i as u64 + 1));
                selectors[number] = Some(Selector { column: first + column, value: i + 1, values: together.len() });
            }
        }
        let gate = |(number, name, poly, rows, role, stated): (usize, _, _, _, _, _)| {
            let selector = selectors[number].expect("every selector has a column");
            Gate { name, selector, poly, rows, role, stated }
        };
        (self.fixed, gates.into_iter().map(gate).collect())
    }
}

/// Highest degree that sharing a selector's column may bring a constraint to: above it, all columns that the constraint reads
/// would have to be evaluated on another coset.
const SELECTED_DEGREE: usize = 5;

/// Rows on which constraints are enforced, and the highest degree among these, selector apart.
struct Selected {
    rows: Vec<usize>,
    degree: usize,
}

/// Which selectors share a column, in the order of their values.
fn share(selected: &[Selected], usable: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..selected.len()).collect();
    // Those that allow the fewest others come first, of these the widest.
    order.sort_by_key(|&i| (Reverse(selected[i].degree), Reverse(selected[i].rows.len()), i));
    let mut columns: Vec<(Vec<usize>, Vec<bool>, usize)> = vec![];
    for i in order {
        let Selected { rows, degree } = &selected[i];
        let fits = |(together, used, highest): &&mut (Vec<usize>, Vec<bool>, usize)| {
            together.len() + 1 + (*highest).max(*degree) <= SELECTED_DEGREE && rows.iter().all(|&row| !used[row])
        };
        let column = match columns.iter_mut().find(fits) {
            Some(column) => column,
            None => {
                columns.push((vec![], vec![false; usable], 0));
                columns.last_mut().expect("just added")
            }
        };
        column.0.push(i);
        rows.iter().for_each(|&row| column.1[row] = true);
        column.2 = column.2.max(*degree);
    }
    columns.into_iter().map(|(together, _, _)| together).collect()
}
