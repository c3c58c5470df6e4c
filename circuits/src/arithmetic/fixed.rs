//! Fixed-point formats and the only rounding rule.
//!
//! A value of `frac` f stands for `integer / 2^f`. See `docs/arithmetic.md`, "Rules".

use std::{fmt, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// Frac bits of weights, activations, attention probabilities, `cos` and `sin`.
pub const FRAC: u32 = 12;
/// Frac bits of gradients that are not of a weight, of the loss, of scores and of `inv`.
pub const GRAD_FRAC: u32 = 24;
/// Frac bits of a weight's gradient, of a weight together with its low part, and of its momentum.
pub const STATE_FRAC: u32 = 36;
/// Bits of the low part `lo` of a weight, unsigned: `W36 = w·2^24 + lo`.
pub const LOW_BITS: u32 = 24;
/// Bits of a weight together with its low part, the sign included.
pub const STATE_BITS: u32 = Class::Weight.bits() + LOW_BITS;
/// Bits of a momentum, the sign included: it is the difference of two weights.
pub const MOMENTUM_BITS: u32 = STATE_BITS + 1;

/// A weight with its low part, frac 36: `W36`.
pub const fn whole(w: i64, lo: i64) -> i64 {
    (w << LOW_BITS) + lo
}

/// The weight and the low part of `W36`.
pub const fn split(whole: i64) -> (i64, i64) {
    (whole >> LOW_BITS, whole & ((1 << LOW_BITS) - 1))
}

/// A signed, saturating class of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// Weight in use, frac 12, 17 bits (±16).
    Weight,
    /// Residual stream, frac 12, 36 bits.
    Residual,
    /// `n`, `h`, `q`, `k`, `v`, `O`, `u`, `s`: frac 12, 24 bits.
    Feature,
    /// Gate after its clamp, frac 12, 18 bits (±32).
    Gate,
    /// Gradient of an activation, frac 24, 36 bits.
    Gradient,
    /// Mean gradient of a weight as AdamW takes it.
    MeanGradient,
}

impl Class {
    /// Every class, in the order of [`Saturations`].
    pub const ALL: [Class; 6] =
        [Class::Weight, Class::Residual, Class::Feature, Class::Gate, Class::Gradient, Class::MeanGradient];

    /// Bits of the class, the sign included.
    pub const fn bits(self) -> u32 {
        match self {
            Class::Weight => 17,
            Class::Residual | Class::Gradient => 36,
            Class::Feature => 24,
            Class::Gate => 18,
            Class::MeanGradient => 35,
        }
    }

    /// Frac bits of the class.
    pub const fn frac(self) -> u32 {
        match self {
            Class::Weight | Class::Residual | Class::Feature | Class::Gate => FRAC,
            Class::Gradient => GRAD_FRAC,
            Class::MeanGradient => 30,
        }
    }

    /// Smallest value of the class.
    pub const fn min(self) -> i64 {
        -(1 << (self.bits() - 1))
    }

    /// Largest value of the class.
    pub const fn max(self) -> i64 {
        (1 << (self.bits() - 1)) - 1
    }

    /// Whether `x` is a value of the class.
    pub const fn contains(self, x: i64) -> bool {
        x >= self.min() && x <= self.max()
    }

    /// A stable lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Weight => "weight",
            Class::Residual => "residual",
            Class::Feature => "feature",
            Class::Gate => "gate",
            Class::Gradient => "gradient",
            Class::MeanGradient => "mean gradient",
        }
    }
}

/// How many elements of each class were clipped. Clipping is part of the arithmetic; the count only tells that it
/// happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saturations([u64; Class::ALL.len()]);

impl Saturations {
    /// Clipped elements of one class.
    pub fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// Clipped elements of all classes.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts `n` clipped elements of `class`.
    pub fn add(&mut self, class: Class, n: u64) {
        self.0[class as usize] += n;
    }
}

impl AddAssign for Saturations {
    fn add_assign(&mut self, other: Self) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a += b;
        }
    }
}

impl fmt::Display for Saturations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for class in Class::ALL.into_iter().filter(|&c| self.of(c) > 0) {
            write!(f, "{separator}{} {}", class.name(), self.of(class))?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// `floor(x / d)` for `d > 0`.
///
/// # Panics
/// If `d ≤ 0`: divisors are positive by construction.
pub const fn div_floor(x: i128, d: i128) -> i128 {
    assert!(d > 0, "div_floor: the divisor is positive");
    x.div_euclid(d)
}

/// `floor(x / d + 1/2)`: the nearest integer, halves up.
pub const fn div_round(x: i128, d: i128) -> i128 {
    div_floor(2 * x + d, 2 * d)
}

/// `floor((x + 2^(shift−1)) / 2^shift)`, for `1 ≤ shift ≤ 126` and every `x`: no intermediate overflows.
#[inline]
pub const fn shift_round(x: i128, shift: u32) -> i128 {
    ((x >> (shift - 1)) + 1) >> 1
}

/// A value after [`rescale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescaled {
    /// The clamped value.
    pub value: i64,
    /// Whether the clamp changed it.
    pub saturated: bool,
}

/// Rounds away `shift` bits (`1 ≤ shift ≤ 126`) and clamps to `bits` signed bits (`1 ≤ bits ≤ 64`).
#[inline]
pub const fn rescale(x: i128, shift: u32, bits: u32) -> Rescaled {
    let rounded = shift_round(x, shift);
    let max = (1i128 << (bits - 1)) - 1;
    let value = if rounded > max {
        max
    } else if rounded < !max {
        !max
    } else {
        rounded
    };
    Rescaled { value: value as i64, saturated: value != rounded }
}

/// [`rescale`] into a class; counts a clipped element.
#[inline]
pub fn rescale_to(x: i128, shift: u32, class: Class, saturations: &mut Saturations) -> i64 {
    let r = rescale(x, shift, class.bits());
    saturations.add(class, u64::from(r.saturated));
    r.value
}

/// `isqrt(floor(d·2^72 / square))`: the largest `inv` with `inv²·square ≤ d·2^72`; frac 24.
///
/// # Panics
/// If `square = 0` (excluded by `eps24 ≥ 1`).
pub const fn inverse_root(d: usize, square: u128) -> i64 {
    (((d as u128) << 72) / square).isqrt() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn div_floor_is_the_unique_quotient(x in any::<i128>(), d in 1i128..=i128::MAX) {
            let q = div_floor(x, d);
            let r = x.wrapping_sub(q.wrapping_mul(d));
            prop_assert!((0..d).contains(&r));
        }

        #[test]
        fn shift_round_is_the_rounding_rule(x in -(1i128 << 120)..(1i128 << 120), s in 1u32..100) {
            prop_assert_eq!(shift_round(x, s), div_floor(x + (1 << (s - 1)), 1 << s));
            prop_assert_eq!(shift_round(x, s), div_round(x, 1 << s));
        }

        #[test]
        fn rescale_is_total(x in any::<i128>(), s in 1u32..=126, bits in 2u32..=63) {
            let r = rescale(x, s, bits);
            let max = (1i64 << (bits - 1)) - 1;
            prop_assert!((!max..=max).contains(&r.value));
            prop_assert_eq!(r.saturated, shift_round(x, s) != i128::from(r.value));
        }

        #[test]
        fn odd_divisors_round_the_same(x in -(1i128 << 100)..(1i128 << 100), d in 1i128..(1 << 40)) {
            prop_assert_eq!(div_round(x, d), div_floor(x + d / 2, d));
        }

        #[test]
        fn inverse_root_is_the_largest(d in 1usize..=512, bits in 1u32..=79, low in any::<u128>()) {
            let square = (low % (1 << bits)).max(d as u128);
            let inv = inverse_root(d, square) as u128;
            let bound = (d as u128) << 72;
            prop_assert!(inv * inv * square <= bound);
            // (inv + 1)² · square > bound, said without overflow.
            prop_assert!((inv + 1) * (inv + 1) > bound / square);
        }
    }

    #[test]
    fn saturation_is_counted() {
        let mut s = Saturations::default();
        assert_eq!(rescale_to(i128::MAX, 12, Class::Gate, &mut s), (1 << 17) - 1);
        assert_eq!(rescale_to(i128::MIN, 12, Class::Gate, &mut s), -(1 << 17));
        assert_eq!(rescale_to(2048, 12, Class::Gate, &mut s), 1);
        assert_eq!(rescale_to(-2048, 12, Class::Gate, &mut s), 0);
        assert_eq!((s.of(Class::Gate), s.total()), (2, 2));
        assert_eq!(s.to_string(), "gate 2");
    }
}
