//! Attention in integers. Blocks of heads are stacked: head `a` owns rows `a·T..(a+1)·T` of a `[H·T × T]` matrix.
//!
//! H heads of queries and Hkv of keys and values, hd features each: a head of keys and values serves the group of `H/Hkv`
//! consecutive heads of queries that begins at `H/Hkv` times its own number, and its gradients are the sums over them.

use crate::{
    arithmetic::fixed::{Class, Saturations, rescale_to},
    arithmetic::tensor::{Matrix, Tensor, Wide, matmul, matmul_nt, matmul_tn},
    ops::{
        softmax::{self, Softmax},
        tables::ExpTable,
    },
};

/// How features are shared by heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// H, of queries.
    pub queries: usize,
    /// Hkv, of keys and values; divides H.
    pub keys: usize,
    /// hd, features of a head.
    pub dim: usize,
}

impl Heads {
    /// Heads of queries to one of keys and values.
    pub fn group(self) -> usize {
        self.queries / self.keys
    }

    /// The head of keys and values that one of queries reads.
    pub fn of_query(self, head: usize) -> usize {
        head / self.group()
    }

    /// The columns of a head, of queries or of keys and values.
    fn columns<E: Copy + Default>(self, x: &Matrix<E>, head: usize) -> Matrix<E> {
        x.columns(head * self.dim, self.dim)
    }
}

/// What [`forward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionForward {
    /// `q·kᵀ` of each head, frac 24, exact, `[H·T × T]`, the masked entries included.
    pub scores: Wide,
    /// Causal softmax of the scores, `[H·T × T]`; `softmax.p` is `P`, frac 12, 12 bits.
    pub softmax: Softmax,
    /// `P·v` of each head, heads side by side, frac 24, exact, `[T × H·hd]`.
    pub zo: Wide,
    /// The same as [`Class::Feature`].
    pub o: Tensor,
}

/// `q` is `[T × H·hd]`, `k` and `v` are `[T × Hkv·hd]`, of [`Class::Feature`].
pub fn forward(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: Heads,
    table: &ExpTable,
    saturations: &mut Saturations,
) -> AttentionForward {
    let rows = q.rows;
    let mut scores = Wide::zeros(heads.queries * rows, rows);
    for a in 0..heads.queries {
        scores.set_rows(a * rows, &matmul_nt(&heads.columns(q, a), &heads.columns(k, heads.of_query(a))));
    }
    let softmax = softmax::causal(&scores, table);
    let mut zo = Wide::zeros(rows, q.cols);
    for a in 0..heads.queries {
        let p = softmax.p.rows_of(a * rows, rows);
        zo.set_columns(a * heads.dim, &matmul(&p, &heads.columns(v, heads.of_query(a))));
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
    /// `dS·k`, frac 36, exact, `[T × H·hd]`.
    pub dq: Wide,
    /// `dSᵀ·q`, summed over the heads of a group, frac 36, exact, `[T × Hkv·hd]`.
    pub dk: Wide,
    /// `Pᵀ·dO`, summed over the heads of a group, frac 36, exact, `[T × Hkv·hd]`.
    pub zdv: Wide,
    /// The same as [`Class::Gradient`].
    pub dv: Tensor,
}

/// `d_o` is `[T × H·hd]` of [`Class::Gradient`]; `kappa = round(2^12/√hd)`.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    attention: &AttentionForward,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    d_o: &Tensor,
    heads: Heads,
    kappa: i64,
    saturations: &mut Saturations,
) -> AttentionBackward {
    let rows = q.rows;
    let mut out = AttentionBackward {
        dp: Wide::zeros(heads.queries * rows, rows),
        rho: Vec::with_capacity(heads.queries * rows),
        ds: Tensor::zeros(heads.queries * rows, rows),
        dq: Wide::zeros(rows, q.cols),
        dk: Wide::zeros(rows, k.cols),
        zdv: Wide::zeros(rows, v.cols),
        dv: Tensor::default(),
    };
    for a in 0..heads.queries {
        let shared = heads.of_query(a);
        let d_o = heads.columns(d_o, a);
        let p = attention.softmax.p.rows_of(a * rows, rows);
        let dp = matmul_nt(&d_o, &heads.columns(v, shared));
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
        out.dq.set_columns(a * heads.dim, &matmul(&ds, &heads.columns(k, shared)));
        out.dk.add_columns(shared * heads.dim, &matmul_tn(&ds, &heads.columns(q, a)));
        out.zdv.add_columns(shared * heads.dim, &matmul_tn(&p, &d_o));
        out.dp.set_rows(a * rows, &dp);
        out.ds.set_rows(a * rows, &ds);
    }
    out.dv = out.zdv.rescale(12, Class::Gradient, saturations);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Config, Spec};

    /// Integers of all sizes.
    fn drawn(rows: usize, cols: usize, limit: i64, seed: usize) -> Tensor {
        Tensor::from_fn(rows, cols, |i, j| {
            let x = ((seed * 1000 + i) * 1000 + j) as u64;
            let x = (x ^ x << 21).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            (x % (2 * limit as u64)) as i64 - limit
        })
    }

    /// The heads of `x`, each as often as a group has heads.
    fn repeated(x: &Tensor, heads: Heads) -> Tensor {
        Tensor::from_fn(x.rows, heads.queries * heads.dim, |i, j| {
            x.at(i, heads.of_query(j / heads.dim) * heads.dim + j % heads.dim)
        })
    }

    /// `repeat_kv` of the library, and its transpose: exactly, as sums of integers.
    #[test]
    fn a_shared_head_is_one_repeated_whose_gradients_add_up() {
        for (queries, keys) in [(4, 2), (6, 2), (3, 1), (2, 2)] {
            let heads = Heads { queries, keys, dim: 4 };
            let alone = Heads { keys: queries, ..heads };
            let mut config = Config::NANO;
            (config.heads, config.head_dim) = (queries, Some(heads.dim));
            let Spec { tables, .. } = Spec::new(config);
            let (q, d_o) = (drawn(7, queries * 4, 1 << 13, 1), drawn(7, queries * 4, 1 << 22, 2));
            let [k, v] = [3, 4].map(|seed| drawn(7, keys * 4, 1 << 13, seed));
            let (wide_k, wide_v) = (repeated(&k, heads), repeated(&v, heads));
            let mut none = Saturations::default();
            let shared = forward(&q, &k, &v, heads, &tables.attention, &mut none);
            assert_eq!(shared, forward(&q, &wide_k, &wide_v, alone, &tables.attention, &mut none));
            let back = backward(&shared, &q, &k, &v, &d_o, heads, tables.kappa, &mut none);
            let each = backward(&shared, &q, &wide_k, &wide_v, &d_o, alone, tables.kappa, &mut none);
            assert_eq!((&back.dp, &back.rho, &back.ds, &back.dq), (&each.dp, &each.rho, &each.ds, &each.dq));
            for (found, each) in [(&back.dk, &each.dk), (&back.zdv, &each.zdv)] {
                let sum = Wide::from_fn(7, keys * 4, |i, j| {
                    let of = |g| each.at(i, ((j / 4) * heads.group() + g) * 4 + j % 4);
                    (0..heads.group()).map(of).sum()
                });
                assert_eq!(*found, sum);
            }
        }
    }
}
