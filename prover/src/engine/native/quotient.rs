//! The quotient h = (Σ constraints · powers of y) / (X^n − 1), in pieces of n coefficients.
//!
//! It is computed from values on cosets of the domain, one coset and one instance at a time: of an instance's columns, no
//! more than one coset is held. A constraint is evaluated on as many cosets as its degree takes.

use super::Scalar;
use super::domain::Domain;
use super::expressions::{Rotation, STRIP, Strips, strip};
use super::key::{FixedCoset, Key, cosets_of};
use super::proof::Polynomials;
use crate::engine::Cancel;
use crate::error::ProveError;
use backend::permutation::powers;
use plonkish::Global;
use rayon::prelude::*;
use simd::{Kernel, Vector, add_scaled, scaled, splats};

/// β, γ and y.
#[derive(Clone, Copy)]
pub struct Challenges<F> {
    /// Weighs a permutation's columns.
    pub beta: F,
    /// Offsets them.
    pub gamma: F,
    /// Weighs constraints.
    pub y: F,
}

/// The pieces of the quotient.
pub fn pieces<F: Scalar, V: Vector<F>>(
    key: &Key<F, V>,
    instances: &[Polynomials<F, V>],
    challenges: &Challenges<F>,
    cancel: &Cancel,
) -> Result<Vec<Vec<V::Packed>>, ProveError> {
    let (rows, count) = (key.domain.rows(), key.parts.len());
    assert!(rows.is_multiple_of(STRIP), "a circuit has at least {STRIP} rows");
    let weights = Weights::new(key, challenges.y);
    // `values[class][coset]`, of constraints that take class + 1 cosets.
    let mut values: Vec<Vec<Vec<V::Packed>>> = vec![vec![]; count];
    let mut room = Evaluations::<F, V>::new(key);
    let strip = strip::<F, V>();
    for (coset, fixed) in key.cosets.iter().enumerate() {
        let classes = count - coset;
        let on_coset = OnCoset { key, coset, fixed, challenges: Splat::new(key, challenges), weights: &weights };
        let sums = on_coset.sum(instances, &mut room, cancel)?;
        for class in 0..classes {
            let of_class = |sums: &[V::Packed]| sums[class * strip..(class + 1) * strip].to_vec();
            values[coset + class].push(sums.chunks_exact(classes * strip).flat_map(of_class).collect());
        }
    }
    cancel.check()?;
    let zero = V::splat(key.domain.machine, &F::ZERO).pack();
    let mut pieces = vec![vec![zero; key.domain.vectors()]; count];
    for of_cosets in values {
        interpolate(&key.domain, of_cosets, &mut pieces);
    }
    Ok(pieces)
}

/// Adds the quotient of a polynomial, known on some cosets, to `pieces`. On coset c, where X^n is c^n, a
/// quotient of pieces h₀, h₁, … is the polynomial h₀ + c^n·h₁ + c^2n·h₂ + … of degree below n.
fn interpolate<F: Scalar, V: Vector<F>>(
    domain: &Domain<F, V>,
    of_cosets: Vec<Vec<V::Packed>>,
    pieces: &mut [Vec<V::Packed>],
) {
    let nodes: Vec<F> = domain.cosets[..of_cosets.len()].iter().map(|coset| coset.power).collect();
    let inverse = vandermonde_inverse(&nodes);
    let remainders: Vec<Vec<V::Packed>> = of_cosets
        .into_par_iter()
        .enumerate()
        .map_init(Vec::new, |work, (coset, mut values)| {
            domain.interpolate_scaled(coset, &mut values, work);
            values
        })
        .collect();
    let machine = domain.machine;
    pieces.par_iter_mut().zip(&inverse).for_each(|(piece, factors)| {
        for ((remainder, factor), node) in remainders.iter().zip(factors).zip(&nodes) {
            // The scale that interpolation left out, and X^n − 1, which is not zero on a coset.
            let divisor = (*node - F::ONE).invert_vartime().unwrap_or(F::ZERO);
            let factor = *factor * domain.scale() * divisor;
            add_scaled::<F, V>(machine, piece, V::splat(machine, &factor), remainder);
        }
    });
}

/// For each power, how much the value at each of the nodes contributes to its coefficient.
fn vandermonde_inverse<F: Scalar>(nodes: &[F]) -> Vec<Vec<F>> {
    let mut inverse = vec![vec![F::ZERO; nodes.len()]; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        // Coefficients of Π (X − other) / (node − other).
        let mut basis = vec![F::ONE];
        let mut divisor = F::ONE;
        for other in nodes.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, other)| other) {
            let mut product = vec![F::ZERO; basis.len() + 1];
            for (power, coefficient) in basis.iter().enumerate() {
                product[power + 1] += coefficient;
                product[power] -= &(*coefficient * other);
            }
            basis = product;
            divisor *= &(*node - other);
        }
        let divisor = divisor.invert_vartime().unwrap_or(F::ZERO);
        for (row, coefficient) in inverse.iter_mut().zip(basis) {
            row[i] = coefficient * divisor;
        }
    }
    inverse
}

/// Powers of y, by constraint: those that stand earlier have the higher ones.
struct Weights<V> {
    /// Of gates and ports.
    gates: Vec<V>,
    /// That the first product begins with 1.
    first: V,
    /// That the last one ends with 0 or 1.
    last: V,
    /// That each other product begins where the one before it ends.
    joined: Vec<V>,
    /// That products grow as they should.
    grown: Vec<V>,
    /// By which the sum of earlier instances is multiplied.
    instance: V,
}

impl<V> Weights<V> {
    fn new<F: Scalar>(key: &Key<F, V>, y: F) -> Self
    where
        V: Vector<F>,
    {
        let products = key.products();
        // Without products there is nothing to say of them.
        let (ends, joins) = if products > 0 { (2, products - 1) } else { (0, 0) };
        let count = key.constraints + ends + joins + products;
        let powers: Vec<V> = splats(key.domain.machine, &powers(y, count + 1));
        let mut descending = powers[..count].iter().rev().copied();
        let mut take = |count: usize| descending.by_ref().take(count).collect::<Vec<V>>();
        let (gates, ends) = (take(key.constraints), take(ends));
        let (joined, grown) = (take(joins), take(products));
        let zero = V::splat(key.domain.machine, &F::ZERO);
        let end = |i: usize| ends.get(i).copied().unwrap_or(zero);
        Weights { gates, first: end(0), last: end(1), joined, grown, instance: powers[count] }
    }
}

/// The columns of an instance on a coset. Vectors are repeated at both ends, so that rotated ones are next to each other.
struct Evaluations<F, V: Vector<F>> {
    stride: usize,
    before: usize,
    /// Advice columns, permutation products, the instance's values, values that are the same on every row.
    values: Vec<V::Packed>,
}

impl<F: Scalar, V: Vector<F>> Evaluations<F, V> {
    fn new(key: &Key<F, V>) -> Self {
        let (before, after) = key.reach;
        // A rotation that is not by whole vectors reads one more.
        let (before, after) = (before.div_ceil(V::LANES), after.div_ceil(V::LANES) + 1);
        let stride = before + key.domain.vectors() + after;
        let zero = V::splat(key.domain.machine, &F::ZERO).pack();
        Evaluations { stride, before, values: vec![zero; stride * (key.advice + key.products() + 1 + key.uniform)] }
    }

    /// Evaluates what is read on a coset.
    fn fill(
        &mut self,
        key: &Key<F, V>,
        coset: usize,
        instance: &Polynomials<F, V>,
        cancel: &Cancel,
    ) -> Result<(), ProveError> {
        let (vectors, before) = (key.domain.vectors(), self.before);
        let read = &key.parts[coset].advice;
        let evaluate = |work: &mut Vec<V>, (number, out): (usize, &mut [V::Packed])| {
            if read.get(number) == Some(&false) {
                return Ok(());
            }
            cancel.check()?;
            let values = &mut out[before..before + vectors];
            match number.checked_sub(key.uniform_from()) {
                // The value times the column that is 1 on usable rows, which is empty where no gate reads one.
                Some(uniform) => {
                    let value = V::splat(key.domain.machine, &instance.uniform[uniform]);
                    scaled::<F, V>(key.domain.machine, values, value, &key.cosets[coset].usable);
                }
                None => key.domain.evaluate(coset, instance.column(key, number), work, values),
            }
            out.copy_within(vectors..vectors + before, 0);
            let end = before + vectors;
            out.copy_within(before..before + (out.len() - end), end);
            Ok(())
        };
        self.values.par_chunks_exact_mut(self.stride).enumerate().map_init(Vec::new, evaluate).collect()
    }

    /// `STRIP` rows of a column from a vector on, rotated by whole vectors; and the vector after them.
    #[inline(always)]
    fn strip(&self, column: usize, vector: usize, rotation: isize) -> &[V::Packed] {
        let first = (column * self.stride + self.before + vector).wrapping_add_signed(rotation);
        &self.values[first..=first + strip::<F, V>()]
    }
}

impl<F: Scalar, V: Vector<F>> Polynomials<F, V> {
    /// Coefficients of a column, in the order of [`Evaluations`].
    fn column(&self, key: &Key<F, V>, number: usize) -> &[V::Packed] {
        match number.checked_sub(key.advice) {
            None => &self.advice[number],
            Some(product) => self.products.get(product).unwrap_or(&self.instance[0]),
        }
    }
}

struct Read<'a, F, V: Vector<F>> {
    uniform_from: usize,
    fixed: &'a FixedCoset<V::Packed>,
    room: &'a Evaluations<F, V>,
}

impl<F: Scalar, V: Vector<F>> Strips<V::Packed> for Read<'_, F, V> {
    #[inline(always)]
    fn strip(&self, column: Global, vector: usize, rotation: Rotation) -> &[V::Packed] {
        match column {
            Global::Advice(column) => self.room.strip(column, vector, rotation.vectors),
            Global::Fixed(column) => &self.fixed.fixed[column][vector..vector + strip::<F, V>()],
            Global::Uniform(number) => self.room.strip(self.uniform_from + number, vector, 0),
        }
    }
}

/// Challenges, 0 and 1.
#[derive(Clone, Copy)]
struct Splat<V> {
    beta: V,
    gamma: V,
    zero: V,
    one: V,
}

impl<V> Splat<V> {
    fn new<F: Scalar>(key: &Key<F, V>, challenges: &Challenges<F>) -> Self
    where
        V: Vector<F>,
    {
        let splat = |x| V::splat(key.domain.machine, &x);
        let Challenges { beta, gamma, .. } = *challenges;
        Splat { beta: splat(beta), gamma: splat(gamma), zero: splat(F::ZERO), one: splat(F::ONE) }
    }
}

/// Constraints on one coset.
struct OnCoset<'a, F, V: Vector<F>> {
    key: &'a Key<F, V>,
    coset: usize,
    fixed: &'a FixedCoset<V::Packed>,
    challenges: Splat<V>,
    weights: &'a Weights<V>,
}

impl<F: Scalar, V: Vector<F>> OnCoset<'_, F, V> {
    /// The weighed sums of the constraints of all instances: for each `STRIP` rows, those of each class.
    fn sum(
        &self,
        instances: &[Polynomials<F, V>],
        room: &mut Evaluations<F, V>,
        cancel: &Cancel,
    ) -> Result<Vec<V::Packed>, ProveError> {
        let (strip, classes) = (strip::<F, V>(), self.key.parts.len() - self.coset);
        let machine = self.key.domain.machine;
        let mut sums = vec![V::splat(machine, &F::ZERO).pack(); self.key.domain.vectors() * classes];
        let factors = self.permutation_factors();
        let program = &self.key.parts[self.coset].program;
        for (number, instance) in instances.iter().enumerate() {
            room.fill(self.key, self.coset, instance, cancel)?;
            let columns = Read { uniform_from: self.key.uniform_from(), fixed: self.fixed, room };
            let add = |registers: &mut Vec<Vec<V>>, (part, sums): (usize, &mut [V::Packed])| {
                cancel.check()?;
                let (on_coset, columns, factors, vector) = (self, &columns, &factors[..], part * strip);
                V::run(
                    machine,
                    AddConstraints { on_coset, columns, factors, vector, weigh: number > 0, registers, sums },
                );
                Ok(())
            };
            let parts = sums.par_chunks_exact_mut(classes * strip).enumerate();
            parts.map_init(|| program.registers(machine), add).collect::<Result<(), ProveError>>()?;
        }
        Ok(sums)
    }

    /// For each column of the permutation β·σ + γ and δ^i·β·X + γ, to which an instance adds the column.
    fn permutation_factors(&self) -> Vec<[Vec<V::Packed>; 2]> {
        let Splat { beta, gamma, .. } = self.challenges;
        let domain = &self.key.domain;
        let points = simd::powers::<F, V>(domain.machine, domain.omega, domain.vectors());
        let shifts = powers(F::DELTA, self.key.permuted());
        let of = |(sigma, shift): (&Vec<V::Packed>, &F)| {
            let step = beta * V::splat(domain.machine, &(*shift * domain.cosets[self.coset].shift));
            [(beta, &sigma[..]), (step, &points[..])].map(|(by, of)| {
                let mut factors = vec![gamma.pack(); of.len()];
                add_scaled::<F, V>(domain.machine, &mut factors, by, of);
                factors
            })
        };
        self.fixed.sigma.par_iter().zip(&shifts).map(of).collect()
    }

    /// Adds the permutation's constraints of an instance on `STRIP` rows.
    #[inline(always)]
    fn permutation(
        &self,
        room: &Evaluations<F, V>,
        vector: usize,
        factors: &[[Vec<V::Packed>; 2]],
        sums: &mut [V::Packed],
    ) {
        let (key, weights, machine) = (self.key, self.weights, self.key.domain.machine);
        let products = key.products();
        if products == 0 {
            return;
        }
        let end = Rotation::of::<F, V>(-(key.blinding as i32 + 1));
        let (here, next) = (Rotation::of::<F, V>(0), Rotation::of::<F, V>(1));
        let class =
            |degree: usize| (cosets_of(degree) - 1).checked_sub(self.coset).map(|class| class * strip::<F, V>());
        let product = At { machine, room, first: key.advice, vector };
        if let Some(at) = class(2) {
            for i in 0..strip::<F, V>() {
                let mut sum = weights.first * (self.challenges.one - product.read(0, here, i));
                for (number, weight) in (1..products).zip(&weights.joined) {
                    sum = sum + *weight * (product.read(number, here, i) - product.read(number - 1, end, i));
                }
                let first = V::unpack(machine, &self.fixed.first[vector + i]);
                sums[at + i] = (V::unpack(machine, &sums[at + i]) + sum * first).pack();
            }
        }
        if let Some(at) = class(3) {
            for i in 0..strip::<F, V>() {
                let value = product.read(products - 1, here, i);
                let last = weights.last * V::unpack(machine, &self.fixed.last[vector + i]);
                sums[at + i] = (V::unpack(machine, &sums[at + i]) + last * (value * value - value)).pack();
            }
        }
        let Some(at) = class(key.chunk + 2) else { return };
        let uses_publics = usize::from(key.queries.copies_publics());
        let columns = At { machine, room, first: 0, vector };
        for i in 0..strip::<F, V>() {
            let mut total = self.challenges.zero;
            for (number, weight) in weights.grown.iter().enumerate() {
                let (mut left, mut right) = (product.read(number, next, i), product.read(number, here, i));
                let first = number * key.chunk;
                let after = (first + key.chunk).min(key.permuted());
                for (column, [with_sigma, with_own]) in (first..after).zip(&factors[first..after]) {
                    let place = match column.checked_sub(uses_publics) {
                        Some(permuted) => key.queries.permuted[permuted],
                        None => key.advice + products,
                    };
                    let value = columns.read(place, here, i);
                    left = left * (value + V::unpack(machine, &with_sigma[vector + i]));
                    right = right * (value + V::unpack(machine, &with_own[vector + i]));
                }
                total = total + *weight * (left - right);
            }
            let active = V::unpack(machine, &self.fixed.active[vector + i]);
            sums[at + i] = (V::unpack(machine, &sums[at + i]) + total * active).pack();
        }
    }
}

/// Reads columns, numbered from `first` on, at a vector and those after it.
struct At<'a, F, V: Vector<F>> {
    machine: V::Machine,
    room: &'a Evaluations<F, V>,
    first: usize,
    vector: usize,
}

impl<F: Scalar, V: Vector<F>> At<'_, F, V> {
    #[inline(always)]
    fn read(&self, column: usize, rotation: Rotation, i: usize) -> V {
        let values = self.room.strip(self.first + column, self.vector, rotation.vectors);
        rotation.read(self.machine, &values[i..])
    }
}

/// Adds the constraints of an instance on `STRIP` rows from a vector on.
struct AddConstraints<'a, F, V: Vector<F>> {
    on_coset: &'a OnCoset<'a, F, V>,
    columns: &'a Read<'a, F, V>,
    /// Of the permutation.
    factors: &'a [[Vec<V::Packed>; 2]],
    vector: usize,
    /// Whether earlier instances are weighed first.
    weigh: bool,
    registers: &'a mut [Vec<V>],
    sums: &'a mut [V::Packed],
}

impl<F: Scalar, V: Vector<F>> Kernel for AddConstraints<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let AddConstraints { on_coset, columns, factors, vector, weigh, registers, sums } = self;
        let machine = on_coset.key.domain.machine;
        if weigh {
            for sum in sums.iter_mut() {
                *sum = (V::unpack(machine, sum) * on_coset.weights.instance).pack();
            }
        }
        let program = &on_coset.key.parts[on_coset.coset].program;
        program.run::<F>(machine, columns, vector, &on_coset.weights.gates, registers, sums);
        on_coset.permutation(columns.room, vector, factors, sums);
    }
}
