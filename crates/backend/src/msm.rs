//! A sum of points that must be zero, gathered term by term: what a proof leaves to be checked.

use crate::curve::{F, Params, Point, PointSum};
use crate::generators::coordinates;
use crate::multiexp::multiexp;
use ff::Field;
use group::{CurveAffine, Group};
use std::collections::HashMap;

/// Σ over the parameters' points and any others. A point that is added twice, or whose negative is, counts once.
#[derive(Clone, Debug)]
pub struct Msm<'params> {
    params: &'params Params,
    /// Of the bases of coefficients; empty if all are zero.
    coefficients: Vec<F>,
    w: F,
    u: F,
    terms: Vec<(F, Point)>,
    /// Number of each term by its point's first coordinate.
    numbers: HashMap<[u8; 32], usize>,
}

impl<'params> Msm<'params> {
    /// Of no terms.
    pub fn new(params: &'params Params) -> Self {
        Msm { params, coefficients: vec![], w: F::ZERO, u: F::ZERO, terms: vec![], numbers: HashMap::new() }
    }

    /// The parameters.
    pub fn params(&self) -> &'params Params {
        self.params
    }

    /// Adds a multiple of a point.
    pub fn append_term(&mut self, scalar: F, point: Point) {
        if bool::from(point.is_identity()) {
            return;
        }
        let mut x = [0; 32];
        x.copy_from_slice(&coordinates(&point)[..32]);
        let number = *self.numbers.entry(x).or_insert(self.terms.len());
        match self.terms.get_mut(number) {
            None => self.terms.push((scalar, point)),
            Some((sum, other)) if *other == point => *sum += scalar,
            // Of one first coordinate there are a point and its negative.
            Some((sum, _)) => *sum -= scalar,
        }
    }

    /// Adds a multiple of the base of blinds.
    pub fn add_to_w_scalar(&mut self, scalar: F) {
        self.w += scalar;
    }

    /// Adds a multiple of the base of values.
    pub fn add_to_u_scalar(&mut self, scalar: F) {
        self.u += scalar;
    }

    /// Adds multiples of the first bases of coefficients.
    ///
    /// # Panics
    /// If there are more scalars than bases.
    pub fn add_to_coefficients(&mut self, scalars: &[F]) {
        assert!(scalars.len() <= self.params.generators().coefficients.len(), "more coefficients than bases");
        self.coefficients.resize(self.coefficients.len().max(scalars.len()), F::ZERO);
        self.coefficients.iter_mut().zip(scalars).for_each(|(sum, scalar)| *sum += scalar);
    }

    /// Adds another sum over the same parameters.
    pub fn add_msm(&mut self, other: &Self) {
        self.add_to_coefficients(&other.coefficients);
        self.w += other.w;
        self.u += other.u;
        other.terms.iter().for_each(|&(scalar, point)| self.append_term(scalar, point));
    }

    /// Multiplies all of it.
    pub fn scale(&mut self, factor: F) {
        let scalars = self.coefficients.iter_mut().chain([&mut self.w, &mut self.u]);
        scalars.chain(self.terms.iter_mut().map(|(scalar, _)| scalar)).for_each(|scalar| *scalar *= factor);
    }

    /// The sum.
    pub fn sum(&self) -> PointSum {
        let generators = self.params.generators();
        let of_params = [(self.w, generators.w), (self.u, generators.u)];
        let of_coefficients = || self.coefficients.iter().copied();
        let (mut terms, mut sum) = (self.terms.clone(), PointSum::identity());
        match self.params.prepared() {
            Some(bases) if !self.coefficients.is_empty() => {
                sum = bases.combine(of_coefficients().enumerate(), [self.w, self.u], rayon::current_num_threads());
            }
            _ => terms.extend(of_coefficients().zip(generators.coefficients.iter().copied()).chain(of_params)),
        }
        terms.retain(|(scalar, _)| !scalar.is_zero_vartime());
        sum + multiexp(&terms)
    }

    /// Whether the sum is zero.
    pub fn eval(&self) -> bool {
        bool::from(self.sum().is_identity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halo2_proofs::poly::commitment::MSM;

    /// The same operations on ours and on halo2's, which only says whether it is zero: each is brought to zero by the
    /// same last term.
    #[test]
    fn sums_are_those_of_halo2() {
        let params = Params::new(4);
        let points: Vec<Point> = params.generators().lagrange[..4].to_vec();
        let random = |i: u64| (F::from(i) + F::from(17)).square().square().square().square();
        let mut ours = Msm::new(&params);
        let mut stock = MSM::new(params.halo2());
        assert!(ours.eval() && stock.clone().eval());
        for i in 0..12u64 {
            let scalar = random(i);
            let point = points[i as usize % 4];
            let point = if i % 3 == 0 { -point } else { point };
            ours.append_term(scalar, point);
            stock.append_term(scalar, point);
        }
        assert_eq!(ours.terms.len(), 4);
        ours.append_term(F::ONE, Point::identity());
        ours.add_to_w_scalar(random(20));
        stock.add_to_w_scalar(random(20));
        ours.add_to_u_scalar(random(21));
        stock.add_to_u_scalar(random(21));
        let all: Vec<F> = (30..46).map(random).collect();
        ours.add_to_coefficients(&all);
        stock.add_to_g_scalars(&all);
        ours.add_to_coefficients(&[F::ONE]);
        stock.add_constant_term(F::ONE);
        ours.scale(random(22));
        stock.scale(random(22));
        let (copy, stock_copy) = (ours.clone(), stock.clone());
        ours.scale(random(23));
        ours.add_msm(&copy);
        stock.scale(random(23));
        stock.add_msm(&stock_copy);
        assert!(!ours.eval() && !stock.clone().eval());
        let check = |ours: &Msm<'_>, mut stock: MSM<'_, Point>| {
            let sum = Point::from(ours.sum());
            let mut balanced = ours.clone();
            balanced.append_term(-F::ONE, sum);
            stock.append_term(-F::ONE, sum);
            assert!(balanced.eval() && stock.eval());
        };
        check(&ours, stock.clone());
        params.bases();
        check(&ours, stock);
        // Without coefficients.
        let few = Msm { coefficients: vec![], ..ours };
        let generators = params.generators();
        let terms = [&few.terms[..], &[(few.w, generators.w), (few.u, generators.u)]].concat();
        assert_eq!(few.sum(), terms.iter().map(|(scalar, point)| *point * *scalar).sum::<PointSum>());
    }
}
