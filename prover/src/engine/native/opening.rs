//! Opens many polynomials at many points (halo2 book, "Multipoint opening argument"), by an inner-product argument (Bowe,
//! Grigg, Hopwood, eprint 2019/1021).

use super::Scalar;
use super::domain::Domain;
use super::proof::write_point;
use crate::engine::Cancel;
use crate::error::ProveError;
use backend::bases::Bases;
use backend::curve::PastaCurve;
use backend::multiexp::multiexp;
use backend::permutation::powers;
use ff::Field;
use halo2_proofs::plonk;
use halo2_proofs::transcript::{EncodedChallenge, TranscriptWrite};
use pasta_curves::arithmetic::VartimeField;
use rand_core::Rng;
use rayon::prelude::*;
use simd::{One, Vector, elements, scale_add};
use std::io;

/// Rounds of the inner-product argument before the bases are folded: each costs a multiplication over all of them, and
/// folding about as much as three.
const ROUNDS_UNFOLDED: usize = 4;

/// Coefficients that are added up at a time.
const SLICE: usize = 128;

/// Σ aᵢ·bᵢ.
fn inner_product<F: Scalar>(a: &[F], b: &[F]) -> F {
    simd::inner_product::<F, F>(One, a, b)
}

/// A polynomial that is opened.
pub struct Opened<'p, F, P> {
    /// Its coefficients.
    pub coefficients: &'p [P],
    /// The blind of its commitment.
    pub blind: F,
    /// Rotations of x at which it is opened.
    pub rotations: Vec<i32>,
}

/// Polynomials that are opened at the same points, added up.
struct Set<F> {
    /// Rotations, as numbers of rows.
    points: Vec<usize>,
    coefficients: Vec<F>,
    blind: F,
}

/// Appends the opening of polynomials, each of which comes once, in the order in which halo2 asks for them first.
pub fn open<C: PastaCurve, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>, V: Vector<C::ScalarExt>>(
    (bases, domain): (&Bases<C>, &Domain<C::ScalarExt, V>),
    polynomials: &[Opened<'_, C::ScalarExt, V::Packed>],
    x: C::ScalarExt,
    transcript: &mut T,
    rng: &mut impl Rng,
    cancel: &Cancel,
) -> Result<(), ProveError>
where
    C::ScalarExt: Scalar,
{
    let x_1 = *transcript.squeeze_challenge_scalar::<()>();
    let x_2 = *transcript.squeeze_challenge_scalar::<()>();
    let sets = sets(domain, polynomials, x_1);
    let quotients: Vec<Vec<C::ScalarExt>> = sets
        .par_iter()
        .map(|set| {
            let points = set.points.iter().map(|&rotation| x * domain.rotation(rotation as i32));
            points.fold(set.coefficients.clone(), divided)
        })
        .collect();
    let zero = vec![C::ScalarExt::ZERO; domain.rows()];
    let joined = quotients.iter().fold(zero, |sum, quotient| scaled_sum(sum, x_2, quotient));
    let blind = C::ScalarExt::random(&mut *rng);
    write_point::<C, E, T>(transcript, bases.commit_polynomial(&joined, &blind))?;
    cancel.check()?;

    let x_3 = *transcript.squeeze_challenge_scalar::<()>();
    let at = powers(x_3, domain.rows());
    for set in &sets {
        transcript.write_scalar(inner_product(&set.coefficients, &at)).map_err(plonk::Error::from)?;
    }
    let x_4 = *transcript.squeeze_challenge_scalar::<()>();
    let all = sets.iter().fold(joined, |sum, set| scaled_sum(sum, x_4, &set.coefficients));
    let blind = sets.iter().fold(blind, |blind, set| blind * x_4 + set.blind);
    open_at(bases, (all, blind), at, transcript, rng, cancel)
}

/// Adds up polynomials that are opened at the same points: halo2 orders the sets by the first polynomial of each.
fn sets<F: Scalar, V: Vector<F>>(
    domain: &Domain<F, V>,
    polynomials: &[Opened<'_, F, V::Packed>],
    x_1: F,
) -> Vec<Set<F>> {
    // By the points of each set.
    type Members<'o, 'p, F, P> = Vec<(Vec<usize>, Vec<&'o Opened<'p, F, P>>)>;
    let mut members: Members<'_, '_, F, V::Packed> = vec![];
    for polynomial in polynomials {
        let row = |rotation: &i32| i64::from(*rotation).rem_euclid(domain.rows() as i64) as usize;
        let mut points: Vec<usize> = polynomial.rotations.iter().map(row).collect();
        points.sort_unstable();
        points.dedup();
        match members.iter_mut().find(|(others, _)| *others == points) {
            Some((_, of_set)) => of_set.push(polynomial),
            None => members.push((points, vec![polynomial])),
        }
    }
    let (machine, slice) = (domain.machine, SLICE / V::LANES);
    let weight = V::splat(machine, &x_1);
    let add = |(points, members): (Vec<usize>, Vec<&Opened<'_, F, V::Packed>>)| {
        let mut coefficients = vec![F::ZERO; domain.rows()];
        coefficients.par_chunks_mut(SLICE).enumerate().for_each(|(number, out)| {
            let first = number * slice;
            let vectors = out.len() / V::LANES;
            let mut sums = vec![V::splat(machine, &F::ZERO).pack(); vectors];
            for member in &members {
                scale_add::<F, V>(machine, &mut sums, weight, &member.coefficients[first..first + vectors]);
            }
            out.copy_from_slice(&elements::<F, V>(machine, &sums));
        });
        let blind = members.iter().fold(F::ZERO, |blind, member| blind * x_1 + member.blind);
        Set { points, coefficients, blind }
    };
    members.into_iter().map(add).collect()
}

/// `sum · by + term`.
fn scaled_sum<F: Scalar>(mut sum: Vec<F>, by: F, term: &[F]) -> Vec<F> {
    sum.par_iter_mut().zip(term).with_min_len(SLICE).for_each(|(sum, term)| *sum = *sum * by + term);
    sum
}

/// The quotient of a polynomial by X − point, without the remainder.
fn divided<F: Scalar>(mut coefficients: Vec<F>, point: F) -> Vec<F> {
    let mut carried = F::ZERO;
    for coefficient in coefficients.iter_mut().rev() {
        let quotient = carried;
        carried = carried * point + *coefficient;
        *coefficient = quotient;
    }
    coefficients
}

/// Shows that a polynomial, committed to with a blind, has the value that the transcript knows at a point, of which `at`
/// are the powers: the inner-product argument.
///
/// Bases are folded once, after some rounds: until then a round is a multiplication over the bases as they are, which
/// are prepared, and after that over those that are left, with scalars that carry the challenges since.
pub fn open_at<C: PastaCurve, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>>(
    bases: &Bases<C>,
    (polynomial, blind): (Vec<C::ScalarExt>, C::ScalarExt),
    at: Vec<C::ScalarExt>,
    transcript: &mut T,
    rng: &mut impl Rng,
    cancel: &Cancel,
) -> Result<(), ProveError>
where
    C::ScalarExt: Scalar,
{
    let rows = polynomial.len();
    // A random polynomial with a root at the point hides the polynomial.
    let mut mask: Vec<C::ScalarExt> = (0..rows).map(|_| C::ScalarExt::random(&mut *rng)).collect();
    let value = inner_product(&mask, &at);
    mask[0] -= &value;
    let mask_blind = C::ScalarExt::random(&mut *rng);
    write_point::<C, E, T>(transcript, bases.commit_polynomial(&mask, &mask_blind))?;
    let xi = *transcript.squeeze_challenge_scalar::<()>();
    let z = *transcript.squeeze_challenge_scalar::<()>();

    let mut p = scaled_sum(mask, xi, &polynomial);
    let value = inner_product(&p, &at);
    p[0] -= &value;
    let mut b = at;
    let mut synthetic = mask_blind * xi + blind;
    // `folds[t]` is the factor of base i + t·len in folded base i, where len is the number of folded bases.
    let mut folds = vec![C::ScalarExt::ONE];
    let mut folded: Option<Vec<C>> = None;
    while p.len() > 1 {
        cancel.check()?;
        if folds.len() == 1 << ROUNDS_UNFOLDED && folded.is_none() {
            folded = Some(bases.fold(&folds));
            folds = vec![C::ScalarExt::ONE];
        }
        let half = p.len() / 2;
        let (p_low, p_high) = p.split_at(half);
        let (b_low, b_high) = b.split_at(half);
        // Σ scalarᵢ · (folded base first + i) + random·W + value·z·U. Both sides of a round are computed at once.
        let threads = rayon::current_num_threads().div_ceil(2);
        let side = |scalars: &[C::ScalarExt], first: usize, value: C::ScalarExt, random: C::ScalarExt| {
            let of_fold =
                |(t, &fold)| scalars.iter().enumerate().map(move |(i, &x)| (first + i + t * 2 * half, x * fold));
            let terms = folds.iter().enumerate().flat_map(of_fold);
            match &folded {
                None => bases.combine(terms, [random, value * z], threads),
                Some(points) => {
                    let terms: Vec<_> = terms.map(|(i, x)| (x, points[i])).collect();
                    multiexp(&terms) + bases.combine([], [random, value * z], 1)
                }
            }
        };
        let (values, randoms) = (
            [inner_product(p_high, b_low), inner_product(p_low, b_high)],
            [C::ScalarExt::random(&mut *rng), C::ScalarExt::random(&mut *rng)],
        );
        let (left, right) =
            rayon::join(|| side(p_high, 0, values[0], randoms[0]), || side(p_low, half, values[1], randoms[1]));
        write_point::<C, E, T>(transcript, left)?;
        write_point::<C, E, T>(transcript, right)?;
        let u = *transcript.squeeze_challenge_scalar::<()>();
        let inverse = u.invert_vartime().ok_or_else(unlucky)?;
        p = p_low.iter().zip(p_high).map(|(low, high)| *low + *high * inverse).collect();
        b = b_low.iter().zip(b_high).map(|(low, high)| *low + *high * u).collect();
        folds = folds.iter().flat_map(|&fold| [fold, fold * u]).collect();
        synthetic += &(randoms[0] * inverse + randoms[1] * u);
    }
    transcript.write_scalar(p[0]).map_err(plonk::Error::from)?;
    transcript.write_scalar(synthetic).map_err(plonk::Error::from)?;
    Ok(())
}

/// Challenges are zero with probability 2^-254.
fn unlucky() -> ProveError {
    plonk::Error::from(io::Error::other("a challenge is zero")).into()
}
