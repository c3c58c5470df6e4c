//! Openings of commitments: many polynomials at a few points each, then the inner-product argument (halo2 book,
//! "Multipoint opening argument" and "Inner product argument"). What is left is a sum of points that must be zero.

use crate::error::VerifyError;
use crate::reader::Reader;
use backend::curve::{F, Msm, Point};
use backend::permutation::{omega, powers};
use ff::Field;
use pasta_curves::arithmetic::VartimeBatchInvert;

/// A commitment, as it stands or as a sum.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Commitment<'c> {
    One(&'c Point),
    Sum(&'c [(F, Point)]),
}

/// A polynomial with its values at x·ω^rotation.
#[derive(Clone, Debug)]
pub(crate) struct Opened<'c> {
    pub commitment: Commitment<'c>,
    /// Rotations and values.
    pub values: Vec<(i32, F)>,
}

/// Polynomials that are opened at the same points, as one.
struct Set<'o> {
    /// As rows of the domain, in order.
    points: Vec<usize>,
    members: Vec<&'o Opened<'o>>,
    /// Values of the one, at each point.
    values: Vec<F>,
}

/// Checks that polynomials have the values that they are opened with, but for the sum that is left in `msm`.
pub(crate) fn verify_openings(
    k: u32,
    opened: &[Opened<'_>],
    x: F,
    reader: &mut Reader<'_>,
    msm: &mut Msm<'_>,
) -> Result<(), VerifyError> {
    let (x_1, x_2) = (reader.challenge(), reader.challenge());
    let sets = sets(k, opened, x_1);
    let joined = reader.point()?;
    let x_3 = reader.challenge();
    let at_x_3 = reader.scalars(sets.len())?;
    let value = joined_value(k, &sets, (x, x_2, x_3), at_x_3)?;

    let x_4 = reader.challenge();
    // The joined quotient comes first, then the sets: Horner's rule, written out.
    let weights: Vec<F> = powers(x_4, sets.len() + 1).into_iter().rev().collect();
    msm.append_term(weights[0], joined);
    let mut all = weights[0] * value;
    for ((set, at), weight) in sets.iter().zip(at_x_3).zip(&weights[1..]) {
        all += *weight * at;
        let of_members = powers(x_1, set.members.len()).into_iter().rev();
        for (member, power) in set.members.iter().zip(of_members) {
            match member.commitment {
                Commitment::One(point) => msm.append_term(*weight * power, *point),
                Commitment::Sum(terms) => {
                    terms.iter().for_each(|(scalar, point)| msm.append_term(*weight * power * scalar, *point));
                }
            }
        }
    }
    verify_opening(k, (x_3, all), reader, msm)
}

/// halo2 orders the sets by the first polynomial of each.
fn sets<'o>(k: u32, opened: &'o [Opened<'o>], x_1: F) -> Vec<Set<'o>> {
    let mut sets: Vec<Set<'o>> = vec![];
    for polynomial in opened {
        let row = |(rotation, value): &(i32, F)| (i64::from(*rotation).rem_euclid(1 << k) as usize, *value);
        let mut values: Vec<(usize, F)> = polynomial.values.iter().map(row).collect();
        values.sort_unstable_by_key(|&(row, _)| row);
        let (points, values): (Vec<usize>, Vec<F>) = values.into_iter().unzip();
        match sets.iter_mut().find(|set| set.points == points) {
            Some(set) => {
                set.members.push(polynomial);
                set.values.iter_mut().zip(values).for_each(|(sum, value)| *sum = *sum * x_1 + value);
            }
            None => sets.push(Set { points, members: vec![polynomial], values }),
        }
    }
    sets
}

/// The value at x₃ of Σ x₂ⁱ·(qᵢ − rᵢ)/∏(X − p), where rᵢ has the values of set i at its points p, and qᵢ(x₃) is given.
fn joined_value(k: u32, sets: &[Set<'_>], (x, x_2, x_3): (F, F, F), at_x_3: &[F]) -> Result<F, VerifyError> {
    let omega = omega::<F>(k);
    // Of each set, ∏(x₃ − p), then for each point p what its value is divided by: (x₃ − p)·∏(p − other p).
    let mut divisors = vec![];
    for set in sets {
        let points: Vec<F> = set.points.iter().map(|&row| x * omega.pow_vartime([row as u64])).collect();
        divisors.push(points.iter().map(|p| x_3 - p).product::<F>());
        for (i, p) in points.iter().enumerate() {
            let others = points.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| *p - other);
            divisors.push((x_3 - p) * others.product::<F>());
        }
    }
    if divisors.iter().any(|divisor| divisor.is_zero_vartime()) {
        return Err(VerifyError::Unlucky);
    }
    divisors.iter_mut().batch_invert_vartime();
    let mut inverses = divisors.iter();
    let mut next = || inverses.next().copied().unwrap_or(F::ZERO);
    let quotient = |(set, at): (&Set<'_>, &F)| {
        let of_one = *at * next();
        set.values.iter().fold(of_one, |quotient, value| quotient - *value * next())
    };
    Ok(sets.iter().zip(at_x_3).map(quotient).fold(F::ZERO, |sum, quotient| sum * x_2 + quotient))
}

/// Checks that the polynomial committed to in `msm` has a value at a point, but for the sum that is left in `msm`.
pub(crate) fn verify_opening(
    k: u32,
    (x, value): (F, F),
    reader: &mut Reader<'_>,
    msm: &mut Msm<'_>,
) -> Result<(), VerifyError> {
    let mask = reader.point()?;
    let xi = reader.challenge();
    msm.append_term(xi, mask);
    let z = reader.challenge();
    let (mut rounds, mut us) = (vec![], vec![]);
    for _ in 0..k {
        rounds.push((reader.point()?, reader.point()?));
        us.push(reader.challenge());
    }
    if us.iter().any(|u| u.is_zero_vartime()) {
        return Err(VerifyError::Unlucky);
    }
    let mut inverses = us.clone();
    inverses.iter_mut().batch_invert_vartime();
    for (((left, right), u), inverse) in rounds.into_iter().zip(&us).zip(&inverses) {
        msm.append_term(*inverse, left);
        msm.append_term(*u, right);
    }
    let (c, f) = (reader.scalar()?, reader.scalar()?);
    // Both vectors folded by the rounds: the powers of x to a number, the bases to Σ sᵢ·Gᵢ.
    let (mut b, mut power) = (F::ONE, x);
    for u in us.iter().rev() {
        b *= F::ONE + *u * power;
        power = power.square();
    }
    let mut s = vec![-c];
    for u in us.iter().rev() {
        let high: Vec<F> = s.iter().map(|s| *s * u).collect();
        s.extend(high);
    }
    s[0] -= &value;
    msm.add_to_coefficients(&s);
    msm.add_to_u_scalar(-c * b * z);
    msm.add_to_w_scalar(-f);
    Ok(())
}
