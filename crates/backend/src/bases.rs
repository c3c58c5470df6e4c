//! The commitment scheme's bases, prepared for many commitments.

use crate::curve::{PastaCurve, affine};
#[cfg(target_arch = "x86_64")]
use crate::fixed_base::Packed;
use crate::fixed_base::{Affine, FixedBases, Form, Scratch};
use crate::generators::{Generators, NoPoints};
use ff::Field;
use group::Group;
use rayon::prelude::*;
use simd::One;

/// Commits to columns and polynomials as halo2's parameters do.
#[derive(Clone, Debug)]
pub struct Bases<C: PastaCurve> {
    rows: usize,
    sets: Sets<C>,
}

/// The bases, as this processor adds points up.
#[derive(Clone, Debug)]
enum Sets<C: PastaCurve> {
    One(Set<C, Affine<C::Base>>),
    #[cfg(target_arch = "x86_64")]
    Wide(Set<C, Packed<C::Base>>),
}

/// Does the same with either kind.
macro_rules! with {
    ($sets:expr, $set:ident => $body:expr) => {
        match $sets {
            Sets::One($set) => $body,
            #[cfg(target_arch = "x86_64")]
            Sets::Wide($set) => $body,
        }
    };
}

#[derive(Clone, Debug)]
struct Set<C: PastaCurve, P: Form<C>> {
    /// G₀, G₁, …, then W and U.
    coefficients: FixedBases<C, P>,
    /// Of the Lagrange basis, then W.
    lagrange: FixedBases<C, P>,
    /// Sums of the first 1, 2, … bases of the Lagrange basis, then W.
    sums: FixedBases<C, P>,
}

/// Room for a multiplication, to be used again.
#[derive(Debug)]
pub struct Room<C: PastaCurve> {
    one: Scratch<C, Affine<C::Base>>,
    #[cfg(target_arch = "x86_64")]
    wide: Scratch<C, Packed<C::Base>>,
}

impl<C: PastaCurve> Default for Room<C> {
    fn default() -> Self {
        Room {
            one: Scratch::default(),
            #[cfg(target_arch = "x86_64")]
            wide: Scratch::default(),
        }
    }
}

impl<C: PastaCurve, P: Form<C>> Set<C, P> {
    fn new(machine: P::Machine, [coefficients, lagrange, sums]: &[Vec<C>; 3], c: u32) -> Self {
        let bases = |points: &[C]| FixedBases::new(machine, points, c);
        Set { coefficients: bases(coefficients), lagrange: bases(lagrange), sums: bases(sums) }
    }

    fn from_coordinates(machine: P::Machine, k: u32, bytes: &[u8]) -> Result<Self, NoPoints> {
        let (mut rest, c) = (bytes, window(k));
        let mut next = |bases: usize| {
            let length = FixedBases::<C, P>::encoded_length(bases, c);
            let (own, others) = rest.split_at_checked(length).ok_or(NoPoints)?;
            rest = others;
            FixedBases::from_coordinates(machine, bases, c, own)
        };
        let [coefficients, lagrange, sums] = sizes(k);
        let set = Set { coefficients: next(coefficients)?, lagrange: next(lagrange)?, sums: next(sums)? };
        if rest.is_empty() { Ok(set) } else { Err(NoPoints) }
    }

    fn coordinates(&self) -> Vec<u8> {
        [&self.coefficients, &self.lagrange, &self.sums].map(FixedBases::coordinates).concat()
    }

    fn of_column(&self, by_steps: bool) -> &FixedBases<C, P> {
        if by_steps { &self.sums } else { &self.lagrange }
    }
}

impl<C: PastaCurve> Bases<C> {
    /// Prepares the bases of parameters.
    pub fn new(generators: &Generators<C>) -> Self {
        Bases { rows: 1 << generators.k, sets: Sets::new(&points(generators), window(generators.k)) }
    }

    /// Both coordinates of all multiples that are prepared, so that they need not be made again.
    pub fn coordinates(&self) -> Vec<u8> {
        with!(&self.sets, set => set.coordinates())
    }

    /// Length of [`Bases::coordinates`] for 2^k rows.
    pub fn encoded_length(k: u32) -> usize {
        let length = |bases| FixedBases::<C, Affine<C::Base>>::encoded_length(bases, window(k));
        sizes(k).map(length).iter().sum()
    }

    /// From what [`Bases::coordinates`] gives. Whether the multiples are multiples is not checked.
    pub fn from_coordinates(k: u32, bytes: &[u8]) -> Result<Self, NoPoints> {
        Ok(Bases { rows: 1 << k, sets: Sets::from_coordinates(k, bytes)? })
    }

    /// Rows of a column.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Commits to a column, given by its values on the first rows; all further ones are zero. On this thread.
    ///
    /// # Panics
    /// If there are more values than rows.
    pub fn commit_column(&self, values: &[C::ScalarExt], blind: &C::ScalarExt, room: &mut Room<C>) -> C::CurveExt {
        assert!(values.len() <= self.rows, "a column of {} rows", values.len());
        let zero = C::ScalarExt::ZERO;
        let next = values.iter().skip(1).chain([&zero]);
        let steps: Vec<C::ScalarExt> = values.iter().zip(next).map(|(value, next)| *value - next).collect();
        let count = |of: &[C::ScalarExt]| of.iter().filter(|x| !x.is_zero_vartime()).count();
        let (filled, changes) = (count(values), count(&steps));
        // A column with long runs of one value is cheaper by its steps: Σ vᵢ·Gᵢ = Σ (vᵢ − vᵢ₊₁)·(G₀ + … + Gᵢ).
        let by_steps = 8 * changes < 7 * filled;
        let scalars = if by_steps { &steps[..] } else { values };
        let terms = scalars.iter().enumerate().chain([(self.rows, blind)]);
        match &self.sets {
            Sets::One(set) => set.of_column(by_steps).multiply(terms, &mut room.one),
            #[cfg(target_arch = "x86_64")]
            Sets::Wide(set) => set.of_column(by_steps).multiply(terms, &mut room.wide),
        }
    }

    /// Commits to a polynomial, given by its first coefficients, on all threads.
    pub fn commit_polynomial(&self, coefficients: &[C::ScalarExt], blind: &C::ScalarExt) -> C::CurveExt {
        self.commit_in_parts(coefficients, blind, rayon::current_num_threads())
    }

    /// Commits to polynomials with their blinds side by side: parts of one would have buckets of their own.
    pub fn commit_polynomials(&self, polynomials: &[Vec<C::ScalarExt>], blinds: &[C::ScalarExt]) -> Vec<C::CurveExt> {
        let parts = rayon::current_num_threads().div_ceil(polynomials.len().max(1));
        let all = polynomials.par_iter().zip(blinds);
        all.map(|(polynomial, blind)| self.commit_in_parts(polynomial, blind, parts)).collect()
    }

    fn commit_in_parts(&self, coefficients: &[C::ScalarExt], blind: &C::ScalarExt, parts: usize) -> C::CurveExt {
        self.combine(coefficients.iter().copied().enumerate(), [*blind, C::ScalarExt::ZERO], parts)
    }

    /// `Σ_t factors[t]·G(i + t·len)`, for each i below len = rows / factors.
    ///
    /// # Panics
    /// If there are no factors.
    pub fn fold(&self, factors: &[C::ScalarExt]) -> Vec<C> {
        with!(&self.sets, set => set.coefficients.fold(self.rows, factors))
    }

    /// Σ sᵢ·Gᵢ + w·W + u·U over pairs of a number and a scalar, in some parts, side by side.
    pub fn combine(
        &self,
        terms: impl IntoIterator<Item = (usize, C::ScalarExt)>,
        [w, u]: [C::ScalarExt; 2],
        parts: usize,
    ) -> C::CurveExt {
        let terms: Vec<_> = terms.into_iter().chain([(self.rows, w), (self.rows + 1, u)]).collect();
        with!(&self.sets, set => set.coefficients.multiply_in_parts(&terms, parts))
    }
}

impl<C: PastaCurve> Sets<C> {
    fn new(points: &[Vec<C>; 3], c: u32) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = simd::Ifma::detect() {
            return Sets::Wide(Set::new(machine, points, c));
        }
        Sets::One(Set::new(One, points, c))
    }

    fn from_coordinates(k: u32, bytes: &[u8]) -> Result<Self, NoPoints> {
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = simd::Ifma::detect() {
            return Ok(Sets::Wide(Set::from_coordinates(machine, k, bytes)?));
        }
        Ok(Sets::One(Set::from_coordinates(One, k, bytes)?))
    }
}

/// G₀, G₁, … with W and U; the Lagrange basis with W; the sums of its first 1, 2, … with W.
fn points<C: PastaCurve>(generators: &Generators<C>) -> [Vec<C>; 3] {
    let Generators { coefficients, lagrange, w, u, .. } = generators;
    let sums: Vec<C::CurveExt> = lagrange
        .iter()
        .scan(C::CurveExt::identity(), |sum, base| {
            *sum += *base;
            Some(*sum)
        })
        .collect();
    [[coefficients, &[*w, *u][..]].concat(), [lagrange, &[*w][..]].concat(), [affine(&sums), vec![*w]].concat()]
}

/// Digits of k + 1 bits, so that there are about as many buckets as rows.
fn window(k: u32) -> u32 {
    (k + 1).clamp(6, 14)
}

/// Bases of coefficients with W and U, of the Lagrange basis with W, and of its sums with W.
fn sizes(k: u32) -> [usize; 3] {
    let rows = 1 << k;
    [rows + 2, rows + 1, rows + 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{F, PointSum, columns_domain};
    use ff::PrimeField;
    use group::GroupEncoding;
    use halo2_proofs::poly::commitment::{Blind, Params};
    use proptest::prelude::*;

    /// Columns of runs, of small numbers, of any.
    fn column() -> impl Strategy<Value = Vec<F>> {
        let value = prop_oneof![
            Just(F::ZERO),
            any::<u16>().prop_map(|x| F::from(u64::from(x))),
            any::<u64>().prop_map(|x| { F::from(x).square().square().square() + F::from(x) })
        ];
        let run = (value, 1..20usize).prop_map(|(value, length)| vec![value; length]);
        prop::collection::vec(run, 0..12).prop_map(|runs| {
            let mut column = runs.concat();
            column.truncate(64);
            column
        })
    }

    /// As a processor without vectors has them.
    fn plain(generators: &Generators<crate::curve::Point>) -> Bases<crate::curve::Point> {
        let set = Set::new(One, &points(generators), window(generators.k));
        Bases { rows: 1 << generators.k, sets: Sets::One(set) }
    }

    /// What is kept on disk serves every processor.
    #[test]
    fn coordinates_are_the_same_for_every_processor() {
        let generators = Generators::of(&Params::<crate::curve::Point>::new(6));
        let (bases, plain) = (Bases::new(&generators), plain(&generators));
        let bytes = plain.coordinates();
        assert_eq!(bases.coordinates(), bytes);
        assert_eq!(bytes.len(), Bases::<crate::curve::Point>::encoded_length(6));
        let read = Bases::<crate::curve::Point>::from_coordinates(6, &bytes).unwrap();
        assert_eq!(read.coordinates(), bytes);
        let factors = [F::from(3), -F::from(5), F::ONE, F::DELTA];
        for other in [&bases, &read] {
            assert_eq!(other.fold(&factors), plain.fold(&factors));
        }
        assert_eq!(Bases::<crate::curve::Point>::from_coordinates(6, &bytes[1..]).err(), Some(NoPoints));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn commitments_are_those_of_halo2(values in column(), blind in any::<u64>()) {
            let params = Params::<crate::curve::Point>::new(6);
            let generators = Generators::of(&params);
            let (bases, plain) = (Bases::new(&generators), plain(&generators));
            let (domain, blind) = (columns_domain(6), F::from(blind));
            let mut all = values.clone();
            all.resize(64, F::ZERO);
            let column = params.commit_lagrange(&domain.lagrange_from_vec(all.clone()), Blind(blind));
            let polynomial = params.commit(&domain.coeff_from_vec(all), Blind(blind));
            for bases in [bases, plain] {
                let mut room = Room::<crate::curve::Point>::default();
                prop_assert_eq!(bases.commit_column(&values, &blind, &mut room), column);
                prop_assert_eq!(bases.commit_polynomial(&values, &blind), polynomial);
            }
        }
    }

    #[test]
    fn w_and_u_are_those_of_the_parameters() {
        let params = Params::<crate::curve::Point>::new(6);
        let bases = Bases::new(&Generators::of(&params));
        let (two, three) = (F::from(2), F::from(3));
        let domain = columns_domain(6);
        let w: PointSum = params.commit(&domain.empty_coeff(), Blind(two));
        assert_eq!(bases.combine([], [two, F::ZERO], 2), w);
        // U is the last point that the parameters write.
        let mut bytes = vec![];
        params.write(&mut bytes).unwrap();
        let u: [u8; 32] = *bytes.last_chunk().unwrap();
        let u = crate::curve::Point::from_bytes(&u).unwrap();
        assert_eq!(bases.combine([], [F::ZERO, three], 2), u * three);
        assert_eq!(bases.combine([(5, two)], [F::ZERO; 2], 2), params.get_g()[5] * two);
    }
}
