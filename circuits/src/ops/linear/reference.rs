//! The three exact products of a linear map. Rounding belongs to the caller, who knows the class of the result.

use crate::arithmetic::tensor::{Tensor, Wide, matmul, matmul_nt, matmul_tn};

/// `X·W`: `[T × in] · [in × out]`.
pub fn forward(x: &Tensor, w: &Tensor) -> Wide {
    matmul(x, w)
}

/// `dY·Wᵀ`: `[T × out] · [in × out]ᵀ`, frac 36.
pub fn input_gradient(dy: &Tensor, w: &Tensor) -> Wide {
    matmul_nt(dy, w)
}

/// `Xᵀ·dY`: `[in × out]`, frac 36: the exact gradient of `W`.
pub fn weight_gradient(x: &Tensor, dy: &Tensor) -> Wide {
    matmul_tn(x, dy)
}
