//! Amounts of coins, counted in grains; no arithmetic wraps, and no amount exceeds the supply.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Grains of a coin: 10^8.
pub const GRAINS_PER_COIN: u64 = 100_000_000;

/// Most grains that there can ever be: 21 million coins, far below 2^63.
pub const MAX_SUPPLY: Amount = Amount(21_000_000 * GRAINS_PER_COIN);

const DECIMALS: usize = 8;

/// Grains, at most [`MAX_SUPPLY`]; shown and parsed as decimal coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

/// So many grains, also more than there can ever be; shown as decimal coins, in which all messages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coins(pub u128);

/// An amount that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Above the supply.
    #[error("{} coins exceed the maximum supply", Coins(*.0))]
    AboveSupply(u128),
    /// Less than nothing would be left.
    #[error("{subtrahend} coins cannot be subtracted from {from}")]
    Negative {
        /// What there is.
        from: Amount,
        /// What should be taken.
        subtrahend: Amount,
    },
    /// Not `digits[.digits]`.
    #[error("`{0}` is not a decimal number of coins")]
    Syntax(String),
    /// Finer than a grain.
    #[error("`{0}` has more than {DECIMALS} digits after the point")]
    TooFine(String),
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A number of grains.
    pub const fn from_grains(grains: u64) -> Result<Self, AmountError> {
        if grains > MAX_SUPPLY.0 { Err(AmountError::AboveSupply(grains as u128)) } else { Ok(Self(grains)) }
    }

    /// The number of grains.
    pub const fn grains(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it exceeds the supply.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        // Both are below 2^63.
        Self::from_grains(self.0 + other.0)
    }

    /// The difference, unless it is negative.
    pub fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::Negative { from: self, subtrahend: other })
    }

    /// The sum of all, unless it exceeds the supply.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, AmountError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Halved `times` times, rounded down.
    pub fn halved(self, times: u64) -> Self {
        Self(u32::try_from(times).ok().and_then(|t| self.0.checked_shr(t)).unwrap_or(0))
    }
}

impl TryFrom<u64> for Amount {
    type Error = AmountError;

    fn try_from(grains: u64) -> Result<Self, AmountError> {
        Self::from_grains(grains)
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> u64 {
        amount.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Coins(self.0.into()).fmt(f)
    }
}

impl fmt::Display for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coins, grains) = (self.0 / u128::from(GRAINS_PER_COIN), self.0 % u128::from(GRAINS_PER_COIN));
        if grains == 0 {
            return write!(f, "{coins}");
        }
        let digits = format!("{grains:0DECIMALS$}");
        write!(f, "{coins}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let syntax = || AmountError::Syntax(text.chars().take(40).collect());
        let (coins, fraction) = match text.split_once('.') {
            Some((coins, fraction)) => (coins, Some(fraction)),
            None => (text, None),
        };
        // Checked by hand, since the integer parser takes a sign.
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(coins) || !fraction.is_none_or(digits) {
            return Err(syntax());
        }
        let fraction = fraction.unwrap_or("");
        if fraction.len() > DECIMALS {
            return Err(AmountError::TooFine(text.chars().take(40).collect()));
        }
        let all = format!("{coins}{fraction:0<DECIMALS$}");
        let grains = all.bytes().try_fold(0u128, |n, b| n.checked_mul(10)?.checked_add(u128::from(b - b'0')));
        let grains = grains.unwrap_or(u128::MAX);
        u64::try_from(grains).map_or(Err(AmountError::AboveSupply(grains)), Self::from_grains)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use proptest::prelude::*;

    /// Any amount.
    pub fn amount() -> impl Strategy<Value = Amount> {
        (0..=MAX_SUPPLY.0).prop_map(Amount)
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::amount, *};
    use proptest::prelude::*;

    #[test]
    fn parses_exactly_what_is_a_number_of_coins() {
        for (text, grains) in [
            ("0", 0),
            ("0.00000001", 1),
            ("1", GRAINS_PER_COIN),
            ("1.5", 150_000_000),
            ("0012.340", 1_234_000_000),
            ("20999999.99999999", MAX_SUPPLY.0 - 1),
            ("21000000", MAX_SUPPLY.0),
        ] {
            assert_eq!(text.parse(), Ok(Amount(grains)), "{text}");
        }
        for text in ["", ".", "1.", ".5", "+1", "-1", "1.-5", "1.5.0", "1,5", " 1", "1e3", "0x1", "1_0", "٣"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Syntax(text.into())), "{text}");
        }
        assert_eq!("0.000000001".parse::<Amount>(), Err(AmountError::TooFine("0.000000001".into())));
        let above = u128::from(MAX_SUPPLY.0) + 1;
        assert_eq!("21000000.00000001".parse::<Amount>(), Err(AmountError::AboveSupply(above)));
        assert_eq!("9".repeat(99).parse::<Amount>(), Err(AmountError::AboveSupply(u128::MAX)));
    }

    #[test]
    fn arithmetic_stays_within_nothing_and_the_supply() {
        let one = Amount(1);
        let above = AmountError::AboveSupply(u128::from(MAX_SUPPLY.0) + 1);
        assert_eq!(MAX_SUPPLY.checked_add(one), Err(above.clone()));
        assert_eq!(Amount::checked_sum([MAX_SUPPLY, Amount::ZERO, one]), Err(above.clone()));
        assert_eq!(Amount::from_grains(MAX_SUPPLY.0 + 1), Err(above));
        assert_eq!(Amount::ZERO.checked_sub(one), Err(AmountError::Negative { from: Amount::ZERO, subtrahend: one }));
    }

    /// 7.18: one unit in a sentence.
    #[test]
    fn messages_count_in_coins() {
        for (error, text) in [
            ("21000000.00000001".parse::<Amount>().unwrap_err(), "21000000.00000001 coins exceed the maximum supply"),
            (
                Amount(1).checked_sub(Amount(GRAINS_PER_COIN)).unwrap_err(),
                "1 coins cannot be subtracted from 0.00000001",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(Coins(u128::MAX).to_string(), "3402823669209384634633746074317.68211455");
    }

    #[test]
    fn halves_to_nothing() {
        let amount = Amount(5);
        assert_eq!([0, 1, 2, 3, 63, 64, u64::MAX].map(|t| amount.halved(t).0), [5, 2, 1, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn shown_and_parsed_again(amount in amount()) {
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn sums_and_differences_agree(a in amount(), b in amount()) {
            match a.checked_add(b) {
                Ok(sum) => prop_assert_eq!(sum.checked_sub(b), Ok(a)),
                Err(e) => prop_assert_eq!(e, AmountError::AboveSupply(u128::from(a.0) + u128::from(b.0))),
            }
        }

        #[test]
        fn never_panics_on_text(text in ".{0,40}") {
            let _ = text.parse::<Amount>();
        }
    }
}
