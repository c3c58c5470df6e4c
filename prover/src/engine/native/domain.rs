//! Values and coefficients of polynomials of 2^k coefficients, over the powers of ω and over their cosets.
//!
//! A transform splits X^n − b² level by level into halves. With vectors of 2^s elements, the first k − s levels combine whole
//! vectors; for the last s, 2^s vectors are transposed, so that these levels combine whole vectors too, and each is
//! written to where the bits of its number, reversed, say: between transposed rows taken in the reversed order of their
//! numbers, that is a permutation of vectors.

use super::Scalar;
use rayon::prelude::*;
use simd::{Kernel, MOST_LANES, Vector, loaded};

/// Vectors of eight elements that the nearest cache holds.
const PART: usize = 64;

/// The domain {1, ω, …, ω^(n−1)} of n = 2^k rows, and some cosets c·{1, ω, …}, on which X^n is c^n.
#[derive(Clone, Debug)]
pub struct Domain<F, V: Vector<F>> {
    /// What computes.
    pub machine: V::Machine,
    k: u32,
    /// Generator of the domain.
    pub omega: F,
    /// 1/n.
    scale: F,
    inverse: Twiddles<V>,
    /// The cosets.
    pub cosets: Vec<Coset<F, V>>,
}

/// One coset.
#[derive(Clone, Debug)]
pub struct Coset<F, V> {
    /// c.
    pub shift: F,
    /// c^n.
    pub power: F,
    forward: Twiddles<V>,
    inverse: Twiddles<V>,
}

/// The factors b of the splittings X^m − b² = (X^(m/2) − b)(X^(m/2) + b).
#[derive(Clone, Debug)]
struct Twiddles<V> {
    /// Level by level, those of level l from the 2^l-th element on, for the levels that combine whole vectors.
    between: Vec<V>,
    /// For each 2^s vectors that are transposed, one vector for the next level, two for the one after it, …
    within: Vec<V>,
    /// Whether the first of each level is 1.
    begin_with_one: bool,
}

impl<F: Scalar, V: Vector<F>> Domain<F, V> {
    /// The domain of 2^k rows with some cosets, on each of which X^n has another value, none of them 1.
    ///
    /// # Panics
    /// If the field has no such roots of unity, or 2^k rows are too few for vectors.
    pub fn new(machine: V::Machine, k: u32, cosets: usize) -> Self {
        let extension = (cosets + 1).next_power_of_two().ilog2();
        assert!(
            (1..=F::S).contains(&k) && k + extension <= F::S,
            "no roots of unity for 2^{k} rows and {cosets} cosets"
        );
        assert!(k >= 2 * V::LOG_LANES, "2^{k} rows are too few for vectors of {} elements", V::LANES);
        let root = (k + extension..F::S).fold(F::ROOT_OF_UNITY, |root, _| root.square());
        let omega = (0..extension).fold(root, |root, _| root.square());
        let rows = 1usize << k;
        // The powers of ω below n/2, by the reverse of their exponents.
        let mut powers = vec![F::ONE; rows / 2];
        let mut power = F::ONE;
        for exponent in 0..rows / 2 {
            powers[reversed(exponent, k - 1)] = power;
            power *= &omega;
        }
        let inverted: Vec<F> = inverses(&powers);
        let twiddles = |shift: F, powers: &[F]| Twiddles::new(machine, k, shift, powers);
        let coset = |shift: F| Coset {
            shift,
            power: power_of_two(shift, k),
            forward: twiddles(shift, &powers),
            inverse: twiddles(inverse(shift), &inverted),
        };
        let shifts: Vec<F> = std::iter::successors(Some(root), |shift| Some(*shift * root)).take(cosets).collect();
        Domain {
            machine,
            k,
            omega,
            scale: F::TWO_INV.pow_vartime([u64::from(k)]),
            inverse: twiddles(F::ONE, &inverted),
            cosets: shifts.into_par_iter().map(coset).collect(),
        }
    }

    /// n.
    pub fn rows(&self) -> usize {
        1 << self.k
    }

    /// Vectors of a column.
    pub fn vectors(&self) -> usize {
        self.rows() / V::LANES
    }

    /// ω^rotation.
    pub fn rotation(&self, rotation: i32) -> F {
        self.omega.pow_vartime([i64::from(rotation).rem_euclid(1 << self.k) as u64])
    }

    /// Turns the values on the domain into coefficients. `work` is room.
    pub fn interpolate(&self, values: &mut [V::Packed], work: &mut Vec<V>) {
        self.coefficients_by(values, (&self.inverse, self.scale), work);
    }

    /// Turns the values on a coset into n times the coefficients of the polynomial of degree below n.
    pub fn interpolate_scaled(&self, coset: usize, values: &mut [V::Packed], work: &mut Vec<V>) {
        self.coefficients_by(values, (&self.cosets[coset].inverse, F::ONE), work);
    }

    /// n^(−1), which [`Self::interpolate_scaled`] leaves out.
    pub fn scale(&self) -> F {
        self.scale
    }

    fn coefficients_by(&self, values: &mut [V::Packed], (twiddles, scale): (&Twiddles<V>, F), work: &mut Vec<V>) {
        assert_eq!(values.len(), self.vectors());
        let (machine, zero) = (self.machine, V::splat(self.machine, &F::ZERO));
        work.resize(self.vectors(), zero);
        let scale = V::splat(machine, &scale);
        V::run(machine, Backward::<F, V> { machine, values, twiddles, scale, work });
    }

    /// The values of a polynomial on a coset: `out[i]` at c·ω^i. `work` is room.
    pub fn evaluate(&self, coset: usize, coefficients: &[V::Packed], work: &mut Vec<V>, out: &mut [V::Packed]) {
        assert_eq!((coefficients.len(), out.len()), (self.vectors(), self.vectors()));
        let (machine, zero) = (self.machine, V::splat(self.machine, &F::ZERO));
        work.resize(self.vectors(), zero);
        let twiddles = &self.cosets[coset].forward;
        V::run(machine, Forward::<F, V> { machine, coefficients, work, twiddles, out });
    }
}

/// From coefficients to values; `work` holds anything afterwards.
struct Forward<'a, F, V: Vector<F>> {
    machine: V::Machine,
    coefficients: &'a [V::Packed],
    work: &'a mut [V],
    twiddles: &'a Twiddles<V>,
    out: &'a mut [V::Packed],
}

impl<F, V: Vector<F>> Kernel for Forward<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Forward { machine, coefficients, work, twiddles, out } = self;
        for (to, coefficient) in work.iter_mut().zip(coefficients) {
            *to = V::unpack(machine, coefficient);
        }
        // What is split into parts that the nearest cache holds is split further part by part.
        let parts = (work.len() / PART).max(1);
        let part = work.len() / parts;
        split_levels::<F, V>(work, twiddles, 1, part);
        for (number, work) in work.chunks_exact_mut(part).enumerate() {
            split_levels::<F, V>(work, twiddles, parts + number, 1);
        }
        let (blocks, bits) = blocks::<F, V>(work.len());
        for block in 0..blocks {
            let mut square = [work[block]; MOST_LANES];
            let rows = &mut square[..V::LANES];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = work[(reversed(i, V::LOG_LANES) << bits) + block];
            }
            V::transpose(rows);
            let mut half = V::LANES / 2;
            while half > 0 {
                let level = V::LANES / (2 * half);
                let first = block * (V::LANES - 1) + level - 1;
                for (pair, twiddle) in rows.chunks_exact_mut(2 * half).zip(&twiddles.within[first..]) {
                    let (low, high) = pair.split_at_mut(half);
                    for (u, v) in low.iter_mut().zip(high) {
                        split(u, v, *twiddle);
                    }
                }
                half /= 2;
            }
            let to = reversed(block, bits);
            for (l, row) in rows.iter().enumerate() {
                out[(reversed(l, V::LOG_LANES) << bits) + to] = row.pack();
            }
        }
    }
}

/// From values to n times the coefficients, by the inverse twiddles; these are scaled, and take the place of the values.
struct Backward<'a, F, V: Vector<F>> {
    machine: V::Machine,
    values: &'a mut [V::Packed],
    twiddles: &'a Twiddles<V>,
    scale: V,
    work: &'a mut [V],
}

impl<F, V: Vector<F>> Kernel for Backward<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Backward { machine, values, twiddles, scale, work } = self;
        let (blocks, bits) = blocks::<F, V>(values.len());
        for block in 0..blocks {
            let from = reversed(block, bits);
            let mut square = [scale; MOST_LANES];
            let rows = &mut square[..V::LANES];
            for (l, row) in rows.iter_mut().enumerate() {
                *row = V::unpack(machine, &values[(reversed(l, V::LOG_LANES) << bits) + from]);
            }
            let mut half = 1;
            while half < V::LANES {
                let level = V::LANES / (2 * half);
                let first = block * (V::LANES - 1) + level - 1;
                for (pair, twiddle) in rows.chunks_exact_mut(2 * half).zip(&twiddles.within[first..]) {
                    let (low, high) = pair.split_at_mut(half);
                    for (u, v) in low.iter_mut().zip(high) {
                        join(u, v, *twiddle);
                    }
                }
                half *= 2;
            }
            V::transpose(rows);
            for (i, row) in rows.iter().enumerate() {
                work[(reversed(i, V::LOG_LANES) << bits) + block] = *row;
            }
        }
        let parts = (work.len() / PART).max(1);
        let part = work.len() / parts;
        for (number, work) in work.chunks_exact_mut(part).enumerate() {
            join_levels::<F, V>(work, twiddles, parts + number, 1);
        }
        join_levels::<F, V>(work, twiddles, 1, part);
        for (value, coefficient) in values.iter_mut().zip(work) {
            *value = (*coefficient * scale).pack();
        }
    }
}

/// Splits what stands at a node (the root is 1, and below node i are 2i and 2i + 1) until it is `least` vectors long.
#[inline(always)]
fn split_levels<F, V: Vector<F>>(work: &mut [V], twiddles: &Twiddles<V>, node: usize, least: usize) {
    let (mut first, mut half) = (node, work.len() / 2);
    while half >= least {
        for (block, pair) in work.chunks_exact_mut(2 * half).enumerate() {
            let twiddle = twiddles.between::<F>(first + block);
            let (low, high) = pair.split_at_mut(half);
            for (u, v) in low.iter_mut().zip(high) {
                split(u, v, twiddle);
            }
        }
        (first, half) = (2 * first, half / 2);
    }
}

/// The inverse of that, from pieces of `least` vectors on.
#[inline(always)]
fn join_levels<F, V: Vector<F>>(work: &mut [V], twiddles: &Twiddles<V>, node: usize, least: usize) {
    let mut half = least;
    while half < work.len() {
        let first = node * (work.len() / (2 * half));
        for (block, pair) in work.chunks_exact_mut(2 * half).enumerate() {
            let (low, high) = pair.split_at_mut(half);
            if twiddles.begin_with_one && (first + block).is_power_of_two() {
                // Of the domain itself, a sixth of the products.
                for (u, v) in low.iter_mut().zip(high) {
                    (*u, *v) = (*u + *v, *u - *v);
                }
                continue;
            }
            let twiddle = twiddles.between::<F>(first + block);
            for (u, v) in low.iter_mut().zip(high) {
                join(u, v, twiddle);
            }
        }
        half *= 2;
    }
}

#[inline(always)]
fn split<F, V: Vector<F>>(u: &mut V, v: &mut V, twiddle: V) {
    let product = *v * twiddle;
    (*u, *v) = (*u + product, *u - product);
}

#[inline(always)]
fn join<F, V: Vector<F>>(u: &mut V, v: &mut V, twiddle: V) {
    (*u, *v) = (*u + *v, (*u - *v) * twiddle);
}

/// Squares of vectors in a column, and log₂ of how many.
#[inline(always)]
fn blocks<F, V: Vector<F>>(vectors: usize) -> (usize, u32) {
    let blocks = vectors >> V::LOG_LANES;
    (blocks, blocks.ilog2())
}

/// The lowest bits of a number in reversed order.
#[inline(always)]
fn reversed(number: usize, bits: u32) -> usize {
    if bits == 0 { 0 } else { number.reverse_bits() >> (usize::BITS - bits) }
}

impl<V> Twiddles<V> {
    /// `powers` are those of ω (or its inverse) by the reverse of their exponents; `shift` is that of the coset.
    fn new<F: Scalar>(machine: V::Machine, k: u32, shift: F, powers: &[F]) -> Self
    where
        V: Vector<F>,
    {
        let mut all = vec![F::ONE; 1 << k];
        for level in 0..k {
            let factor = power_of_two(shift, k - level - 1);
            for (twiddle, power) in all[1 << level..].iter_mut().zip(&powers[..1 << level]) {
                *twiddle = factor * power;
            }
        }
        let s = V::LOG_LANES;
        let (blocks, bits) = blocks::<F, V>(1 << (k - s));
        let mut within = vec![];
        for block in 0..blocks {
            for level in 0..s {
                for pair in 0..1 << level {
                    let of_lane = |lane| {
                        let vector = (reversed(lane, s) << bits) + block;
                        all[(1 << (k - s + level)) + (vector << level) + pair]
                    };
                    within.extend((0..V::LANES).map(of_lane));
                }
            }
        }
        Twiddles {
            between: loaded(machine, &all[..1 << (k - s)]),
            within: loaded(machine, &within),
            begin_with_one: shift == F::ONE,
        }
    }

    #[inline(always)]
    fn between<F>(&self, number: usize) -> V
    where
        V: Vector<F>,
    {
        self.between[number >> V::LOG_LANES].broadcast(number & (V::LANES - 1))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use backend::permutation::powers;
    use halo2_proofs::arithmetic::eval_polynomial;
    use pasta_curves::{Fp, Fq};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use simd::{One, elements, inner_product, vectors};

    fn check<F: Scalar>(k: u32, cosets: usize) {
        check_with::<F, F>(One, k, cosets);
        #[cfg(target_arch = "x86_64")]
        if let (Some(machine), 6..) = (simd::Ifma::detect(), k) {
            check_with::<F, simd::Wide<F>>(machine, k, cosets);
        }
    }

    fn check_with<F: Scalar, V: Vector<F>>(machine: V::Machine, k: u32, cosets: usize) {
        let domain = Domain::<F, V>::new(machine, k, cosets);
        let rows = domain.rows();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(k));
        let coefficients: Vec<F> = (0..rows).map(|_| F::random(&mut rng)).collect();
        let at = |x: F| eval_polynomial(&coefficients, x);
        let values: Vec<F> = (0..rows).map(|i| at(domain.rotation(i as i32))).collect();
        let elements = |of: &[V::Packed]| elements::<F, V>(machine, of);
        let (mut values, mut work) = (vectors::<F, V>(machine, &values), vec![]);
        domain.interpolate(&mut values, &mut work);
        assert_eq!(elements(&values), coefficients);
        let of_coefficients = values;
        assert_eq!(domain.rotation(-1) * domain.omega, F::ONE);
        assert_eq!(domain.cosets.len(), cosets);
        for (number, coset) in domain.cosets.iter().enumerate() {
            assert_eq!(coset.power, coset.shift.pow_vartime([rows as u64]));
            assert_ne!(coset.power, F::ONE);
            assert!(domain.cosets[..number].iter().all(|other| other.power != coset.power));
            let mut values = of_coefficients.clone();
            domain.evaluate(number, &of_coefficients, &mut work, &mut values);
            for (i, value) in elements(&values).iter().enumerate() {
                assert_eq!(*value, at(coset.shift * domain.rotation(i as i32)));
            }
            domain.interpolate_scaled(number, &mut values, &mut work);
            let values = elements(&values);
            assert!(values.iter().map(|x| *x * domain.scale()).eq(coefficients.iter().copied()));
        }
        let x = F::random(&mut rng);
        assert_eq!(inner_product::<F, F>(One, &coefficients, &powers(x, rows)), at(x));
    }

    #[test]
    fn values_and_coefficients() {
        for k in 1..=9 {
            check::<Fp>(k, 4);
        }
        check::<Fq>(7, 1);
        // In parts.
        check::<Fp>(10, 2);
        check::<Fp>(4, 7);
    }

    #[test]
    #[should_panic(expected = "no roots of unity")]
    fn so_many_rows_have_no_domain() {
        Domain::<Fp, Fp>::new(One, 31, 4);
    }
}
