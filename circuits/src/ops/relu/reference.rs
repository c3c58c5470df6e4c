//! ReLU in integers. It is of the exact result of a product: were it of the rounded one, the derivative of what is rounded to 0
//! would be lost.

use crate::arithmetic::{
    fixed::{Class, FRAC, Saturations},
    tensor::{Matrix, Tensor, Wide},
};

/// `[z > 0]`: the derivative, which is 0 at 0 as torch has it.
#[inline]
pub const fn is_positive(z: i128) -> bool {
    z > 0
}

/// `rescale(max(z, 0), 12, 24)`: z is exact, frac 24; the result is of [`Class::Feature`].
pub fn forward(z: &Wide, saturations: &mut Saturations) -> Tensor {
    backward(z, z).rescale(FRAC, Class::Feature, saturations)
}

/// `dz = dy·[z > 0]`, exact: of the frac and bits of `dy`.
pub fn backward<E: Copy + Default>(z: &Wide, dy: &Matrix<E>) -> Matrix<E> {
    assert_eq!(z.shape(), dy.shape(), "relu: z and dy have one shape");
    let data = z.data.iter().zip(&dy.data).map(|(&z, &dy)| if is_positive(z) { dy } else { E::default() });
    Matrix { rows: z.rows, cols: z.cols, data: data.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row<E: Clone>(data: &[E]) -> Matrix<E> {
        Matrix { rows: 1, cols: data.len(), data: data.to_vec() }
    }

    #[test]
    fn the_derivative_at_zero_is_zero_and_not_beside_it() {
        let (z, mut saturations) = (row(&[i128::MIN, -1, 0, 1, 2047, 2048, 1 << 40]), Saturations::default());
        assert_eq!(forward(&z, &mut saturations).data, [0, 0, 0, 0, 0, 1, Class::Feature.max()]);
        assert_eq!(saturations.total(), 1);
        assert_eq!(backward(&z, &row(&[7, -7, 5, -3, 9, 4, 2])).data, [0, 0, 0, -3, 9, 4, 2]);
    }

    proptest! {
        /// Forward it is as near to float64 as a feature can be; backward it is the same.
        #[test]
        fn forward_and_backward_are_those_of_float64(
            pairs in prop::collection::vec((-(1i128 << 35)..1 << 35, -(1i64 << 50)..1 << 50), 1..50),
        ) {
            let (z, dy): (Vec<i128>, Vec<i64>) = pairs.into_iter().unzip();
            let float = |x: f64, frac: u32| x / f64::from(1 << frac);
            let (y, dz) = (forward(&row(&z), &mut Saturations::default()), backward(&row(&z), &row(&dy)));
            for i in 0..z.len() {
                let z = float(z[i] as f64, 2 * FRAC);
                // The largest feature is half a unit below what the largest z is rounded to.
                let distance = (float(y.data[i] as f64, FRAC) - z.max(0.0)).abs();
                prop_assert!(distance <= 0.5f64.powi(FRAC as i32 + 1) || y.data[i] == Class::Feature.max());
                prop_assert_eq!(dz.data[i], if z > 0.0 { dy[i] } else { 0 });
            }
        }
    }
}
