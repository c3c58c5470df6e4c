//! The update of one element.

use super::hyper::{BETA_BITS, Hyper, Integers, MAX_CLIP};
use crate::arithmetic::fixed::{Class, LOW_BITS, STATE_BITS, STATE_FRAC, Saturations, div_floor, split, whole};

/// Frac bits of the mean gradient, of the first moment and of the root of the second, whose own are twice as many.
pub const MOMENT_FRAC: u32 = 30;
/// Largest magnitude of a first moment: it is a mean of gradients, of a norm of at most [`MAX_CLIP`].
pub const FIRST_MAX: i64 = (MAX_CLIP as i64) << MOMENT_FRAC;
/// Largest second moment: it is a mean of their squares.
pub const SECOND_MAX: i128 = (FIRST_MAX as i128) * (FIRST_MAX as i128);
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
    /// First moment m, frac 30, at most [`FIRST_MAX`] in magnitude.
    pub first: i64,
    /// Second moment v, frac 60, at most [`SECOND_MAX`].
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
    /// `γ·g`, frac 66.
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
    /// ĝ: the mean gradient, frac 30.
    pub gradient: i128,
    /// m', frac 30.
    pub first: i64,
    /// v', frac 60.
    pub second: i128,
    /// s, the largest integer with `s·(s + 1)/2 ≤ v'`: about `√(2v')`, frac 30.
    pub root: i128,
    /// Half of the divisor less 1: `root + ε`.
    pub half: i128,
    /// `2·η·m'`.
    pub numerator: i128,
    /// The decayed weight less the quotient, frac 36, before it is clamped.
    pub unclamped: i128,
}

impl Trace {
    /// The divisor, `2·(root + ε) + 1`: the root of `2v' + 1/4` lies between `root + 1/2` and `root + 3/2`.
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

/// What enters, by an exact gradient g, frac 36, of the sum of squares that γ follows from: so `γ·g` is below 2^71, or γ is 1.
pub fn entering(hyper: &Hyper, e: &Element, g: i128) -> Entering {
    let kept = (1i128 << LOW_BITS) - i128::from(hyper.omega);
    Entering {
        gradient: i128::from(hyper.gamma).saturating_mul(g),
        decayed: kept * i128::from(e.w) + i128::from(e.lo),
        first: e.first.into(),
        second: e.second,
    }
}

/// The largest s with `s·(s + 1)/2 ≤ v`, v not negative.
fn triangular_root(v: i128) -> i128 {
    ((8 * v + 1).isqrt() - 1) / 2
}

/// The update of what entered:
/// `ĝ = round(γg/2^36)`, `m' = floor((b₁m + a₁ĝ + c)/2^24)`, `v' = floor((b₂v + a₂ĝ² + c)/2^24)`, c being the step's rounding, s the root of
/// v', and the weight less `round(2ηm' / (2(s + ε) + 1))`.
///
/// Total where the moments are at most [`FIRST_MAX`] and [`SECOND_MAX`], and leaves such.
pub fn trace(integers: &Integers<i128>, entering: &Entering) -> Trace {
    let Integers { eta, epsilon, beta1, share1, beta2, share2, rounding } = *integers;
    let gradient = (entering.gradient + (1 << (GRADIENT_SHIFT - 1))) >> GRADIENT_SHIFT;
    // Without a share, what it would be of may have any size.
    let square = if share2 == 0 { 0 } else { share2 * gradient * gradient };
    let first = (beta1 * entering.first + share1 * gradient + rounding) >> BETA_BITS;
    let second = (beta2 * entering.second + square + rounding) >> BETA_BITS;
    let root = triangular_root(second);
    let half = root + epsilon;
    let numerator = 2 * eta * first;
    let unclamped = entering.decayed - div_floor(numerator + half, 2 * half + 1);
    Trace { gradient, first: first as i64, second, root, half, numerator, unclamped }
}

/// The update of one element; `g` is the exact gradient, frac 36.
pub fn element(hyper: &Hyper, e: Element, g: i128, saturations: &mut Saturations) -> Element {
    let trace = trace(&hyper.integers, &entering(hyper, &e, g));
    let (moved, clamped) = trace.whole();
    saturations.add(Class::MeanGradient, u64::from(hyper.skips()));
    saturations.add(Class::Weight, u64::from(clamped));
    let (w, lo) = split(moved);
    Element { w, lo, first: trace.first, second: trace.second }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::decimal::Decimal;
    use crate::model::SquareSum;
    use crate::ops::adamw::Betas;
    use proptest::prelude::*;

    fn arb_element() -> impl Strategy<Value = Element> {
        (-65536i64..65536, 0i64..1 << 24, -FIRST_MAX..=FIRST_MAX, 0..=SECOND_MAX, 0u32..70).prop_map(
            |(w, lo, first, second, shift)| Element { w, lo, first: first >> (shift / 2), second: second >> shift },
        )
    }

    /// Of any step; one in four goes on without its gradient.
    fn arb_hyper() -> impl Strategy<Value = Hyper> {
        let one = 1i128 << BETA_BITS;
        let scales = (1u64..=1 << 30, 0u64..=1 << 24);
        let betas = (0..one / 2, 0..one, 0..4u8, any::<bool>());
        (scales, 0i128..1 << 47, 0u32..47, 0i128..=1 << 31, 0u32..32, betas).prop_map(
            move |((gamma, omega), eta, less, epsilon, fewer, (half, beta2, skips, up))| {
                let beta1 = 2 * half + 1;
                let share = |beta| if skips == 0 { 0 } else { one - beta };
                let integers = Integers {
                    eta: eta >> less,
                    epsilon: epsilon >> fewer,
                    beta1,
                    share1: share(beta1),
                    beta2,
                    share2: share(beta2),
                    rounding: if up { one - 1 } else { 0 },
                };
                Hyper { gamma: if skips == 0 { 1 } else { gamma }, omega, integers }
            },
        )
    }

    proptest! {
        #[test]
        fn the_update_is_total(hyper in arb_hyper(), e in arb_element(), g in any::<i128>(), shift in 45u32..128) {
            let mut s = Saturations::default();
            let most = (hyper.integers.gradient_bound() / u128::from(hyper.gamma)) as i128;
            let next = element(&hyper, e, (g >> shift).clamp(-most, most), &mut s);
            prop_assert_eq!(s.of(Class::MeanGradient), u64::from(hyper.skips()));
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
            let (eps, weight_decay, clip) = (decimal("1e-8"), Decimal::ZERO, decimal("4"));
            let betas = Betas { beta1: beta, beta2: beta, eps, weight_decay, clip };
            let mut e = Element { first: e.first % 1000, second: e.second % 1000, ..e };
            // Both lose a unit in two steps at least.
            for step in 1..=2002 {
                let hyper = Hyper::new(1 << 26, &betas, 128, (step, SquareSum::ZERO)).unwrap();
                e = element(&hyper, e, 0, &mut Saturations::default());
            }
            prop_assert_eq!((e.first, e.second), (0, 0));
        }

        #[test]
        fn zero_stays_zero(hyper in arb_hyper()) {
            let zero = Element::default();
            prop_assert_eq!(element(&hyper, zero, 0, &mut Saturations::default()), zero);
        }

        /// A gradient's size is that of its clip, and its direction its own; where nothing of it would be left, it counts for nothing.
        #[test]
        fn gradients_are_clipped(shift in 0u32..45, unit in 1i128 << 36..1 << 37, hyper in 1u32..4000) {
            let decimal = |text: &str| text.parse::<Decimal>().unwrap();
            let [beta1, beta2, eps, weight_decay] = ["0.9", "0.999", "1e-8", "0"].map(decimal);
            let betas = Betas { beta1, beta2, eps, weight_decay, clip: decimal(&format!("{hyper}e-3")) };
            let gradient = [unit << shift, -(unit << shift) / 3];
            let squares = SquareSum::of(gradient);
            let hyper = Hyper::new(1 << 26, &betas, 128, (3, squares)).unwrap();
            let means = gradient.map(|g| trace(&hyper.integers, &entering(&hyper, &Element::default(), g)).gradient);
            let norm = (means[0] as f64).hypot(means[1] as f64) / (1u64 << 30) as f64;
            let clip = f64::from(betas.clip.scaled(1000, 1).unwrap() as u32) / 1000.0;
            prop_assert!(hyper.skips() == (hyper.integers.share2 == 0));
            // To within γ's own rounding, a unit of it.
            let unit = squares.mean_norm(128) * 128.0 / (1u64 << 30) as f64;
            let expected = clip.min(squares.mean_norm(128));
            prop_assert!(norm <= clip * (1.0 + 1e-9) + 1e-9 || hyper.skips());
            prop_assert!((norm - expected).abs() <= unit + 1e-9 || hyper.skips(), "{} of {}", norm, expected);
        }
    }
}
