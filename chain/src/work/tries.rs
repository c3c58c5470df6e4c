//! Work: how many hashes were expected to be tried.

use super::Target;
use primitive_types::U256;
use serde::{Deserialize, Serialize};

/// Hashes that were expected to be tried: of one block, or of a chain of them. 32 bytes, big-endian, when encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "[u8; 32]", into = "[u8; 32]")]
pub struct Work(U256);

impl Work {
    /// No work: what a chain begins with.
    pub const ZERO: Self = Self(U256::zero());

    /// 2^256 / (target + 1), rounded down: the tries that a block takes on average.
    ///
    /// Computed as Bitcoin Core's `GetBlockProof` does, because 2^256 has 257 bits: with t + 1 = d,
    /// ⌊2^256 / d⌋ = ⌊(2^256 − d) / d⌋ + 1 = ⌊!t / (t + 1)⌋ + 1. From 1 to 2^255, since t ≥ 1.
    pub fn of(target: Target) -> Self {
        match target.value().checked_add(U256::one()) {
            Some(tries) => Self(!target.value() / tries + U256::one()),
            None => Self(U256::one()),
        }
    }

    /// The sum, unless it has more than 256 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, or 2^256 − 1 if it has more bits.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The number of hashes.
    pub fn value(self) -> U256 {
        self.0
    }
}

impl From<[u8; 32]> for Work {
    fn from(bytes: [u8; 32]) -> Self {
        Self(U256::from_big_endian(&bytes))
    }
}

impl From<Work> for [u8; 32] {
    fn from(work: Work) -> Self {
        work.0.to_big_endian()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::{CompactTarget, testing};
    use proptest::prelude::*;
    use std::cmp::Ordering;

    /// Little-endian product, digit by digit, of little-endian numbers.
    fn product(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut digits = vec![0u32; a.len() + b.len()];
        for (i, &x) in a.iter().enumerate() {
            let mut carry = 0;
            for (j, &y) in b.iter().enumerate() {
                let sum = digits[i + j] + u32::from(x) * u32::from(y) + carry;
                digits[i + j] = sum & 0xff;
                carry = sum >> 8;
            }
            digits[i + b.len()] = carry;
        }
        digits.into_iter().map(|d| d as u8).collect()
    }

    /// n + 1 in 33 little-endian bytes.
    fn successor(n: U256) -> Vec<u8> {
        let mut bytes: Vec<u8> = n.to_big_endian().into_iter().rev().collect();
        bytes.push(0);
        for byte in &mut bytes {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        bytes
    }

    fn against_2_256(n: &[u8]) -> Ordering {
        let mut power = vec![0; n.len()];
        power[32] = 1;
        n.iter().rev().cmp(power.iter().rev())
    }

    #[test]
    fn work_at_the_ends() {
        let work = |target: U256| Work::of(Target::new(target).unwrap()).value();
        assert_eq!(work(U256::one()), U256::one() << 255);
        assert_eq!(work(U256::MAX), U256::one());
        assert_eq!(work(U256::MAX - U256::one()), U256::one());
        // Bitcoin's first block.
        assert_eq!(CompactTarget::from_bits(0x1d00_ffff).unwrap().work().value(), U256::from(0x1_0001_0001u64));
        let most = Work(U256::MAX);
        assert_eq!(most.checked_add(Work(U256::one())), None);
        assert_eq!(most.saturating_add(most), most);
        assert_eq!(most.checked_add(Work::ZERO), Some(most));
    }

    proptest! {
        #[test]
        fn work_is_the_quotient(target in testing::target()) {
            let work = Work::of(target).value();
            let tries = successor(target.value());
            let work_le: Vec<u8> = work.to_big_endian().into_iter().rev().collect();
            prop_assert_ne!(against_2_256(&product(&work_le, &tries)), Ordering::Greater);
            prop_assert_eq!(against_2_256(&product(&successor(work), &tries)), Ordering::Greater);
        }

        #[test]
        fn a_smaller_target_is_no_less_work(a in testing::target(), b in testing::target()) {
            let (hard, easy) = (a.min(b), a.max(b));
            prop_assert!(Work::of(hard) >= Work::of(easy));
            prop_assert!(Work::of(easy) > Work::ZERO);
        }

        #[test]
        fn a_smaller_compact_target_is_more_work(a in testing::compact_target(), b in testing::compact_target()) {
            // Two forms differ by a factor of 1 + 2^-23 or more; the quotients show it below 2^230.
            let (hard, easy) = if a.target() < b.target() { (a, b) } else { (b, a) };
            if hard != easy && easy.target().value().bits() < 230 {
                prop_assert!(hard.work() > easy.work());
            }
        }

        #[test]
        fn work_encodes_as_32_bytes_in_order(a in testing::work(), b in testing::work()) {
            let (ea, eb): ([u8; 32], [u8; 32]) = (a.into(), b.into());
            prop_assert_eq!(Work::from(ea), a);
            prop_assert_eq!(ea.cmp(&eb), a.cmp(&b));
            prop_assert_eq!(a.checked_add(b), b.checked_add(a));
            prop_assert_eq!(a.checked_add(b).unwrap_or(Work(U256::MAX)), a.saturating_add(b));
            prop_assert!(a.saturating_add(b) >= a);
        }
    }
}
