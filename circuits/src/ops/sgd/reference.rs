//! The update of one element, and the integers that it takes of the run.

use serde::{Deserialize, Serialize};

use crate::{
    arithmetic::decimal::Decimal,
    arithmetic::fixed::{Class, STATE_BITS, STATE_FRAC, Saturations, rescale, split, whole},
    model::clip::FACTOR_FRAC,
    model::{MAX_RATE, Rates, Schedule},
    ops::hyper::{HyperError, kept},
};

/// The integers of an update, which every verifier derives from the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hyper {
    /// λ = round(lr36 / P), frac 36, at most 2^36.
    pub lambda: u64,
    /// μ = round(momentum36·lr36 / (lr36 of the step before)), frac 36, below 2^40: a movement is in proportion to the rate at
    /// which it was made. 0 if that was 0.
    pub mu: u64,
    /// ω = round(weight_decay·lr36), frac 36, at most 2^36.
    pub omega: u64,
}

impl Hyper {
    /// The update that moves no weight. A genesis proof is made with it.
    pub const IDENTITY: Self = Self { lambda: 0, mu: 0, omega: 0 };

    /// `predictions` is P = B·N·T.
    pub fn new(rates: Rates, momentum: &Decimal, weight_decay: &Decimal, predictions: u64) -> Result<Self, HyperError> {
        if !(1..1 << 24).contains(&predictions) {
            return Err(HyperError::Predictions(predictions));
        }
        let Rates { before, now } = rates;
        if let Some(&rate) = [now, before].iter().find(|&&rate| rate > MAX_RATE) {
            return Err(HyperError::Rate(rate));
        }
        let one = 1u128 << STATE_FRAC;
        let kept = momentum.scaled(1 << STATE_FRAC, 1).filter(|&x| x < one).ok_or(HyperError::Momentum(*momentum))?;
        let (doubled, divisor) = (2 * kept * u128::from(now), 2 * u128::from(before));
        let mu = (doubled + u128::from(before)).checked_div(divisor).unwrap_or(0);
        if mu >= 1 << MU_BITS {
            return Err(HyperError::Growth { before, now });
        }
        let at_most_one = weight_decay.scaled(1 << STATE_FRAC, 1).is_some_and(|x| x <= one);
        let omega = weight_decay.scaled(now, 1).filter(|_| at_most_one);
        let omega = omega.ok_or(HyperError::Decay(*weight_decay))? as u64;
        Ok(Self { lambda: (2 * now + predictions) / (2 * predictions), mu: mu as u64, omega })
    }

    /// The same by a gradient that is clipped by a factor of frac 36: λ = round(lr36·factor / P), rounded once.
    #[must_use]
    pub fn clipped(self, rates: Rates, predictions: u64, factor: u64) -> Self {
        let (dividend, divisor) = (u128::from(rates.now) * u128::from(factor), u128::from(predictions) << FACTOR_FRAC);
        Self { lambda: ((2 * dividend + divisor) / (2 * divisor)) as u64, ..self }
    }
}

/// Bits of μ.
pub const MU_BITS: u32 = 40;
/// Largest norm that gradients are clipped to.
pub const MAX_CLIP: u64 = 1 << 20;

/// Requires that rounding leaves the numbers their meaning: none that is not 0 becomes 0. For whoever writes them; of a run or
/// a chain that there is, the integers count.
pub fn check_rounding(
    (rate, schedule): (&Decimal, &Schedule),
    momentum: &Decimal,
    weight_decay: &Decimal,
    predictions: u64,
) -> Result<(), HyperError> {
    let hyper = |rate| Hyper::new(Rates::constant(rate), momentum, weight_decay, predictions);
    let ((peak, _), p) = (schedule.peak(), u128::from(predictions));
    kept(("learning rate", rate, Some(predictions)), hyper(peak)?.lambda, (p.div_ceil(2), 1 << 36))?;
    if schedule.floor() != 0 {
        let found = Decimal::at_least(schedule.floor().into(), u128::from(peak));
        let held = hyper(schedule.floor())?.lambda;
        kept(("floor", &found, Some(predictions)), held, (p.div_ceil(2), u128::from(peak)))?;
    }
    if peak == 0 {
        return Ok(());
    }
    kept(("momentum", momentum, None), hyper(peak)?.mu, (1, 1 << (STATE_FRAC + 1)))?;
    kept(("weight decay", weight_decay, None), hyper(peak)?.omega, (1, 2 * u128::from(peak)))
}

/// One element of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Weight in use, [`Class::Weight`].
    pub w: i64,
    /// Low part, 24 bits unsigned.
    pub lo: i64,
    /// Last movement, frac 36, 42 bits: weight with low part, less what that was a step before.
    pub v: i64,
}

impl Element {
    /// Weight with low part, frac 36, 41 bits.
    pub fn whole(&self) -> i64 {
        whole(self.w, self.lo)
    }
}

/// The dividend of the update, frac 72; `None` beyond 128 bits, where the weight ends at one end of its range.
pub fn dividend(hyper: &Hyper, e: &Element, g: i128) -> Option<i128> {
    let (lambda, mu, omega) = (i128::from(hyper.lambda), i128::from(hyper.mu), i128::from(hyper.omega));
    let (whole, v) = (i128::from(e.whole()), i128::from(e.v));
    ((whole << STATE_FRAC) + mu * v - omega * whole).checked_sub(lambda.checked_mul(g)?)
}

/// The update of one element; `g` is the exact gradient, frac 36.
#[inline]
pub fn element(hyper: &Hyper, e: Element, g: i128, saturations: &mut Saturations) -> Element {
    let beyond = if g < 0 { i128::MAX } else { i128::MIN };
    let x = dividend(hyper, &e, g).unwrap_or(beyond);
    let moved = rescale(x, STATE_FRAC, STATE_BITS);
    saturations.add(Class::Weight, u64::from(moved.saturated));
    let (w, lo) = split(moved.value);
    Element { w, lo, v: moved.value - e.whole() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Slot;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn arb_element() -> impl Strategy<Value = Element> {
        (-65536i64..65536, 0i64..1 << 24, -(1i64 << 41)..1 << 41).prop_map(|(w, lo, v)| Element { w, lo, v })
    }

    proptest! {
        #[test]
        fn the_update_is_total(
            e in arb_element(),
            g in any::<i128>(),
            shift in 0u32..128,
            lambda in 0u64..1 << 46,
            mu in 0u64..1 << MU_BITS,
            omega in 0u64..1 << 46,
        ) {
            let mut s = Saturations::default();
            let g = g >> shift;
            let next = element(&Hyper { lambda, mu, omega }, e, g, &mut s);
            prop_assert!(Class::Weight.contains(next.w) && Slot::Momentum.contains(next.v.into()));
            prop_assert!((0..1 << 24).contains(&next.lo));
            prop_assert_eq!(next.whole(), e.whole() + next.v);
        }

        #[test]
        fn the_identity_keeps_every_state(e in arb_element()) {
            let mut s = Saturations::default();
            prop_assert_eq!(element(&Hyper::IDENTITY, e, 0, &mut s), Element { v: 0, ..e });
            prop_assert_eq!(s.total(), 0);
        }

        /// What exceeds 128 bits ends where what is just below them ends.
        #[test]
        fn too_large_a_gradient_moves_to_an_end(e in arb_element(), lambda in 1u64..1 << 36, g in 1i128 << 126..i128::MAX) {
            let hyper = Hyper { lambda, mu: 0, omega: 0 };
            let end = |g: i128| element(&hyper, e, g, &mut Saturations::default()).whole();
            prop_assert_eq!(end(g), -(1 << (STATE_BITS - 1)));
            prop_assert_eq!(end(-g), (1 << (STATE_BITS - 1)) - 1);
        }

        #[test]
        fn without_gradient_momentum_and_decay_nothing_moves(e in arb_element(), lambda in 0u64..1 << 46) {
            let mut s = Saturations::default();
            let e = Element { v: 0, ..e };
            prop_assert_eq!(element(&Hyper { lambda, mu: 1 << 35, omega: 0 }, e, 0, &mut s), e);
            prop_assert_eq!(s.total(), 0);
        }
    }

    #[test]
    fn zero_stays_zero() {
        let zero = Element { w: 0, lo: 0, v: 0 };
        let hyper = Hyper::new(Rates::constant(1 << 36), &decimal("0.9"), &decimal("0.1"), 256).unwrap();
        assert_eq!(element(&hyper, zero, 0, &mut Saturations::default()), zero);
    }

    #[test]
    fn the_public_integers() {
        let of = |before, now| Hyper::new(Rates { before, now }, &decimal("0.9"), &decimal("0.01"), 256);
        let hyper = of(1 << 36, 1 << 36).unwrap();
        assert_eq!(hyper, Hyper { lambda: 1 << 28, mu: 61_847_529_062, omega: 687_194_767 });
        // A movement is carried on in proportion to the rates.
        assert_eq!(of(1 << 36, 1 << 35).unwrap().mu, hyper.mu / 2);
        assert_eq!(of(1 << 34, 1 << 36).unwrap().mu, hyper.mu * 4);
        assert_eq!(of(0, 1 << 36).unwrap(), Hyper { mu: 0, ..hyper });
        for before in [1, 1 << 30] {
            assert_eq!(of(before, 1 << 36), Err(HyperError::Growth { before, now: 1 << 36 }));
        }
        let (zero, none) = (Decimal::ZERO, Rates::constant(0));
        assert_eq!(Hyper::new(none, &zero, &zero, 0), Err(HyperError::Predictions(0)));
        for (before, now) in [(0, MAX_RATE + 1), (MAX_RATE + 1, 0)] {
            assert_eq!(Hyper::new(Rates { before, now }, &zero, &zero, 1), Err(HyperError::Rate(MAX_RATE + 1)));
        }
        assert_eq!(Hyper::new(none, &decimal("1"), &zero, 1), Err(HyperError::Momentum(decimal("1"))));
        assert_eq!(Hyper::new(none, &zero, &decimal("1.01"), 1), Err(HyperError::Decay(decimal("1.01"))));
    }

    /// No schedule has a step whose μ is out of range, up to the smallest rates that a warm-up begins with.
    #[test]
    fn every_schedule_has_its_integers() {
        for (peak, steps, warmup, floor) in
            [("728e-14", 9, 5, "0"), ("1e-9", 400, 300, "0.1"), ("0.1", 50, 49, "0"), ("1", 1000, 500, "0.5")]
        {
            let schedule = Schedule::cosine(&decimal(peak), steps, warmup, &decimal(floor)).unwrap();
            for step in 0..steps + 3 {
                Hyper::new(schedule.rates_at(step), &decimal("0.9999"), &decimal("1"), 1 << 20).unwrap();
            }
        }
    }

    /// 7.19: each number as small as it can be held is taken, and a little less is refused with that one named.
    #[test]
    fn what_rounding_would_make_nothing_of_is_refused() {
        let check = |rate: &str, momentum: &str, decay: &str| {
            let rate = decimal(rate);
            let schedule = Schedule::constant(&rate).unwrap();
            check_rounding((&rate, &schedule), &decimal(momentum), &decimal(decay), 128)
        };
        check("0", "0", "0").unwrap();
        for (fault, held, message) in [
            (
                check("9e-10", "0", "0"),
                check("932e-12", "0", "0"),
                "the learning rate 9e-10 would be rounded to 0 over 128 predictions per step; the smallest possible value is 932e-12",
            ),
            (
                check("0.1", "7e-12", "0"),
                check("0.1", "728e-14", "0"),
                "the momentum 7e-12 would be rounded to 0; the smallest possible value is 728e-14",
            ),
            (
                check("0.1", "0", "7e-11"),
                check("0.1", "0", "728e-13"),
                "the weight decay 7e-11 would be rounded to 0; the smallest possible value is 728e-13",
            ),
        ] {
            assert_eq!(fault.unwrap_err().to_string(), message);
            held.unwrap();
        }
        check("0", "0.9", "0.1").unwrap();
        let one = Rates::constant(1);
        let error = Hyper::new(one, &decimal("0.999999999999"), &Decimal::ZERO, 1).unwrap_err();
        assert!(error.to_string().contains("would be rounded to 1; the largest is 0.99999999999"), "{error}");
        Hyper::new(one, &decimal("0.99999999999"), &Decimal::ZERO, 1).unwrap();
        let rate = decimal("1e-7");
        let schedule = Schedule::cosine(&rate, 10, 0, &decimal("0.001")).unwrap();
        let error = check_rounding((&rate, &schedule), &Decimal::ZERO, &Decimal::ZERO, 128).unwrap_err();
        assert!(matches!(error, HyperError::Small { name: "floor", .. }), "{error}");
    }
}
