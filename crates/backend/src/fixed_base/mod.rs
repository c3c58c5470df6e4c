//! Multi-scalar multiplication over bases that are known beforehand.
//!
//! Of each base P the points 2^(c·w)·P are kept, w = 0, 1, …, so that the windows of all scalars share one set of buckets
//! (Brickell, Gordon, McCurley and Wilson 1992). Digits are signed, which halves the buckets; a scalar above p/2 counts as
//! the negative of its negative, so that small negative numbers are small. Buckets are summed by affine additions
//! that share their inversions (`sums`).
//!
//! The time depends on the scalars, as that of halo2's own multiplication does.

mod affine;
mod digits;
mod fold;
#[cfg(target_arch = "x86_64")]
mod packed;
mod sums;

use crate::curve::{PastaCurve, affine};
use crate::generators::{self, NoPoints};
pub(crate) use affine::Affine;
pub(crate) use digits::Digits;
use group::Group;
#[cfg(target_arch = "x86_64")]
pub(crate) use packed::Packed;
use rayon::prelude::*;
pub(crate) use sums::{Form, Sums};

/// Terms that are not worth a part of their own.
const LEAST: usize = 128;

/// Bases and their multiples, in the form in which they are added up.
#[derive(Clone, Debug)]
pub(crate) struct FixedBases<C: PastaCurve, P: Form<C>> {
    machine: P::Machine,
    len: usize,
    digits: Digits<C::ScalarExt>,
    /// 2^(c·w) times base i stands at w · len + i.
    multiples: Vec<P>,
}

/// What a multiplication needs beside its inputs: kept, so that it is allocated once for many.
#[derive(Debug)]
pub(crate) struct Scratch<C: PastaCurve, P: Form<C>> {
    /// Bucket, then base and window, and lowest the sign.
    found: Vec<(u32, u32)>,
    /// First place of each bucket in `sorted`.
    starts: Vec<u32>,
    sorted: Vec<u32>,
    sums: Sums<C, P>,
    /// Sum of each bucket that has one.
    buckets: Vec<(u32, P)>,
}

impl<C: PastaCurve, P: Form<C>> Default for Scratch<C, P> {
    fn default() -> Self {
        Scratch { found: vec![], starts: vec![], sorted: vec![], sums: Sums::default(), buckets: vec![] }
    }
}

impl<C: PastaCurve, P: Form<C>> FixedBases<C, P> {
    /// Prepares bases, of which none is the point at infinity, for windows of `c` bits (2 to 16). It takes
    /// `64 · ⌈255/c⌉` bytes and 255 doublings for each.
    ///
    /// # Panics
    /// If a base is the point at infinity, `c` is out of range, or there are 2^24 bases or more.
    pub fn new(machine: P::Machine, bases: &[C], c: u32) -> Self {
        let (len, digits) = (bases.len(), Digits::<C::ScalarExt>::new(c));
        assert!(bases.iter().all(|base| !bool::from(base.is_identity())), "no base is the point at infinity");
        let multiples_of = |base: &C| -> Vec<C::CurveExt> {
            let mut multiples = vec![base.to_curve()];
            for _ in 1..digits.windows() {
                let last = multiples[multiples.len() - 1];
                multiples.push((0..c).fold(last, |point, _| point.double()));
            }
            multiples
        };
        let of_chunk =
            |bases: &[C]| -> Vec<C> { affine(&bases.iter().flat_map(multiples_of).collect::<Vec<C::CurveExt>>()) };
        let by_base: Vec<C> = bases.par_chunks(64).flat_map_iter(of_chunk).collect();
        let at = |(i, w): (usize, usize)| by_base[i * digits.windows() + w];
        let multiples: Vec<C> = (0..digits.windows()).flat_map(|w| (0..len).map(move |i| (i, w))).map(at).collect();
        Self::of_multiples(machine, len, c, &multiples)
    }

    fn of_multiples(machine: P::Machine, len: usize, c: u32, multiples: &[C]) -> Self {
        assert!(len < 1 << 24, "so many bases have no index");
        let multiples = multiples.par_chunks(1024).flat_map_iter(|points| P::load(machine, points)).collect();
        FixedBases { machine, len, digits: Digits::new(c), multiples }
    }

    /// Length of [`FixedBases::coordinates`] of so many bases and windows of `c` bits.
    pub fn encoded_length(bases: usize, c: u32) -> usize {
        64 * bases * Digits::<C::ScalarExt>::new(c).windows()
    }

    /// Both coordinates of the multiples.
    pub fn coordinates(&self) -> Vec<u8> {
        P::points(self.machine, &self.multiples).iter().flat_map(generators::coordinates).collect()
    }

    /// From what [`FixedBases::coordinates`] gives: points on the curve, at least.
    pub fn from_coordinates(machine: P::Machine, bases: usize, c: u32, bytes: &[u8]) -> Result<Self, NoPoints> {
        let (points, rest) = bytes.as_chunks::<64>();
        if bytes.len() != Self::encoded_length(bases, c) || !rest.is_empty() {
            return Err(NoPoints);
        }
        let point = |bytes: &[u8; 64]| generators::point::<C>(bytes).filter(|point| !bool::from(point.is_identity()));
        let multiples: Option<Vec<C>> = points.par_iter().with_min_len(1024).map(point).collect();
        Ok(Self::of_multiples(machine, bases, c, &multiples.ok_or(NoPoints)?))
    }

    /// Σ scalarᵢ · baseᵢ over pairs of a base's index and a scalar, on this thread.
    ///
    /// # Panics
    /// If there is no such base.
    pub fn multiply<'s>(
        &self,
        terms: impl IntoIterator<Item = (usize, &'s C::ScalarExt)>,
        scratch: &mut Scratch<C, P>,
    ) -> C::CurveExt {
        let Scratch { found, starts, sorted, sums, buckets } = scratch;
        let most = self.digits.most() as usize;
        found.clear();
        starts.clear();
        starts.resize(most + 2, 0);
        for (index, scalar) in terms {
            assert!(index < self.len, "no base {index}");
            self.digits.of(scalar, |window, digit, negative| {
                let multiple = window * self.len + index;
                found.push((digit, (multiple as u32) << 1 | u32::from(negative)));
                starts[digit as usize + 1] += 1;
            });
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        // Now `starts[d]` is where bucket d begins; placing moves it to where the next one begins.
        sorted.resize(found.len(), 0);
        for &(bucket, multiple) in found.iter() {
            let place = &mut starts[bucket as usize];
            sorted[*place as usize] = multiple;
            *place += 1;
        }
        buckets.clear();
        let mut begin = 0;
        for (bucket, &end) in (0..).zip(&starts[..=most]).skip(1) {
            let end = end as usize;
            if begin < end {
                let point = |&multiple: &u32| self.multiples[(multiple >> 1) as usize].signed(multiple & 1 == 1);
                sums.add_group(self.machine, bucket, sorted[begin..end].iter().map(point), buckets);
            }
            begin = end;
        }
        sums.finish(self.machine, buckets);
        weighted_sum(self.machine, buckets, most as u32, sums)
    }

    /// The same in some parts, side by side.
    ///
    /// # Panics
    /// If there is no such base.
    pub fn multiply_in_parts(&self, terms: &[(usize, C::ScalarExt)], parts: usize) -> C::CurveExt {
        let of_part = |part: &[(usize, C::ScalarExt)]| {
            self.multiply(part.iter().map(|(index, scalar)| (*index, scalar)), &mut Scratch::default())
        };
        let size = terms.len().div_ceil(parts).max(LEAST);
        terms.par_chunks(size).map(of_part).reduce(C::CurveExt::identity, |a, b| a + b)
    }
}

/// Σ j · Bⱼ: with j = h·2^l + r, this is Σ r · (sum of all Bⱼ of this r) + 2^l · Σ h · (sum of all Bⱼ of this h), which
/// takes two additions for each bucket that is in use, and few that share no inversion.
pub(crate) fn weighted_sum<C: PastaCurve, P: Form<C>>(
    machine: P::Machine,
    buckets: &[(u32, P)],
    most: u32,
    sums: &mut Sums<C, P>,
) -> C::CurveExt {
    let low_bits = most.ilog2() / 2;
    let low = (1u32 << low_bits) - 1;
    let mut total = C::CurveExt::identity();
    for high in [true, false] {
        // Counting sort once more, by the part of the number that matters.
        let part = |bucket: u32| if high { bucket >> low_bits } else { bucket & low };
        let count = if high { (most >> low_bits) + 1 } else { low + 1 };
        let mut members = vec![vec![]; count as usize];
        buckets.iter().for_each(|&(bucket, point)| members[part(bucket) as usize].push(point));
        let mut parts = vec![];
        for (number, members) in members.into_iter().enumerate().skip(1).filter(|(_, members)| !members.is_empty()) {
            sums.add_group(machine, number as u32, members.into_iter(), &mut parts);
        }
        sums.finish(machine, &mut parts);
        let of_part = by_number(machine, &parts, count as usize);
        let (mut running, mut weighted) = (C::CurveExt::identity(), C::CurveExt::identity());
        for point in of_part.into_iter().skip(1).rev() {
            if let Some(point) = point {
                running += point;
            }
            weighted += running;
        }
        if high {
            weighted = (0..low_bits).fold(weighted, |point, _| point.double());
        }
        total += weighted;
    }
    total
}

/// Σ 2^i · Sᵢ over each `bits` groups in turn, Sᵢ being the sum of a group's members.
pub(crate) fn sums_of_bits<C: PastaCurve, P: Form<C>>(
    machine: P::Machine,
    groups: Vec<Vec<P>>,
    bits: u32,
    sums: &mut Sums<C, P>,
) -> Vec<C::CurveExt> {
    let (mut of_group, count) = (vec![], groups.len());
    for (number, members) in groups.into_iter().enumerate().filter(|(_, members)| !members.is_empty()) {
        sums.add_group(machine, number as u32, members.into_iter(), &mut of_group);
    }
    sums.finish(machine, &mut of_group);
    let horner = |of_bits: &[Option<C>]| {
        of_bits.iter().rev().fold(C::CurveExt::identity(), |sum, bit| {
            let doubled = sum.double();
            bit.map_or(doubled, |bit| doubled + bit)
        })
    };
    by_number(machine, &of_group, count).chunks(bits as usize).map(horner).collect()
}

/// Sums by the numbers of their groups.
fn by_number<C: PastaCurve, P: Form<C>>(machine: P::Machine, sums: &[(u32, P)], count: usize) -> Vec<Option<C>> {
    let points: Vec<P> = sums.iter().map(|&(_, sum)| sum).collect();
    let mut numbered = vec![None; count];
    for (&(number, _), point) in sums.iter().zip(P::points(machine, &points)) {
        numbered[number as usize] = Some(point);
    }
    numbered
}

#[cfg(test)]
mod tests;
