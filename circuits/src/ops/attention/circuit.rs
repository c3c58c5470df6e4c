//! Causal multi-head attention, forward and backward: per head six products by random projection, those of keys and values
//! summed over a group of heads, the softmax row by row, and the softmax's gradient.

use super::{AttentionBackward, AttentionForward, Heads};
use crate::{
    arithmetic::fixed::Class,
    arithmetic::gadgets::{Get, Placed, Rescale, Slab, project},
    arithmetic::tensor::Wide,
    ops::{
        softmax::{
            Softmax,
            circuit::{self as softmax, ExpTags},
        },
        tables::ExpTable,
    },
};
use backend::Builder;
use plonkish::{Cell, Challenge, Declared, Interval};

/// Values and bounds of an attention.
pub struct Attention<'a, V> {
    /// Heads of queries, of keys and values, and their features.
    pub heads: Heads,
    /// Forward trace.
    pub forward: Get<V, AttentionForward>,
    /// Scores, of the forward trace.
    pub scores: Get<V, Wide>,
    /// Softmax, of the forward trace.
    pub softmax: Get<V, Softmax>,
    /// Backward trace.
    pub backward: Get<V, AttentionBackward>,
    /// Exponential table.
    pub table: &'a ExpTable,
    /// Its tags.
    pub tags: ExpTags,
    /// `round(2^12/√hd)`.
    pub kappa: i64,
    /// Wide product behind `dO`, frac 36.
    pub zdo: Get<V, Wide>,
    /// Wide product behind `v`, frac 24.
    pub zv: Get<V, Wide>,
    /// Bound on `|zdo|`.
    pub zdo_bound: u128,
    /// Bound on `|zv|`.
    pub zv_bound: u128,
}

/// What other ops read of an attention; wide values are to be constrained.
#[derive(Clone, Debug)]
pub struct AttentionCells {
    /// Output before `Wo`.
    pub o: Placed,
    /// Wide `h·Wv`.
    pub zv: Placed,
    /// Wide `dx_mid·Woᵀ`.
    pub zdo: Placed,
    /// Gradient of `v`.
    pub dv: Placed,
    /// Wide gradient of the rotated queries.
    pub dq: Placed,
    /// Wide gradient of the rotated keys.
    pub dk: Placed,
}

/// Places the attention between rotated `q` and `k`, which stand in slabs of their own together with unchecked columns
/// for the wide gradients `dq`, `dk`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    a: &Attention<'_, V>,
    q: &Placed,
    k: &Placed,
    dq: Placed,
    dk: Placed,
) -> AttentionCells {
    let Attention { zdo, zv, forward, scores: scores_of, softmax: softmax_of, backward, .. } = *a;
    let kappa = i128::from(a.kappa);
    let (heads, context) = (a.heads, q.slab.runs);
    let head_dim = heads.dim;
    let (feature, gradient) = (Class::Feature.bits(), Class::Gradient.bits());

    let v_slab = Slab::new(b, "attention/v", context, k.slab.columns);
    let v =
        Rescale { shift: 12, bits: feature, bound: a.zv_bound }.place(b, &v_slab, "v", move |v, t, j| zv(v).at(t, j));
    // P is at most 2^12 and rows of P sum to at most 2^12 + T/2.
    let dv_bound = ((context * heads.group()) as u128) << (12 + gradient - 1);
    let dv = Rescale { shift: 12, bits: gradient, bound: dv_bound }
        .place(b, &v_slab, "dv", move |v, t, j| backward(v).zdv.at(t, j));
    let o_slab = Slab::new(b, "attention/o", context, q.slab.columns);
    let zo_bound = ((1 << 12) + context as u128) << (feature - 1);
    let o = Rescale { shift: 12, bits: feature, bound: zo_bound }
        .place(b, &o_slab, "o", move |v, t, j| forward(v).zo.at(t, j));
    let d_o = Rescale { shift: 12, bits: gradient, bound: a.zdo_bound }
        .place(b, &o_slab, "dO", move |v, t, j| zdo(v).at(t, j));

    // Scores and probabilities, heads stacked.
    let rows = heads.queries * context;
    let slab = Slab::new(b, "attention/scores", rows, context);
    let score_bound = (head_dim as u128) << (2 * (feature - 1));
    let scores =
        slab.unchecked(b, "score", Some(Declared::equation(score_bound)), move |v, i, j| scores_of(v).at(i, j));
    let soft = softmax::place(
        b,
        &slab,
        (&scores, scores_of),
        move |i, j| j <= i % context,
        (softmax_of, a.table, a.tags),
        score_bound,
    );
    // |dP| ≤ hd·2^(23+35), |ρ| ≤ (2^12 + T)·|dP|.
    let dp_bound = (head_dim as u128) << (feature + gradient - 2);
    let dp = slab.unchecked(b, "dP", Some(Declared::equation(dp_bound)), move |v, i, j| backward(v).dp.at(i, j));
    let terms = Placed::row_sums(&slab, |p, l| soft.p.lane(p, l) * dp.lane(p, l));
    let total = slab.running_sum(b, "P·dP", &terms);
    // The limbs of P alone say less of a row's sum: P < 2^12.
    let rho_range = Declared::shown(Interval::within((context as u128 * dp_bound) << 12), "rho is the sum of P·dP");
    let rho = slab.per_run(b, "rho", Some(rho_range), move |v, i| backward(v).rho[i]);
    for (p, piece) in slab.pieces.iter().enumerate() {
        let ends = slab.ends(piece);
        b.determine(piece.block, "rho is the sum of P·dP", &rho[p].cur(), total[p].cur() - rho[p].cur(), ends);
    }
    let ds_bound = (((2u128 << 12) + context as u128) * dp_bound) << 24;
    let ds = Rescale { shift: 48, bits: gradient, bound: ds_bound }.place(b, &slab, "dS", move |v, i, j| {
        let backward = backward(v);
        i128::from(softmax_of(v).p.at(i, j)) * (4096 * backward.dp.at(i, j) - backward.rho[i]) * kappa
    });
    slab.gate(b, "dS is P·(4096·dP − rho)·kappa rounded", |p, l| {
        ds.x.lane(p, l) - (soft.p.lane(p, l) * (dp.lane(p, l).times(4096) - rho[p].cur())).times(kappa)
    });

    // Projections.
    let by_outer = |b: &mut Builder<V>, x: &Placed, c: Challenge| project::outer(b, x, c, context).remove(0);
    let by_feature =
        |b: &mut Builder<V>, x: &Placed| project::inner(b, &x.split(x.slab.columns / head_dim), Challenge::Outputs);
    let (q_rows, k_keys) = (by_outer(b, q, Challenge::Rows), by_outer(b, k, Challenge::Keys));
    let (v_keys, do_rows) = (by_outer(b, &v.y, Challenge::Keys), by_outer(b, &d_o.y, Challenge::Rows));
    let [q_out, k_out, v_out, do_out] = [q, k, &v.y, &d_o.y].map(|x| by_feature(b, x));
    let [o_out, dv_out, dq_out, dk_out] = [&o.x, &dv.x, &dq, &dk].map(|x| by_feature(b, x));
    let s_keys = project::inner(b, &scores, Challenge::Keys);
    let p_keys = project::inner(b, &soft.p, Challenge::Keys);
    let dp_keys = project::inner(b, &dp, Challenge::Keys);
    let ds_keys = project::inner(b, &ds.y, Challenge::Keys);
    let p_rows = project::outer(b, &soft.p, Challenge::Rows, context);
    let ds_rows = project::outer(b, &ds.y, Challenge::Rows, context);
    // One cell per row of `[H·T × T]`, per feature, per (token, head): those of a head.
    let stacked = |cells: &[Cell], head: usize| cells[head * context..][..context].to_vec();
    let features = |cells: &[Cell], head: usize| cells[head * head_dim..][..head_dim].to_vec();
    let tokens = |cells: &[Cell], head: usize| -> Vec<Cell> {
        cells.iter().skip(head).step_by(cells.len() / context).copied().collect()
    };
    for shared in 0..heads.keys {
        let group = shared * heads.group()..(shared + 1) * heads.group();
        for h in group.clone() {
            // S = q·kᵀ and dP = dO·vᵀ, over (query, key).
            for (product, left, right) in [(&s_keys, &q_rows, &k_keys), (&dp_keys, &do_rows, &v_keys)] {
                let product = b.horner(&stacked(product, h), Challenge::Rows);
                check(b, product, [(features(left, h), features(right, shared))]);
            }
            // O = P·v and dq = dS·k, over (query, feature).
            for (product, left, right) in [(&o_out, &p_rows, &v_out), (&dq_out, &ds_rows, &k_out)] {
                let product = b.horner(&tokens(product, h), Challenge::Rows);
                check(b, product, [(left[h].clone(), tokens(right, shared))]);
            }
        }
        // dv = Σ Pᵀ·dO and dk = Σ dSᵀ·q over the group, over (key, feature).
        for (product, left, right) in [(&dv_out, &p_keys, &do_out), (&dk_out, &ds_keys, &q_out)] {
            let product = b.horner(&tokens(product, shared), Challenge::Keys);
            check(b, product, group.clone().map(|h| (stacked(left, h), tokens(right, h))));
        }
    }
    AttentionCells { o: o.y, zv: v.x, zdo: d_o.x, dv: dv.y, dq, dk }
}

/// Requires a projected product to be the sum of those of vectors, of which there is one at least.
fn check<V>(b: &mut Builder<V>, product: Cell, vectors: impl IntoIterator<Item = (Vec<Cell>, Vec<Cell>)>) {
    let dots: Vec<_> = vectors.into_iter().map(|(left, right)| (b.dot(&project::pairs(&left, &right)), 1)).collect();
    let sum = if let [(dot, _)] = dots[..] { dot } else { b.sum(&dots) };
    b.equal(product, sum);
}

/// Bound on a wide gradient, frac 36: of `dq` with one head, of `dk` with those of a group.
pub fn wide_gradient_bound(context: usize, heads: usize) -> u128 {
    ((context * heads) as u128) << (Class::Feature.bits() - 1 + Class::Gradient.bits() - 1)
}
