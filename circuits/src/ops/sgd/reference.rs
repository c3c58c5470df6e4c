//! The update of one element, and its public integers.

use thiserror::Error;

use crate::{
    decimal::Decimal,
    fixed::{Class, LOW_BITS, Saturations, rescale_to, shift_round},
};

/// Hyper-parameters outside the ranges of the update.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HyperError {
    /// P lies in `1..2^24`.
    #[error("{0} predictions are not within 1 and 2^24 - 1")]
    Predictions(u64),
    /// The learning rate stays below 2^10.
    #[error("the learning rate {0}/2^36 is not below 1024")]
    Rate(u64),
    /// Momentum stays below 1.
    #[error("the momentum {0} is not below 1")]
    Momentum(Decimal),
    /// Weight decay is at most 1.
    #[error("the weight decay {0} is not at most 1")]
    Decay(Decimal),
}

/// The public integers of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hyper {
    /// λ = round(lr36 / P), frac 36, below 2^46.
    pub lambda: u64,
    /// μ = round(momentum·2^24), below 2^24.
    pub mu: u64,
    /// ω = round(P·weight_decay·2^24), below 2^48.
    pub omega: u64,
}

impl Hyper {
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

/// One element of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
