//! Columns of elements as packed vectors, one after the other.

use crate::modulus::Modulus;
use crate::vector::{Kernel, Vector};

/// Elements, as many as vectors hold; zeros in the end if they do not fill the last one.
pub fn vectors<F, V: Vector<F>>(machine: V::Machine, elements: &[F]) -> Vec<V::Packed> {
    let mut vectors = Vec::with_capacity(elements.len().div_ceil(V::LANES));
    V::run(machine, Load::<F, V> { machine, elements, vectors: &mut vectors });
    vectors
}

struct Load<'a, F, V: Vector<F>> {
    machine: V::Machine,
    elements: &'a [F],
    vectors: &'a mut Vec<V::Packed>,
}

impl<F, V: Vector<F>> Kernel for Load<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for chunk in self.elements.chunks(V::LANES) {
            self.vectors.push(V::load(self.machine, chunk).pack());
        }
    }
}

/// Elements as vectors to compute with, as [`vectors`] has them.
pub fn loaded<F, V: Vector<F>>(machine: V::Machine, elements: &[F]) -> Vec<V> {
    let mut vectors = Vec::with_capacity(elements.len().div_ceil(V::LANES));
    V::run(machine, LoadUnpacked::<F, V> { machine, elements, vectors: &mut vectors });
    vectors
}

struct LoadUnpacked<'a, F, V: Vector<F>> {
    machine: V::Machine,
    elements: &'a [F],
    vectors: &'a mut Vec<V>,
}

impl<F, V: Vector<F>> Kernel for LoadUnpacked<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for chunk in self.elements.chunks(V::LANES) {
            self.vectors.push(V::load(self.machine, chunk));
        }
    }
}

/// Of each element a vector of it alone.
pub fn splats<F: Modulus, V: Vector<F>>(machine: V::Machine, elements: &[F]) -> Vec<V> {
    let repeated: Vec<F> = elements.iter().flat_map(|element| std::iter::repeat_n(*element, V::LANES)).collect();
    loaded(machine, &repeated)
}

/// The elements of vectors.
pub fn elements<F: Modulus, V: Vector<F>>(machine: V::Machine, vectors: &[V::Packed]) -> Vec<F> {
    let mut elements = vec![F::ZERO; vectors.len() * V::LANES];
    V::run(machine, Store::<F, V> { machine, vectors, elements: &mut elements });
    elements
}

struct Store<'a, F, V: Vector<F>> {
    machine: V::Machine,
    vectors: &'a [V::Packed],
    elements: &'a mut [F],
}

impl<F, V: Vector<F>> Kernel for Store<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (vector, elements) in self.vectors.iter().zip(self.elements.chunks_exact_mut(V::LANES)) {
            V::unpack(self.machine, vector).store(elements);
        }
    }
}

/// 1, x, x², … in as many vectors.
pub fn powers<F: Modulus, V: Vector<F>>(machine: V::Machine, x: F, count: usize) -> Vec<V::Packed> {
    let mut first = vec![F::ONE; V::LANES];
    for i in 1..V::LANES {
        first[i] = first[i - 1] * x;
    }
    let step = first[V::LANES - 1] * x;
    let mut powers = Vec::with_capacity(count);
    let (power, step) = (V::load(machine, &first), V::splat(machine, &step));
    V::run(machine, Powers::<F, V> { power, step, count, powers: &mut powers });
    powers
}

struct Powers<'a, F, V: Vector<F>> {
    power: V,
    step: V,
    count: usize,
    powers: &'a mut Vec<V::Packed>,
}

impl<F, V: Vector<F>> Kernel for Powers<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut power = self.power;
        for _ in 0..self.count {
            self.powers.push(power.pack());
            power = power * self.step;
        }
    }
}

/// Σ aᵢ·bᵢ over the elements.
pub fn inner_product<F: Modulus, V: Vector<F>>(machine: V::Machine, a: &[V::Packed], b: &[V::Packed]) -> F {
    let mut sums = vec![F::ZERO; V::LANES];
    let zero = V::splat(machine, &F::ZERO);
    V::run(machine, SumOfProducts::<F, V> { machine, zero, a, b }).store(&mut sums);
    sums.into_iter().sum()
}

struct SumOfProducts<'a, F, V: Vector<F>> {
    machine: V::Machine,
    zero: V,
    a: &'a [V::Packed],
    b: &'a [V::Packed],
}

impl<F, V: Vector<F>> Kernel for SumOfProducts<'_, F, V> {
    type Output = V;

    #[inline(always)]
    fn run(self) -> V {
        let mut sum = self.zero;
        for (a, b) in self.a.iter().zip(self.b) {
            sum = sum + V::unpack(self.machine, a) * V::unpack(self.machine, b);
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

struct Linear<'a, F, V: Vector<F>> {
    machine: V::Machine,
    step: Step,
    x: &'a mut [V::Packed],
    factor: V,
    y: &'a [V::Packed],
}

impl<F, V: Vector<F>> Kernel for Linear<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Linear { machine, step, x, factor, y } = self;
        for (x, y) in x.iter_mut().zip(y) {
            let y = V::unpack(machine, y);
            let result = match step {
                Step::AddScaled => V::unpack(machine, x) + factor * y,
                Step::ScaleAdd => V::unpack(machine, x) * factor + y,
                Step::Scaled => y * factor,
            };
            *x = result.pack();
        }
    }
}

/// Adds to each vector the product of another with a factor.
pub fn add_scaled<F, V: Vector<F>>(machine: V::Machine, sums: &mut [V::Packed], factor: V, terms: &[V::Packed]) {
    V::run(machine, Linear::<F, V> { machine, step: Step::AddScaled, x: sums, factor, y: terms });
}

/// Multiplies each vector by a factor and adds another.
pub fn scale_add<F, V: Vector<F>>(machine: V::Machine, sums: &mut [V::Packed], factor: V, terms: &[V::Packed]) {
    V::run(machine, Linear::<F, V> { machine, step: Step::ScaleAdd, x: sums, factor, y: terms });
}

/// Writes the product of each vector with a factor.
pub fn scaled<F, V: Vector<F>>(machine: V::Machine, out: &mut [V::Packed], factor: V, of: &[V::Packed]) {
    V::run(machine, Linear::<F, V> { machine, step: Step::Scaled, x: out, factor, y: of });
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
        let powers = powers::<Fp, V>(machine, x, 40 / V::LANES);
        let elements = |of: &[V::Packed]| elements::<Fp, V>(machine, of);
        assert_eq!(elements(&powers), expected);
        let sum = expected.iter().map(Fp::square).sum::<Fp>();
        assert_eq!(inner_product::<Fp, V>(machine, &powers, &powers), sum);
        let padded = elements(&vectors::<Fp, V>(machine, &expected[..13]));
        assert_eq!(padded[..13], expected[..13]);
        assert!(padded[13..].iter().all(|x| *x == Fp::ZERO));
        assert_eq!(loaded::<Fp, V>(machine, &expected).len(), powers.len());
        for (splat, element) in splats::<Fp, V>(machine, &expected).into_iter().zip(&expected) {
            assert_eq!(elements(&[splat.pack()]), vec![*element; V::LANES]);
        }
        let (by, mut sums) = (V::splat(machine, &x), powers.clone());
        let each = |sums: &[V::Packed], f: fn(Fp, Fp) -> Fp| {
            let expected: Vec<Fp> = expected.iter().map(|power| f(*power, Fp::MULTIPLICATIVE_GENERATOR)).collect();
            assert_eq!(elements(sums), expected);
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
        if let Some(machine) = crate::Ifma::detect() {
            check::<crate::Wide<Fp>>(machine);
        }
    }
}
