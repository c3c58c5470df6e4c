//! The permutation of equal cells (halo2 book, "Permutation argument").

use crate::queries::Queries;
use plonkish::{Field, Plan};

/// Which cell follows each cell in its cycle of equal cells: columns are numbered within the permutation.
pub struct Cycles {
    next: Vec<Vec<(usize, usize)>>,
    /// A cell that stands for the whole cycle.
    name: Vec<Vec<(usize, usize)>>,
    /// Cells of the cycle that a cell stands for.
    size: Vec<Vec<usize>>,
}

impl Cycles {
    /// The cycles of a plan's equal cells.
    pub fn of<F: Field>(plan: &Plan<F>, queries: &Queries) -> Self {
        let mut place = vec![None; plan.advice.len()];
        // The column of the instance's values is the first, if cells are copied from it.
        let first = usize::from(queries.copies_publics());
        queries.permuted.iter().enumerate().for_each(|(i, &column)| place[column] = Some(i + first));
        let cell = |(column, row): (usize, usize)| (place[column].expect("copied columns can be copied"), row);
        let mut cycles = Cycles::new(queries.permuted(), 1 << plan.k);
        plan.copies.iter().for_each(|&(a, b)| cycles.join(cell(a), cell(b)));
        plan.publics.iter().for_each(|&(a, row)| cycles.join(cell(a), (0, row)));
        cycles
    }

    fn new(columns: usize, rows: usize) -> Self {
        let own: Vec<Vec<_>> = (0..columns).map(|column| (0..rows).map(|row| (column, row)).collect()).collect();
        Cycles { next: own.clone(), name: own, size: vec![vec![1; rows]; columns] }
    }

    /// Joins the cycles of two cells, as halo2 does it: the key depends on the order.
    fn join(&mut self, left: (usize, usize), right: (usize, usize)) {
        let (mut large, mut small) = (self.name[left.0][left.1], self.name[right.0][right.1]);
        if large == small {
            return;
        }
        if self.size[large.0][large.1] < self.size[small.0][small.1] {
            (large, small) = (small, large);
        }
        self.size[large.0][large.1] += self.size[small.0][small.1];
        let mut cell = small;
        loop {
            self.name[cell.0][cell.1] = large;
            cell = self.next[cell.0][cell.1];
            if cell == small {
                break;
            }
        }
        let after_left = self.next[left.0][left.1];
        self.next[left.0][left.1] = std::mem::replace(&mut self.next[right.0][right.1], after_left);
    }

    /// The cell that follows each cell of each column.
    pub fn next(&self) -> &[Vec<(usize, usize)>] {
        &self.next
    }
}

/// A root of unity of order 2^k: ω of the domain of 2^k rows.
///
/// # Panics
/// If the field has none.
pub fn omega<F: Field>(k: u32) -> F {
    assert!(k <= F::S, "no root of unity for 2^{k} rows");
    (k..F::S).fold(F::ROOT_OF_UNITY, |root, _| root.square())
}

/// The powers 1, x, x², … .
pub fn powers<F: Field>(x: F, count: usize) -> Vec<F> {
    std::iter::successors(Some(F::ONE), |power| Some(*power * x)).take(count).collect()
}
