//! The update of one element, and its public integers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    arithmetic::decimal::Decimal,
    arithmetic::fixed::{Class, LOW_BITS, Saturations, rescale_to, shift_round},
    model::Schedule,
};

/// Hyper-parameters outside the ranges of the update.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HyperError {
    /// P lies in `1..2^24`.
    #[error("the number of predictions {0} is not between 1 and 2^24 - 1")]
    Predictions(u64),
    /// The learning rate stays below 2^10.
    #[error("the learning rate {0}/2^36 is not below 1024")]
    Rate(u64),
    /// Momentum stays below 1, also when it is rounded to frac 24.
    #[error("the momentum {0} is 1 or more, or would be rounded to 1; the largest is 0.9999999")]
    Momentum(Decimal),
    /// Weight decay is at most 1.
    #[error("the weight decay {0} is above 1")]
    Decay(Decimal),
    /// A number that is not 0 must not become 0.
    #[error("the {name} {found} would be rounded to 0{over}; the smallest possible value is {least}", over = over(.predictions))]
    Small {
        /// What it is.
        name: &'static str,
        /// As written.
        found: Decimal,
        /// Predictions of a step, where it depends on them.
        predictions: Option<u64>,
        /// The smallest that can be held, of three digits.
        least: Decimal,
    },
}

fn over(predictions: &Option<u64>) -> String {
    predictions.map_or(String::new(), |p| format!(" over {p} predictions per step"))
}

/// The public integers of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hyper {
    /// λ = round(lr36 / P), frac 36, below 2^46.
    pub lambda: u64,
    /// μ = round(momentum·2^24), below 2^24.
    pub mu: u64,
    /// ω = round(P·weight_decay·2^24), below 2^48.
    pub omega: u64,
}

impl Hyper {
    /// The update that moves no weight, and whose momentum is the gradient alone: `v' = g·2^−12`. A genesis proof is made
    /// with it.
    pub const IDENTITY: Self = Self { lambda: 0, mu: 0, omega: 0 };

    /// `rate` is the learning rate with frac 36 (see `Schedule::lr_at`), `predictions` is P = B·N·T.
    pub fn new(rate: u64, momentum: &Decimal, weight_decay: &Decimal, predictions: u64) -> Result<Self, HyperError> {
        if !(1..1 << 24).contains(&predictions) {
            return Err(HyperError::Predictions(predictions));
        }
        if rate >= 1 << 46 {
            return Err(HyperError::Rate(rate));
        }
        let below = |x: Option<u128>, end: u128| x.filter(|&x| x < end).map(|x| x as u64);
        Ok(Self {
            lambda: (2 * rate + predictions) / (2 * predictions),
            mu: below(momentum.scaled(1 << 24, 1), 1 << 24).ok_or(HyperError::Momentum(*momentum))?,
            omega: weight_decay
                .scaled(predictions << 24, 1)
                .filter(|&x| x <= u128::from(predictions) << 24)
                .map(|x| x as u64)
                .ok_or(HyperError::Decay(*weight_decay))?,
        })
    }
}

/// Requires that rounding leaves the numbers their meaning: none that is not 0 becomes 0. For whoever writes them; of a run or
/// a chain that there is, the integers count.
pub fn check_rounding(
    (rate, schedule): (&Decimal, &Schedule),
    momentum: &Decimal,
    weight_decay: &Decimal,
    predictions: u64,
) -> Result<(), HyperError> {
    let hyper = |rate| Hyper::new(rate, momentum, weight_decay, predictions);
    let ((peak, _), p) = (schedule.peak(), u128::from(predictions));
    let lost = |written: &Decimal, held: u64| *written != Decimal::ZERO && held == 0;
    let small = |name, found: &Decimal, predictions, (numerator, denominator)| {
        Err(HyperError::Small { name, found: *found, predictions, least: Decimal::at_least(numerator, denominator) })
    };
    if lost(rate, hyper(peak)?.lambda) {
        return small("learning rate", rate, Some(predictions), (p.div_ceil(2), 1 << 36));
    }
    if schedule.floor() != 0 && hyper(schedule.floor())?.lambda == 0 {
        let share = (p.div_ceil(2), u128::from(peak));
        let found = Decimal::at_least(schedule.floor().into(), u128::from(peak));
        return small("floor", &found, Some(predictions), share);
    }
    if lost(momentum, hyper(peak)?.mu) {
        return small("momentum", momentum, None, (1, 1 << 25));
    }
    if lost(weight_decay, hyper(peak)?.omega) {
        return small("weight decay", weight_decay, Some(predictions), (1, p << 25));
    }
    Ok(())
}

/// One element of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Weight in use, [`Class::Weight`].
    pub w: i64,
    /// Low part, 24 bits unsigned.
    pub lo: i64,
    /// Momentum, [`Class::Momentum`].
    pub v: i64,
}

/// The update of one element; `g` is the exact gradient, frac 36, below 2^100.
#[inline]
pub fn element(hyper: &Hyper, e: Element, g: i128, saturations: &mut Saturations) -> Element {
    let (lambda, mu, omega) = (i128::from(hyper.lambda), i128::from(hyper.mu), i128::from(hyper.omega));
    let x = mu * i128::from(e.v) + ((g + omega * i128::from(e.w)) << 12);
    let v = rescale_to(x, 24, Class::Momentum, saturations);
    let state = (i128::from(e.w) << LOW_BITS) + i128::from(e.lo);
    let moved = shift_round((state << 24) - lambda * i128::from(v), 24);
    let limit = 1i128 << (Class::Weight.bits() - 1 + LOW_BITS);
    let clamped = moved.clamp(-limit, limit - 1);
    saturations.add(Class::Weight, u64::from(clamped != moved));
    let clamped = clamped as i64;
    Element { w: clamped >> LOW_BITS, lo: clamped & ((1 << LOW_BITS) - 1), v }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn arb_element() -> impl Strategy<Value = Element> {
        (-65536i64..65536, 0i64..1 << 24, -(1i64 << 35)..1 << 35).prop_map(|(w, lo, v)| Element { w, lo, v })
    }

    proptest! {
        #[test]
        fn the_update_is_total(
            e in arb_element(),
            g in -(1i128 << 99)..(1i128 << 99),
            lambda in 0u64..1 << 46,
            mu in 0u64..1 << 24,
            omega in 0u64..1 << 48,
        ) {
            let mut s = Saturations::default();
            let next = element(&Hyper { lambda, mu, omega }, e, g, &mut s);
            prop_assert!(Class::Weight.contains(next.w) && Class::Momentum.contains(next.v));
            prop_assert!((0..1 << 24).contains(&next.lo));
        }

        #[test]
        fn the_identity_keeps_every_state(e in arb_element()) {
            let mut s = Saturations::default();
            prop_assert_eq!(element(&Hyper::IDENTITY, e, i128::from(e.v) << 12, &mut s), e);
            prop_assert_eq!(s.total(), 0);
        }

        #[test]
        fn without_gradient_momentum_and_decay_nothing_moves(e in arb_element(), lambda in 0u64..1 << 46) {
            let mut s = Saturations::default();
            let e = Element { v: 0, ..e };
            prop_assert_eq!(element(&Hyper { lambda, mu: 1 << 23, omega: 0 }, e, 0, &mut s), e);
            prop_assert_eq!(s.total(), 0);
        }
    }

    #[test]
    fn zero_stays_zero() {
        let zero = Element { w: 0, lo: 0, v: 0 };
        let hyper = Hyper::new(1 << 36, &decimal("0.9"), &decimal("0.1"), 256).unwrap();
        assert_eq!(element(&hyper, zero, 0, &mut Saturations::default()), zero);
    }

    #[test]
    fn the_public_integers() {
        let hyper = Hyper::new(1 << 36, &decimal("0.9"), &decimal("0.01"), 256).unwrap();
        assert_eq!(hyper, Hyper { lambda: 1 << 28, mu: 15_099_494, omega: 42_949_673 });
        let zero = Decimal::ZERO;
        assert_eq!(Hyper::new(0, &zero, &zero, 0), Err(HyperError::Predictions(0)));
        assert_eq!(Hyper::new(1 << 46, &zero, &zero, 1), Err(HyperError::Rate(1 << 46)));
        assert_eq!(Hyper::new(0, &decimal("1"), &zero, 1), Err(HyperError::Momentum(decimal("1"))));
        assert_eq!(Hyper::new(0, &zero, &decimal("1.5"), 1), Err(HyperError::Decay(decimal("1.5"))));
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
                check("0.1", "2e-8", "0"),
                check("0.1", "299e-10", "0"),
                "the momentum 2e-8 would be rounded to 0; the smallest possible value is 299e-10",
            ),
            (
                check("0.1", "0", "2e-10"),
                check("0.1", "0", "233e-12"),
                "the weight decay 2e-10 would be rounded to 0 over 128 predictions per step; the smallest possible value is 233e-12",
            ),
        ] {
            assert_eq!(fault.unwrap_err().to_string(), message);
            held.unwrap();
        }
        let error = Hyper::new(1, &decimal("0.99999999999"), &Decimal::ZERO, 1).unwrap_err();
        assert!(error.to_string().contains("would be rounded to 1; the largest is 0.9999999"), "{error}");
        Hyper::new(1, &decimal("0.9999999"), &Decimal::ZERO, 1).unwrap();
        let rate = decimal("1e-7");
        let schedule = Schedule::cosine(&rate, 10, 0, &decimal("0.001")).unwrap();
        let error = check_rounding((&rate, &schedule), &Decimal::ZERO, &Decimal::ZERO, 128).unwrap_err();
        assert!(matches!(error, HyperError::Small { name: "floor", .. }), "{error}");
    }
}
