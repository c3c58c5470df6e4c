//! `p = round(e · out_scale / Σ e)` with `e = EXP_HI[hi] · EXP_LO[lo]` of the distance to the maximum.

use crate::{
    arithmetic::tensor::{Tensor, Wide},
    ops::tables::ExpTable,
};

/// The rows of a softmax. Masked elements are 0 in `lo`, `hi`, `e` and `p`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// Maximum of each row's live scores, frac 24, `[rows]`; below 2^56.
    pub max: Vec<i64>,
    /// `t & 511`, 9 bits.
    pub lo: Tensor,
    /// `t >> 9`, below `ExpTable::hi.len()`.
    pub hi: Tensor,
    /// `EXP_HI[hi] · EXP_LO[lo]`, below 2^36; 2^30 in rows of at most 256.
    pub e: Tensor,
    /// Sum of `e` over the row, `[rows]`, at least 1 and below 2 to `ExpTable::sum_bits`.
    pub sum: Vec<i64>,
    /// Probabilities, at most `ExpTable::out_scale`.
    pub p: Tensor,
}

/// Softmax over whole rows.
pub fn full(scores: &Wide, table: &ExpTable) -> Softmax {
    rows(scores, table, |_| scores.cols)
}

/// Causal softmax of stacked `[T × T]` blocks: row `i` of a block is live in its first `i + 1` columns.
pub fn causal(scores: &Wide, table: &ExpTable) -> Softmax {
    rows(scores, table, |row| row % scores.cols + 1)
}

fn rows(scores: &Wide, table: &ExpTable, live: impl Fn(usize) -> usize) -> Softmax {
    let (n, cols) = scores.shape();
    let zeros = || Tensor::zeros(n, cols);
    let mut out = Softmax {
        max: Vec::with_capacity(n),
        lo: zeros(),
        hi: zeros(),
        e: zeros(),
        sum: Vec::with_capacity(n),
        p: zeros(),
    };
    for i in 0..n {
        let live = live(i);
        let row = &scores.row(i)[..live];
        let max = row.iter().copied().max().unwrap_or(0);
        let mut sum = 0i64;
        for (j, &s) in row.iter().enumerate() {
            let t = table.index(max - s);
            let (lo, hi) = (t & 511, t >> 9);
            let e = table.hi[hi] * table.lo[lo];
            out.lo.row_mut(i)[j] = lo as i64;
            out.hi.row_mut(i)[j] = hi as i64;
            out.e.row_mut(i)[j] = e;
            sum += e;
        }
        for j in 0..live {
            // 36 + 24 + 1 bits; nothing is negative, so the machine's division is the floor.
            out.p.row_mut(i)[j] = (2 * out.e.at(i, j) * table.out_scale + sum) / (2 * sum);
        }
        out.max.push(max as i64);
        out.sum.push(sum);
    }
    out
}
