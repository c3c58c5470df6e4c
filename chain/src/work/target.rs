//! Targets and their compact form.

use super::Work;
use primitive_types::U256;
use serde::{Deserialize, Serialize};

const SIGN: u32 = 0x0080_0000;
const MANTISSA: u32 = 0x007f_ffff;
const MANTISSA_BYTES: usize = 3;

/// Why a target is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// No identity could meet it but zero.
    #[error("a target is zero")]
    Zero,
    /// The sign bit of the compact form is set.
    #[error("the compact target {bits:#010x} is negative")]
    Negative {
        /// The compact form.
        bits: u32,
    },
    /// The compact form stands for 2^256 or more.
    #[error("the compact target {bits:#010x} exceeds 256 bits")]
    Overflow {
        /// The compact form.
        bits: u32,
    },
    /// The compact form is not the one that its target has.
    #[error("the compact target {bits:#010x} is not canonical; its target is encoded as {canonical:#010x}")]
    NotCanonical {
        /// The compact form.
        bits: u32,
        /// What the same target encodes to.
        canonical: u32,
    },
}

/// The largest identity, read as a big-endian number, that is work enough: from 1 to 2^256 − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(U256);

impl Target {
    /// Refuses zero.
    pub fn new(value: U256) -> Result<Self, WorkError> {
        if value.is_zero() { Err(WorkError::Zero) } else { Ok(Self(value)) }
    }

    /// The target nearest to a number: one for zero.
    pub(super) fn nearest(value: U256) -> Self {
        Self(value.max(U256::one()))
    }

    /// The number.
    pub fn value(self) -> U256 {
        self.0
    }
}

/// Whether an identity, read as a big-endian number, is at most the target.
pub fn meets(id: &[u8; 32], target: Target) -> bool {
    U256::from_big_endian(id) <= target.0
}

/// A target in four bytes: Bitcoin's "nBits", a byte that counts bytes and 23 bits of mantissa below a sign bit.
///
/// A value is always canonical, hence two of them are equal when their targets are. Layout: `arith_uint256::SetCompact`
/// and `GetCompact` of Bitcoin Core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct CompactTarget(u32);

impl CompactTarget {
    /// Reads a compact form; refuses what [`CompactTarget::from_target`] never gives.
    pub fn from_bits(bits: u32) -> Result<Self, WorkError> {
        let mantissa = bits & MANTISSA;
        if mantissa == 0 {
            return Err(WorkError::Zero);
        }
        if bits & SIGN != 0 {
            return Err(WorkError::Negative { bits });
        }
        let width = (u32::BITS - mantissa.leading_zeros()) as usize;
        let value = match shift(bits) {
            Shift::Left(by) if by + width > 256 => return Err(WorkError::Overflow { bits }),
            Shift::Left(by) => U256::from(mantissa) << by,
            Shift::Right(by) => U256::from(mantissa) >> by,
        };
        let canonical = Self::from_target(Target::new(value)?);
        if canonical.0 != bits {
            return Err(WorkError::NotCanonical { bits, canonical: canonical.0 });
        }
        Ok(canonical)
    }

    /// Rounds down to the easiest compact form that is no easier than the target. Never to zero, because the mantissa
    /// holds the target's leading byte.
    pub fn from_target(target: Target) -> Self {
        let mut size = target.0.bits().div_ceil(8);
        let mut mantissa = match size.checked_sub(MANTISSA_BYTES) {
            Some(excess) => (target.0 >> (8 * excess)).low_u32(),
            None => target.0.low_u32() << (8 * (MANTISSA_BYTES - size)),
        };
        if mantissa & SIGN != 0 {
            mantissa >>= 8;
            size += 1;
        }
        Self(((size as u32) << 24) | mantissa)
    }

    /// The easiest compact form whose blocks take so many tries or more on average, less than 2^-14 of them more for the
    /// rounding; never easier than `floor`, the network's easiest. No tries count as one.
    pub fn of_tries(tries: u64, floor: CompactTarget) -> Self {
        let tries = U256::from(tries.max(1));
        // ⌊2^256 / tries⌋ − 1, of which [`Work::of`] makes the tries again; 2^256 has 257 bits.
        let target = (U256::MAX - (tries - U256::one())) / tries;
        Self::from_target(Target::nearest(target).min(floor.target()))
    }

    /// The compact form's bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The target.
    pub fn target(self) -> Target {
        let mantissa = U256::from(self.0 & MANTISSA);
        // Neither shift loses a bit that is set, because the form is canonical.
        Target(match shift(self.0) {
            Shift::Left(by) => mantissa << by,
            Shift::Right(by) => mantissa >> by,
        })
    }

    /// Work of one block at this target.
    pub fn work(self) -> Work {
        Work::of(self.target())
    }
}

impl TryFrom<u32> for CompactTarget {
    type Error = WorkError;

    fn try_from(bits: u32) -> Result<Self, WorkError> {
        Self::from_bits(bits)
    }
}

impl From<CompactTarget> for u32 {
    fn from(compact: CompactTarget) -> Self {
        compact.0
    }
}

enum Shift {
    Left(usize),
    Right(usize),
}

/// By how many bits the mantissa is shifted.
fn shift(bits: u32) -> Shift {
    let size = (bits >> 24) as usize;
    match size.checked_sub(MANTISSA_BYTES) {
        Some(excess) => Shift::Left(8 * excess),
        None => Shift::Right(8 * (MANTISSA_BYTES - size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::testing;
    use circuits::statements::codec::{CodecError, Encoded, decode, encode};
    use proptest::prelude::*;

    fn number(hex: &str) -> U256 {
        U256::from_str_radix(hex, 16).unwrap()
    }

    #[test]
    fn compact_forms_that_bitcoin_uses() {
        for (bits, target) in [
            (0x1d00_ffff, "ffff0000000000000000000000000000000000000000000000000000"),
            (0x1b04_04cb, "404cb000000000000000000000000000000000000000000000000"),
            (0x207f_ffff, "7fffff0000000000000000000000000000000000000000000000000000000000"),
            (0x2100_ffff, "ffff000000000000000000000000000000000000000000000000000000000000"),
            (0x0300_8000, "8000"),
            (0x0200_8000, "80"),
            (0x017f_0000, "7f"),
            (0x0101_0000, "1"),
        ] {
            let compact = CompactTarget::from_bits(bits).unwrap();
            assert_eq!(compact.target(), Target(number(target)));
            assert_eq!(CompactTarget::from_target(compact.target()).bits(), bits);
        }
        assert_eq!(CompactTarget::from_target(Target(U256::MAX)).bits(), 0x2100_ffff);
    }

    #[test]
    fn other_compact_forms_are_refused() {
        assert_eq!(Target::new(U256::zero()), Err(WorkError::Zero));
        for bits in [0, 0x1d00_0000, 0x0080_0000, 0x2080_0000, 0x0000_1234, 0x0100_0100] {
            assert_eq!(CompactTarget::from_bits(bits), Err(WorkError::Zero), "{bits:#010x}");
        }
        for bits in [0x0180_0001, 0x1d80_ffff, 0xff80_0001] {
            assert_eq!(CompactTarget::from_bits(bits), Err(WorkError::Negative { bits }));
        }
        for bits in [0x2101_0000, 0x2200_0100, 0x2300_0001, 0x207f_ffff + (1 << 24), 0xff12_3456] {
            assert_eq!(CompactTarget::from_bits(bits), Err(WorkError::Overflow { bits }));
        }
        for (bits, canonical) in [
            (0x1e00_00ff, 0x1d00_ff00),
            (0x0400_0001, 0x0201_0000),
            (0x0300_0080, 0x0200_8000),
            (0x0112_3456, 0x0112_0000),
            (0x2200_00ff, 0x2100_ff00),
            (0x1d00_7fff, 0x1c7f_ff00),
        ] {
            assert_eq!(CompactTarget::from_bits(bits), Err(WorkError::NotCanonical { bits, canonical }));
            assert!(CompactTarget::from_bits(canonical).is_ok());
        }
    }

    /// What a file that holds one looks like.
    #[derive(Serialize, Deserialize)]
    struct Sent<T>(T);

    impl<T: Serialize + serde::de::DeserializeOwned> Encoded for Sent<T> {
        const MAGIC: [u8; 8] = *b"gradtest";
        const VERSION: u32 = 1;
        const NAME: &'static str = "test";
    }

    #[test]
    fn encodings() {
        let work = CompactTarget::from_bits(0x1d00_ffff).unwrap().work();
        let sent = encode(&Sent(work)).unwrap();
        assert_eq!(sent[12..], [vec![0; 27], vec![1, 0, 1, 0, 1]].concat());
        assert_eq!(decode::<Sent<Work>>(&sent).unwrap().0, work);
        for bits in [0x1d00_ffff, 0x207f_ffff] {
            let compact = decode::<Sent<CompactTarget>>(&encode(&Sent(bits)).unwrap()).unwrap().0;
            assert_eq!(Ok(compact), CompactTarget::from_bits(bits));
        }
        for bits in [0, 0x1d80_ffff, 0xff12_3456, 0x1e00_00ff] {
            let sent = encode(&Sent(bits)).unwrap();
            let Err(CodecError::Malformed { reason, .. }) = decode::<Sent<CompactTarget>>(&sent) else {
                panic!("read")
            };
            let expected = CompactTarget::from_bits(bits).unwrap_err().to_string();
            assert!(reason.contains(&expected), "{reason}");
        }
    }

    /// 7.16: a first target fits a machine that makes so many tries a second.
    #[test]
    fn targets_of_tries() {
        let floor = CompactTarget::from_bits(0x1f00_ffff).unwrap();
        let seconds = |rate: u64, spacing: u64| {
            let work = CompactTarget::of_tries(rate * spacing, floor).work().value();
            (work * U256::from(1000u32) / U256::from(rate)).as_u64()
        };
        // Mining takes the spacing, in milliseconds: slow and fast machines, short and long spacings.
        for (rate, spacing) in [(100_000, 1), (1_500_000, 30), (2_345_678, 60), (40_000_000, 600), (1 << 40, 86_400)] {
            let expected = spacing * 1000;
            assert!(
                (expected..=expected + expected / 32_000 + 1).contains(&seconds(rate, spacing)),
                "{rate} {spacing}"
            );
        }
        // What takes less than the floor does has the floor.
        for tries in [0, 1, 600, 0xffff, 0x1_0000] {
            assert_eq!(CompactTarget::of_tries(tries, floor), floor, "{tries}");
        }
        assert!(CompactTarget::of_tries(0x1_0002, floor).target() < floor.target());
        let easiest = CompactTarget::from_bits(0x2100_ffff).unwrap();
        assert_eq!(CompactTarget::of_tries(1, easiest), easiest);
        assert_eq!(CompactTarget::of_tries(1 << 8, easiest).bits(), 0x2000_ffff);
    }

    proptest! {
        #[test]
        fn a_target_of_tries_takes_them(tries in any::<u64>(), shift in 0u32..64, floor in testing::compact_target()) {
            let tries = (tries >> shift).max(1);
            let target = CompactTarget::of_tries(tries, floor);
            prop_assert!(target.target() <= floor.target());
            let (work, least) = (target.work().value(), U256::from(tries));
            prop_assert!(work >= least);
            if target != floor {
                prop_assert!(work - least <= (least >> 14) + U256::one(), "{work} for {tries}");
            }
            prop_assert_eq!(CompactTarget::from_bits(target.bits()), Ok(target));
        }

        #[test]
        fn compact_forms_round_trip(compact in testing::compact_target()) {
            prop_assert_eq!(CompactTarget::from_target(compact.target()), compact);
            prop_assert_eq!(CompactTarget::from_bits(compact.bits()), Ok(compact));
        }

        #[test]
        fn any_bits_are_canonical_or_refused(bits in any::<u32>()) {
            if let Ok(compact) = CompactTarget::from_bits(bits) {
                prop_assert_eq!(compact.bits(), bits);
                prop_assert_eq!(CompactTarget::from_target(compact.target()), compact);
            }
        }

        #[test]
        fn a_compact_form_is_the_closest_from_below(target in testing::target()) {
            let kept = CompactTarget::from_target(target).target();
            prop_assert!(kept <= target);
            // At least fifteen bits of mantissa are kept.
            let width = target.value().bits();
            prop_assert!((target.value() - kept.value()).bits() <= width.saturating_sub(15));
        }

        #[test]
        fn meeting_is_a_comparison_of_big_endian_bytes(id in any::<[u8; 32]>(), target in testing::target()) {
            prop_assert_eq!(meets(&id, target), id <= target.value().to_big_endian());
            prop_assert!(meets(&target.value().to_big_endian(), target));
            if let Some(above) = target.value().checked_add(U256::one()) {
                prop_assert!(!meets(&above.to_big_endian(), target));
            }
        }
    }
}
