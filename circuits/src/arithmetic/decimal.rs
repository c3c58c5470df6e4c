//! Exact decimals: hyper-parameters are read as written and never pass through a float.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::statements::codec;

/// A number that cannot be used as a [`Decimal`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecimalError {
    /// Not `digits[.digits][e[±]digits]`.
    #[error("`{0}` is not a non-negative decimal number")]
    Syntax(String),
    /// More than 17 significant digits, or an exponent beyond ±24.
    #[error("`{0}` has too many digits or too large an exponent")]
    Range(String),
}

/// `digits · 10^exponent`, not negative, without trailing zeros; zero is `0 · 10^0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Decimal {
    digits: u64,
    exponent: i32,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { digits: 0, exponent: 0 };

    /// `digits · 10^exponent`, for constants; `digits` must not end in a zero.
    pub(crate) const fn canonical(digits: u64, exponent: i32) -> Self {
        assert!(!digits.is_multiple_of(10));
        Self { digits, exponent }
    }

    /// The significant digits, below 10^17.
    pub fn digits(&self) -> u64 {
        self.digits
    }

    /// The power of ten, within ±24.
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// The largest integer not above it.
    pub fn floor(&self) -> u128 {
        // 10^17 · 10^24 < 2^137 does not fit; such numbers are far beyond every limit.
        let power = 10u128.pow(self.exponent.unsigned_abs());
        let digits = u128::from(self.digits);
        if self.exponent >= 0 { digits.saturating_mul(power) } else { digits / power }
    }

    /// The least decimal of three digits that is not below `numerator / denominator`, for messages; the fraction must be
    /// within 10^−20 and 1.
    pub fn at_least(numerator: u128, denominator: u128) -> Self {
        let digits = |exponent: u32| (numerator * 10u128.pow(exponent)).div_ceil(denominator.max(1));
        let exponent = (0..22).find(|&e| digits(e) >= 100).unwrap_or(22);
        let (mut digits, mut exponent) = (digits(exponent) as u64, -(exponent as i32));
        while digits != 0 && digits.is_multiple_of(10) {
            (digits, exponent) = (digits / 10, exponent + 1);
        }
        if digits == 0 { Self::ZERO } else { Self { digits, exponent } }
    }

    /// `round(self · multiplier / divisor)`, halves up; `None` if it exceeds 128 bits on the way.
    pub fn scaled(&self, multiplier: u64, divisor: u64) -> Option<u128> {
        let power = 10u128.checked_pow(self.exponent.unsigned_abs())?;
        let numerator = u128::from(self.digits).checked_mul(multiplier.into())?;
        let divisor = u128::from(divisor);
        let (numerator, divisor) = if self.exponent >= 0 {
            (numerator.checked_mul(power)?, divisor)
        } else {
            (numerator, divisor.checked_mul(power)?)
        };
        numerator.checked_mul(2)?.checked_add(divisor)?.checked_div(divisor.checked_mul(2)?)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let syntax = || DecimalError::Syntax(text.to_owned());
        let range = || DecimalError::Range(text.to_owned());
        if text.len() > 64 {
            return Err(range());
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| syntax())?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let figures = format!("{whole}{fraction}");
        if whole.is_empty() || !figures.bytes().all(|b| b.is_ascii_digit()) {
            return Err(syntax());
        }
        let significant = figures.trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        let dropped = (figures.len() - significant.len()) as i32;
        let exponent =
            exponent.checked_sub(fraction.len() as i32).and_then(|e| e.checked_add(dropped)).ok_or_else(range)?;
        let digits: u64 = significant.trim_start_matches('0').parse().map_err(|_| range())?;
        if digits >= 10u64.pow(17) || exponent.unsigned_abs() > 24 {
            return Err(range());
        }
        Ok(Self { digits, exponent })
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        codec::text(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl fmt::Display for Decimal {
    /// A JSON number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exponent {
            0 => write!(f, "{}", self.digits),
            e => write!(f, "{}e{e}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        for text in ["1e-05", "0.00001", "1E-5", "0.000010", "10.0e-6", "100e-7"] {
            assert_eq!(text.parse(), Ok(Decimal::canonical(1, -5)), "{text}");
        }
        assert_eq!("10000.0".parse(), Ok(Decimal::canonical(1, 4)));
        assert_eq!("0.0".parse(), Ok(Decimal::ZERO));
        assert_eq!("12.50".parse::<Decimal>().map(|d| d.to_string()), Ok("125e-1".into()));
    }

    #[test]
    fn malformed_numbers_are_refused() {
        for text in ["", ".5", "-1", "+1", "1e", "nan", "inf", "1_0", "0x10", "1.2.3", "e5", "1e99999999999"] {
            assert!(matches!(text.parse::<Decimal>(), Err(DecimalError::Syntax(_))), "{text}");
        }
        for text in ["1e2147483647", "1e-2147483648", "123456789012345678", "1e25", &"1".repeat(65)] {
            assert!(matches!(text.parse::<Decimal>(), Err(DecimalError::Range(_))), "{text}");
        }
    }

    #[test]
    fn fractions_are_rounded_up_to_three_digits() {
        for (numerator, denominator, text) in [
            (1, 1 << 25, "299e-10"),
            (1, 1 << 37, "728e-14"),
            (1, 2, "5e-1"),
            (1, 3, "334e-3"),
            (999_999, 1_000_000, "1"),
        ] {
            assert_eq!(Decimal::at_least(numerator, denominator).to_string(), text);
        }
    }

    #[test]
    fn scaling_rounds_to_nearest() {
        let eps: Decimal = "1e-5".parse().unwrap();
        assert_eq!(eps.scaled(1 << 24, 1), Some(168));
        let half: Decimal = "0.5".parse().unwrap();
        assert_eq!((half.scaled(1, 1), half.scaled(3, 1), half.scaled(1, 2)), (Some(1), Some(2), Some(0)));
    }
}
