//! Bases folded by factors that all of them share: what an inner-product argument goes on with after some rounds.

use super::{FixedBases, Form, Sums, sums_of_bits};
use crate::curve::{PastaCurve, affine};
use rayon::prelude::*;

/// Bits that digits of factors are apart at least: those in use are 1, 3, 5 and 7.
const WIDTH: u32 = 4;
/// Bits of the largest digit.
const DIGIT_BITS: u32 = WIDTH - 1;
/// Bases that are folded at a time.
const CHUNK: usize = 16;

/// One digit of one factor.
struct Digit {
    /// Bit within the window.
    bit: u32,
    magnitude: u32,
    /// Place of the multiple of folded base 0.
    place: usize,
    negative: bool,
}

impl<C: PastaCurve, P: Form<C>> FixedBases<C, P> {
    /// `Σ_t factors[t] · base(i + t·len)` for each i below `len`, which is the first `of` bases over the factors.
    ///
    /// All folded bases have the same digits: those of one bit and magnitude are added up, then those of one bit, and bits
    /// are doubled within a window alone, as the windows' multiples are at hand.
    ///
    /// # Panics
    /// If there are no factors, or fewer bases.
    pub fn fold(&self, of: usize, factors: &[C::ScalarExt]) -> Vec<C> {
        assert!(of <= self.len, "there are {} bases, not {of}", self.len);
        let len = of / factors.len();
        let c = self.digits.bits() as usize;
        let mut digits = vec![];
        for (t, factor) in factors.iter().enumerate() {
            self.digits.sparse(factor, WIDTH, |bit, magnitude, negative| {
                let place = bit / c * self.len + t * len;
                digits.push(Digit { bit: (bit % c) as u32, magnitude, place, negative });
            });
        }
        digits.sort_unstable_by_key(|digit| (digit.bit, digit.magnitude));
        let groups: Vec<&[Digit]> = digits.chunk_by(|a, b| (a.bit, a.magnitude) == (b.bit, b.magnitude)).collect();
        let firsts: Vec<usize> = (0..len).step_by(CHUNK).collect();
        let of_chunk = |&first: &usize| self.fold_some(first..len.min(first + CHUNK), &groups);
        let folded: Vec<Vec<C>> = firsts.par_iter().map(of_chunk).collect();
        folded.concat()
    }

    fn fold_some(&self, bases: std::ops::Range<usize>, groups: &[&[Digit]]) -> Vec<C> {
        let bits = self.digits.bits() + DIGIT_BITS;
        let (mut sums, mut by_group) = (Sums::<C, P>::default(), vec![]);
        for (number, base) in bases.clone().enumerate() {
            for (group, digits) in groups.iter().enumerate() {
                let points = digits.iter().map(|digit| self.multiples[digit.place + base].signed(digit.negative));
                sums.add_group(self.machine, (number * groups.len() + group) as u32, points, &mut by_group);
            }
        }
        sums.finish(self.machine, &mut by_group);
        let mut members: Vec<Vec<P>> = vec![vec![]; bases.len() * bits as usize];
        for (place, sum) in by_group {
            let (number, digits) = (place as usize / groups.len(), groups[place as usize % groups.len()]);
            let Digit { bit, magnitude, .. } = digits[0];
            for shift in (0..DIGIT_BITS).filter(|shift| magnitude >> shift & 1 == 1) {
                members[number * bits as usize + (bit + shift) as usize].push(sum);
            }
        }
        affine(&sums_of_bits(self.machine, members, bits, &mut sums))
    }
}
