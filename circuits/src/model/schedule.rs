//! Learning rates in integers: frac 36.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{arithmetic::decimal::Decimal, ops::tables::half_turn_cosine};

/// A schedule that makes no sense.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// The learning rate is at most 1: no gradient exceeds what the update's circuit takes.
    #[error("the learning rate {0} is above 1")]
    Rate(Decimal),
    /// A learning rate that is not 0 must not become 0.
    #[error("the learning rate {0} would be rounded to 0; the smallest possible value is {least}", least = Decimal::at_least(1, 1 << 37))]
    SmallRate(Decimal),
    /// The floor is a share of the peak.
    #[error("the floor {0} is not a fraction between 0 and 1")]
    Floor(Decimal),
    /// A floor that is not 0 must not become 0.
    #[error("the floor {0} would be rounded to 0; the smallest possible fraction is {least}", least = Decimal::at_least(1, 1 << 25))]
    SmallFloor(Decimal),
    /// Decay needs steps after the warm-up.
    #[error("{warmup} warm-up steps leave none of the {steps} steps for the decay")]
    Steps {
        /// Steps in all.
        steps: u64,
        /// Steps of warm-up.
        warmup: u64,
    },
}

/// Learning rate by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Schedule {
    /// Always the same.
    Constant {
        /// The rate, frac 36.
        rate: u64,
    },
    /// Linear warm-up, then half a cosine down to the floor, then the floor.
    Cosine {
        /// Highest rate, frac 36.
        peak: u64,
        /// Lowest rate after the warm-up, frac 36.
        floor: u64,
        /// Steps in all.
        steps: u64,
        /// Steps of warm-up, fewer than `steps`.
        warmup: u64,
    },
}

/// The highest learning rate, frac 36.
pub const MAX_RATE: u64 = 1 << 36;

/// The learning rates of a step and of the one before, frac 36.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the step before; of a first step its own.
    pub before: u64,
    /// Of the step.
    pub now: u64,
}

impl Rates {
    /// The same rate twice.
    pub const fn constant(rate: u64) -> Self {
        Rates { before: rate, now: rate }
    }
}

/// `round(rate·2^36)`.
fn rate36(rate: &Decimal) -> Result<u64, ScheduleError> {
    let scaled = rate.scaled(1 << 36, 1).and_then(|r| u64::try_from(r).ok());
    let scaled = scaled.filter(|&r| r <= MAX_RATE).ok_or(ScheduleError::Rate(*rate))?;
    if scaled == 0 && *rate != Decimal::ZERO { Err(ScheduleError::SmallRate(*rate)) } else { Ok(scaled) }
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(rate: &Decimal) -> Result<Self, ScheduleError> {
        Ok(Self::Constant { rate: rate36(rate)? })
    }

    /// Warm-up and cosine decay to `floor_ratio` of the peak.
    pub fn cosine(peak: &Decimal, steps: u64, warmup: u64, floor_ratio: &Decimal) -> Result<Self, ScheduleError> {
        if warmup >= steps || steps > 1 << 32 {
            return Err(ScheduleError::Steps { steps, warmup });
        }
        let peak = rate36(peak)?;
        let ratio = floor_ratio.scaled(1 << 24, 1).filter(|&r| r <= 1 << 24);
        let ratio = ratio.ok_or(ScheduleError::Floor(*floor_ratio))?;
        if ratio == 0 && *floor_ratio != Decimal::ZERO {
            return Err(ScheduleError::SmallFloor(*floor_ratio));
        }
        let floor = ((u128::from(peak) * ratio + (1 << 23)) >> 24) as u64;
        Ok(Self::Cosine { peak, floor, steps, warmup })
    }

    /// Whether the numbers, perhaps from a file, are such as the constructors give.
    pub fn is_sound(&self) -> bool {
        match *self {
            Self::Constant { rate } => rate <= MAX_RATE,
            Self::Cosine { peak, floor, steps, warmup } => {
                peak <= MAX_RATE && floor <= peak && warmup < steps && steps <= 1 << 32
            }
        }
    }

    /// The lowest rate after the warm-up, frac 36.
    pub fn floor(&self) -> u64 {
        match *self {
            Self::Constant { rate } => rate,
            Self::Cosine { floor, .. } => floor,
        }
    }

    /// The highest rate of any step, frac 36, and the first step that has it.
    pub fn peak(&self) -> (u64, u64) {
        match *self {
            Self::Constant { rate } => (rate, 0),
            // The last step of the warm-up reaches it.
            Self::Cosine { peak, warmup, .. } => (peak, warmup.saturating_sub(1)),
        }
    }

    /// The rates that the update of a step goes by.
    pub fn rates_at(&self, step: u64) -> Rates {
        Rates { before: self.lr_at(step.saturating_sub(1)), now: self.lr_at(step) }
    }

    /// The rate of a step, counted from 0; frac 36, at most 2^36.
    pub fn lr_at(&self, step: u64) -> u64 {
        match *self {
            Self::Constant { rate } => rate,
            Self::Cosine { peak, warmup, .. } if step < warmup => {
                (u128::from(peak) * u128::from(step + 1) / u128::from(warmup)) as u64
            }
            Self::Cosine { floor, steps, .. } if step >= steps => floor,
            Self::Cosine { peak, floor, steps, warmup } => {
                // (1 + cos)/2, frac 25.
                let share = (1 << 24) + half_turn_cosine(step - warmup, steps - warmup);
                floor + ((u128::from(peak - floor) * share as u128 + (1 << 24)) >> 25) as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn warm_up_peak_and_floor() {
        let s = Schedule::cosine(&decimal("0.5"), 1000, 100, &decimal("0.1")).unwrap();
        let half = 1u64 << 35;
        assert_eq!(s.lr_at(0), half / 100);
        assert_eq!((s.lr_at(99), s.lr_at(100)), (half, half));
        let middle = s.lr_at(550) as f64 / half as f64;
        assert!((middle - 0.55).abs() < 1e-6, "{middle}");
        assert!((100..1200).all(|i| s.lr_at(i) >= s.lr_at(i + 1)));
        let floor = s.lr_at(5000) as f64 / half as f64;
        assert!((floor - 0.1).abs() < 1e-6, "{floor}");
    }

    #[test]
    fn the_peak_is_the_highest_rate() {
        for (steps, warmup) in [(1, 0), (2, 1), (50, 0), (50, 1), (50, 7), (50, 49)] {
            let s = Schedule::cosine(&decimal("0.3"), steps, warmup, &decimal("0.2")).unwrap();
            let (rate, at) = s.peak();
            assert_eq!((s.lr_at(at), (0..2 * steps).map(|i| s.lr_at(i)).max()), (rate, Some(rate)));
            assert!((0..at).all(|i| s.lr_at(i) < rate), "{steps} {warmup}");
        }
        let constant = Schedule::constant(&decimal("0.3")).unwrap();
        assert_eq!(constant.peak(), (constant.lr_at(7), 0));
    }

    #[test]
    fn senseless_schedules_are_refused() {
        let one = decimal("1");
        assert_eq!(Schedule::constant(&decimal("1.01")), Err(ScheduleError::Rate(decimal("1.01"))));
        assert!(matches!(Schedule::cosine(&one, 10, 10, &one), Err(ScheduleError::Steps { .. })));
        assert!(matches!(Schedule::cosine(&one, 10, 1, &decimal("1.1")), Err(ScheduleError::Floor(_))));
        assert_eq!(Schedule::constant(&one).unwrap().lr_at(9), 1 << 36);
        // What rounding would make nothing of. 7.19
        let small = |error: ScheduleError, least: &str| assert!(error.to_string().ends_with(least), "{error}");
        small(Schedule::constant(&decimal("7e-12")).unwrap_err(), "the smallest possible value is 728e-14");
        small(
            Schedule::cosine(&one, 10, 1, &decimal("2e-8")).unwrap_err(),
            "the smallest possible fraction is 299e-10",
        );
        assert_eq!(Schedule::constant(&decimal("728e-14")).unwrap().lr_at(0), 1);
        assert_eq!(Schedule::constant(&decimal("0")).unwrap().lr_at(0), 0);
        Schedule::cosine(&one, 10, 1, &decimal("299e-10")).unwrap();
        Schedule::cosine(&one, 10, 1, &decimal("0")).unwrap();
    }
}
