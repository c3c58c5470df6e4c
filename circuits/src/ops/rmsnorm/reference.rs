//! RMSNorm in integers.

use crate::{
    arithmetic::fixed::{Class, Saturations, div_floor, inverse_root, rescale_to},
    arithmetic::tensor::{Tensor, Wide},
};

/// What [`forward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormForward {
    /// `M_t = Σ x² + d·eps24`, frac 24, `[T]`; below 2^80.
    pub square: Vec<u128>,
    /// `inv_t`, frac 24, `[T]`; `inv² ≤ 2^72 / eps24`, so below 2^37.
    pub inv: Vec<i64>,
    /// Normalised input, `[T × d]`, [`Class::Feature`]; `|n| ≤ 2^12·√d + 1`, hence never clipped.
    pub n: Tensor,
    /// Output, `[T × d]`, [`Class::Feature`].
    pub h: Tensor,
}

/// `x` is `[T × d]` of [`Class::Residual`], `gain` `[1 × d]` of [`Class::Weight`], `eps24 ≥ 1`.
pub fn forward(x: &Tensor, gain: &Tensor, eps24: u64, saturations: &mut Saturations) -> NormForward {
    let (rows, d) = x.shape();
    assert_eq!(gain.shape(), (1, d), "rmsnorm: gain is 1 × d");
    let mut out = NormForward {
        square: Vec::with_capacity(rows),
        inv: Vec::with_capacity(rows),
        n: Tensor::zeros(rows, d),
        h: Tensor::zeros(rows, d),
    };
    for t in 0..rows {
        let squares: u128 = x.row(t).iter().map(|&x| u128::from(x.unsigned_abs()).pow(2)).sum();
        let square = squares + d as u128 * u128::from(eps24);
        let inv = inverse_root(d, square);
        for j in 0..d {
            let n = rescale_to(i128::from(x.at(t, j)) * i128::from(inv), 24, Class::Feature, saturations);
            out.n.row_mut(t)[j] = n;
            out.h.row_mut(t)[j] = rescale_to(i128::from(n * gain.at(0, j)), 12, Class::Feature, saturations);
        }
        out.square.push(square);
        out.inv.push(inv);
    }
    out
}

/// What [`backward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormBackward {
    /// `c_t = Σ dh·gain·n`, frac 48, exact, `[T]`; below 2^83.
    pub c: Vec<i128>,
    /// `cbar_t`, the mean of the same, frac 24, `[T]`; below 2^51.
    pub cbar: Vec<i64>,
    /// Gradient of the input, `[T × d]`, [`Class::Gradient`].
    pub dx: Tensor,
    /// Gradient of the gain, `[1 × d]`, frac 36, exact.
    pub dgain: Wide,
}

/// `dh` and `dres` (the gradient that bypasses the norm; `None` stands for 0) are `[T × d]` of [`Class::Gradient`].
pub fn backward(
    norm: &NormForward,
    gain: &Tensor,
    dh: &Tensor,
    dres: Option<&Tensor>,
    saturations: &mut Saturations,
) -> NormBackward {
    let (rows, d) = dh.shape();
    assert_eq!(norm.n.shape(), (rows, d), "rmsnorm: dh has the shape of n");
    let mut out = NormBackward {
        c: Vec::with_capacity(rows),
        cbar: Vec::with_capacity(rows),
        dx: Tensor::zeros(rows, d),
        dgain: Wide::zeros(1, d),
    };
    let mut dn = vec![0i64; d];
    for t in 0..rows {
        let (dh_row, n_row) = (dh.row(t), norm.n.row(t));
        let mut c = 0i128;
        for j in 0..d {
            // 36 + 17 bits: fits i64.
            dn[j] = dh_row[j] * gain.at(0, j);
            c += i128::from(dn[j]) * i128::from(n_row[j]);
            out.dgain.data[j] += i128::from(dh_row[j]) * i128::from(n_row[j]);
        }
        let width = d as i128;
        let cbar = div_floor(c + (width << 23), width << 24);
        let inv = i128::from(norm.inv[t]);
        for j in 0..d {
            let residual = dres.map_or(0, |r| i128::from(r.at(t, j)) << 36);
            let x = inv * (i128::from(dn[j]) - i128::from(n_row[j]) * cbar) + residual;
            out.dx.row_mut(t)[j] = rescale_to(x, 36, Class::Gradient, saturations);
        }
        out.c.push(c);
        out.cbar.push(cbar as i64);
    }
    out
}
