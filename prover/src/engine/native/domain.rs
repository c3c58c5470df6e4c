//! Values and coefficients of polynomials of 2^k coefficients, over the powers of ω and over their cosets.

use super::Scalar;
use rayon::prelude::*;

/// The domain {1, ω, …, ω^(n−1)} of n = 2^k rows, and some cosets c·{1, ω, …}, on which X^n is c^n.
#[derive(Clone, Debug)]
pub struct Domain<F> {
    k: u32,
    /// Generator of the domain.
    pub omega: F,
    /// For each index, the one with its k bits reversed.
    reversed: Vec<u32>,
    /// 1/n.
    scale: F,
    inverse: Twiddles<F>,
    /// The cosets.
    pub cosets: Vec<Coset<F>>,
}

/// One coset.
#[derive(Clone, Debug)]
pub struct Coset<F> {
    /// c.
    pub shift: F,
    /// c^n.
    pub power: F,
    forward: Twiddles<F>,
    inverse: Twiddles<F>,
}

/// The factors b of the splittings X^m − b² = (X^(m/2) − b)(X^(m/2) + b), level by level: those of level l begin at 2^l.
type Twiddles<F> = Vec<F>;

impl<F: Scalar> Domain<F> {
    /// The domain of 2^k rows with some cosets, on each of which X^n has another value, none of them 1.
    ///
    /// # Panics
    /// If the field has no such roots of unity.
    pub fn new(k: u32, cosets: usize) -> Self {
        let extension = (cosets + 1).next_power_of_two().ilog2();
        assert!(
            (1..=F::S).contains(&k) && k + extension <= F::S,
            "no roots of unity for 2^{k} rows and {cosets} cosets"
        );
        let root = (k + extension..F::S).fold(F::ROOT_OF_UNITY, |root, _| root.square());
        let omega = (0..extension).fold(root, |root, _| root.square());
        let rows = 1usize << k;
        let reversed: Vec<u32> = (0..rows as u32).map(|i| i.reverse_bits() >> (32 - k)).collect();
        // The powers of ω below n/2, by the reverse of their exponents.
        let mut powers = vec![F::ONE; rows / 2];
        let mut power = F::ONE;
        for exponent in 0..rows / 2 {
            powers[(reversed[exponent] >> 1) as usize] = power;
            power *= &omega;
        }
        let inverted: Vec<F> = inverses(&powers);
        let coset = |shift: F| Coset {
            shift,
            power: power_of_two(shift, k),
            forward: twiddles(k, shift, &powers),
            inverse: twiddles(k, inverse(shift), &inverted),
        };
        let shifts = std::iter::successors(Some(root), |shift| Some(*shift * root));
        Domain {
            k,
            omega,
            reversed,
            scale: F::TWO_INV.pow_vartime([u64::from(k)]),
            inverse: twiddles(k, F::ONE, &inverted),
            cosets: shifts.take(cosets).map(coset).collect(),
        }
    }

    /// n.
    pub fn rows(&self) -> usize {
        1 << self.k
    }

    /// ω^rotation.
    pub fn rotation(&self, rotation: i32) -> F {
        self.omega.pow_vartime([i64::from(rotation).rem_euclid(1 << self.k) as u64])
    }

    /// Turns the values on the domain into coefficients.
    pub fn interpolate(&self, values: &mut [F]) {
        self.coefficients_by(values, &self.inverse);
        values.iter_mut().for_each(|x| *x *= &self.scale);
    }

    /// Turns the values on a coset into n times the coefficients of the polynomial of degree below n.
    pub fn interpolate_scaled(&self, coset: usize, values: &mut [F]) {
        self.coefficients_by(values, &self.cosets[coset].inverse);
    }

    /// n^(−1), which [`Self::interpolate_scaled`] leaves out.
    pub fn scale(&self) -> F {
        self.scale
    }

    fn coefficients_by(&self, values: &mut [F], twiddles: &[F]) {
        assert_eq!(values.len(), self.rows());
        for (i, &j) in self.reversed.iter().enumerate() {
            if i < j as usize {
                values.swap(i, j as usize);
            }
        }
        for level in (0..self.k).rev() {
            let half = self.rows() >> (level + 1);
            for (block, twiddle) in values.chunks_exact_mut(2 * half).zip(&twiddles[1 << level..]) {
                let (low, high) = block.split_at_mut(half);
                // Of the domain itself, a sixth of the products.
                let is_one = *twiddle == F::ONE;
                for (u, v) in low.iter_mut().zip(high) {
                    let difference = *u - *v;
                    *u += &*v;
                    *v = if is_one { difference } else { difference * twiddle };
                }
            }
        }
    }

    /// The values of a polynomial on a coset: `out[i]` at c·ω^i. `work` is room.
    pub fn evaluate(&self, coset: usize, coefficients: &[F], work: &mut Vec<F>, out: &mut [F]) {
        assert_eq!((coefficients.len(), out.len()), (self.rows(), self.rows()));
        work.clear();
        work.extend_from_slice(coefficients);
        for level in 0..self.k {
            let half = self.rows() >> (level + 1);
            let twiddles = &self.cosets[coset].forward[1 << level..];
            for (block, twiddle) in work.chunks_exact_mut(2 * half).zip(twiddles) {
                let (low, high) = block.split_at_mut(half);
                for (u, v) in low.iter_mut().zip(high) {
                    let product = *v * twiddle;
                    *v = *u - product;
                    *u += &product;
                }
            }
        }
        for (value, &i) in out.iter_mut().zip(&self.reversed) {
            *value = work[i as usize];
        }
    }
}

/// `powers` are those of ω (or its inverse) by the reverse of their exponents; `shift` is that of the coset.
fn twiddles<F: Scalar>(k: u32, shift: F, powers: &[F]) -> Twiddles<F> {
    let mut twiddles = vec![F::ONE; 1 << k];
    for level in 0..k {
        let factor = power_of_two(shift, k - level - 1);
        for (twiddle, power) in twiddles[1 << level..].iter_mut().zip(&powers[..1 << level]) {
            *twiddle = factor * power;
        }
    }
    twiddles
}

/// x^(2^e).
fn power_of_two<F: Scalar>(x: F, e: u32) -> F {
    (0..e).fold(x, |x, _| x.square())
}

/// The inverse of a root of unity, which is not zero.
fn inverse<F: Scalar>(x: F) -> F {
    x.invert_vartime().unwrap_or(F::ZERO)
}

fn inverses<F: Scalar>(of: &[F]) -> Vec<F> {
    of.par_iter().map(|x| inverse(*x)).collect()
}

/// Σ aᵢ·bᵢ.
pub fn inner_product<F: Scalar>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::ZERO, |sum, (a, b)| sum + *a * b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend::permutation::powers;
    use halo2_proofs::arithmetic::eval_polynomial;
    use pasta_curves::{Fp, Fq};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn check<F: Scalar>(k: u32, cosets: usize) {
        let domain = Domain::<F>::new(k, cosets);
        let rows = domain.rows();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(k));
        let coefficients: Vec<F> = (0..rows).map(|_| F::random(&mut rng)).collect();
        let at = |x: F| eval_polynomial(&coefficients, x);
        let mut values: Vec<F> = (0..rows).map(|i| at(domain.rotation(i as i32))).collect();
        domain.interpolate(&mut values);
        assert_eq!(values, coefficients);
        assert_eq!(domain.rotation(-1) * domain.omega, F::ONE);
        assert_eq!(domain.cosets.len(), cosets);
        for (number, coset) in domain.cosets.iter().enumerate() {
            assert_eq!(coset.power, coset.shift.pow_vartime([rows as u64]));
            assert_ne!(coset.power, F::ONE);
            assert!(domain.cosets[..number].iter().all(|other| other.power != coset.power));
            let mut values = vec![F::ZERO; rows];
            domain.evaluate(number, &coefficients, &mut vec![], &mut values);
            for (i, value) in values.iter().enumerate() {
                assert_eq!(*value, at(coset.shift * domain.rotation(i as i32)));
            }
            domain.interpolate_scaled(number, &mut values);
            values.iter_mut().for_each(|x| *x *= domain.scale());
            assert_eq!(values, coefficients);
        }
        let x = F::random(&mut rng);
        assert_eq!(inner_product(&coefficients, &powers(x, rows)), at(x));
    }

    #[test]
    fn values_and_coefficients() {
        for k in 1..=6 {
            check::<Fp>(k, 4);
        }
        check::<Fq>(5, 1);
        check::<Fp>(4, 7);
    }

    #[test]
    #[should_panic(expected = "no roots of unity")]
    fn so_many_rows_have_no_domain() {
        Domain::<Fp>::new(31, 4);
    }
}
