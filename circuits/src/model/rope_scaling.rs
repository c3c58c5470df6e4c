//! How a model stretches its rotary angles over a longer context than it was first trained for.

use crate::arithmetic::decimal::Decimal;
use thiserror::Error;

/// Largest factor, of any kind.
const MAX_FACTOR: u128 = 1_000_000;
/// Longest original context.
const MAX_ORIGINAL: u64 = 1 << 24;

/// A parameter that makes no angles.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScalingError {
    /// A factor out of its range.
    #[error("`rope_scaling.{key}` is {value}; it must be {expected}")]
    Factor {
        /// The key within `rope_scaling`.
        key: &'static str,
        /// Its value.
        value: Decimal,
        /// What it must be.
        expected: &'static str,
    },
    /// An original context of no or too many positions.
    #[error("`rope_scaling.original_max_position_embeddings` is {0}; it must be between 1 and {MAX_ORIGINAL}")]
    Original(u64),
}

/// `rope_scaling` of a configuration. A frequency is `theta^(−2i/hd)`, in turns of 2π per position; factors are at least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RopeScaling {
    /// Type `default`, or none: angles as they are.
    #[default]
    None,
    /// Type `linear`: every frequency divided by `factor`.
    Linear {
        /// `factor`.
        factor: Decimal,
    },
    /// Type `llama3`: frequencies of fewer than `low` turns over the original context are divided by `factor`, those of more
    /// than `high` are kept, and what is between is interpolated.
    Llama3 {
        /// `factor`.
        factor: Decimal,
        /// `low_freq_factor`, above 0 and below `high`.
        low: Decimal,
        /// `high_freq_factor`.
        high: Decimal,
        /// `original_max_position_embeddings`.
        original: u64,
    },
}

/// `value·2^60`, rounded; what is beyond every limit saturates.
pub(crate) fn frac60(value: &Decimal) -> u128 {
    value.scaled(1 << 60, 1).unwrap_or(u128::MAX)
}

impl RopeScaling {
    /// Every rule that parameters obey.
    pub fn check(&self) -> Result<(), ScalingError> {
        let bad = |key, value: &Decimal, expected| Err(ScalingError::Factor { key, value: *value, expected });
        let (factor, rest) = match self {
            RopeScaling::None => return Ok(()),
            RopeScaling::Linear { factor } => (factor, None),
            RopeScaling::Llama3 { factor, low, high, original } => (factor, Some((low, high, *original))),
        };
        if !(1 << 60..=MAX_FACTOR << 60).contains(&frac60(factor)) {
            return bad("factor", factor, "between 1 and 1000000");
        }
        let Some((low, high, original)) = rest else { return Ok(()) };
        if frac60(high) > MAX_FACTOR << 60 {
            return bad("high_freq_factor", high, "at most 1000000");
        }
        if !(1..frac60(high)).contains(&frac60(low)) {
            return bad("low_freq_factor", low, "above 0 and below `high_freq_factor`");
        }
        if !(1..=MAX_ORIGINAL).contains(&original) {
            return Err(ScalingError::Original(original));
        }
        Ok(())
    }

    /// The JSON of `rope_scaling`. Factors have a point or an exponent: the library warns of integers.
    pub(super) fn json(&self) -> String {
        let float = |x: &Decimal| if x.exponent() == 0 { format!("{x}.0") } else { x.to_string() };
        match self {
            RopeScaling::None => "null".to_owned(),
            RopeScaling::Linear { factor } => format!(r#"{{"factor": {}, "rope_type": "linear"}}"#, float(factor)),
            RopeScaling::Llama3 { factor, low, high, original } => format!(
                r#"{{"factor": {}, "high_freq_factor": {}, "low_freq_factor": {}, "original_max_position_embeddings": {original}, "rope_type": "llama3"}}"#,
                float(factor),
                float(high),
                float(low),
            ),
        }
    }

    /// Adds it to a digest: a byte tells the kind, and with it the length of what follows.
    pub(super) fn update(&self, digest: &mut blake2b_simd::State) {
        let (kind, decimals, original) = match self {
            RopeScaling::None => (0, vec![], None),
            RopeScaling::Linear { factor } => (1, vec![factor], None),
            RopeScaling::Llama3 { factor, low, high, original } => (2, vec![factor, low, high], Some(original)),
        };
        digest.update(&[kind]);
        for decimal in decimals {
            digest.update(&decimal.digits().to_le_bytes());
            digest.update(&decimal.exponent().to_le_bytes());
        }
        if let Some(original) = original {
            digest.update(&original.to_le_bytes());
        }
    }
}

/// Its parameters as one would say them.
impl std::fmt::Display for RopeScaling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.json())
    }
}
