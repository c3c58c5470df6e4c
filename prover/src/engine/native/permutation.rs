//! The permutation argument: its columns and its products (Gabizon, Williamson, Ciobotaru, eprint 2019/953; halo2 book,
//! "Permutation argument").

use super::Scalar;
use super::domain::{Domain, powers};
use super::key::NativeKey;
use backend::queries::Queries;
use pasta_curves::arithmetic::VartimeBatchInvert;
use plonkish::Plan;
use rand_core::Rng;
use rayon::prelude::*;

/// Which cell follows each cell in its cycle of equal cells: columns are numbered within the permutation.
struct Cycles {
    next: Vec<Vec<(usize, usize)>>,
    /// A cell that stands for the whole cycle.
    name: Vec<Vec<(usize, usize)>>,
    /// Cells of the cycle that a cell stands for.
    size: Vec<Vec<usize>>,
}

impl Cycles {
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
}

/// The permutation's columns: cell (i, j) holds δ^i'·ω^j', where (i', j') follows it in its cycle.
pub fn columns<F: Scalar>(plan: &Plan<F>, queries: &Queries, domain: &Domain<F>) -> Vec<Vec<F>> {
    let mut place = vec![None; plan.advice.len()];
    // The instance column is the first.
    queries.permuted.iter().enumerate().for_each(|(i, &column)| place[column] = Some(i + 1));
    let cell = |(column, row): (usize, usize)| (place[column].expect("copied columns can be copied"), row);
    let mut cycles = Cycles::new(1 + queries.permuted.len(), domain.rows());
    plan.copies.iter().for_each(|&(a, b)| cycles.join(cell(a), cell(b)));
    plan.publics.iter().for_each(|&(a, row)| cycles.join(cell(a), (0, row)));
    let (shifts, omegas) = (powers(F::DELTA, cycles.next.len()), powers(domain.omega, domain.rows()));
    let value = |&(column, row): &(usize, usize)| shifts[column] * omegas[row];
    cycles.next.par_iter().map(|column| column.iter().map(value).collect()).collect()
}

/// The permutation's products of an instance, with the blinds of their commitments. `columns[i]` are the values of its
/// i-th column.
pub fn products<F: Scalar>(
    key: &NativeKey<F>,
    columns: &[&[F]],
    (beta, gamma): (F, F),
    rng: &mut impl Rng,
) -> Vec<(Vec<F>, F)> {
    let rows = key.domain.rows();
    let omegas = powers(key.domain.omega, rows);
    let shifts = powers(F::DELTA, columns.len());
    // Of each product and row, the factor by which the product grows.
    let growth = |product: usize| {
        let first = product * key.chunk;
        let members = first..(first + key.chunk).min(columns.len());
        let mut factors = vec![F::ONE; rows];
        for column in members.clone() {
            for ((factor, value), sigma) in factors.iter_mut().zip(columns[column]).zip(&key.sigma_values[column]) {
                *factor *= &(beta * sigma + gamma + value);
            }
        }
        // Zero with negligible probability: then the product is wrong, and its proof is refused.
        factors.iter_mut().batch_invert_vartime();
        for column in members {
            let shift = beta * shifts[column];
            for ((factor, value), omega) in factors.iter_mut().zip(columns[column]).zip(&omegas) {
                *factor *= &(shift * omega + gamma + value);
            }
        }
        factors
    };
    let growths: Vec<Vec<F>> = (0..key.products()).into_par_iter().map(growth).collect();
    let (usable, mut last) = (rows - key.blinding, F::ONE);
    let accumulate = |growth: Vec<F>| {
        let mut product = Vec::with_capacity(rows);
        let mut value = last;
        for factor in &growth[..usable] {
            product.push(value);
            value *= factor;
        }
        last = product[usable - 1];
        product.extend((0..key.blinding).map(|_| F::random(&mut *rng)));
        (product, F::random(&mut *rng))
    };
    growths.into_iter().map(accumulate).collect()
}
