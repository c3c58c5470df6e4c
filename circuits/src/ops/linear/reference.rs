//! The three exact products of a linear map, and its bias. Rounding belongs to the caller, who knows the class of the result.

use crate::arithmetic::fixed::FRAC;
use crate::arithmetic::tensor::{Tensor, Wide, matmul, matmul_nt, matmul_tn};

/// `X·W`: `[T × in] · [in × out]`.
pub fn forward(x: &Tensor, w: &Tensor) -> Wide {
    matmul(x, w)
}

/// Adds a bias, `[1 × out]`, frac 12, to each row of a product of frac 24.
pub fn add_bias(y: &mut Wide, bias: &Tensor) {
    assert_eq!((1, y.cols), bias.shape(), "add_bias: shapes differ");
    for t in 0..y.rows {
        for (y, &b) in y.row_mut(t).iter_mut().zip(&bias.data) {
            *y += i128::from(b) << FRAC;
        }
    }
}

/// `2^12·Σ_t dY_t`: `[1 × out]`, frac 36: the exact gradient of a bias.
pub fn bias_gradient(dy: &Tensor) -> Wide {
    Wide::from_fn(1, dy.cols, |_, j| (0..dy.rows).map(|t| i128::from(dy.at(t, j)) << FRAC).sum())
}

/// `dY·Wᵀ`: `[T × out] · [in × out]ᵀ`, frac 36.
pub fn input_gradient(dy: &Tensor, w: &Tensor) -> Wide {
    matmul_nt(dy, w)
}

/// `Xᵀ·dY`: `[in × out]`, frac 36: the exact gradient of `W`.
pub fn weight_gradient(x: &Tensor, dy: &Tensor) -> Wide {
    matmul_tn(x, dy)
}
