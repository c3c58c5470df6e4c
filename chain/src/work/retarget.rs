//! How targets follow the time that blocks take, and what "the time" is.

use super::{CompactTarget, Target};
use primitive_types::{U256, U512};

/// Blocks whose times the median is taken over.
pub const MEDIAN_WINDOW: usize = 11;

/// Largest factor by which one retarget moves the target, up or down.
const MAX_FACTOR: u128 = 4;

/// The target after `intervals` block intervals that took `actual_seconds` and should have taken `spacing` seconds
/// each: previous · actual / expected.
///
/// The time counts as no less than a quarter and no more than four times what was expected, and as one second at least.
/// The result is rounded down to a compact form, is never zero, and never easier than `floor`, the network's easiest.
/// Where nothing was expected (no interval, or a spacing of zero), nothing was measured: the target stays.
///
/// Bitcoin Core: `CalculateNextWorkRequired`.
pub fn retarget(
    previous: CompactTarget,
    actual_seconds: u64,
    intervals: u64,
    spacing: u64,
    floor: CompactTarget,
) -> CompactTarget {
    // Two factors below 2^64: the product has at most 128 bits.
    let expected = u128::from(intervals) * u128::from(spacing);
    // Saturating changes nothing: what is clamped has 64 bits. The range is not empty, because of max(1) on both ends.
    let least = (expected / MAX_FACTOR).max(1);
    let most = expected.saturating_mul(MAX_FACTOR).max(1);
    let actual = u128::from(actual_seconds).clamp(least, most);
    // 256 bits times 128 fit in 512.
    let scaled = (U512::from(previous.target().value()) * U512::from(actual)).checked_div(U512::from(expected));
    let next = match scaled.map(U256::try_from) {
        Some(Ok(value)) => value,
        Some(Err(_)) => U256::MAX,
        None => previous.target().value(),
    };
    CompactTarget::from_target(Target::nearest(next).min(floor.target()))
}

/// The median of the last [`MEDIAN_WINDOW`] of these times (seconds, oldest first): the later of the middle two where
/// their number is even, nothing where there are none.
///
/// Bitcoin Core: `GetMedianTimePast`. A block's time must exceed it, so that no minority of producers moves it.
pub fn median_time(times: &[u64]) -> Option<u64> {
    let mut window = times[times.len().saturating_sub(MEDIAN_WINDOW)..].to_vec();
    window.sort_unstable();
    window.get(window.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::testing;
    use proptest::prelude::*;

    const EASIEST: u32 = 0x2100_ffff;

    fn compact(bits: u32) -> CompactTarget {
        CompactTarget::from_bits(bits).unwrap()
    }

    /// previous · actual / expected in bits, by doubling and subtracting; the quotient's bytes, big-endian.
    fn quotient(previous: U256, actual: u128, expected: u128) -> Vec<u8> {
        let mut digits = vec![0u64; 48];
        for (i, x) in previous.to_big_endian().into_iter().rev().enumerate() {
            let mut carry = 0;
            for (j, y) in actual.to_le_bytes().into_iter().enumerate() {
                let sum = digits[i + j] + u64::from(x) * u64::from(y) + carry;
                digits[i + j] = sum % 256;
                carry = sum / 256;
            }
            digits[i + 16] = carry;
        }
        let mut rest = 0u128;
        let mut out = Vec::new();
        for digit in digits.into_iter().rev() {
            let mut byte = 0;
            for bit in (0..8).rev() {
                // `expected` is below 2^127 here.
                rest = 2 * rest + u128::from((digit >> bit) & 1);
                byte *= 2;
                if rest >= expected {
                    rest -= expected;
                    byte += 1;
                }
            }
            out.push(byte);
        }
        out
    }

    /// The compact form of a big-endian number, made from its digits.
    fn compact_of(bytes: &[u8]) -> u32 {
        let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|&b| b == 0).collect();
        if digits.is_empty() {
            digits.push(1);
        }
        if digits[0] >= 0x80 {
            digits.insert(0, 0);
        }
        let size = u8::try_from(digits.len()).unwrap();
        digits.resize(digits.len().max(3), 0);
        u32::from_be_bytes([size, digits[0], digits[1], digits[2]])
    }

    #[test]
    fn known_retargets() {
        let floor = compact(0x1d00_ffff);
        // Bitcoin Core's own cases of `CalculateNextWorkRequired`: blocks 32255, 2015, 68543 and 46367.
        let two_weeks = |previous: u32, actual: u64| retarget(compact(previous), actual, 2016, 600, floor).bits();
        assert_eq!(two_weeks(0x1d00_ffff, 1_262_152_739 - 1_261_130_161), 0x1d00_d86a);
        assert_eq!(two_weeks(0x1d00_ffff, 1_233_061_996 - 1_231_006_505), 0x1d00_ffff);
        assert_eq!(two_weeks(0x1c05_a3f4, 1_279_297_671 - 1_279_008_237), 0x1c01_68fd);
        assert_eq!(two_weeks(0x1c38_7f6f, 1_269_211_443 - 1_263_163_443), 0x1d00_e1fd);
    }

    #[test]
    fn extremes_stay_in_range() {
        let (floor, hardest) = (compact(EASIEST), compact(0x0101_0000));
        assert_eq!(retarget(hardest, 0, 10, 10, floor), hardest);
        assert_eq!(retarget(hardest, u64::MAX, 10, 10, floor), compact(0x0104_0000));
        assert_eq!(retarget(floor, 0, 1 << 63, 1 << 63, floor).target().value(), floor.target().value() >> 2);
        assert_eq!(retarget(floor, u64::MAX, 1, 1, floor), floor);
        // Nothing measured.
        let (previous, harder) = (compact(0x1d00_ffff), compact(0x1c00_ffff));
        assert_eq!(retarget(previous, 5, 0, 600, floor), previous);
        assert_eq!(retarget(previous, 5, 2016, 0, floor), previous);
        // Easier than the floor before.
        assert_eq!(retarget(previous, 600, 1, 600, harder), harder);
    }

    #[test]
    fn medians() {
        assert_eq!(median_time(&[]), None);
        assert_eq!(median_time(&[7]), Some(7));
        assert_eq!(median_time(&[9, 2]), Some(9));
        assert_eq!(median_time(&[9, 2, 5]), Some(5));
        // The first of twelve is not looked at.
        assert_eq!(median_time(&[1000, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), Some(6));
        assert_eq!(median_time(&[0, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), Some(6));
    }

    proptest! {
        #[test]
        fn a_retarget_is_the_computation_by_digits(
            previous in testing::compact_target(),
            actual in any::<u64>(),
            actual_bits in 1u32..=64,
            intervals in 1u64..=u64::MAX >> 1,
            spacing in any::<u64>(),
            shifts in (0u32..63, 0u32..64),
            floor in testing::compact_target(),
        ) {
            let actual = actual >> (64 - actual_bits);
            let (intervals, spacing) = ((intervals >> shifts.0).max(1), (spacing >> shifts.1).max(1));
            let expected = u128::from(intervals) * u128::from(spacing);
            let clamped = u128::from(actual).min(expected.saturating_mul(4)).max(expected / 4).max(1);
            let exact = quotient(previous.target().value(), clamped, expected);
            let floor_bytes = [vec![0; 16], floor.target().value().to_big_endian().to_vec()].concat();
            let next = retarget(previous, actual, intervals, spacing, floor);
            prop_assert_eq!(next.bits(), compact_of(&exact.min(floor_bytes)));
        }

        #[test]
        fn a_retarget_is_bounded(
            previous in testing::compact_target(),
            actual in 0u64..10_000_000,
            later in 0u64..10_000_000,
            intervals in 1u64..3000,
            spacing in 4u64..1000,
            floor in testing::compact_target(),
        ) {
            let next = retarget(previous, actual, intervals, spacing, floor);
            prop_assert!(next.target() <= floor.target());
            prop_assert!(!next.target().value().is_zero());
            let (old, new) = (U512::from(previous.target().value()), U512::from(next.target().value()));
            prop_assert!(new <= old * 4u32);
            prop_assert_eq!(CompactTarget::from_bits(next.bits()), Ok(next));
            // More time, an easier target.
            let slower = retarget(previous, actual + later, intervals, spacing, floor);
            prop_assert!(slower.target() >= next.target());
            // As long as expected: the same target, unless the floor is harder.
            let same = retarget(previous, intervals * spacing, intervals, spacing, floor);
            prop_assert_eq!(same.target(), previous.target().min(floor.target()));
        }

        #[test]
        fn no_minority_moves_the_median(
            honest in proptest::collection::vec(1000u64..2000, 6),
            other in proptest::collection::vec(any::<u64>(), 5),
            order in Just((0..MEDIAN_WINDOW).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let all: Vec<u64> = honest.iter().chain(&other).copied().collect();
            let times: Vec<u64> = order.into_iter().map(|i| all[i]).collect();
            let median = median_time(&times).unwrap();
            prop_assert!((1000..2000).contains(&median));
            prop_assert_eq!(times.iter().filter(|&&t| t < median).count().max(5), 5);
            prop_assert_eq!(times.iter().filter(|&&t| t > median).count().max(5), 5);
        }
    }
}
