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
    /// The decay is part of the schedule.
    #[error("{decay} steps of decay after {warmup} of warm-up do not fit {steps} steps, or there are none")]
    Decay {
        /// Steps in all.
        steps: u64,
        /// Steps of warm-up.
        warmup: u64,
        /// Steps of decay.
        decay: u64,
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
    /// Linear warm-up, then a straight line down to the floor, then the floor.
    Linear {
        /// Highest rate, frac 36.
        peak: u64,
        /// Lowest rate after the warm-up, frac 36.
        floor: u64,
        /// Steps in all.
        steps: u64,
        /// Steps of warm-up, fewer than `steps`.
        warmup: u64,
    },
    /// Linear warm-up, then the peak, then a straight line down to the floor, then the floor (warm-up–stable–decay: Hu et al. 2024,
    /// MiniCPM, section 4.2).
    Stable {
        /// Highest rate, frac 36.
        peak: u64,
        /// Lowest rate after the warm-up, frac 36.
        floor: u64,
        /// Steps in all.
        steps: u64,
        /// Steps of warm-up.
        warmup: u64,
        /// Steps of the decay, at least 1; with those of the warm-up at most `steps`.
        decay: u64,
    },
}

/// The parts of a schedule that is not constant.
#[derive(Clone, Copy)]
struct Parts {
    peak: u64,
    floor: u64,
    steps: u64,
    warmup: u64,
    /// Step with which the decay begins.
    decay_from: Option<u64>,
    /// Half a cosine, or a straight line.
    cosine: bool,
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
        let (peak, floor) = ends(peak, (steps, warmup), floor_ratio)?;
        Ok(Self::Cosine { peak, floor, steps, warmup })
    }

    /// Warm-up and linear decay to `floor_ratio` of the peak.
    pub fn linear(peak: &Decimal, steps: u64, warmup: u64, floor_ratio: &Decimal) -> Result<Self, ScheduleError> {
        let (peak, floor) = ends(peak, (steps, warmup), floor_ratio)?;
        Ok(Self::Linear { peak, floor, steps, warmup })
    }

    /// Warm-up, the peak, and in the last `decay` steps a linear decay to `floor_ratio` of the peak.
    pub fn stable(
        peak: &Decimal,
        (steps, warmup, decay): (u64, u64, u64),
        floor_ratio: &Decimal,
    ) -> Result<Self, ScheduleError> {
        if decay == 0 || warmup.saturating_add(decay) > steps {
            return Err(ScheduleError::Decay { steps, warmup, decay });
        }
        let (peak, floor) = ends(peak, (steps, warmup), floor_ratio)?;
        Ok(Self::Stable { peak, floor, steps, warmup, decay })
    }

    /// Its name in flags and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant { .. } => "constant",
            Self::Cosine { .. } => "cosine",
            Self::Linear { .. } => "linear",
            Self::Stable { .. } => "stable",
        }
    }

    /// None of a constant one.
    fn parts(&self) -> Option<Parts> {
        let (peak, floor, steps, warmup, decay_from, cosine) = match *self {
            Self::Constant { .. } => return None,
            Self::Cosine { peak, floor, steps, warmup } => (peak, floor, steps, warmup, Some(warmup), true),
            Self::Linear { peak, floor, steps, warmup } => (peak, floor, steps, warmup, Some(warmup), false),
            Self::Stable { peak, floor, steps, warmup, decay } => {
                (peak, floor, steps, warmup, steps.checked_sub(decay), false)
            }
        };
        Some(Parts { peak, floor, steps, warmup, decay_from, cosine })
    }

    /// Whether the numbers, perhaps from a file, are such as the constructors give.
    pub fn is_sound(&self) -> bool {
        match (*self, self.parts()) {
            (Self::Constant { rate }, _) => rate <= MAX_RATE,
            (_, Some(Parts { peak, floor, steps, warmup, decay_from: Some(decay_from), .. })) => {
                let ends = peak <= MAX_RATE && floor <= peak && steps <= 1 << 32;
                ends && warmup < steps && warmup <= decay_from && decay_from < steps
            }
            _ => false,
        }
    }

    /// Steps in all, if it has an end.
    pub fn steps(&self) -> Option<u64> {
        self.parts().map(|parts| parts.steps)
    }

    /// The lowest rate after the warm-up, frac 36.
    pub fn floor(&self) -> u64 {
        match (*self, self.parts()) {
            (Self::Constant { rate }, _) => rate,
            (_, parts) => parts.map_or(0, |parts| parts.floor),
        }
    }

    /// The highest rate of any step, frac 36, and the first step that has it.
    pub fn peak(&self) -> (u64, u64) {
        match (*self, self.parts()) {
            (Self::Constant { rate }, _) => (rate, 0),
            // The last step of the warm-up reaches it.
            (_, parts) => parts.map_or((0, 0), |parts| (parts.peak, parts.warmup.saturating_sub(1))),
        }
    }

    /// The rates that the update of a step goes by.
    pub fn rates_at(&self, step: u64) -> Rates {
        Rates { before: self.lr_at(step.saturating_sub(1)), now: self.lr_at(step) }
    }

    /// The rate of a step, counted from 0; frac 36, at most 2^36.
    pub fn lr_at(&self, step: u64) -> u64 {
        match (*self, self.parts()) {
            (Self::Constant { rate }, _) => rate,
            (_, parts) => parts.map_or(0, |parts| parts.lr_at(step)),
        }
    }
}

impl Parts {
    fn lr_at(&self, step: u64) -> u64 {
        let Parts { peak, floor, steps, warmup, decay_from, cosine } = *self;
        let decay_from = decay_from.unwrap_or(steps);
        if step < warmup {
            return (u128::from(peak) * u128::from(step + 1) / u128::from(warmup)) as u64;
        }
        if step >= steps {
            return floor;
        }
        if step < decay_from {
            return peak;
        }
        // What is left of the way down, frac 25.
        let share = if cosine {
            // (1 + cos)/2.
            ((1 << 24) + half_turn_cosine(step - decay_from, steps - decay_from)) as u128
        } else {
            (u128::from(steps - step) << 25) / u128::from(steps - decay_from)
        };
        floor + ((u128::from(peak - floor) * share + (1 << 24)) >> 25) as u64
    }
}

/// Peak and floor of a schedule with an end, frac 36.
fn ends(peak: &Decimal, (steps, warmup): (u64, u64), floor_ratio: &Decimal) -> Result<(u64, u64), ScheduleError> {
    if warmup >= steps || steps > 1 << 32 {
        return Err(ScheduleError::Steps { steps, warmup });
    }
    let peak = rate36(peak)?;
    let ratio = floor_ratio.scaled(1 << 24, 1).filter(|&r| r <= 1 << 24);
    let ratio = ratio.ok_or(ScheduleError::Floor(*floor_ratio))?;
    if ratio == 0 && *floor_ratio != Decimal::ZERO {
        return Err(ScheduleError::SmallFloor(*floor_ratio));
    }
    Ok((peak, ((u128::from(peak) * ratio + (1 << 23)) >> 24) as u64))
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
            let (peak, floor) = (decimal("0.3"), decimal("0.2"));
            for s in [
                Schedule::cosine(&peak, steps, warmup, &floor).unwrap(),
                Schedule::linear(&peak, steps, warmup, &floor).unwrap(),
                Schedule::stable(&peak, (steps, warmup, 1), &floor).unwrap(),
                Schedule::stable(&peak, (steps, warmup, steps - warmup), &floor).unwrap(),
            ] {
                assert!(s.is_sound());
                let (rate, at) = s.peak();
                assert_eq!((s.lr_at(at), (0..2 * steps).map(|i| s.lr_at(i)).max()), (rate, Some(rate)));
                assert!((0..at).all(|i| s.lr_at(i) < rate), "{steps} {warmup}");
                assert!((at..2 * steps).all(|i| s.lr_at(i) >= s.lr_at(i + 1)));
                assert_eq!(s.lr_at(steps), s.floor());
            }
        }
        let constant = Schedule::constant(&decimal("0.3")).unwrap();
        assert_eq!(constant.peak(), (constant.lr_at(7), 0));
    }

    /// As `get_linear_schedule_with_warmup` of `transformers` (but for its first step of rate 0), and with a plateau.
    #[test]
    fn straight_lines() {
        let linear = Schedule::linear(&decimal("0.5"), 110, 10, &decimal("0")).unwrap();
        let half = 1u64 << 35;
        assert_eq!((linear.lr_at(10), linear.lr_at(60), linear.lr_at(110)), (half, half / 2, 0));
        assert!(linear.lr_at(109).abs_diff(half / 100) < 1 << 10);
        let stable = Schedule::stable(&decimal("0.5"), (110, 10, 20), &decimal("0.5")).unwrap();
        assert!((9..=90).all(|i| stable.lr_at(i) == half));
        assert_eq!((stable.lr_at(100), stable.lr_at(110)), (half * 3 / 4, half / 2));
    }

    #[test]
    fn senseless_schedules_are_refused() {
        let one = decimal("1");
        assert_eq!(Schedule::constant(&decimal("1.01")), Err(ScheduleError::Rate(decimal("1.01"))));
        assert!(matches!(Schedule::cosine(&one, 10, 10, &one), Err(ScheduleError::Steps { .. })));
        assert!(matches!(Schedule::cosine(&one, 10, 1, &decimal("1.1")), Err(ScheduleError::Floor(_))));
        for (warmup, decay) in [(0, 0), (5, 6), (0, 11), (1, u64::MAX)] {
            let refused = ScheduleError::Decay { steps: 10, warmup, decay };
            assert_eq!(Schedule::stable(&one, (10, warmup, decay), &one), Err(refused));
        }
        for (steps, warmup, decay) in [(10, 5, 6), (10, 0, 0), (10, 0, 11), (10, 10, 1)] {
            assert!(!Schedule::Stable { peak: 1, floor: 0, steps, warmup, decay }.is_sound());
        }
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
