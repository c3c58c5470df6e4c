//! Multi-scalar multiplication over any points.
//!
//! Window by window, the points of each digit are added up by affine additions that share their inversions
//! (`fixed_base::sums`), windows on all threads. About twice as fast as halo2's, which adds projective points.
//! Few terms have few buckets, whose sums are added up once more by the bits of their numbers.
//!
//! The time depends on the scalars, as that of halo2's own multiplication does.

use crate::curve::PastaCurve;
use crate::fixed_base::{Affine, Digits, Form, Sums, sums_of_bits, weighted_sum};
use group::Group;
use rayon::prelude::*;
use simd::One;

/// Fewer terms are multiplied one by one.
const FEW: usize = 4;
/// Fewer terms do not fill a window's sums: several windows share theirs.
const MANY: usize = 1024;
/// Fewer buckets than this are weighed by the bits of their numbers.
const FEW_BUCKETS: u32 = 64;

/// Σ scalarᵢ · pointᵢ. Points at infinity add nothing.
pub fn multiexp<C: PastaCurve>(terms: &[(C::ScalarExt, C)]) -> C::CurveExt {
    if terms.len() < FEW {
        return terms.iter().fold(C::CurveExt::identity(), |sum, (scalar, point)| sum + *point * *scalar);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(machine) = simd::Ifma::detect() {
        return multiply::<C, crate::fixed_base::Packed<C::Base>>(machine, terms);
    }
    multiply::<C, Affine<C::Base>>(One, terms)
}

fn multiply<C: PastaCurve, P: Form<C>>(machine: P::Machine, terms: &[(C::ScalarExt, C)]) -> C::CurveExt {
    let c = window(terms.len());
    let digits = Digits::new(c);
    // Of each window, the digits that are not zero: bucket, then the term, and lowest the sign.
    let mut found: Vec<Vec<(u32, u32)>> = vec![vec![]; digits.windows()];
    let mut points = Vec::with_capacity(terms.len());
    for (scalar, point) in terms.iter().filter(|(_, point)| !bool::from(point.is_identity())) {
        let number = points.len() as u32;
        points.push(*point);
        digits.of(scalar, |window, digit, negative| found[window].push((digit, number << 1 | u32::from(negative))));
    }
    let (points, most) = (P::load(machine, &points), digits.most());
    let of_windows = |found: &mut [Vec<(u32, u32)>]| -> Vec<C::CurveExt> {
        let (mut sums, mut sum_of) = (Sums::<C, P>::default(), vec![]);
        for (window, found) in (0..).zip(found.iter_mut()) {
            found.sort_unstable();
            for bucket in found.chunk_by(|a, b| a.0 == b.0) {
                let point = |&(_, term): &(u32, u32)| points[(term >> 1) as usize].signed(term & 1 == 1);
                sums.add_group(machine, window * (most + 1) + bucket[0].0, bucket.iter().map(point), &mut sum_of);
            }
        }
        sums.finish(machine, &mut sum_of);
        let mut buckets = vec![vec![]; found.len()];
        for (bucket, sum) in sum_of {
            buckets[(bucket / (most + 1)) as usize].push((bucket % (most + 1), sum));
        }
        if most < FEW_BUCKETS {
            return by_bits(machine, &buckets, c, &mut sums);
        }
        buckets.iter().map(|buckets| weighted_sum(machine, buckets, most, &mut sums)).collect()
    };
    let together = if terms.len() < MANY { digits.windows().div_ceil(2 * rayon::current_num_threads()) } else { 1 };
    let windows: Vec<Vec<C::CurveExt>> = found.par_chunks_mut(together).map(of_windows).collect();
    windows
        .into_iter()
        .flatten()
        .rev()
        .fold(C::CurveExt::identity(), |sum, of_window| (0..c).fold(sum, |sum, _| sum.double()) + of_window)
}

/// Σ j · Bⱼ of each window of buckets, j of `bits` bits: of each bit the sum of the buckets that have it, then bit by bit.
fn by_bits<C: PastaCurve, P: Form<C>>(
    machine: P::Machine,
    windows: &[Vec<(u32, P)>],
    bits: u32,
    sums: &mut Sums<C, P>,
) -> Vec<C::CurveExt> {
    let mut members = vec![];
    for buckets in windows {
        let with = |bit: u32| buckets.iter().filter(move |(j, _)| j >> bit & 1 == 1).map(|&(_, sum)| sum).collect();
        members.extend((0..bits).map(with));
    }
    sums_of_bits(machine, members, bits, sums)
}

/// Bits of a window. A window costs an addition for each term, and two for each bucket; where buckets are few, one for each of
/// the bits of each bucket's number, and about three for each bit.
fn window(terms: usize) -> u32 {
    let of_buckets = |c: u32| match 1 << (c - 1) {
        ..FEW_BUCKETS => (c << (c - 2)) + 3 * c,
        FEW_BUCKETS.. => 1 << c,
    };
    let cost = |c: &u32| 256usize.div_ceil(*c as usize) * (terms + of_buckets(*c) as usize);
    (2..=16).min_by_key(cost).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff::{Field, PrimeField};
    use halo2_proofs::arithmetic::best_multiexp;
    use pasta_curves::{EpAffine, EqAffine};
    use proptest::prelude::*;

    fn check<C: PastaCurve>(kinds: &[(u8, u8, u64)]) {
        let scalar = |kind: u8, number: u64| match kind {
            0 => C::ScalarExt::ZERO,
            1 => C::ScalarExt::from(number),
            2 => -C::ScalarExt::from(number),
            3 => C::ScalarExt::TWO_INV - C::ScalarExt::from(number % 3),
            _ => C::ScalarExt::ROOT_OF_UNITY.pow_vartime([number]),
        };
        // Few points, so that they meet themselves and their negatives; the one at infinity among them.
        let point = |kind: u8, number: u64| match kind {
            0 => C::identity(),
            1 => C::from(C::generator() * C::ScalarExt::from(number % 5)),
            2 => C::from(-(C::generator() * C::ScalarExt::from(number % 5))),
            _ => C::from(C::generator() * C::ScalarExt::from(number)),
        };
        let terms: Vec<(C::ScalarExt, C)> = kinds.iter().map(|&(s, p, n)| (scalar(s, n), point(p, n))).collect();
        let (scalars, points): (Vec<_>, Vec<_>) = terms.iter().copied().unzip();
        let expected = if terms.is_empty() { C::CurveExt::identity() } else { best_multiexp(&scalars, &points) };
        assert_eq!(multiexp(&terms), expected);
        assert_eq!(multiply::<C, Affine<C::Base>>(One, &terms), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_that_of_halo2(kinds in prop::collection::vec((0..6u8, 0..5u8, any::<u64>()), 0..120)) {
            check::<EqAffine>(&kinds);
            check::<EpAffine>(&kinds);
        }
    }

    #[test]
    fn windows_suit_the_number_of_terms() {
        assert!(window(4) < window(100) && window(100) < window(5000));
        let many: Vec<_> = (0..3000).map(|i| (4, 4, i)).collect();
        check::<EqAffine>(&many);
    }
}
