//! Intervals of integers, exact. A field element stands for the integer nearest to zero that is congruent to it; while
//! two integers stay within ±p/2, they are equal if they are equal modulo p.

use super::{Expr, Field, field};
use ethnum::{I256, U256};
use std::fmt;

/// `(p − 1)/2`: the largest integer that a field element stands for.
pub(super) fn half<F: Field>() -> U256 {
    U256::from_le_bytes((-F::ONE).to_repr()) >> 1
}

/// The integer that a field element stands for: the one nearest to zero.
pub fn integer<F: Field>(x: F) -> I256 {
    let (up, down) = (U256::from_le_bytes(x.to_repr()), U256::from_le_bytes((-x).to_repr()));
    if up <= down { up.as_i256() } else { -down.as_i256() }
}

/// Number of bits of a magnitude.
pub(super) fn bits(x: U256) -> u32 {
    U256::BITS - x.leading_zeros()
}

/// The least e such that a magnitude is at most 2^e.
pub(super) fn exponent(x: U256) -> u32 {
    bits(x.saturating_sub(U256::ONE))
}

/// The integers from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    low: I256,
    high: I256,
}

impl Interval {
    /// Zero alone.
    pub const ZERO: Self = Interval { low: I256::ZERO, high: I256::ZERO };

    /// From `low` to `high`.
    pub fn new(low: i128, high: i128) -> Self {
        debug_assert!(low <= high, "an interval has an element");
        Interval { low: low.into(), high: high.into() }
    }

    /// `|x| ≤ bound`.
    pub fn within(bound: u128) -> Self {
        let high = U256::from(bound).as_i256();
        Interval { low: -high, high }
    }

    /// Signed integers of so many bits, at most 127.
    pub fn signed(bits: u32) -> Self {
        Interval::new(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    }

    /// Unsigned integers of so many bits, at most 126.
    pub fn unsigned(bits: u32) -> Self {
        Interval::new(0, (1 << bits) - 1)
    }

    pub(super) fn of<F: Field>(x: F) -> Self {
        let x = integer(x);
        Interval { low: x, high: x }
    }

    /// The smallest interval around both.
    pub fn hull(self, other: Self) -> Self {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Whether all of `other` lies within.
    pub fn contains(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// Whether the integer that a field element stands for lies within.
    pub fn holds<F: Field>(self, x: F) -> bool {
        self.contains(Interval::of(x))
    }

    pub(super) fn to_le_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.low.to_le_bytes());
        bytes[32..].copy_from_slice(&self.high.to_le_bytes());
        bytes
    }

    /// The multiple by a constant. Of one value it is exact, also where it is half of an even one.
    pub(super) fn scaled<F: Field>(self, by: F) -> Option<Self> {
        if self.low == self.high
            && let Ok(value) = i128::try_from(self.low)
        {
            return Some(Interval::of(field::<F>(value) * by));
        }
        self.times(Interval::of(by))
    }

    pub(super) fn magnitude(self) -> U256 {
        self.low.unsigned_abs().max(self.high.unsigned_abs())
    }

    /// All sums; none if one has more than 255 bits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(Interval { low: self.low.checked_add(other.low)?, high: self.high.checked_add(other.high)? })
    }

    /// All products; none if one has more than 255 bits.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        if other.low == other.high {
            let (a, b) = (self.low.checked_mul(other.low)?, self.high.checked_mul(other.low)?);
            return Some(Interval { low: a.min(b), high: a.max(b) });
        }
        let ends = [(self.low, other.low), (self.low, other.high), (self.high, other.low), (self.high, other.high)];
        let mut products = [I256::ZERO; 4];
        for (product, (a, b)) in products.iter_mut().zip(ends) {
            *product = a.checked_mul(b)?;
        }
        let [a, b, c, d] = products;
        Some(Interval { low: a.min(b).min(c).min(d), high: a.max(b).max(c).max(d) })
    }

    /// Around `self` and all of its sums with 1 to `most` elements of `term`.
    pub(super) fn accumulated(self, term: Self, most: usize) -> Option<Self> {
        let all = term.times(Interval::new(1, most.max(1) as i128))?;
        Some(self.hull(self.plus(all)?))
    }
}

/// The least power of two that no magnitude exceeds.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.low < 0 { "±" } else { "" };
        write!(f, "{sign}2^{}", exponent(self.magnitude()))
    }
}

impl<F: Field, C: Copy> Expr<F, C> {
    /// Where the value lies, given where the cells' lie; none if nothing is known of a cell, or if 255 bits do not hold it.
    pub(super) fn interval(&self, cell: &impl Fn(C, i32) -> Option<Interval>) -> Option<Interval> {
        match self {
            Expr::Const(c) => Some(Interval::of(*c)),
            Expr::Cell(c, rotation) => cell(*c, *rotation),
            Expr::Add(a, b) => a.interval(cell)?.plus(b.interval(cell)?),
            Expr::Mul(a, b) => a.interval(cell)?.times(b.interval(cell)?),
            Expr::Scale(a, c) => a.interval(cell)?.scaled(*c),
            Expr::Within(a, interval) => {
                let mut are_known = true;
                a.cells(&mut |column, rotation| are_known &= cell(column, rotation).is_some());
                are_known.then_some(*interval)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field;
    use ff::{Field as _, PrimeField};
    use pasta_curves::Fp as F;
    use proptest::prelude::*;

    #[test]
    fn a_field_element_stands_for_the_integer_nearest_to_zero() {
        for x in [0, 1, -1, i128::MAX, i128::MIN + 1] {
            assert_eq!(integer::<F>(field(x)), I256::from(x));
        }
        // p = 2·half::<F>() + 1: the two ends are neighbours.
        let middle = F::from_repr(half::<F>().to_le_bytes()).unwrap();
        assert_eq!(middle.double() + F::ONE, F::ZERO);
        assert_eq!(integer(middle), half::<F>().as_i256());
        assert_eq!(integer(middle + F::ONE), -half::<F>().as_i256());
    }

    #[test]
    fn what_255_bits_do_not_hold_is_no_interval() {
        let large = Interval::within(u128::MAX);
        let larger = large.times(Interval::within(1 << 126)).unwrap();
        assert_eq!(larger.to_string(), "±2^254");
        assert_eq!(larger.times(Interval::new(0, 4)), None);
        assert_eq!(larger.plus(larger).and_then(|x| x.plus(larger)), None);
        assert_eq!([Interval::signed(24), Interval::unsigned(12)].map(|x| x.to_string()), ["±2^23", "2^12"]);
    }

    fn arb_interval() -> impl Strategy<Value = (i128, i128, i128)> {
        (-(1i128 << 50)..1 << 50, 0i128..1 << 50, 0i128..1 << 50)
            .prop_map(|(low, a, b)| (low, low + a.min(b), low + a.max(b)))
    }

    proptest! {
        /// Expressions of elements of intervals lie within the expression's interval.
        #[test]
        fn an_expression_stays_within_its_interval((al, a, ah) in arb_interval(), (bl, b, bh) in arb_interval(), n in 1usize..9) {
            let poly = |x: Expr<F, bool>, y: Expr<F, bool>| x.clone() * y.clone() - y.times(3) + x.square() + Expr::int(7);
            let poly = poly(Expr::Cell(false, 0), Expr::Cell(true, 0));
            let found = poly.eval(&|c, _| field(if c { b } else { a }));
            let interval = poly.interval(&|c, _| Some(if c { Interval::new(bl, bh) } else { Interval::new(al, ah) }));
            prop_assert!(interval.unwrap().holds(found));
            let sum = Interval::new(al, ah).accumulated(Interval::new(bl, bh), 9).unwrap();
            prop_assert!(sum.holds::<F>(field(a + b * n as i128)) && sum.holds::<F>(field(a)));
        }
    }
}
