//! Signed digits of scalars.

use ff::PrimeField;
use std::cmp::Ordering;
use std::marker::PhantomData;

/// Cuts scalars into digits of `c` bits, from −2^(c−1) to 2^(c−1).
#[derive(Clone, Debug)]
pub(crate) struct Digits<F> {
    c: u32,
    windows: usize,
    /// The field's order, least significant word first.
    order: [u64; 4],
    /// Half of it, rounded down.
    half: [u64; 4],
    field: PhantomData<F>,
}

impl<F: PrimeField> Digits<F> {
    pub fn new(c: u32) -> Self {
        assert!((2..=16).contains(&c), "windows of {c} bits");
        let mut order = words(&-F::ONE);
        // The order is odd.
        order[0] += 1;
        let half = std::array::from_fn(|i| order[i] >> 1 | order.get(i + 1).map_or(0, |next| next << 63));
        // Magnitudes are below half the order: one bit is left for the last carry.
        Digits { c, windows: F::NUM_BITS.div_ceil(c) as usize, order, half, field: PhantomData }
    }

    /// Bits of a digit.
    pub fn bits(&self) -> u32 {
        self.c
    }

    /// Windows of a scalar.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// The largest digit.
    pub fn most(&self) -> u32 {
        1 << (self.c - 1)
    }

    /// The scalar's magnitude, of which it is the negative if so said: at most half the order.
    fn magnitude(&self, scalar: &F) -> ([u64; 4], bool) {
        let words = words(scalar);
        let negative = compare(&words, &self.half) == Ordering::Greater;
        (if negative { subtract(&self.order, &words) } else { words }, negative)
    }

    /// Calls `f` with window, magnitude and sign (whether it is negative) of each digit that is not zero.
    #[inline]
    pub fn of(&self, scalar: &F, mut f: impl FnMut(usize, u32, bool)) {
        if scalar.is_zero_vartime() {
            return;
        }
        let (words, flipped) = self.magnitude(scalar);
        let top =
            words.iter().rposition(|&word| word != 0).map_or(0, |i| 64 * i + (64 - words[i].leading_zeros()) as usize);
        let (c, mut carry, mut window) = (self.c as usize, 0, 0);
        while window * c < top || carry == 1 {
            let (word, shift) = (window * c / 64, window * c % 64);
            let mut bits = words.get(word).map_or(0, |low| low >> shift);
            if shift + c > 64 {
                bits |= words.get(word + 1).map_or(0, |high| high << (64 - shift));
            }
            let digit = (bits as u32 & ((1 << c) - 1)) + carry;
            carry = u32::from(digit > self.most());
            let (magnitude, negative) = if carry == 1 { ((1 << c) - digit, true) } else { (digit, false) };
            if magnitude != 0 {
                f(window, magnitude, negative != flipped);
            }
            window += 1;
        }
    }
}

impl<F: PrimeField> Digits<F> {
    /// Calls `f` with the number of the bit, magnitude and sign of each digit of the scalar's non-adjacent form: digits are
    /// odd and below 2^(width − 1), and `width` bits apart at least.
    pub fn sparse(&self, scalar: &F, width: u32, mut f: impl FnMut(usize, u32, bool)) {
        let (mut words, flipped) = self.magnitude(scalar);
        let (whole, mut bit) = (1u64 << width, 0);
        while words != [0; 4] {
            let zeros = words[0].trailing_zeros().min(63);
            if words[0] & 1 == 0 {
                words = std::array::from_fn(|i| {
                    words[i] >> zeros | words.get(i + 1).map_or(0, |next| next.unbounded_shl(64 - zeros))
                });
                bit += zeros as usize;
                continue;
            }
            let digit = words[0] & (whole - 1);
            let negative = digit > whole / 2;
            // What is left is a multiple of 2^width; at most half the order and 2^width, it fits.
            words[0] -= digit;
            if negative {
                let mut carry = whole;
                for word in &mut words {
                    let (sum, over) = word.overflowing_add(carry);
                    (*word, carry) = (sum, u64::from(over));
                }
            }
            let magnitude = if negative { whole - digit } else { digit };
            f(bit, magnitude as u32, negative != flipped);
        }
    }
}

fn words<F: PrimeField>(x: &F) -> [u64; 4] {
    let repr = x.to_repr();
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(repr.as_ref().as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

fn compare(a: &[u64; 4], b: &[u64; 4]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

fn subtract(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let mut borrow = false;
    std::array::from_fn(|i| {
        let (difference, under) = a[i].overflowing_sub(b[i]);
        let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
        borrow = under || under_again;
        difference
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff::Field;
    use pasta_curves::Fp;
    use proptest::prelude::*;

    /// Windows at whose edges carries run on.
    fn scalars() -> impl Strategy<Value = Fp> {
        let wide = any::<[u64; 4]>()
            .prop_map(|w| w.iter().fold(Fp::ZERO, |x, &word| x * Fp::from(2).pow_vartime([64]) + Fp::from(word)));
        let edge = (0..256u64, -2..3i64).prop_map(|(e, d)| {
            let power = Fp::from(2).pow_vartime([e]);
            if d < 0 { power - Fp::from(d.unsigned_abs()) } else { power + Fp::from(d as u64) }
        });
        let half = (-3..4i64).prop_map(|d| {
            let half = -Fp::TWO_INV;
            if d < 0 { half - Fp::from(d.unsigned_abs()) } else { half + Fp::from(d as u64) }
        });
        prop_oneof![wide, edge.clone(), edge.prop_map(|x| -x), half]
    }

    proptest! {
        #[test]
        fn digits_add_up(x in scalars(), c in 2..=16u32) {
            let digits = Digits::<Fp>::new(c);
            let mut sum = Fp::ZERO;
            let mut last = None;
            digits.of(&x, |window, digit, negative| {
                assert!(window < digits.windows() && last < Some(window));
                assert!((1..=digits.most()).contains(&digit));
                last = Some(window);
                let term = Fp::from(2).pow_vartime([u64::from(c) * window as u64]) * Fp::from(u64::from(digit));
                if negative { sum -= term } else { sum += term }
            });
            prop_assert_eq!(sum, x);
        }
    }

    proptest! {
        #[test]
        fn sparse_digits_add_up(x in scalars(), width in 2..=6u32) {
            let (mut sum, mut next) = (Fp::ZERO, 0);
            Digits::<Fp>::new(13).sparse(&x, width, |bit, digit, negative| {
                assert!(bit >= next && bit < 255 && digit % 2 == 1 && digit < 1 << (width - 1));
                next = bit + width as usize;
                let term = Fp::from(2).pow_vartime([bit as u64]) * Fp::from(u64::from(digit));
                if negative { sum -= term } else { sum += term }
            });
            prop_assert_eq!(sum, x);
        }
    }

    #[test]
    fn small_numbers_have_few_digits() {
        let count = |x: Fp| {
            let mut count = 0;
            Digits::new(13).of(&x, |_, _, _| count += 1);
            count
        };
        assert_eq!(count(Fp::ZERO), 0);
        assert_eq!(count(Fp::from(4096)), 1);
        assert_eq!(count(-Fp::from(4096)), 1);
        assert_eq!(count(Fp::from(4097)), 2);
        assert!(count(Fp::ROOT_OF_UNITY) > 15);
    }
}
