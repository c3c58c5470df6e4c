//! Moduli in limbs of 52 bits.

use ff::{FromUniformBytes, PrimeField};
use pasta_curves::{Fp, Fq};

/// Bits of a limb.
pub(crate) const BITS: u32 = 52;
/// A limb's bits.
pub(crate) const MASK: u64 = (1 << BITS) - 1;
/// Limbs of an element.
pub(crate) const LIMBS: usize = 5;

/// A field of the Pasta cycle, encoded in 32 bytes, least significant first: its modulus is 2^254 and something below 2^126.
pub trait Modulus: PrimeField<Repr = [u8; 32]> + FromUniformBytes<64> {
    /// What the modulus is beside 2^254.
    const LOW: u128;
}

impl Modulus for Fp {
    const LOW: u128 = 0x2246_98fc_094c_f91b_992d_30ed_0000_0001;
}

impl Modulus for Fq {
    const LOW: u128 = 0x2246_98fc_0994_a8dd_8c46_eb21_0000_0001;
}

/// `factor · modulus`.
pub(crate) const fn multiple(low: u128, factor: u64) -> [u64; LIMBS] {
    // Bits of `low` from the third limb on, so that no product is too large.
    let (first, rest) = (low as u64 & MASK, low >> BITS);
    let (second, third) = (rest as u64 & MASK, (rest >> BITS) as u64);
    let (f, mask) = (factor as u128, MASK as u128);
    let t0 = first as u128 * f;
    let t1 = second as u128 * f + (t0 >> BITS);
    let t2 = third as u128 * f + (t1 >> BITS);
    let t3 = t2 >> BITS;
    [(t0 & mask) as u64, (t1 & mask) as u64, (t2 & mask) as u64, t3 as u64, factor << (254 - 4 * BITS)]
}

/// −1/modulus mod 2^52.
pub(crate) const fn negated_inverse(low: u128) -> u64 {
    let p = low as u64;
    // Newton's iteration doubles the bits that are right; one is, as p is odd.
    let (mut inverse, mut i) = (1u64, 0);
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg() & MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<F: Modulus>() {
        // −1 is the modulus less one.
        let repr = (-F::ONE).to_repr();
        let low = u128::from_le_bytes(*repr.first_chunk().unwrap()) + 1;
        let high = u128::from_le_bytes(*repr.last_chunk().unwrap());
        assert_eq!((low, high), (F::LOW, 1 << 126));
        assert_eq!((F::LOW as u64).wrapping_mul(negated_inverse(F::LOW)) & MASK, MASK);
        let of = |factor| {
            multiple(F::LOW, factor).iter().rev().fold(F::ZERO, |sum, limb| sum * F::from(1 << BITS) + F::from(*limb))
        };
        for factor in 0..8 {
            assert_eq!(of(factor), F::ZERO);
            assert!(multiple(F::LOW, factor)[..3].iter().all(|limb| *limb <= MASK));
        }
    }

    #[test]
    fn moduli_are_those_of_the_fields() {
        check::<Fp>();
        check::<Fq>();
    }
}
