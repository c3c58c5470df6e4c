//! Squared error in integers: exact.

use crate::arithmetic::tensor::Tensor;

/// What [`forward`] computes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SquaredError {
    /// `y − t`, frac 12, 25 bits: half the gradient of the sum.
    pub error: Tensor,
    /// `Σ (y − t)²`, frac 24.
    pub total: u64,
}

/// Elements of which the total fits 64 bits: fewer than these.
pub const ELEMENTS: usize = 1 << 16;

/// `y` and `t` are of one shape, with fewer than [`ELEMENTS`] elements of
/// [`Class::Feature`](crate::arithmetic::fixed::Class::Feature).
pub fn forward(y: &Tensor, t: &Tensor) -> SquaredError {
    assert_eq!(y.shape(), t.shape(), "squared error: y and t have one shape");
    assert!(y.data.len() < ELEMENTS, "squared error: the total fits 64 bits");
    let data: Vec<i64> = y.data.iter().zip(&t.data).map(|(y, t)| y - t).collect();
    let total = data.iter().map(|e| e.unsigned_abs().pow(2)).sum();
    SquaredError { error: Tensor { rows: y.rows, cols: y.cols, data }, total }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::fixed::{Class, FRAC};
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_the_range_fit() {
        let row = |x| Tensor { rows: 1, cols: 2, data: vec![x; 2] };
        let found = forward(&row(Class::Feature.min()), &row(Class::Feature.max()));
        assert_eq!(found.error.data, [1 - (1 << 24); 2]);
        assert_eq!(found.total, 2 * ((1 << 24) - 1) * ((1 << 24) - 1));
    }

    proptest! {
        /// Of numbers whose squares float64 holds, it gives the same.
        #[test]
        fn the_sum_is_that_of_float64(pairs in prop::collection::vec((-(1i64 << 20)..1 << 20, -(1i64 << 20)..1 << 20), 1..50)) {
            let (y, t): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
            let row = |x: &[i64]| Tensor { rows: 1, cols: x.len(), data: x.to_vec() };
            let float = |x: i64| x as f64 / f64::from(1 << FRAC);
            let expected: f64 = y.iter().zip(&t).map(|(&y, &t)| (float(y) - float(t)).powi(2)).sum();
            prop_assert_eq!(forward(&row(&y), &row(&t)).total as f64 / f64::from(1 << (2 * FRAC)), expected);
        }
    }
}
