//! The choice of a token by its logits, in integers and hence the same on every platform.

use thiserror::Error;

use super::Token;
use crate::{arithmetic::decimal::Decimal, ops::tables::ExpTable};

/// Largest temperature: beyond, all tokens of a vocabulary are as good as equally likely.
pub const MAX_TEMPERATURE: u64 = 1 << 10;

/// Settings that choose nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SamplingError {
    /// No token to choose from.
    #[error("the number of tokens to choose from must be at least 1")]
    None,
    /// The temperature is at most [`MAX_TEMPERATURE`].
    #[error("the temperature {0} is above {MAX_TEMPERATURE}")]
    Temperature(Decimal),
}

/// How the next token is chosen. Among equal logits the lowest token comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// The largest logit.
    Greedy,
    /// At random among the largest logits, with the probabilities of the softmax.
    TopK {
        /// How many tokens are eligible, at least 1; more than the vocabulary is all of it.
        k: usize,
        /// What logits are divided by, rounded to frac 24, at most [`MAX_TEMPERATURE`]; 0 is greedy.
        temperature: Decimal,
        /// What the choices are drawn by.
        seed: u64,
    },
}

/// A checked [`Sampling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sampler {
    /// Eligible tokens, at least 1.
    k: usize,
    /// Frac 24, at least 1.
    temperature: i128,
    seed: u64,
}

impl Sampler {
    /// Refuses settings out of range.
    pub fn new(sampling: Sampling) -> Result<Self, SamplingError> {
        let greedy = Sampler { k: 1, temperature: 1, seed: 0 };
        let Sampling::TopK { k, temperature, seed } = sampling else { return Ok(greedy) };
        if k == 0 {
            return Err(SamplingError::None);
        }
        let scaled = temperature.scaled(1 << 24, 1).filter(|&t| t <= u128::from(MAX_TEMPERATURE) << 24);
        match scaled.ok_or(SamplingError::Temperature(temperature))? {
            0 => Ok(greedy),
            scaled => Ok(Sampler { k, temperature: scaled as i128, seed }),
        }
    }

    /// The token chosen by `logits` (V of them, frac 24, below 2^56 in absolute value) as the `index`-th of its text;
    /// `exp` is the head's table.
    pub fn choose(&self, logits: &[i128], exp: &ExpTable, index: u64) -> Token {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        // Stable: the lowest of equals stays first.
        order.sort_by_key(|&token| std::cmp::Reverse(logits[token]));
        order.truncate(self.k);
        let max = order.first().map_or(0, |&token| logits[token]);
        let weight = |token: usize| {
            let t = exp.index(((max - logits[token]) << 24) / self.temperature);
            (exp.hi[t >> 9] * exp.lo[t & 511]) as u64
        };
        // Below 2^47, and positive: the largest logit has the table's largest entries.
        let sum = order.iter().map(|&token| weight(token)).sum();
        let mut place = self.draw(index, sum);
        for &token in &order {
            match place.checked_sub(weight(token)) {
                Some(rest) => place = rest,
                None => return token as Token,
            }
        }
        0 // Out of reach: `place` is below the sum.
    }

    /// Uniform below `end`, but for `end / 2^64`.
    fn draw(&self, index: u64, end: u64) -> u64 {
        let mut state = blake2b_simd::Params::new().hash_length(8).personal(b"gradcoin-sample").to_state();
        for word in [self.seed, index] {
            state.update(&word.to_le_bytes());
        }
        let mut word = [0; 8];
        word.copy_from_slice(state.finalize().as_bytes());
        ((u128::from(u64::from_le_bytes(word)) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tables::HEAD_SCALE;
    use proptest::prelude::*;

    fn table() -> ExpTable {
        ExpTable::new(1, 256, HEAD_SCALE)
    }

    fn sampler(k: usize, temperature: &str, seed: u64) -> Sampler {
        Sampler::new(Sampling::TopK { k, temperature: temperature.parse().unwrap(), seed }).unwrap()
    }

    fn arb_logits() -> impl Strategy<Value = Vec<i128>> {
        (1u32..57).prop_flat_map(|bits| {
            let end = 1i128 << (bits - 1);
            proptest::collection::vec(-end..end, 1..=256)
        })
    }

    /// The first of the largest.
    fn argmax(logits: &[i128]) -> Token {
        let max = logits.iter().max().unwrap();
        logits.iter().position(|x| x == max).unwrap() as Token
    }

    proptest! {
        #[test]
        fn what_leaves_no_choice_is_greedy(logits in arb_logits(), seed in any::<u64>(), index in any::<u64>()) {
            let exp = table();
            let greedy = Sampler::new(Sampling::Greedy).unwrap();
            prop_assert_eq!(greedy.choose(&logits, &exp, index), argmax(&logits));
            for sampler in [sampler(1, "1024", seed), sampler(256, "0", seed), sampler(256, "1e-9", seed)] {
                prop_assert_eq!(sampler.choose(&logits, &exp, index), argmax(&logits));
            }
        }

        #[test]
        fn the_lowest_temperature_is_greedy(mut logits in arb_logits(), seed in any::<u64>(), index in any::<u64>()) {
            // Distinct logits, at least 2^-12 apart: equals share the probability at any temperature but 0.
            logits.sort();
            logits.iter_mut().zip(0..).for_each(|(x, i)| *x = (*x << 8) / 512 + (i << 12));
            prop_assert_eq!(sampler(256, "1e-7", seed).choose(&logits, &table(), index), argmax(&logits));
        }

        #[test]
        fn only_the_k_largest_are_chosen(logits in arb_logits(), k in 1usize..300, index in any::<u64>()) {
            let token = sampler(k, "1024", 1).choose(&logits, &table(), index);
            let chosen = logits[usize::from(token)];
            prop_assert!(logits.iter().filter(|&&x| x > chosen).count() < k);
        }
    }

    #[test]
    fn settings_are_checked() {
        let new = |k, temperature: &str| {
            Sampler::new(Sampling::TopK { k, temperature: temperature.parse().unwrap(), seed: 0 })
        };
        assert_eq!(new(0, "1"), Err(SamplingError::None));
        for hot in ["1024.1", "1e24"] {
            assert_eq!(new(1, hot), Err(SamplingError::Temperature(hot.parse().unwrap())));
        }
        assert!(new(1, "1024").is_ok());
    }

    #[test]
    fn frequencies_are_those_of_the_softmax() {
        // ln 2 = 11629080 / 2^24: probabilities 4/7, 2/7, 1/7 at temperature 1.
        let ln2 = 11_629_080;
        let logits = [0, 2 * ln2, ln2];
        let frequencies = |temperature| {
            let mut count = [0u32; 3];
            let sampler = sampler(3, temperature, 7);
            let exp = table();
            for index in 0..70_000 {
                count[usize::from(sampler.choose(&logits, &exp, index))] += 1;
            }
            count
        };
        let near = |count: [u32; 3], expected: [u32; 3]| {
            // Four standard deviations are below 600.
            count.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) < 600)
        };
        assert!(near(frequencies("1"), [10_000, 40_000, 20_000]), "{:?}", frequencies("1"));
        // Half the temperature squares the ratios: 16, 4, 1.
        assert!(near(frequencies("0.5"), [3_333, 53_333, 13_333]), "{:?}", frequencies("0.5"));
        assert!(near(frequencies("1024"), [23_333; 3]), "{:?}", frequencies("1024"));
    }
}
