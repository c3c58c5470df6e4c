//! The quotient h = (Σ constraints · powers of y) / (X^n − 1), in pieces of n coefficients.
//!
//! It is computed from values on cosets of the domain, one coset and one instance at a time: of an instance's columns, no
//! more than one coset is held. A constraint is evaluated on as many cosets as its degree takes.

use super::Scalar;
use super::domain::Domain;
use super::expressions::{Columns, LANE};
use super::key::{FixedCoset, NativeKey, cosets_of};
use super::proof::Polynomials;
use crate::engine::Cancel;
use crate::error::ProveError;
use backend::permutation::powers;
use plonkish::Global;
use rayon::prelude::*;

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
pub fn pieces<F: Scalar>(
    key: &NativeKey<F>,
    instances: &[Polynomials<F>],
    challenges: &Challenges<F>,
    cancel: &Cancel,
) -> Result<Vec<Vec<F>>, ProveError> {
    let (rows, count) = (key.domain.rows(), key.parts.len());
    assert!(rows.is_multiple_of(LANE), "a circuit has at least {LANE} rows");
    let weights = Weights::new(key, challenges.y);
    // `values[class][coset]`, of constraints that take class + 1 cosets.
    let mut values: Vec<Vec<Vec<F>>> = vec![vec![]; count];
    let mut room = Evaluations::new(key);
    for (coset, fixed) in key.cosets.iter().enumerate() {
        let classes = count - coset;
        let sums = OnCoset { key, coset, fixed, challenges, weights: &weights }.sum(instances, &mut room, cancel)?;
        for class in 0..classes {
            let lane = |sums: &[F]| sums[class * LANE..(class + 1) * LANE].to_vec();
            values[coset + class].push(sums.chunks_exact(classes * LANE).flat_map(lane).collect());
        }
    }
    cancel.check()?;
    let mut pieces = vec![vec![F::ZERO; rows]; count];
    for of_cosets in values {
        interpolate(&key.domain, of_cosets, &mut pieces);
    }
    Ok(pieces)
}

/// Adds the quotient of a polynomial, known on some cosets, to `pieces`. On coset c, where X^n is c^n, a
/// quotient of pieces h₀, h₁, … is the polynomial h₀ + c^n·h₁ + c^2n·h₂ + … of degree below n.
fn interpolate<F: Scalar>(domain: &Domain<F>, of_cosets: Vec<Vec<F>>, pieces: &mut [Vec<F>]) {
    let nodes: Vec<F> = domain.cosets[..of_cosets.len()].iter().map(|coset| coset.power).collect();
    let inverse = vandermonde_inverse(&nodes);
    let remainders: Vec<Vec<F>> = of_cosets
        .into_par_iter()
        .enumerate()
        .map(|(coset, mut values)| {
            domain.interpolate_scaled(coset, &mut values);
            values
        })
        .collect();
    for (piece, factors) in pieces.iter_mut().zip(&inverse) {
        for ((remainder, factor), node) in remainders.iter().zip(factors).zip(&nodes) {
            // The scale that interpolation left out, and X^n − 1, which is not zero on a coset.
            let divisor = (*node - F::ONE).invert_vartime().unwrap_or(F::ZERO);
            let factor = *factor * domain.scale() * divisor;
            piece.par_iter_mut().zip(remainder).with_min_len(256).for_each(|(x, r)| *x += &(factor * r));
        }
    }
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
struct Weights<F> {
    /// Of gates and ports.
    gates: Vec<F>,
    /// That the first product begins with 1.
    first: F,
    /// That the last one ends with 0 or 1.
    last: F,
    /// That each other product begins where the one before it ends.
    joined: Vec<F>,
    /// That products grow as they should.
    grown: Vec<F>,
    /// By which the sum of earlier instances is multiplied.
    instance: F,
}

impl<F: Scalar> Weights<F> {
    fn new(key: &NativeKey<F>, y: F) -> Self {
        let products = key.products();
        // Without products there is nothing to say of them.
        let (ends, joins) = if products > 0 { (2, products - 1) } else { (0, 0) };
        let count = key.constraints + ends + joins + products;
        let powers = powers(y, count + 1);
        let mut descending = powers[..count].iter().rev().copied();
        let mut take = |count: usize| descending.by_ref().take(count).collect::<Vec<F>>();
        let (gates, ends) = (take(key.constraints), take(ends));
        let (joined, grown) = (take(joins), take(products));
        let end = |i: usize| ends.get(i).copied().unwrap_or(F::ZERO);
        Weights { gates, first: end(0), last: end(1), joined, grown, instance: powers[count] }
    }
}

/// The columns of an instance on a coset. Rows are repeated at both ends, so that rotated ones are next to each other.
struct Evaluations<F> {
    stride: usize,
    before: usize,
    /// Advice columns, permutation products, the instance's values, values that are the same on every row.
    values: Vec<F>,
}

impl<F: Scalar> Evaluations<F> {
    fn new(key: &NativeKey<F>) -> Self {
        let (before, after) = key.reach;
        let stride = before + key.domain.rows() + after;
        Evaluations { stride, before, values: vec![F::ZERO; stride * (key.advice + key.products() + 1 + key.uniform)] }
    }

    /// Evaluates what is read on a coset.
    fn fill(
        &mut self,
        key: &NativeKey<F>,
        coset: usize,
        instance: &Polynomials<F>,
        cancel: &Cancel,
    ) -> Result<(), ProveError> {
        let (rows, before) = (key.domain.rows(), self.before);
        let read = &key.parts[coset].advice;
        let evaluate = |work: &mut Vec<F>, (number, out): (usize, &mut [F])| {
            if read.get(number) == Some(&false) {
                return Ok(());
            }
            cancel.check()?;
            let values = &mut out[before..before + rows];
            match number.checked_sub(key.uniform_from()) {
                // That it is the same on every usable row says all of it.
                Some(uniform) => {
                    let ones = values.iter_mut().zip(&key.cosets[coset].usable);
                    ones.for_each(|(out, one)| *out = *one * instance.uniform[uniform]);
                }
                None => key.domain.evaluate(coset, instance.column(key, number), work, values),
            }
            out.copy_within(rows..rows + before, 0);
            let end = before + rows;
            out.copy_within(before..before + (out.len() - end), end);
            Ok(())
        };
        self.values.par_chunks_exact_mut(self.stride).enumerate().map_init(Vec::new, evaluate).collect()
    }

    fn lane(&self, column: usize, row: usize, rotation: i32) -> &[F] {
        let first = (column * self.stride + self.before + row).wrapping_add_signed(rotation as isize);
        &self.values[first..first + LANE]
    }
}

impl<F: Scalar> Polynomials<F> {
    /// Coefficients of a column, in the order of [`Evaluations`].
    fn column(&self, key: &NativeKey<F>, number: usize) -> &[F] {
        match number.checked_sub(key.advice) {
            None => &self.advice[number],
            Some(product) => self.products.get(product).unwrap_or(&self.instance[0]),
        }
    }
}

struct Read<'a, F> {
    uniform_from: usize,
    fixed: &'a FixedCoset<F>,
    room: &'a Evaluations<F>,
}

impl<F: Scalar> Columns<F> for Read<'_, F> {
    fn lane(&self, column: Global, row: usize, rotation: i32) -> &[F] {
        match column {
            Global::Advice(column) => self.room.lane(column, row, rotation),
            Global::Fixed(column) => &self.fixed.fixed[column][row..row + LANE],
            Global::Uniform(number) => self.room.lane(self.uniform_from + number, row, 0),
        }
    }
}

/// Constraints on one coset.
struct OnCoset<'a, F> {
    key: &'a NativeKey<F>,
    coset: usize,
    fixed: &'a FixedCoset<F>,
    challenges: &'a Challenges<F>,
    weights: &'a Weights<F>,
}

impl<F: Scalar> OnCoset<'_, F> {
    /// The weighed sums of the constraints of all instances: for each `LANE` rows, those of each class.
    fn sum(
        &self,
        instances: &[Polynomials<F>],
        room: &mut Evaluations<F>,
        cancel: &Cancel,
    ) -> Result<Vec<F>, ProveError> {
        let (rows, classes) = (self.key.domain.rows(), self.key.parts.len() - self.coset);
        let mut sums = vec![F::ZERO; rows * classes];
        let factors = self.permutation_factors();
        let program = &self.key.parts[self.coset].program;
        for (number, instance) in instances.iter().enumerate() {
            room.fill(self.key, self.coset, instance, cancel)?;
            let columns = Read { uniform_from: self.key.uniform_from(), fixed: self.fixed, room };
            let add = |registers: &mut Vec<Vec<F>>, (lane, sums): (usize, &mut [F])| {
                cancel.check()?;
                if number > 0 {
                    sums.iter_mut().for_each(|sum| *sum *= &self.weights.instance);
                }
                program.run(&columns, lane * LANE, &self.weights.gates, registers, sums);
                self.permutation(room, lane * LANE, &factors, sums);
                Ok(())
            };
            let lanes = sums.par_chunks_exact_mut(classes * LANE).enumerate();
            lanes.map_init(|| program.registers(), add).collect::<Result<(), ProveError>>()?;
        }
        Ok(sums)
    }

    /// For each column of the permutation β·σ + γ and δ^i·β·X + γ, to which an instance adds the column.
    fn permutation_factors(&self) -> Vec<[Vec<F>; 2]> {
        let Challenges { beta, gamma, .. } = *self.challenges;
        let domain = &self.key.domain;
        let points = powers(domain.omega, domain.rows());
        let shifts = powers(F::DELTA, self.key.permuted());
        let of = |(sigma, shift): (&Vec<F>, &F)| {
            let step = beta * shift * domain.cosets[self.coset].shift;
            let left = sigma.iter().map(|sigma| beta * sigma + gamma).collect();
            [left, points.iter().map(|point| step * point + gamma).collect()]
        };
        self.fixed.sigma.par_iter().zip(&shifts).map(of).collect()
    }

    /// Adds the permutation's constraints of an instance on `LANE` rows.
    fn permutation(&self, room: &Evaluations<F>, row: usize, factors: &[[Vec<F>; 2]], sums: &mut [F]) {
        let (key, weights) = (self.key, self.weights);
        let products = key.products();
        if products == 0 {
            return;
        }
        let product = |number: usize, rotation: i32| room.lane(key.advice + number, row, rotation);
        let class = |degree: usize| (cosets_of(degree) - 1).checked_sub(self.coset).map(|class| class * LANE);
        if let Some(at) = class(2) {
            let first = &self.fixed.first[row..row + LANE];
            let end = -(key.blinding as i32 + 1);
            for lane in 0..LANE {
                let mut sum = weights.first * (F::ONE - product(0, 0)[lane]);
                for (number, weight) in (1..products).zip(&weights.joined) {
                    sum += &(*weight * (product(number, 0)[lane] - product(number - 1, end)[lane]));
                }
                sums[at + lane] += &(sum * first[lane]);
            }
        }
        if let Some(at) = class(3) {
            let (last, values) = (&self.fixed.last[row..row + LANE], product(products - 1, 0));
            for lane in 0..LANE {
                let value = values[lane];
                sums[at + lane] += &(weights.last * last[lane] * (value.square() - value));
            }
        }
        let Some(at) = class(key.chunk + 2) else { return };
        let mut total = [F::ZERO; LANE];
        for (number, weight) in weights.grown.iter().enumerate() {
            let (mut left, mut right) = ([F::ZERO; LANE], [F::ZERO; LANE]);
            left.copy_from_slice(product(number, 1));
            right.copy_from_slice(product(number, 0));
            let first = number * key.chunk;
            for column in first..(first + key.chunk).min(key.permuted()) {
                let values = match column.checked_sub(usize::from(key.queries.copies_publics())) {
                    Some(permuted) => room.lane(key.queries.permuted[permuted], row, 0),
                    None => room.lane(key.advice + products, row, 0),
                };
                let [with_sigma, with_own] = &factors[column];
                let factors = with_sigma[row..row + LANE].iter().zip(&with_own[row..row + LANE]);
                for ((lane, value), (sigma, own)) in values.iter().enumerate().zip(factors) {
                    left[lane] *= &(*value + sigma);
                    right[lane] *= &(*value + own);
                }
            }
            for lane in 0..LANE {
                total[lane] += &(*weight * (left[lane] - right[lane]));
            }
        }
        let active = &self.fixed.active[row..row + LANE];
        for lane in 0..LANE {
            sums[at + lane] += &(total[lane] * active[lane]);
        }
    }
}
