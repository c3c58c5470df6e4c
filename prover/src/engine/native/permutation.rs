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
use simd::{Kernel, MOST_LANES, Vector, elements, splats};

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
    columns: &[&[V::Packed]],
    (beta, gamma): (F, F),
    rng: &mut impl Rng,
) -> Vec<(Vec<F>, F)> {
    let (rows, machine) = (key.domain.rows(), key.domain.machine);
    let omegas = simd::powers::<F, V>(machine, key.domain.omega, key.domain.vectors());
    let shifts: Vec<F> = powers(F::DELTA, columns.len()).iter().map(|shift| beta * shift).collect();
    let (shifts, omegas) = (&splats::<F, V>(machine, &shifts)[..], &omegas[..]);
    let [beta, gamma, one] = [beta, gamma, F::ONE].map(|x| V::splat(machine, &x));
    let growth = |product: usize| {
        let first = product * key.chunk;
        let members = first..(first + key.chunk).min(columns.len());
        let (mut denominators, mut growth) = (Vec::with_capacity(omegas.len()), omegas.to_vec());
        V::run(
            machine,
            Growth::<F, V> {
                machine,
                columns: &columns[members.clone()],
                sigma: &key.sigma_values[members.clone()],
                shifts: &shifts[members],
                omegas,
                challenges: [beta, gamma],
                one,
                denominators: &mut denominators,
                growth: &mut growth,
            },
        );
        elements::<F, V>(machine, &growth)
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

/// The factors by which a product grows from row to row.
struct Growth<'a, F, V: Vector<F>> {
    machine: V::Machine,
    /// The product's columns, and those of the permutation.
    columns: &'a [&'a [V::Packed]],
    sigma: &'a [Vec<V::Packed>],
    /// β·δ^i.
    shifts: &'a [V],
    omegas: &'a [V::Packed],
    /// β and γ.
    challenges: [V; 2],
    one: V,
    /// Room: denominators, and the products of those before.
    denominators: &'a mut Vec<[V; 2]>,
    growth: &'a mut [V::Packed],
}

impl<F: Scalar, V: Vector<F>> Kernel for Growth<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (machine, [beta, gamma]) = (self.machine, self.challenges);
        let mut product = self.one;
        for i in 0..self.growth.len() {
            let mut denominator = self.one;
            for (values, sigma) in self.columns.iter().zip(self.sigma) {
                let value = V::unpack(machine, &values[i]);
                denominator = denominator * (beta * V::unpack(machine, &sigma[i]) + gamma + value);
            }
            self.denominators.push([denominator, product]);
            product = product * denominator;
        }
        // Zero with negligible probability: then the product is wrong, and its proof is refused.
        let mut of_lanes = [F::ZERO; MOST_LANES];
        product.store(&mut of_lanes[..V::LANES]);
        of_lanes[..V::LANES].iter_mut().batch_invert_vartime();
        let mut inverse = V::load(machine, &of_lanes[..V::LANES]);
        for (i, [denominator, before]) in self.denominators.iter().enumerate().rev() {
            let mut factor = inverse * *before;
            inverse = inverse * *denominator;
            let omega = V::unpack(machine, &self.omegas[i]);
            for (values, shift) in self.columns.iter().zip(self.shifts) {
                factor = factor * (*shift * omega + gamma + V::unpack(machine, &values[i]));
            }
            self.growth[i] = factor.pack();
        }
    }
}
