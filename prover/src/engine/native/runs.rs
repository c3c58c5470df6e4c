//! Columns of a few runs of equal values, as selectors are: their coefficients and their values on cosets come from sums
//! that all share, in a few additions for each, where a transform takes a multiplication for each of its levels.
//!
//! A column is Σ dₐ·1[row ≥ a], over the rows a at which it steps by dₐ. With n rows,
//!
//! | of 1[row ≥ a] | is |
//! |---|---|
//! | coefficient j ≠ 0 | (ω^(−aj) − 1) / (n·(1 − ω^(−j))); of j = 0, (n − a)/n |
//! | value at c·ω^j | Σ T(m) over m = j − n + 1, …, j − a, where T(m) = (c^n − 1) / (n·(c·ω^m − 1)) has period n |

use super::Scalar;
use super::domain::Domain;
use backend::permutation::powers;
use pasta_curves::arithmetic::VartimeBatchInvert;
use simd::Vector;

/// Columns of more steps are transformed.
const MOST: usize = 40;

/// Rows at which a column steps, and by how much.
pub type Steps<F> = Vec<(usize, F)>;

/// The steps of a column, given by its first values, all further ones being zero; if it has few.
pub fn steps<F: Scalar>(values: &[F], rows: usize) -> Option<Steps<F>> {
    let (mut steps, mut last) = (vec![], F::ZERO);
    for (row, value) in values.iter().chain([&F::ZERO]).enumerate().take(rows) {
        if *value != last {
            steps.push((row, *value - last));
            last = *value;
            if steps.len() > MOST {
                return None;
            }
        }
    }
    Some(steps)
}

/// What the coefficients of all columns share.
pub struct Coefficients<F> {
    /// Powers of ω.
    omegas: Vec<F>,
    /// 1 / (n·(1 − ω^(−j))), from j = 1 on.
    divisors: Vec<F>,
    scale: F,
}

impl<F: Scalar> Coefficients<F> {
    /// Of a domain.
    pub fn new<V: Vector<F>>(domain: &Domain<F, V>) -> Self {
        let (rows, omegas) = (domain.rows(), powers(domain.omega, domain.rows()));
        let mut divisors: Vec<F> = (1..rows).map(|j| F::ONE - omegas[rows - j]).collect();
        divisors.iter_mut().batch_invert_vartime();
        divisors.iter_mut().for_each(|divisor| *divisor *= &domain.scale());
        Coefficients { omegas, divisors, scale: domain.scale() }
    }

    /// The coefficients of a column.
    pub fn of(&self, steps: &Steps<F>) -> Vec<F> {
        let rows = self.omegas.len();
        let last: F = steps.iter().map(|(_, step)| *step).sum();
        let size = |from: usize| F::from((rows - from) as u64) * self.scale;
        let first = steps.iter().map(|(from, step)| *step * size(*from)).sum();
        let mut sums = vec![-last; rows - 1];
        for &(from, step) in steps {
            let powers = (1..rows).map(|j| self.omegas[(from * (rows - j)) & (rows - 1)]);
            add_multiples(&mut sums, powers, step);
        }
        sums.iter_mut().zip(&self.divisors).for_each(|(sum, divisor)| *sum *= divisor);
        std::iter::once(first).chain(sums).collect()
    }
}

/// What the values of all columns on a coset share.
pub struct Values<F> {
    /// Σ T(m) over m = 0, …, t − 1, for t up to 2n.
    sums: Vec<F>,
}

impl<F: Scalar> Values<F> {
    /// On a coset.
    pub fn new<V: Vector<F>>(domain: &Domain<F, V>, coset: usize) -> Self {
        let (rows, coset) = (domain.rows(), &domain.cosets[coset]);
        let mut terms: Vec<F> = powers(domain.omega, rows).iter().map(|omega| coset.shift * omega - F::ONE).collect();
        terms.iter_mut().batch_invert_vartime();
        let share = (coset.power - F::ONE) * domain.scale();
        let mut sum = F::ZERO;
        let mut sums = vec![sum];
        for term in terms.iter().chain(&terms) {
            sum += &(share * term);
            sums.push(sum);
        }
        Values { sums }
    }

    /// The values of a column.
    pub fn of(&self, steps: &Steps<F>) -> Vec<F> {
        let rows = self.sums.len() / 2;
        let last: F = steps.iter().map(|(_, step)| *step).sum();
        let mut values = vec![F::ZERO; rows];
        add_multiples(&mut values, self.sums[1..=rows].iter().copied(), -last);
        for &(from, step) in steps {
            // Up to m = j − from, a period further on.
            add_multiples(&mut values, self.sums[rows + 1 - from..].iter().copied(), step);
        }
        values
    }
}

/// Adds to each sum a multiple of a term. Most steps are up or down by 1.
fn add_multiples<F: Scalar>(sums: &mut [F], terms: impl Iterator<Item = F>, by: F) {
    let pairs = sums.iter_mut().zip(terms);
    if by == F::ONE {
        pairs.for_each(|(sum, term)| *sum += &term);
    } else if by == -F::ONE {
        pairs.for_each(|(sum, term)| *sum -= &term);
    } else if by != F::ZERO {
        pairs.for_each(|(sum, term)| *sum += &(term * by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff::Field;
    use pasta_curves::Fp;
    use proptest::prelude::*;
    use simd::One;

    proptest! {
        #[test]
        fn columns_are_as_transformed(
            runs in prop::collection::vec((0..4u64, any::<bool>(), 1..9usize), 0..14),
            length in 0..33usize,
        ) {
            let domain = Domain::<Fp, Fp>::new(One, 5, 3);
            let of_run = |(value, negative, length): (u64, bool, usize)| {
                vec![if negative { -Fp::from(value) } else { Fp::from(value) }; length]
            };
            let mut column: Vec<Fp> = runs.into_iter().flat_map(of_run).collect();
            column.truncate(length);
            let Some(steps) = steps(&column, 32) else { return Ok(()) };
            column.resize(32, Fp::ZERO);
            domain.interpolate(&mut column, &mut vec![]);
            prop_assert_eq!(&Coefficients::new(&domain).of(&steps), &column);
            for coset in 0..3 {
                let mut values = vec![Fp::ZERO; 32];
                domain.evaluate(coset, &column, &mut vec![], &mut values);
                prop_assert_eq!(Values::new(&domain, coset).of(&steps), values);
            }
        }
    }

    #[test]
    fn columns_of_many_steps_are_none_of_these() {
        let alternating: Vec<Fp> = (0..64).map(|i| Fp::from(i % 2)).collect();
        assert_eq!(steps(&alternating, 64), None);
        assert_eq!(steps(&[Fp::ONE; 64], 64).unwrap(), [(0, Fp::ONE)]);
        assert_eq!(steps(&[Fp::ONE; 63], 64).unwrap(), [(0, Fp::ONE), (63, -Fp::ONE)]);
        assert_eq!(steps::<Fp>(&[], 64).unwrap(), []);
    }
}
