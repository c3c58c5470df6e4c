//! Hyper-parameters that the updates' integers cannot express.

use crate::arithmetic::decimal::Decimal;
use thiserror::Error;

/// Hyper-parameters outside the ranges of the update.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HyperError {
    /// P lies in `1..2^24`.
    #[error("the number of predictions {0} is not between 1 and 2^24 - 1")]
    Predictions(u64),
    /// The learning rate is at most 1.
    #[error("the learning rate {0}/2^36 is above 1")]
    Rate(u64),
    /// Momentum stays below 1, also when it is rounded to frac 36.
    #[error("the momentum {0} is 1 or more, or would be rounded to 1; the largest is 0.99999999999")]
    Momentum(Decimal),
    /// Weight decay is at most 1.
    #[error("the weight decay {0} is above 1")]
    Decay(Decimal),
    /// A movement is carried on in proportion to the rates; sixteen times in one step is no schedule.
    #[error("the learning rate grows from {before}/2^36 to {now}/2^36 in one step, more than sixteenfold")]
    Growth {
        /// Of the step before, frac 36.
        before: u64,
        /// Of the step, frac 36.
        now: u64,
    },
    /// A moment's decay stays below 1, also when it is rounded to frac 24.
    #[error("{name} {found} is 1 or more, or would be rounded to 1; the largest is 0.99999997")]
    Beta {
        /// Which.
        name: &'static str,
        /// As written.
        found: Decimal,
    },
    /// What keeps a divisor from 0 is at most 1.
    #[error("eps {0} is above 1")]
    Eps(Decimal),
    /// The correction of the first steps would exceed what the update takes.
    #[error(
        "the learning rate {} is above {}, the largest that is sure to fit every step with this beta1 and beta2",
        thousandths(.rate), thousandths(.most)
    )]
    Correction {
        /// Learning rate, frac 36.
        rate: u64,
        /// The largest that is taken with these decays, frac 36.
        most: u64,
    },
    /// A norm that gradients are clipped to is above 0, and at most what the update can express.
    #[error("the clip {found} is not above 0 and at most {most}")]
    Clip {
        /// As written.
        found: Decimal,
        /// The largest.
        most: u64,
    },
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

/// Of frac 36, rounded down.
fn thousandths(rate: &u64) -> String {
    let thousandths = (u128::from(*rate) * 1000) >> 36;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn over(predictions: &Option<u64>) -> String {
    predictions.map_or(String::new(), |p| format!(" over {p} predictions per step"))
}

/// Requires that `held` is 0 only where what was written is; else `least`, as a fraction, could be held.
pub(crate) fn kept(
    (name, written, predictions): (&'static str, &Decimal, Option<u64>),
    held: u64,
    least: (u128, u128),
) -> Result<(), HyperError> {
    if held != 0 || *written == Decimal::ZERO {
        return Ok(());
    }
    Err(HyperError::Small { name, found: *written, predictions, least: Decimal::at_least(least.0, least.1) })
}
