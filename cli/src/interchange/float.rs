//! Kept values from the bits of floats and back, exactly: no float decides anything.
//!
//! A *kept value* is a weight together with its low part: an integer of 41 bits in units of 2^-36.

use circuits::arithmetic::fixed::{FRAC, Rescaled, STATE_BITS, STATE_FRAC, rescale, shift_round};
use std::ops::RangeInclusive;

/// Every kept value: ±16.
pub const KEPT: RangeInclusive<i64> = -(1 << (STATE_BITS - 1))..=(1 << (STATE_BITS - 1)) - 1;
/// Significant bits of a single.
const SINGLE_BITS: u32 = 24;
/// Every finite number of the formats is a multiple of 2^-149, the least single above zero.
const LEAST: i32 = -149;

/// A binary float format, by the widths of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of binary32.
    Bf16,
}

/// `±mantissa·2^exponent`, the mantissa below 2^24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    negative: bool,
    mantissa: u32,
    exponent: i32,
}

/// How far a kept value is from the number in the file, exactly: in units of 2^-149, at most 2^112 of them (2^-37).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundingError(u128);

impl RoundingError {
    /// For display: every rounding error is a double.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 * 2f64.powi(LEAST)
    }

    /// Whether it exceeds 2^-24 of a number.
    fn exceeds_share_of(self, number: Number) -> bool {
        let mantissa = u128::from(number.mantissa);
        // 2^-24 of the number in units of 2^-149 is mantissa·2^shift.
        let shift = number.exponent - SINGLE_BITS as i32 - LEAST;
        let power = 1u128.checked_shl(shift.unsigned_abs());
        if shift >= 0 {
            // What does not fit is larger than every rounding error.
            power.and_then(|power| mantissa.checked_mul(power)).is_some_and(|share| self.0 > share)
        } else {
            power.and_then(|power| self.0.checked_mul(power)).is_none_or(|error| error > mantissa)
        }
    }
}

/// A tensor's elements, and what became of the numbers in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Kept values.
    pub kept: Vec<i64>,
    /// Elements beyond ±16 that were clipped.
    pub clipped: u64,
    /// The largest rounding error, of elements that were not clipped.
    pub error: RoundingError,
    /// Whether that exceeds 2^-24 of the tensor's largest absolute value, the clipped included.
    pub coarse: bool,
}

impl Format {
    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
        }
    }

    /// Bits of the exponent and of the mantissa.
    const fn fields(self) -> (u32, u32) {
        match self {
            Format::F32 => (8, 23),
            Format::F16 => (5, 10),
            Format::Bf16 => (8, 7),
        }
    }

    /// The number of these bits, if it is finite.
    fn number(self, bits: u32) -> Option<Number> {
        let (exponent_bits, mantissa_bits) = self.fields();
        let field = |low: u32, width: u32| (bits >> low) & ((1 << width) - 1);
        let (exponent, mantissa) = (field(mantissa_bits, exponent_bits), field(0, mantissa_bits));
        if exponent == (1 << exponent_bits) - 1 {
            return None;
        }
        // Subnormal numbers share the least normal exponent and lack the hidden bit.
        let hidden = if exponent == 0 { 0 } else { 1 << mantissa_bits };
        let bias = (1i32 << (exponent_bits - 1)) - 1;
        Some(Number {
            negative: field(mantissa_bits + exponent_bits, 1) == 1,
            mantissa: mantissa | hidden,
            exponent: exponent.max(1) as i32 - bias - mantissa_bits as i32,
        })
    }

    /// The bits without the sign: in the order of absolute values.
    const fn magnitude(self, bits: u32) -> u32 {
        let (exponent_bits, mantissa_bits) = self.fields();
        bits & ((1 << (exponent_bits + mantissa_bits)) - 1)
    }

    /// Kept values of little-endian numbers; the index of the first that is not finite otherwise.
    pub fn convert(self, data: &[u8]) -> Result<Converted, usize> {
        let mut converted = Converted { kept: Vec::with_capacity(data.len() / self.bytes()), ..Converted::default() };
        let mut largest = 0;
        for (i, bytes) in data.chunks_exact(self.bytes()).enumerate() {
            let bits = bytes.iter().rev().fold(0, |bits, &b| (bits << 8) | u32::from(b));
            let number = self.number(bits).ok_or(i)?;
            let kept = number.kept();
            converted.kept.push(kept.value);
            if kept.saturated {
                converted.clipped += 1;
            } else {
                converted.error = converted.error.max(number.rounding_error());
            }
            largest = largest.max(self.magnitude(bits));
        }
        converted.coarse = self.number(largest).is_some_and(|largest| converted.error.exceeds_share_of(largest));
        Ok(converted)
    }
}

impl Number {
    fn value(self) -> i128 {
        let magnitude = i128::from(self.mantissa);
        if self.negative { -magnitude } else { magnitude }
    }

    /// The kept value is value·2^shift.
    fn shift(self) -> i32 {
        self.exponent + STATE_FRAC as i32
    }

    /// The nearest kept value; halves go up, as everywhere.
    fn kept(self) -> Rescaled {
        // From 2^64 on it saturates all the same; no exponent is below -149.
        let shift = self.shift().min(64);
        if shift < 0 {
            rescale(self.value(), shift.unsigned_abs(), STATE_BITS)
        } else {
            rescale(self.value() << (shift + 1), 1, STATE_BITS)
        }
    }

    /// Of a number that does not saturate.
    fn rounding_error(self) -> RoundingError {
        if self.shift() >= 0 {
            return RoundingError::default();
        }
        let shift = self.shift().unsigned_abs();
        let rest = self.value() - (shift_round(self.value(), shift) << shift);
        // At most half of 2^shift in units of 2^exponent: 2^-37.
        RoundingError(rest.unsigned_abs() << (self.exponent - LEAST))
    }
}

/// A weight in use: exact, as it has 17 bits.
pub fn single(w: i64) -> f32 {
    w as f32 / (1 << FRAC) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use circuits::arithmetic::fixed::whole;
    use proptest::prelude::*;

    const MAX: i64 = (1 << (STATE_BITS - 1)) - 1;
    const UNIT: f64 = 1.0 / (1u64 << STATE_FRAC) as f64;

    /// A second opinion by floats: everything below is exact in binary64, or far from where rounding would tell.
    fn expected(x: f64) -> (i64, bool, f64) {
        let rounded = (x / UNIT + 0.5).floor();
        let kept = rounded.clamp(-(MAX as f64) - 1.0, MAX as f64);
        (kept as i64, kept != rounded, (x - rounded * UNIT).abs())
    }

    fn half(bits: u16) -> f64 {
        let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let magnitude = if exponent == 0 {
            mantissa / 1024.0 * 2f64.powi(-14)
        } else {
            (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15)
        };
        if bits >> 15 == 1 { -magnitude } else { magnitude }
    }

    /// A file of one number.
    fn convert(format: Format, bits: u32) -> Option<Converted> {
        format.convert(&bits.to_le_bytes()[..format.bytes()]).ok()
    }

    fn agrees(format: Format, bits: u32, value: f64) {
        let found = convert(format, bits).map(|c| (c.kept[0], c.clipped == 1, c.error.to_f64()));
        let expected = value.is_finite().then(|| expected(value)).map(|(kept, clipped, error)| {
            // A clipped element has no rounding error.
            (kept, clipped, if clipped { 0.0 } else { error })
        });
        assert_eq!(found, expected, "{format:?} {bits:#x} = {value:e}");
    }

    #[test]
    fn all_numbers_of_sixteen_bits_convert() {
        for bits in 0..=u16::MAX {
            let wide = f32::from_bits(u32::from(bits) << 16);
            agrees(Format::Bf16, bits.into(), wide.into());
            let value = if bits >> 10 & 31 == 31 { f64::NAN } else { half(bits) };
            agrees(Format::F16, bits.into(), value);
        }
    }

    #[test]
    fn halves_go_up_and_the_ends_saturate() {
        let kept = |x: f32| convert(Format::F32, x.to_bits()).map(|c| (c.kept[0], c.clipped == 1));
        let unit = UNIT as f32;
        for (x, expected) in [
            (0.0, (0, false)),
            (-0.0, (0, false)),
            (0.5 * unit, (1, false)),
            (-0.5 * unit, (0, false)),
            (-1.5 * unit, (-1, false)),
            (f32::from_bits(1), (0, false)),
            (-f32::MIN_POSITIVE, (0, false)),
            (-16.0, (-MAX - 1, false)),
            // The largest single below 16.
            (f32::from_bits(0x417f_ffff), (MAX + 1 - (1 << 16), false)),
            (16.0, (MAX, true)),
            (f32::MAX, (MAX, true)),
            (f32::MIN, (-MAX - 1, true)),
        ] {
            assert_eq!(kept(x), Some(expected), "{x:e}");
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(kept(x), None);
        }
    }

    #[test]
    fn every_weight_in_use_is_exported_exactly() {
        for w in -(1 << 16)..1 << 16 {
            agrees(Format::F32, single(w).to_bits(), w as f64 / 4096.0);
            let back = convert(Format::F32, single(w).to_bits()).unwrap();
            assert_eq!((back.kept[0], back.clipped, back.error), (whole(w, 0), 0, RoundingError::default()));
        }
        // One zero.
        assert_eq!(single(0).to_bits(), 0);
    }

    /// A threshold apart by one unit in the last place on either side, small numbers and large.
    #[test]
    fn coarse_is_decided_exactly() {
        let coarse = |numbers: &[f32]| {
            let data: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            Format::F32.convert(&data).unwrap().coarse
        };
        // The largest rounding error, 2^-37, is 2^-24 of 2^-13.
        let (worst, limit) = (2f32.powi(-37), 2f32.powi(-13));
        let below = f32::from_bits(limit.to_bits() - 1);
        assert!(!coarse(&[worst, limit]));
        assert!(!coarse(&[worst, -limit]));
        assert!(coarse(&[worst, below]));
        assert!(coarse(&[-worst, -below]));
        // Exactly representable, whatever the size.
        assert!(!coarse(&[]));
        assert!(!coarse(&[0.0, -0.0]));
        assert!(!coarse(&[UNIT as f32, 3.0 * UNIT as f32]));
        // All lost.
        assert!(coarse(&[f32::from_bits(1)]));
        assert!(coarse(&[f32::MIN_POSITIVE, f32::from_bits(1)]));
        assert!(!coarse(&[f32::MIN_POSITIVE, f32::MAX]));
        assert!(!coarse(&[worst, 17.0]));
    }

    proptest! {
        #[test]
        fn singles_convert(bits in any::<u32>()) {
            agrees(Format::F32, bits, f32::from_bits(bits).into());
        }

        #[test]
        fn singles_near_weights_convert(x in -20f32..20.0) {
            agrees(Format::F32, x.to_bits(), x.into());
        }
    }
}
