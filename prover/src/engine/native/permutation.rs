//! The permutation argument: its columns and its products (Gabizon, Williamson, Ciobotaru, eprint 2019/953; halo2 book,
//! "Permutation argument").

use super::Scalar;
use super::domain::Domain;
use super::key::Key;
use backend::permutation::{Cycles, powers};
use backend::queries::Queries;
use pasta_curves::arithmetic::VartimeBatchInvert;
use plonkish::Plan;
use rand_core::Rng;
use rayon::prelude::*;
use simd::Vector;

/// The permutation's columns: cell (i, j) holds δ^i'·ω^j', where (i', j') follows it in its cycle.
pub fn columns<F: Scalar, V: Vector<F>>(plan: &Plan<F>, queries: &Queries, domain: &Domain<F, V>) -> Vec<Vec<F>> {
    let cycles = Cycles::of(plan, queries);
    let (shifts, omegas) = (powers(F::DELTA, cycles.next().len()), powers(domain.omega, domain.rows()));
    let value = |&(column, row): &(usize, usize)| shifts[column] * omegas[row];
    cycles.next().par_iter().map(|column| column.iter().map(value).collect()).collect()
}

/// The permutation's products of an instance, with the blinds of their commitments. `columns[i]` are the values of its
/// i-th column.
pub fn products<F: Scalar, V: Vector<F>>(
    key: &Key<F, V>,
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
