//! The integers of an update, which every verifier derives from the run.

use super::reference::{FIRST_MAX, GRADIENT_SHIFT, MOMENT_FRAC};
use crate::{
    arithmetic::decimal::Decimal,
    arithmetic::fixed::STATE_FRAC,
    model::clip::{self, FACTOR_FRAC},
    model::{MAX_RATE, Schedule, SquareSum},
    ops::hyper::{HyperError, kept},
};
use serde::{Deserialize, Serialize};

/// Frac bits of the moments' decays.
pub const BETA_BITS: u32 = 24;
/// Bits of η: with it, what a weight beyond its range exceeds it by has the 72 bits that the quotient's limbs give it.
pub const ETA_BITS: u32 = 37;
/// Frac bits of powers of the decays.
const POWER_BITS: u32 = 62;
/// Largest `|γ·g|` that the update's circuit takes: no gradient that the other circuits give exceeds it.
pub const GRADIENT_BOUND: u128 = 1 << 95;
/// Largest where the gradient is clipped: its mean has a norm of at most [`MAX_CLIP`].
pub const CLIPPED_BOUND: u128 = (FIRST_MAX as u128) << GRADIENT_SHIFT;
/// From the factor's frac to γ's.
const FACTOR_SHIFT: u32 = FACTOR_FRAC - MOMENT_FRAC;

/// What AdamW has beside the learning rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Betas {
    /// Decay of the first moment, below 1.
    pub beta1: Decimal,
    /// Decay of the second, below 1.
    pub beta2: Decimal,
    /// Added to the root of the second moment, at most 1.
    pub eps: Decimal,
    /// Weight decay, decoupled, at most 1.
    pub weight_decay: Decimal,
    /// Norm that mean gradients are clipped to, at most [`MAX_CLIP`].
    pub clip: Decimal,
}

/// Largest norm that gradients are clipped to: moments have the bits for it.
pub const MAX_CLIP: u64 = 16;

/// Those that the circuit reads, public values of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Integers<T> {
    /// η = `lr36·√2·√(1 − β₂^t)/(1 − β₁^t)` rounded, frac 36, below 2^37: √2, as the root is of twice the second moment.
    pub eta: T,
    /// ε = `eps·√2·√(1 − β₂^t)` rounded, frac 30: the root of the second moment is not corrected, so that this is.
    pub epsilon: T,
    /// b₁ = β₁ rounded down, or 1 more where that is even, frac 24, below 2^24.
    pub beta1: T,
    /// a₁ = `2^24 − b₁`, which is odd: what the gradient adds to the first moment. 0 where a step goes on without it.
    pub share1: T,
    /// b₂ = β₂ rounded, frac 24, below 2^24.
    pub beta2: T,
    /// a₂ = `2^24 − b₂`, or 0, likewise.
    pub share2: T,
    /// What is added before a mean is rounded down: 0 in even steps, 2^24 − 1 in odd ones, so that these round up. To the nearest,
    /// a moment without gradients would stay where it is, a few units from 0.
    pub rounding: T,
}

impl<T> Integers<T> {
    /// In the order of an instance's public values.
    pub fn list(self) -> [T; 7] {
        [self.eta, self.epsilon, self.beta1, self.share1, self.beta2, self.share2, self.rounding]
    }

    /// From that order.
    pub fn of([eta, epsilon, beta1, share1, beta2, share2, rounding]: [T; 7]) -> Self {
        Integers { eta, epsilon, beta1, share1, beta2, share2, rounding }
    }
}

impl Integers<i128> {
    /// Largest `|γ·g|` that a step takes: what clipping leaves of a gradient, where any of it counts.
    pub fn gradient_bound(&self) -> u128 {
        if (self.share1, self.share2) == (0, 0) { GRADIENT_BOUND } else { CLIPPED_BOUND }
    }
}

/// The integers of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hyper {
    /// γ = `floor(f / (64·P))`, frac 30, f being the factor that clips the gradient: what makes the mean gradient of the sum. At least
    /// 1; where that is too much, the step goes on without a gradient.
    pub gamma: u64,
    /// ω = `round(weight_decay·lr)`, frac 24, at most 2^24.
    pub omega: u64,
    /// The others.
    pub integers: Integers<i128>,
}

impl Hyper {
    /// The update that moves neither weight nor moment. A genesis proof is made with it.
    pub const IDENTITY: Self = Self {
        gamma: 0,
        omega: 0,
        integers: Integers {
            eta: 0,
            epsilon: 0,
            beta1: 1 << BETA_BITS,
            share1: 0,
            beta2: 1 << BETA_BITS,
            share2: 0,
            rounding: 0,
        },
    };

    /// Whether the step goes on without its gradient, whose norm is beyond what γ can bring down.
    pub fn skips(&self) -> bool {
        self.gamma != 0 && self.integers.share1 == 0
    }

    /// `rate` is the step's, frac 36; `predictions` is P = B·N·T; `step` counts from 1; `squares` is the sum of the squares of the
    /// gradient.
    pub fn new(
        rate: u64,
        betas: &Betas,
        predictions: u64,
        (step, squares): (u64, SquareSum),
    ) -> Result<Self, HyperError> {
        if !(1..1 << 24).contains(&predictions) {
            return Err(HyperError::Predictions(predictions));
        }
        if rate > MAX_RATE {
            return Err(HyperError::Rate(rate));
        }
        let beta = |name, beta: &Decimal| {
            let held = beta.scaled(1 << BETA_BITS, 1).and_then(|b| u64::try_from(b).ok());
            held.filter(|&b| b < 1 << BETA_BITS).ok_or(HyperError::Beta { name, found: *beta })
        };
        beta("beta1", &betas.beta1)?;
        let beta2 = beta("beta2", &betas.beta2)?;
        // An odd b₁ makes a₁ odd: then one remainder alone makes the gradient's quotient (README).
        let finer = betas.beta1.scaled(1 << (BETA_BITS + 16), 1).and_then(|b| u64::try_from(b).ok());
        let refused = HyperError::Beta { name: "beta1", found: betas.beta1 };
        let beta1 = finer.map(|b| (b >> 16) | 1).filter(|&b| b < 1 << BETA_BITS).ok_or(refused)?;
        let most = largest_rate(beta1, beta2);
        if rate > most {
            return Err(HyperError::Correction { rate, most });
        }
        let one = 1u128 << POWER_BITS;
        let first = one - power(beta1, step);
        // √2 times that of 1 − β₂^t, frac 62.
        let root = ((one - power(beta2, step)) << (POWER_BITS + 1)).isqrt();
        let eta = (2 * u128::from(rate) * root + first) / (2 * first);
        let at_most_one = |x: &Decimal| x.scaled(1 << STATE_FRAC, 1).is_some_and(|x| x <= 1 << STATE_FRAC);
        let eps = Some(&betas.eps).filter(|eps| at_most_one(eps));
        let epsilon = eps.and_then(|eps| eps.scaled((root >> (POWER_BITS - MOMENT_FRAC)) as u64, 1));
        let decay = Some(&betas.weight_decay).filter(|decay| at_most_one(decay));
        let gamma = clip::factor(&betas.clip, MAX_CLIP, predictions, squares)? / (predictions << FACTOR_SHIFT);
        let share = |beta: u64| if gamma == 0 { 0 } else { (1 << BETA_BITS) - i128::from(beta) };
        Ok(Self {
            gamma: gamma.max(1),
            omega: decay.and_then(|decay| omega(decay, rate)).ok_or(HyperError::Decay(betas.weight_decay))?,
            integers: Integers {
                eta: eta as i128,
                epsilon: epsilon.ok_or(HyperError::Eps(betas.eps))? as i128,
                beta1: beta1.into(),
                share1: share(beta1),
                beta2: beta2.into(),
                share2: share(beta2),
                rounding: if step % 2 == 1 { (1 << BETA_BITS) - 1 } else { 0 },
            },
        })
    }
}

/// A rate, frac 36, up to which η is sure to stay below `2^ETA_BITS` in every step, though some beyond it would fit:
/// `(1 − β₂^t)/(1 − β₁^t)` is at most 1 where `β₂ ≥ β₁`, else what it is for t = 1, and `1 − β₁^t` at least `1 − β₁`.
fn largest_rate(beta1: u64, beta2: u64) -> u64 {
    // Squared, and less by what powers are rounded by.
    let most = (1u128 << (2 * ETA_BITS - BETA_BITS - 1)) - (1 << (2 * ETA_BITS - BETA_BITS - 16));
    let [first, second] = [beta1, beta2].map(|beta| u128::from((1 << BETA_BITS) - beta));
    (most * first * first / first.max(second)).isqrt() as u64
}

/// `round(decay·rate)`, frac 24.
fn omega(decay: &Decimal, rate: u64) -> Option<u64> {
    decay.scaled(rate, 1 << (STATE_FRAC - 24)).and_then(|omega| u64::try_from(omega).ok())
}

/// `beta^step`, frac 62, of a decay of frac 24: to about `step·2^-62` of it.
fn power(beta: u64, mut step: u64) -> u128 {
    let times = |a: u128, b: u128| (a * b) >> POWER_BITS;
    let (mut square, mut power) = (u128::from(beta) << (POWER_BITS - BETA_BITS), 1u128 << POWER_BITS);
    while step > 0 {
        if step & 1 == 1 {
            power = times(power, square);
        }
        square = times(square, square);
        step >>= 1;
    }
    power
}

/// Requires that rounding leaves the numbers their meaning: none that is not 0 becomes 0. For whoever writes them; of a run or
/// a chain that there is, the integers count.
pub fn check_rounding(schedule: &Schedule, betas: &Betas, predictions: u64) -> Result<(), HyperError> {
    let (peak, _) = schedule.peak();
    Hyper::new(peak, betas, predictions, (1, SquareSum::ZERO))?;
    let held = |x: &Decimal, bits: u32| x.scaled(1 << bits, 1).map_or(u64::MAX, |x| x as u64);
    kept(("beta2", &betas.beta2, None), held(&betas.beta2, BETA_BITS), (1, 1 << (BETA_BITS + 1)))?;
    kept(("eps", &betas.eps, None), held(&betas.eps, MOMENT_FRAC), (1, 1 << (MOMENT_FRAC + 1)))?;
    if peak == 0 {
        return Ok(());
    }
    let decay = &betas.weight_decay;
    kept(("weight decay", decay, None), omega(decay, peak).unwrap_or(u64::MAX), (1 << 11, u128::from(peak)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn betas(beta1: &str, beta2: &str, eps: &str, weight_decay: &str) -> Betas {
        let [beta1, beta2, eps, weight_decay, clip] = [beta1, beta2, eps, weight_decay, "16"].map(decimal);
        Betas { beta1, beta2, eps, weight_decay, clip }
    }

    /// The first step, of no gradient.
    const FIRST: (u64, SquareSum) = (1, SquareSum::ZERO);

    /// Against floats: the corrections of torch's `_single_tensor_adamw`.
    #[test]
    fn corrections_are_those_of_torch() {
        let usual = betas("0.9", "0.999", "1e-8", "0.01");
        let rate = ((0.003 * (1u64 << 36) as f64).round()) as u64;
        for step in [1u64, 2, 10, 100, 1000, 100_000, 1 << 40] {
            let hyper = Hyper::new(rate, &usual, 128, (step, SquareSum::ZERO)).unwrap();
            let power = |beta: f64| 1.0 - beta.powf(step as f64);
            let root = power(0.999).sqrt();
            let root = root * 2f64.sqrt();
            let eta = hyper.integers.eta as f64 / (1u64 << 36) as f64;
            assert!((eta / (0.003 * root / power(0.9)) - 1.0).abs() < 2e-5, "{step}: {eta}");
            let epsilon = hyper.integers.epsilon as f64 / (1u64 << 30) as f64;
            assert!((epsilon - 1e-8 * root).abs() <= 0.5 / (1u64 << 30) as f64, "{step}: {epsilon}");
        }
        let hyper = Hyper::new(1 << 34, &usual, 128, FIRST).unwrap();
        assert_eq!((hyper.gamma, hyper.omega), (1 << 23, 41_943));
        assert_eq!((hyper.integers.beta1, hyper.integers.beta2), (15_099_495, 16_760_439));
        // Without decays there is nothing to correct.
        let none = Hyper::new(1 << 30, &betas("0", "0", "1", "0"), 1, FIRST).unwrap();
        let root2 = |frac: u32| (2f64.sqrt() * (1u64 << frac) as f64) as i128;
        let one = 1 << 24;
        let (beta2, share2, rounding) = (0, one, one - 1);
        let expected =
            Integers { eta: none.integers.eta, epsilon: root2(30), beta1: 1, share1: one - 1, beta2, share2, rounding };
        assert_eq!(none.integers, expected);
        // b₁ is 1 of 2^24, and so η larger by as much.
        assert!((none.integers.eta as f64 / root2(30) as f64 - 1.0 - 2f64.powi(-24)).abs() < 1e-9);
        assert_eq!(Hyper::new(0, &usual, (1 << 24) - 1, FIRST).unwrap().gamma, 64);
    }

    #[test]
    fn what_the_update_cannot_express_is_refused() {
        let usual = betas("0.9", "0.999", "1e-8", "0.01");
        let refused = |betas: Betas| Hyper::new(1 << 30, &betas, 128, FIRST).unwrap_err();
        let beta = |name, found: &str| HyperError::Beta { name, found: decimal(found) };
        for one in ["1", "2", "0.99999999"] {
            assert_eq!(refused(betas(one, "0.999", "1e-8", "0")), beta("beta1", one));
            assert_eq!(refused(betas("0.9", one, "1e-8", "0")), beta("beta2", one));
        }
        Hyper::new(1 << 20, &betas("0.99999997", "0.99999997", "1", "1"), 128, FIRST).unwrap();
        assert_eq!(refused(betas("0.9", "0.999", "1.01", "0")), HyperError::Eps(decimal("1.01")));
        assert_eq!(refused(betas("0.9", "0.999", "1e20", "0")), HyperError::Eps(decimal("1e20")));
        assert_eq!(refused(betas("0.9", "0.999", "1e-8", "1.01")), HyperError::Decay(decimal("1.01")));
        assert_eq!(Hyper::new(0, &usual, 0, FIRST), Err(HyperError::Predictions(0)));
        assert_eq!(Hyper::new(MAX_RATE + 1, &usual, 1, FIRST), Err(HyperError::Rate(MAX_RATE + 1)));
    }

    /// The largest rates of all decays: no step's η exceeds its bits, and some step's is near.
    #[test]
    fn the_largest_rate_fits_every_step() {
        for (beta1, beta2, most) in [
            ("0.9", "0.999", "0.447"),
            ("0.9", "0.9", "0.447"),
            ("0.95", "0.95", "0.316"),
            ("0.99", "0.9", "0.044"),
            ("0.9999", "0.999", "0.004"),
            ("0", "0", "1.000"),
            ("0.99999997", "0.99999997", "0.000"),
        ] {
            let betas = betas(beta1, beta2, "1e-8", "0");
            let refused = Hyper::new(MAX_RATE, &betas, 1, FIRST);
            let rate = match refused {
                Err(error @ HyperError::Correction { most: rate, .. }) => {
                    assert!(error.to_string().contains(&format!("above {most},")), "{error}");
                    assert!(Hyper::new(rate + 1, &betas, 1, FIRST).is_err());
                    rate
                }
                other => other.map(|_| MAX_RATE).unwrap(),
            };
            let steps = (0..200).chain((8..34).map(|log| 1 << log));
            let eta = |step: u64| Hyper::new(rate, &betas, 1, (step + 1, SquareSum::ZERO)).unwrap().integers.eta;
            let largest = steps.map(eta).max().unwrap();
            assert!((1 << (ETA_BITS - 4)..1 << ETA_BITS).contains(&largest), "{beta1} {beta2}: {largest}");
        }
    }

    #[test]
    fn what_rounding_would_make_nothing_of_is_refused() {
        let schedule = Schedule::constant(&decimal("0.001")).unwrap();
        let check = |betas: Betas| check_rounding(&schedule, &betas, 128);
        check(betas("0", "0", "0", "0")).unwrap();
        for (fault, held, message) in [
            (
                betas("0", "2e-8", "0", "0"),
                betas("0", "299e-10", "0", "0"),
                "the beta2 2e-8 would be rounded to 0; the smallest possible value is 299e-10",
            ),
            (
                betas("0", "0", "1e-10", "0"),
                betas("0", "0", "466e-12", "0"),
                "the eps 1e-10 would be rounded to 0; the smallest possible value is 466e-12",
            ),
            (
                betas("0", "0", "0", "2e-5"),
                betas("0", "0", "0", "299e-7"),
                "the weight decay 2e-5 would be rounded to 0; the smallest possible value is 299e-7",
            ),
        ] {
            assert_eq!(check(fault).unwrap_err().to_string(), message);
            check(held).unwrap();
        }
    }
}
