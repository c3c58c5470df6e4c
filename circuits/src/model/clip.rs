//! Clipping of a gradient by its global norm (Pascanu et al. 2013), as `torch.nn.utils.clip_grad_norm_`.

use crate::arithmetic::decimal::Decimal;
use crate::arithmetic::fixed::STATE_FRAC;
use crate::ops::hyper::{HyperError, kept};
use primitive_types::U256;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bits of a sum of squares: no gradient that the circuits give has more, and the field holds it as an integer. A gradient's elements are
/// below 2^82 (fewer than 2^24 predictions of at most 2^58 each), of at most [`super::MAX_PARAMETERS`].
pub const SQUARES_BITS: u32 = 188;
/// Frac bits of a factor.
pub const FACTOR_FRAC: u32 = 36;
/// Frac bits of the norm that gradients are clipped to.
const CLIP_FRAC: u32 = 32;

const _: () = assert!(2 * (24 + 58) + super::MAX_PARAMETERS.ilog2() == SQUARES_BITS);

/// Sum of the squares of elements of a gradient, which is an exact sum over predictions: frac 72, below 2^[`SQUARES_BITS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SquareSum(U256);

impl SquareSum {
    /// Of no gradient.
    pub const ZERO: Self = SquareSum(U256::zero());

    /// Of some elements; of more than any gradient has, the largest there is.
    pub fn of(elements: impl IntoIterator<Item = i128>) -> Self {
        let square = |x: i128| match u64::try_from(x.unsigned_abs()) {
            Ok(x) => U256::from(u128::from(x) * u128::from(x)),
            Err(_) => U256::from(x.unsigned_abs()).saturating_mul(x.unsigned_abs().into()),
        };
        SquareSum(elements.into_iter().fold(U256::zero(), |sum, x| sum.saturating_add(square(x)))).capped()
    }

    fn capped(self) -> Self {
        SquareSum(self.0.min((U256::one() << SQUARES_BITS) - 1))
    }

    /// Of the elements of both; never more than the largest there is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        SquareSum(self.0 + other.0).capped()
    }

    /// Of all parts.
    pub fn total<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        parts.into_iter().fold(Self::ZERO, |sum, &part| sum.plus(part))
    }

    /// Above the root of the sum by at most 1: the norm, frac 36, never 0.
    pub fn norm(self) -> u128 {
        self.0.integer_sqrt().low_u128() + 1
    }

    /// The mean gradient's norm, for display.
    pub fn mean_norm(self, predictions: u64) -> f64 {
        (self.norm() - 1) as f64 / (1u64 << STATE_FRAC) as f64 / predictions.max(1) as f64
    }

    /// Little-endian.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_little_endian()
    }

    /// From little-endian bytes; none of what exceeds [`SQUARES_BITS`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let sum = SquareSum(U256::from_little_endian(bytes));
        (sum.0.bits() <= SQUARES_BITS as usize).then_some(sum)
    }
}

impl Serialize for SquareSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SquareSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <[u8; 32]>::deserialize(deserializer)?;
        Self::from_bytes(&bytes).ok_or_else(|| D::Error::custom("a sum of squares that no gradient has"))
    }
}

/// What a gradient is multiplied by, frac 36, at most 2^36: `min(2^36, floor(clip·P·2^72 / norm))`, so that the norm of the mean of P
/// predictions' gradients is at most `clip` after it, of which `norm` is the P-fold, frac 36.
pub fn factor(clip: &Decimal, most: u64, predictions: u64, squares: SquareSum) -> Result<u64, HyperError> {
    let held = held(clip, most)?;
    let shift = 2 * FACTOR_FRAC - CLIP_FRAC;
    let factor = ((u128::from(held) * u128::from(predictions)) << shift) / squares.norm();
    Ok(factor.min(1 << FACTOR_FRAC) as u64)
}

/// A norm to clip to, frac 32, above 0 and at most `most`.
fn held(clip: &Decimal, most: u64) -> Result<u64, HyperError> {
    let in_range = |held: &u128| *held <= u128::from(most) << CLIP_FRAC;
    let held = clip.scaled(1 << CLIP_FRAC, 1).filter(in_range).ok_or(HyperError::Clip { found: *clip, most })?;
    kept(("clip", clip, None), held as u64, (1, 1 << (CLIP_FRAC + 1)))?;
    if held == 0 { Err(HyperError::Clip { found: *clip, most }) } else { Ok(held as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn known_factors() {
        let factor = |clip: &str, predictions, elements: &[i128]| {
            factor(&decimal(clip), 4, predictions, SquareSum::of(elements.iter().copied())).unwrap()
        };
        let one = 1u64 << 36;
        // Without a gradient nothing is clipped; the norm of (3, 4) is 5.
        assert_eq!(factor("1", 128, &[]), one);
        let (three, four) = (3i128 << 36, -(4i128 << 36));
        assert_eq!(factor("4", 2, &[three, four]), one);
        let half = factor("0.5", 5, &[three, four]);
        assert!((one / 2 - 1..=one / 2).contains(&half), "{half}");
        // Of the largest gradient the smallest clip leaves nothing, and the largest a little.
        assert_eq!(factor("2e-10", (1 << 24) - 1, &[i128::MAX; 9]), 0);
        assert_eq!(factor("4", (1 << 24) - 1, &[i128::MAX; 9]), (1 << 4) - 1);
    }

    #[test]
    fn norms_that_cannot_be_are_refused() {
        let refused = |clip: &str| factor(&decimal(clip), 4, 1, SquareSum::ZERO).unwrap_err();
        for clip in ["0", "4.001", "1e18"] {
            assert_eq!(refused(clip), HyperError::Clip { found: decimal(clip), most: 4 });
        }
        assert!(refused("1e-10").to_string().contains("the clip 1e-10 would be rounded to 0"));
        factor(&decimal("4"), 4, 1, SquareSum::ZERO).unwrap();
    }

    proptest! {
        /// After the factor no norm exceeds the clip.
        #[test]
        fn the_norm_is_at_most_the_clip(
            elements in proptest::collection::vec((any::<i128>(), 30u32..128), 1..9),
            clip in 1u32..4000,
            predictions in 1u64..1 << 24,
        ) {
            let squares = SquareSum::of(elements.iter().map(|(x, shift)| x >> shift));
            let by = factor(&decimal(&format!("{clip}e-3")), 4, predictions, squares).unwrap();
            // The mean's norm: norm·by / P, frac 72.
            let after = U256::from(squares.norm()) * U256::from(by);
            let most = ((U256::from(clip) * U256::from(predictions)) << 72) / 1000;
            prop_assert!(after <= most + (U256::from(predictions) << 40));
            if by < 1 << 36 {
                prop_assert!(after + squares.norm() + (U256::from(predictions) << 40) >= most);
            }
        }

        #[test]
        fn parts_add_up_and_bytes_come_back(elements in proptest::collection::vec(any::<i128>(), 0..9), at in 0usize..9) {
            let (a, b) = elements.split_at(at.min(elements.len()));
            let of = |x: &[i128]| SquareSum::of(x.iter().copied());
            prop_assert_eq!(SquareSum::total(&[of(a), of(b)]), of(&elements));
            prop_assert_eq!(SquareSum::from_bytes(&of(&elements).to_bytes()), Some(of(&elements)));
        }
    }

    #[test]
    fn what_no_gradient_has_is_no_sum() {
        let mut bytes = [0xff; 32];
        assert_eq!(SquareSum::from_bytes(&bytes), None);
        bytes[23..].fill(0);
        bytes[23] = 0x0f;
        assert_eq!(SquareSum::from_bytes(&bytes), Some(SquareSum::of([i128::MIN; 9])));
        bytes[23] = 0x10;
        assert_eq!(SquareSum::from_bytes(&bytes), None);
    }
}
