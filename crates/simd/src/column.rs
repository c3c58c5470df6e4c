//! Columns of elements as vectors, one after the other.

use crate::modulus::Modulus;
use crate::vector::{Kernel, Vector};
use std::marker::PhantomData;

/// Elements, as many as vectors hold; zeros in the end if they do not fill the last one.
pub fn vectors<F, V: Vector<F>>(machine: V::Machine, elements: &[F]) -> Vec<V> {
    let mut vectors = Vec::with_capacity(elements.len().div_ceil(V::LANES));
    V::run(machine, Load { machine, elements, vectors: &mut vectors });
    vectors
}

struct Load<'a, F, V: Vector<F>> {
    machine: V::Machine,
    elements: &'a [F],
    vectors: &'a mut Vec<V>,
}

impl<F, V: Vector<F>> Kernel for Load<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for chunk in self.elements.chunks(V::LANES) {
            self.vectors.push(V::load(self.machine, chunk));
        }
    }
}

/// The elements of vectors.
pub fn elements<F: Modulus, V: Vector<F>>(machine: V::Machine, vectors: &[V]) -> Vec<F> {
    let mut elements = vec![F::ZERO; vectors.len() * V::LANES];
    V::run(machine, Store { vectors, elements: &mut elements });
    elements
}

struct Store<'a, F, V> {
    vectors: &'a [V],
    elements: &'a mut [F],
}

impl<F, V: Vector<F>> Kernel for Store<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (vector, elements) in self.vectors.iter().zip(self.elements.chunks_exact_mut(V::LANES)) {
            vector.store(elements);
        }
    }
}

/// 1, x, x², … in as many vectors.
pub fn powers<F: Modulus, V: Vector<F>>(machine: V::Machine, x: F, count: usize) -> Vec<V> {
    let mut first = vec![F::ONE; V::LANES];
    for i in 1..V::LANES {
        first[i] = first[i - 1] * x;
    }
    let step = first[V::LANES - 1] * x;
    let mut powers = Vec::with_capacity(count);
    let (power, step) = (V::load(machine, &first), V::splat(machine, &step));
    V::run(machine, Powers { power, step, count, powers: &mut powers, field: PhantomData });
    powers
}

struct Powers<'a, F, V> {
    power: V,
    step: V,
    count: usize,
    powers: &'a mut Vec<V>,
    field: PhantomData<F>,
}

impl<F, V: Vector<F>> Kernel for Powers<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut power = self.power;
        for _ in 0..self.count {
            self.powers.push(power);
            power = power * self.step;
        }
    }
}

/// Σ aᵢ·bᵢ over the elements.
pub fn inner_product<F: Modulus, V: Vector<F>>(machine: V::Machine, a: &[V], b: &[V]) -> F {
    let mut sums = vec![F::ZERO; V::LANES];
    let zero = V::splat(machine, &F::ZERO);
    V::run(machine, SumOfProducts { zero, a, b, field: PhantomData }).store(&mut sums);
    sums.into_iter().sum()
}

struct SumOfProducts<'a, F, V> {
    zero: V,
    a: &'a [V],
    b: &'a [V],
    field: PhantomData<F>,
}

impl<F, V: Vector<F>> Kernel for SumOfProducts<'_, F, V> {
    type Output = V;

    #[inline(always)]
    fn run(self) -> V {
        let mut sum = self.zero;
        for (a, b) in self.a.iter().zip(self.b) {
            sum = sum + *a * *b;
        }
        sum
    }
}

/// What becomes of each vector x and another y beside it, with a factor.
#[derive(Clone, Copy)]
enum Step {
    /// x + factor · y.
    AddScaled,
    /// factor · x + y.
    ScaleAdd,
    /// factor · y.
    Scaled,
}

struct Linear<'a, F, V> {
    step: Step,
    x: &'a mut [V],
    factor: V,
    y: &'a [V],
    field: PhantomData<F>,
}

impl<F, V: Vector<F>> Kernel for Linear<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let factor = self.factor;
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x = match self.step {
                Step::AddScaled => *x + factor * *y,
                Step::ScaleAdd => *x * factor + *y,
                Step::Scaled => *y * factor,
            };
        }
    }
}

/// Adds to each vector the product of another with a factor.
pub fn add_scaled<F, V: Vector<F>>(machine: V::Machine, sums: &mut [V], factor: V, terms: &[V]) {
    V::run(machine, Linear { step: Step::AddScaled, x: sums, factor, y: terms, field: PhantomData });
}

/// Multiplies each vector by a factor and adds another.
pub fn scale_add<F, V: Vector<F>>(machine: V::Machine, sums: &mut [V], factor: V, terms: &[V]) {
    V::run(machine, Linear { step: Step::ScaleAdd, x: sums, factor, y: terms, field: PhantomData });
}

/// Writes the product of each vector with a factor.
pub fn scaled<F, V: Vector<F>>(machine: V::Machine, out: &mut [V], factor: V, of: &[V]) {
    V::run(machine, Linear { step: Step::Scaled, x: out, factor, y: of, field: PhantomData });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::One;
    use ff::{Field, PrimeField};
    use pasta_curves::Fp;

    fn check<V: Vector<Fp>>(machine: V::Machine) {
        let x = Fp::MULTIPLICATIVE_GENERATOR;
        let expected: Vec<Fp> = (0..40).map(|i| x.pow_vartime([i])).collect();
        let powers: Vec<V> = powers(machine, x, 40 / V::LANES);
        assert_eq!(elements(machine, &powers), expected);
        let sum = expected.iter().map(Fp::square).sum::<Fp>();
        assert_eq!(inner_product(machine, &powers, &powers), sum);
        let padded = elements(machine, &vectors::<Fp, V>(machine, &expected[..13]));
        assert_eq!(padded[..13], expected[..13]);
        assert!(padded[13..].iter().all(|x| *x == Fp::ZERO));
        let (by, mut sums) = (V::splat(machine, &x), powers.clone());
        let each = |sums: &[V], f: fn(Fp, Fp) -> Fp| {
            let expected: Vec<Fp> = expected.iter().map(|power| f(*power, Fp::MULTIPLICATIVE_GENERATOR)).collect();
            assert_eq!(elements(machine, sums), expected);
        };
        add_scaled(machine, &mut sums, by, &powers);
        each(&sums, |power, x| power + x * power);
        scale_add(machine, &mut sums, by, &powers);
        each(&sums, |power, x| (power + x * power) * x + power);
        scaled(machine, &mut sums, by, &powers);
        each(&sums, |power, x| power * x);
    }

    #[test]
    fn columns_are_those_of_elements() {
        check::<Fp>(One);
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = crate::Ifma::try_new() {
            check::<crate::Wide<Fp>>(machine);
        }
    }
}
