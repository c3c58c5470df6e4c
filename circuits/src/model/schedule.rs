//! Learning rates in integers: frac 36.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{decimal::Decimal, ops::tables::half_turn_cosine};

/// A schedule that makes no sense.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// The learning rate must stay below 2^10.
    #[error("the learning rate {0} is not below 1024")]
    Rate(Decimal),
    /// The floor is a share of the peak.
    #[error("the floor {0} is not a share between 0 and 1")]
    Floor(Decimal),
    /// Decay needs steps after the warm-up.
    #[error("{warmup} steps of warm-up leave none of {steps} for the decay")]
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

/// `round(rate·2^36)`.
fn rate36(rate: &Decimal) -> Result<u64, ScheduleError> {
    let scaled = rate.scaled(1 << 36, 1).and_then(|r| u64::try_from(r).ok());
    scaled.filter(|&r| r < 1 << 46).ok_or(ScheduleError::Rate(*rate))
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
        let floor = ((u128::from(peak) * ratio + (1 << 23)) >> 24) as u64;
        Ok(Self::Cosine { peak, floor, steps, warmup })
    }

    /// Whether the numbers, perhaps from a file, are such as the constructors give.
    pub fn is_sound(&self) -> bool {
        match *self {
            Self::Constant { rate } => rate < 1 << 46,
            Self::Cosine { peak, floor, steps, warmup } => {
                peak < 1 << 46 && floor <= peak && warmup < steps && steps <= 1 << 32
            }
        }
    }

    /// The rate of a step, counted from 0; frac 36, below 2^46.
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
    fn senseless_schedules_are_refused() {
        let one = decimal("1");
        assert_eq!(Schedule::constant(&decimal("1024")), Err(ScheduleError::Rate(decimal("1024"))));
        assert!(matches!(Schedule::cosine(&one, 10, 10, &one), Err(ScheduleError::Steps { .. })));
        assert!(matches!(Schedule::cosine(&one, 10, 1, &decimal("1.1")), Err(ScheduleError::Floor(_))));
        assert_eq!(Schedule::constant(&one).unwrap().lr_at(9), 1 << 36);
    }
}
