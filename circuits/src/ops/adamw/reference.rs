//! The update of one element.

use super::hyper::{BETA_BITS, Hyper, Integers};
use crate::arithmetic::fixed::{
    Class, LOW_BITS, STATE_BITS, STATE_FRAC, Saturations, div_floor, rescale, split, whole,
};

/// Frac bits of the mean gradient, of the first moment and of the root of the second, whose own are twice as many.
pub const MOMENT_FRAC: u32 = 32;
/// Bits of a mean gradient, the sign included: elements are clipped to ±4.
pub const GRADIENT_BITS: u32 = Class::MeanGradient.bits();
/// Largest magnitude of a first moment: it is a mean of gradients.
pub const FIRST_MAX: i64 = 1 << (GRADIENT_BITS - 1);
/// Largest second moment: it is a mean of their squares.
pub const SECOND_MAX: i128 = 1 << (2 * (GRADIENT_BITS - 1));
/// Bits of what the circuit shows of a first moment, the sign included.
pub const FIRST_BITS: u32 = 36;
/// Bits of what the circuit shows of a second moment.
pub const SECOND_BITS: u32 = 73;
/// Bits that the gradient's division shifts out: from frac 36 and that of γ.
pub(super) const GRADIENT_SHIFT: u32 = STATE_FRAC;

/// One element of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Weight in use, [`Class::Weight`].
    pub w: i64,
    /// Low part, 24 bits unsigned.
    pub lo: i64,
    /// First moment m, frac 32, at most [`FIRST_MAX`] in magnitude.
    pub first: i64,
    /// Second moment v, frac 64, at most [`SECOND_MAX`].
    pub second: i128,
}

impl Element {
    /// Weight with low part, frac 36, 41 bits.
    pub fn whole(&self) -> i64 {
        whole(self.w, self.lo)
    }
}

/// What the update of an element starts from: each is linear in what is committed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entering {
    /// `γ·g`, frac 68.
    pub gradient: i128,
    /// `(2^24 − ω)·w + lo`, frac 36: the weight after its decay.
    pub decayed: i128,
    /// m.
    pub first: i128,
    /// v.
    pub second: i128,
}

/// The values of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Mean gradient, frac 32, [`Class::MeanGradient`].
    pub gradient: i64,
    /// Whether it was clipped.
    pub clipped: bool,
    /// m', frac 32.
    pub first: i64,
    /// v', frac 64.
    pub second: i128,
    /// `floor(√v')`, frac 32.
    pub root: i128,
    /// Half of the divisor less 1: `root + ε`.
    pub half: i128,
    /// `2·η·m'`.
    pub numerator: i128,
    /// The decayed weight less the quotient, frac 36, before it is clamped.
    pub unclamped: i128,
}

impl Trace {
    /// The divisor, `2·(root + ε) + 1`: the root of v' lies between `root` and `root + 1`.
    pub fn divisor(&self) -> i128 {
        2 * self.half + 1
    }

    /// The new weight with its low part, on 41 bits, and whether that is an end of its range.
    pub fn whole(&self) -> (i64, bool) {
        let max = (1i128 << (STATE_BITS - 1)) - 1;
        let clamped = self.unclamped.clamp(!max, max);
        (clamped as i64, clamped != self.unclamped)
    }
}

/// What enters, by an exact gradient g, frac 36; `None` for a gradient of more than 128 bits, which is clipped.
pub fn entering(hyper: &Hyper, e: &Element, g: i128) -> Option<Entering> {
    Some(Entering { gradient: i128::from(hyper.gamma).checked_mul(g)?, ..without_gradient(hyper, e) })
}

fn without_gradient(hyper: &Hyper, e: &Element) -> Entering {
    let kept = (1i128 << LOW_BITS) - i128::from(hyper.omega);
    Entering {
        gradient: 0,
        decayed: kept * i128::from(e.w) + i128::from(e.lo),
        first: e.first.into(),
        second: e.second,
    }
}

/// The update of what entered:
/// `ĝ = clamp(round(γg/2^36))`, `m' = floor((b₁m + (2^24 − b₁)ĝ + c)/2^24)`, `v' = floor((b₂v + (2^24 − b₂)ĝ² + c)/2^24)`, c being the step's rounding, and the weight
/// less `round(2ηm' / (2(⌊√v'⌋ + ε) + 1))`.
///
/// Total where the moments are at most [`FIRST_MAX`] and [`SECOND_MAX`], and leaves such.
pub fn trace(integers: &Integers<i128>, entering: &Entering) -> Trace {
    let Integers { eta, epsilon, beta1, beta2, rounding } = *integers;
    let one = 1i128 << BETA_BITS;
    let gradient = rescale(entering.gradient, GRADIENT_SHIFT, GRADIENT_BITS);
    let g = i128::from(gradient.value);
    let mean = |beta: i128, moment: i128, new: i128| (beta * moment + (one - beta) * new + rounding) >> BETA_BITS;
    let (first, second) = (mean(beta1, entering.first, g), mean(beta2, entering.second, g * g));
    let root = second.isqrt();
    let half = root + epsilon;
    let numerator = 2 * eta * first;
    let unclamped = entering.decayed - div_floor(numerator + half, 2 * half + 1);
    Trace {
        gradient: gradient.value,
        clipped: gradient.saturated,
        first: first as i64,
        second,
        root,
        half,
        numerator,
        unclamped,
    }
}

/// The update of one element; `g` is the exact gradient, frac 36.
pub fn element(hyper: &Hyper, e: Element, g: i128, saturations: &mut Saturations) -> Element {
    let clipped = || Entering { gradient: if g < 0 { i128::MIN } else { i128::MAX }, ..without_gradient(hyper, &e) };
    let trace = trace(&hyper.integers, &entering(hyper, &e, g).unwrap_or_else(clipped));
    let (moved, clamped) = trace.whole();
    saturations.add(Class::MeanGradient, u64::from(trace.clipped));
    saturations.add(Class::Weight, u64::from(clamped));
    let (w, lo) = split(moved);
    Element { w, lo, first: trace.first, second: trace.second }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::decimal::Decimal;
    use crate::ops::adamw::Betas;
    use proptest::prelude::*;

    fn arb_element() -> impl Strategy<Value = Element> {
        (-65536i64..65536, 0i64..1 << 24, -FIRST_MAX..=FIRST_MAX, 0..=SECOND_MAX, 0u32..70).prop_map(
            |(w, lo, first, second, shift)| Element { w, lo, first: first >> (shift / 2), second: second >> shift },
        )
    }

    pub(crate) fn arb_hyper() -> impl Strategy<Value = Hyper> {
        let one = 1i128 << BETA_BITS;
        let scales = (1u64..=1 << 32, 0u64..=1 << 24);
        (scales, 0i128..1 << 47, 0u32..47, 0i128..=1 << 32, 0u32..33, 0..=one, 0..=one, any::<bool>()).prop_map(
            move |((gamma, omega), eta, less, epsilon, fewer, beta1, beta2, up)| {
                let rounding = if up { one - 1 } else { 0 };
                let integers = Integers { eta: eta >> less, epsilon: epsilon >> fewer, beta1, beta2, rounding };
                Hyper { gamma, omega, integers }
            },
        )
    }

    proptest! {
        #[test]
        fn the_update_is_total(hyper in arb_hyper(), e in arb_element(), g in any::<i128>(), shift in 0u32..128) {
            let mut s = Saturations::default();
            let next = element(&hyper, e, g >> shift, &mut s);
            prop_assert!(Class::Weight.contains(next.w) && (0..1 << 24).contains(&next.lo));
            prop_assert!(next.first.abs() <= FIRST_MAX && (0..=SECOND_MAX).contains(&next.second));
        }

        #[test]
        fn the_identity_keeps_every_state(e in arb_element()) {
            let mut s = Saturations::default();
            prop_assert_eq!(element(&Hyper::IDENTITY, e, 0, &mut s), e);
            prop_assert_eq!(s.total(), 0);
        }

        /// Without gradients a moment ends at 0, and with it what moves the weight.
        #[test]
        fn moments_without_gradients_end(e in arb_element(), beta in 1u32..1000) {
            let decimal = |text: &str| text.parse::<Decimal>().unwrap();
            let beta = decimal(&format!("{beta}e-3"));
            let betas = Betas { beta1: beta, beta2: beta, eps: decimal("1e-8"), weight_decay: Decimal::ZERO };
            let mut e = Element { first: e.first % 1000, second: e.second % 1000, ..e };
            // Both lose a unit in two steps at least.
            for step in 1..=2002 {
                e = element(&Hyper::new(1 << 26, &betas, 128, step).unwrap(), e, 0, &mut Saturations::default());
            }
            prop_assert_eq!((e.first, e.second), (0, 0));
        }

        #[test]
        fn zero_stays_zero(hyper in arb_hyper()) {
            let zero = Element::default();
            prop_assert_eq!(element(&hyper, zero, 0, &mut Saturations::default()), zero);
        }

        /// What exceeds 128 bits is clipped as what is just below them.
        #[test]
        fn too_large_a_gradient_is_clipped(hyper in arb_hyper(), e in arb_element(), g in 1i128 << 126..i128::MAX) {
            let of = |hyper: &Hyper, g| {
                let mut s = Saturations::default();
                let next = element(hyper, e, g, &mut s);
                prop_assert_eq!(s.of(Class::MeanGradient), 1);
                Ok(next)
            };
            let small = Hyper { gamma: 1, ..hyper };
            prop_assert_eq!(of(&hyper, g)?, of(&small, 1 << 120)?);
            prop_assert_eq!(of(&hyper, -g)?, of(&small, -(1 << 120))?);
        }
    }
}
