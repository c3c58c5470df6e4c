//! Constants of a field: multiples of its modulus p, and what Montgomery's reduction takes.

use crate::modulus::{BITS, LIMBS, MASK, Modulus, multiple, negated_inverse};
use std::marker::PhantomData;

/// What is taken from a sum or a difference, by its bits from 2^254 on.
pub(super) struct Multiples<F>(PhantomData<F>);

impl<F: Modulus> Multiples<F> {
    /// For a sum, limb by limb, by q: if (q − 1)·p is taken from x in [q·2^254, (q + 1)·2^254), what remains is not negative and
    /// below 2^255.
    pub const OF_SUM: [[u64; 8]; LIMBS] = Self::multiples(0);
    /// For a difference, which 3p keeps from being negative: the same less 3p.
    pub const OF_DIFFERENCE: [[u64; 8]; LIMBS] = Self::multiples(3);

    /// p.
    pub const P: [u64; LIMBS] = multiple(F::LOW, 1);
    /// 3p.
    pub const P3: [u64; LIMBS] = multiple(F::LOW, 3);
    /// −1/p modulo 2^52.
    pub const INVERSE: u64 = negated_inverse(F::LOW);

    /// (q − 1 − less)·p for q = 1, …; for q = 0 as for 1.
    const fn multiples(less: u64) -> [[u64; 8]; LIMBS] {
        let mut all = [[0; 8]; LIMBS];
        let mut q = 0;
        while q < 8 {
            let factor = if q == 0 { 0 } else { q as u64 - 1 };
            let (plus, minus) = (multiple(F::LOW, factor), multiple(F::LOW, less));
            let mut limb = 0;
            while limb < LIMBS {
                all[limb][q] = plus[limb].wrapping_sub(minus[limb]);
                limb += 1;
            }
            q += 1;
        }
        all
    }

    /// 2^520 modulo p: the product with it stands as elements do here.
    pub const SQUARE: [u64; LIMBS] = Self::power_of_two(520);

    /// 2^e modulo p, by doubling.
    const fn power_of_two(e: u32) -> [u64; LIMBS] {
        let mut x = [1, 0, 0, 0, 0];
        let mut i = 0;
        while i < e {
            let (mut doubled, mut carry, mut limb) = ([0; LIMBS], 0, 0);
            while limb < LIMBS {
                let sum = 2 * x[limb] + carry;
                (doubled[limb], carry) = (sum & MASK, sum >> BITS);
                limb += 1;
            }
            // x < p: 2x − p, if that is not negative.
            let (mut reduced, mut borrow, mut limb) = ([0; LIMBS], 0i64, 0);
            while limb < LIMBS {
                let difference = doubled[limb] as i64 - Self::P[limb] as i64 + borrow;
                (reduced[limb], borrow) = ((difference as u64) & MASK, difference >> BITS);
                limb += 1;
            }
            x = if borrow < 0 { doubled } else { reduced };
            i += 1;
        }
        x
    }
}
