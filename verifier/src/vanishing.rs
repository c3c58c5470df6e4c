//! The constraints at one point: gates, and the argument that copied cells are equal (halo2 book, "Vanishing argument"
//! and "Permutation argument").

use crate::error::VerifyError;
use backend::curve::F;
use backend::keys::VerifyingKey;
use backend::permutation::omega;
use ff::{Field, PrimeField};
use pasta_curves::arithmetic::VartimeBatchInvert;
use plonkish::Global;
use std::collections::HashMap;

/// Challenges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenges {
    pub beta: F,
    pub gamma: F,
    pub y: F,
    pub x: F,
}

/// What a proof opens that all of its instances share.
pub(crate) struct Shared<'p> {
    /// Fixed columns, in the order of queries.
    pub fixed: &'p [F],
    /// Columns of the permutation.
    pub sigma: &'p [F],
    /// Where each value of an advice column stands among those of an instance.
    pub places: &'p HashMap<(usize, i32), usize>,
}

/// What a proof opens of an instance.
pub(crate) struct Instance<'p> {
    /// Instance columns, in the order of queries.
    pub instance: &'p [F],
    /// Advice columns, in the order of queries.
    pub advice: &'p [F],
    /// Products of the permutation: at x, at ωx, and all but the last at the last row in use.
    pub products: &'p [F],
}

/// Polynomials that are 1 on some rows and 0 on the others, at x.
struct Rows {
    first: F,
    last: F,
    /// On the rows before the last.
    active: F,
    /// x^n − 1, of n rows, inverted.
    inverse: F,
}

impl Rows {
    fn at(x: F, xn: F, k: u32, blinding_rows: usize) -> Result<Self, VerifyError> {
        let omega = omega::<F>(k);
        // The last row in use and those after it, in order; then the first.
        let row = |i: usize| omega.pow_vartime([((1 << k) - blinding_rows + i) as u64]);
        let rows: Vec<F> = (0..=blinding_rows).map(row).collect();
        let mut divisors: Vec<F> = rows.iter().map(|row| x - row).chain([xn - F::ONE]).collect();
        if divisors.iter().any(|divisor| divisor.is_zero_vartime()) {
            return Err(VerifyError::Unlucky);
        }
        divisors.iter_mut().batch_invert_vartime();
        let share = (xn - F::ONE) * F::TWO_INV.pow_vartime([u64::from(k)]);
        let values: Vec<F> = rows.iter().zip(&divisors).map(|(row, inverse)| *row * inverse * share).collect();
        let idle: F = values[..blinding_rows].iter().sum();
        Ok(Rows {
            first: values[blinding_rows],
            last: values[0],
            active: F::ONE - idle,
            inverse: divisors[blinding_rows + 1],
        })
    }
}

/// The value at x that the quotient must have: all constraints of all instances, weighed by powers of y, over x^n − 1.
pub(crate) fn quotient(
    key: &VerifyingKey,
    challenges: &Challenges,
    xn: F,
    shared: &Shared<'_>,
    instances: &[Instance<'_>],
) -> Result<F, VerifyError> {
    let rows = Rows::at(challenges.x, xn, key.shape.k, key.shape.blinding_rows)?;
    let of_fixed: HashMap<usize, F> = key.queries.fixed.iter().copied().zip(shared.fixed.iter().copied()).collect();
    let of_uniform: HashMap<usize, usize> =
        key.queries.instance.iter().enumerate().map(|(place, &column)| (column, place)).collect();
    let mut sum = F::ZERO;
    for instance in instances {
        let cell = |column: Global, rotation: i32| match column {
            Global::Advice(column) => instance.advice[shared.places[&(column, rotation)]],
            Global::Fixed(column) => of_fixed[&column],
            Global::Uniform(number) => instance.instance[of_uniform[&(number + 1)]],
        };
        let of_gates = key.gates.evaluate(cell);
        let of_publics = key.queries.copies_publics().then(|| instance.instance[0]);
        let copied: Vec<F> = of_publics
            .into_iter()
            .chain(key.queries.permuted.iter().map(|&column| cell(Global::Advice(column), 0)))
            .collect();
        let of_copies = permutation(key, challenges, &rows, (&copied, shared.sigma), instance.products);
        sum = of_gates.into_iter().chain(of_copies).fold(sum, |sum, value| sum * challenges.y + value);
    }
    Ok(sum * rows.inverse)
}

/// The constraints of the permutation argument, in halo2's order.
fn permutation(
    key: &VerifyingKey,
    challenges: &Challenges,
    rows: &Rows,
    (copied, sigma): (&[F], &[F]),
    products: &[F],
) -> Vec<F> {
    let Challenges { beta, gamma, x, .. } = *challenges;
    // Of each product its value, the next one, and the one on the last row in use; the last product's is not opened.
    let products: Vec<&[F]> = products.chunks(3).collect();
    let (Some(first), Some(last)) = (products.first(), products.last()) else { return vec![] };
    let mut constraints = vec![rows.first * (F::ONE - first[0]), rows.last * (last[0].square() - last[0])];
    constraints.extend(products.windows(2).map(|pair| rows.first * (pair[1][0] - pair[0][2])));
    let chunk = key.shape.permutation_chunk();
    let mut shift = beta * x;
    for ((product, copied), sigma) in products.iter().zip(copied.chunks(chunk)).zip(sigma.chunks(chunk)) {
        let (mut left, mut right) = (product[1], product[0]);
        for (value, sigma) in copied.iter().zip(sigma) {
            left *= *value + beta * sigma + gamma;
            right *= *value + shift + gamma;
            shift *= F::DELTA;
        }
        constraints.push((left - right) * rows.active);
    }
    constraints
}
