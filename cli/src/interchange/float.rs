//! Weights from the bits of floats, exactly: no float is ever computed with.

use circuits::fixed::{Class, FRAC, Rescaled, rescale};

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

    /// The weight nearest to the number of these bits; halves go up, as everywhere. `None` if it is no finite number.
    pub fn weight(self, bits: u32) -> Option<Rescaled> {
        let (exponent_bits, mantissa_bits) = self.fields();
        let field = |low: u32, width: u32| (bits >> low) & ((1 << width) - 1);
        let (exponent, mantissa) = (field(mantissa_bits, exponent_bits), field(0, mantissa_bits));
        if exponent == (1 << exponent_bits) - 1 {
            return None;
        }
        // Subnormal numbers share the least normal exponent and lack the hidden bit.
        let hidden = if exponent == 0 { 0 } else { 1 << mantissa_bits };
        let magnitude = i128::from(mantissa | hidden);
        let bias = (1i32 << (exponent_bits - 1)) - 1;
        let scale = exponent.max(1) as i32 - bias - mantissa_bits as i32;
        let negative = field(mantissa_bits + exponent_bits, 1) == 1;
        let value = if negative { -magnitude } else { magnitude };
        // The weight is value·2^shift. Beyond these bounds it saturates, or is zero, all the same.
        let shift = (scale + FRAC as i32).clamp(-126, 64);
        let bits = Class::Weight.bits();
        Some(if shift < 0 {
            rescale(value, shift.unsigned_abs(), bits)
        } else {
            rescale(value << (shift + 1), 1, bits)
        })
    }

    /// Weights of little-endian numbers, and how many saturated; the index of the first that is not finite otherwise.
    pub fn weights(self, data: &[u8]) -> Result<(Vec<i64>, u64), usize> {
        let mut saturated = 0;
        let numbers = data.chunks_exact(self.bytes()).enumerate().map(|(i, bytes)| {
            let bits = bytes.iter().rev().fold(0, |bits, &b| (bits << 8) | u32::from(b));
            let weight = self.weight(bits).ok_or(i)?;
            saturated += u64::from(weight.saturated);
            Ok(weight.value)
        });
        let weights = numbers.collect::<Result<_, usize>>()?;
        Ok((weights, saturated))
    }
}

/// The number that a weight is: exact, as a weight has 17 bits and a single 24.
pub fn single(weight: i64) -> f32 {
    weight as f32 / (1 << FRAC) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A second opinion by floats: everything below is exact in binary64, or far from where rounding would tell.
    fn expected(x: f64) -> (i64, bool) {
        let rounded = (x * 4096.0 + 0.5).floor();
        let kept = rounded.clamp(-65536.0, 65535.0);
        (kept as i64, kept != rounded)
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

    fn agrees(format: Format, bits: u32, value: f64) {
        let weight = format.weight(bits).map(|w| (w.value, w.saturated));
        assert_eq!(weight, value.is_finite().then(|| expected(value)), "{format:?} {bits:#x} = {value:e}");
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
        let weight = |x: f32| Format::F32.weight(x.to_bits()).map(|w| (w.value, w.saturated));
        let ulp = 1.0 / 4096.0;
        for (x, expected) in [
            (0.0, (0, false)),
            (-0.0, (0, false)),
            (0.5 * ulp, (1, false)),
            (-0.5 * ulp, (0, false)),
            (-1.5 * ulp, (-1, false)),
            (f32::from_bits(1), (0, false)),
            (-f32::MIN_POSITIVE, (0, false)),
            (-16.0, (-65536, false)),
            (16.0 - ulp, (65535, false)),
            (16.0, (65535, true)),
            (f32::MAX, (65535, true)),
            (f32::MIN, (-65536, true)),
        ] {
            assert_eq!(weight(x), Some(expected), "{x:e}");
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(weight(x), None);
        }
    }

    #[test]
    fn every_weight_survives() {
        for w in Class::Weight.min()..=Class::Weight.max() {
            let back = Format::F32.weight(single(w).to_bits()).map(|w| (w.value, w.saturated));
            assert_eq!(back, Some((w, false)));
        }
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
