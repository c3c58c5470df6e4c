//! Attention in integers. Blocks of heads are stacked: head `a` owns rows `a·T..(a+1)·T` of a `[H·T × T]` matrix.

use crate::{
    arithmetic::fixed::{Class, Saturations, rescale_to},
    arithmetic::tensor::{Tensor, Wide, matmul, matmul_nt, matmul_tn},
    ops::{
        softmax::{self, Softmax},
        tables::ExpTable,
    },
};

/// What [`forward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionForward {
    /// `q·kᵀ` of each head, frac 24, exact, `[H·T × T]`, the masked entries included.
    pub scores: Wide,
    /// Causal softmax of the scores, `[H·T × T]`; `softmax.p` is `P`, frac 12, 12 bits.
    pub softmax: Softmax,
    /// `P·v` of each head, heads side by side, frac 24, exact, `[T × d]`.
    pub zo: Wide,
    /// The same as [`Class::Feature`].
    pub o: Tensor,
}

/// `q`, `k`, `v` are `[T × d]` of [`Class::Feature`].
pub fn forward(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    table: &ExpTable,
    saturations: &mut Saturations,
) -> AttentionForward {
    let (rows, d) = q.shape();
    let head_dim = d / heads;
    let mut scores = Wide::zeros(heads * rows, rows);
    for a in 0..heads {
        let head = |x: &Tensor| x.columns(a * head_dim, head_dim);
        scores.set_rows(a * rows, &matmul_nt(&head(q), &head(k)));
    }
    let softmax = softmax::causal(&scores, table);
    let mut zo = Wide::zeros(rows, d);
    for a in 0..heads {
        let p = softmax.p.rows_of(a * rows, rows);
        zo.set_columns(a * head_dim, &matmul(&p, &v.columns(a * head_dim, head_dim)));
    }
    let o = zo.rescale(12, Class::Feature, saturations);
    AttentionForward { scores, softmax, zo, o }
}

/// What [`backward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionBackward {
    /// `dO·vᵀ` of each head, frac 36, exact, `[H·T × T]`, the masked entries included; below 2^68.
    pub dp: Wide,
    /// `ρ_i = Σ_j P_ij·dP_ij`, frac 48, exact, `[H·T]`; below 2^88.
    pub rho: Vec<i128>,
    /// Gradient of the scores, `[H·T × T]`, [`Class::Gradient`]; 0 where masked.
    pub ds: Tensor,
    /// `dS·k`, frac 36, exact, `[T × d]`.
    pub dq: Wide,
    /// `dSᵀ·q`, frac 36, exact, `[T × d]`.
    pub dk: Wide,
    /// `Pᵀ·dO`, frac 36, exact, `[T × d]`.
    pub zdv: Wide,
    /// The same as [`Class::Gradient`].
    pub dv: Tensor,
}

/// `d_o` is `[T × d]` of [`Class::Gradient`]; `kappa = round(2^12/√hd)`.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    attention: &AttentionForward,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    d_o: &Tensor,
    heads: usize,
    kappa: i64,
    saturations: &mut Saturations,
) -> AttentionBackward {
    let (rows, d) = q.shape();
    let head_dim = d / heads;
    let mut out = AttentionBackward {
        dp: Wide::zeros(heads * rows, rows),
        rho: Vec::with_capacity(heads * rows),
        ds: Tensor::zeros(heads * rows, rows),
        dq: Wide::zeros(rows, d),
        dk: Wide::zeros(rows, d),
        zdv: Wide::zeros(rows, d),
        dv: Tensor::default(),
    };
    for a in 0..heads {
        let head = |x: &Tensor| x.columns(a * head_dim, head_dim);
        let d_o = head(d_o);
        let p = attention.softmax.p.rows_of(a * rows, rows);
        let dp = matmul_nt(&d_o, &head(v));
        let mut ds = Tensor::zeros(rows, rows);
        for i in 0..rows {
            let live = 0..=i;
            let rho: i128 = live.clone().map(|j| i128::from(p.at(i, j)) * dp.at(i, j)).sum();
            for j in live {
                let x = i128::from(p.at(i, j) * kappa) * (4096 * dp.at(i, j) - rho);
                ds.row_mut(i)[j] = rescale_to(x, 48, Class::Gradient, saturations);
            }
            out.rho.push(rho);
        }
        out.dq.set_columns(a * head_dim, &matmul(&ds, &head(k)));
        out.dk.set_columns(a * head_dim, &matmul_tn(&ds, &head(q)));
        out.zdv.set_columns(a * head_dim, &matmul_tn(&p, &d_o));
        out.dp.set_rows(a * rows, &dp);
        out.ds.set_rows(a * rows, &ds);
    }
    out.dv = out.zdv.rescale(12, Class::Gradient, saturations);
    out
}
