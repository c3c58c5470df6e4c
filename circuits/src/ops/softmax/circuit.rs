//! Rows of a softmax. Masked elements follow the same constraints with distance 0 and exponential 0, so that no cell of
//! theirs is free.

use super::Softmax;
use crate::{
    arithmetic::gadgets::{Get, Limbs, Placed, Slab, limb_count},
    arithmetic::tensor::Wide,
    ops::tables::{EXP_LO_ROWS, ExpTable},
};
use backend::{Builder, Expr, Local};
use plonkish::{Col, Declared, Free, Interval, Kind, LIMB_BITS};
use std::sync::Arc;

/// What is free: several elements may share the maximum.
pub const FREE: &[Free] = &[Free {
    ops: OPS,
    column: "is the maximum",
    along: &["maximum marks"],
    reason: "any of the elements that share the maximum may be marked; the maximum is the same",
}];

const OPS: &[&str] = &["attention/scores", "cross_entropy"];

/// What other ops read of a softmax.
#[derive(Clone, Debug)]
pub struct SoftmaxCells {
    /// Probabilities.
    pub p: Placed,
    /// `max − score`, 0 where masked.
    pub distance: Placed,
    /// Sum of the exponentials, on each row of a run.
    pub sum: Vec<Col>,
}

/// Tables of a softmax: tags of the two factors of the exponential.
#[derive(Clone, Copy, Debug)]
pub struct ExpTags {
    /// Low factor.
    pub lo: u64,
    /// High factor.
    pub hi: u64,
}

impl ExpTags {
    /// Declares the tables.
    pub fn declare<V>(self, b: &mut Builder<V>, table: &ExpTable) {
        let rows = |column: &[i64]| column.iter().enumerate().map(|(i, &y)| (i as i128, i128::from(y))).collect();
        b.table(self.lo, rows(&table.lo));
        b.table(self.hi, rows(&table.hi));
    }
}

/// Places the softmax of `scores` (`|score| ≤ bound`), live where `live(run, column)`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    scores: (&Placed, Get<V, Wide>),
    live: impl Fn(usize, usize) -> bool + Copy + Send + Sync + 'static,
    (trace, table, tags): (Get<V, Softmax>, &ExpTable, ExpTags),
    bound: u128,
) -> SoftmaxCells {
    tags.declare(b, table);
    let (placed, values) = scores;
    // Where nothing is masked there is no mask.
    let all_live = (0..slab.runs).all(|i| (0..slab.columns).all(|j| live(i, j)));
    let mask = (!all_live).then(|| slab.constants(b, "mask", |i, j| live(i, j).into()));
    let masked = |p: usize, l: usize, x: Local| mask.as_ref().map_or(x.clone(), |mask| mask.lane(p, l) * x);
    // The largest score is one of them.
    let score = b.interval(slab.pieces[0].block, &placed.lane(0, 0));
    let max_range = score.map(|score| Declared::shown(score, "the maximum has distance 0; one maximum is marked"));
    let max = slab.per_run(b, "max", max_range, move |v, i| trace(v).max[i].into());
    let sum_bound = slab.columns as u128 * (table.hi[0] * table.lo[0]) as u128;
    let sum_range = Declared::shown(Interval::new(0, sum_bound as i128), "sum is that of the exponentials");
    let sum = slab.per_run(b, "sum", Some(sum_range), move |v, i| trace(v).sum[i].into());
    // Of those that share the maximum the first is marked.
    let top = slab.unchecked(b, "is the maximum", None, move |v, i, j| {
        let is_maximum = |j| live(i, j) && values(v).at(i, j) == i128::from(trace(v).max[i]);
        (is_maximum(j) && !(0..j).any(is_maximum)).into()
    });
    let distance = slab.expressions(|p, l| masked(p, l, max[p].cur() - placed.lane(p, l)));

    // Distance = t·2^12 + rest, or beyond the table: t at its end and the rest in more limbs. Floored, not rounded, so
    // that no distance is negative: the maximum is the largest live score.
    let end = (table.hi.len() * EXP_LO_ROWS) as i128;
    let beyond = ((2 * bound) >> LIMB_BITS).checked_ilog2().map_or(1, |b| b + 1);
    let extra = limb_count(beyond);
    let p_limbs = limb_count((table.out_scale as u128).ilog2() + 1);
    let remainder_limbs = limb_count((2 * sum_bound).ilog2() + 1);

    let shared = Arc::new(table.clone());
    let mut exponentials: Vec<Vec<Local>> = vec![];
    let mut probabilities: Vec<Vec<Local>> = vec![];
    for (p, piece) in slab.pieces.iter().enumerate() {
        let block = piece.block;
        let (mut e_lanes, mut p_lanes) = (vec![], vec![]);
        for lane in 0..slab.lanes {
            let lo = b.lookup(block, tags.lo, &format!("exp lo{lane}"), slab.data(piece));
            let hi = b.lookup(block, tags.hi, &format!("exp hi{lane}"), slab.data(piece));
            let rest = Limbs::place(b, block, &format!("rest{lane}"), 1 + extra);
            let far = b.column(block, Kind::Unchecked, &format!("far{lane}"));
            let prob = Limbs::place(b, block, &format!("p{lane}"), p_limbs);
            let remainder = Limbs::place(b, block, &format!("remainder{lane}"), remainder_limbs);
            let complement = Limbs::place(b, block, &format!("complement{lane}"), remainder_limbs);
            let (factors, shape, piece) = (shared.clone(), slab.clone(), *piece);
            let limbs = [&rest, &prob, &remainder, &complement].map(Clone::clone);
            b.assign(block, move |v, cells| {
                let ([rest, prob, remainder, complement], trace, values) = (&limbs, trace(v), values(v));
                for row in shape.data(&piece) {
                    let (i, j) = shape.element(&piece, row, lane);
                    let shifted = if live(i, j) { i128::from(trace.max[i]) - values.at(i, j) } else { 0 };
                    let t = (shifted >> LIMB_BITS).min(end - 1);
                    let is_far = shifted >> LIMB_BITS >= end;
                    let (t_lo, t_hi) = (t % EXP_LO_ROWS as i128, t / EXP_LO_ROWS as i128);
                    let (e_lo, e_hi) = (i128::from(factors.lo[t_lo as usize]), i128::from(factors.hi[t_hi as usize]));
                    cells.set(lo.x, row, t_lo);
                    cells.set(lo.y, row, e_lo);
                    cells.set(hi.x, row, t_hi);
                    cells.set(hi.y, row, e_hi);
                    cells.set(far, row, is_far.into());
                    rest.set(cells, row, shifted - ((t + i128::from(is_far)) << LIMB_BITS));
                    let e = if live(i, j) { e_lo * e_hi } else { 0 };
                    let (sum, p) = (i128::from(trace.sum[i]), i128::from(trace.p.at(i, j)));
                    let r = 2 * e * i128::from(factors.out_scale) + sum - p * 2 * sum;
                    prob.set(cells, row, p);
                    remainder.set(cells, row, r);
                    complement.set(cells, row, 2 * sum - 1 - r);
                }
            });
            let rows = || slab.data(&piece);
            let name = |what: &str| format!("{what} (lane {lane})");
            let t = || hi.x.cur().times(EXP_LO_ROWS as i128) + lo.x.cur();
            let one = || Expr::int(1);
            b.gate(block, &name("far is 0 or 1"), far.cur() * (one() - far.cur()), rows());
            b.gate(block, &name("far only at the table's end"), far.cur() * (t() - Expr::int(end - 1)), rows());
            b.gate(block, &name("extra limbs only when far"), (one() - far.cur()) * rest.part(1, 1 + extra), rows());
            b.gate(
                block,
                &name("distance = (t + far)·2^12 + rest"),
                distance.lane(p, lane) - (t() + far.cur()).times_pow2(LIMB_BITS) - rest.value(),
                rows(),
            );
            let is_top = top.lane(p, lane);
            b.gate(block, &name("maximum mark is 0 or 1"), is_top.clone() * (one() - is_top.clone()), rows());
            if let Some(mask) = &mask {
                b.gate(block, &name("no masked maximum"), is_top.clone() * (one() - mask.lane(p, lane)), rows());
            }
            b.gate(block, &name("the maximum has distance 0"), is_top * (max[p].cur() - placed.lane(p, lane)), rows());
            let e = masked(p, lane, hi.y.cur() * lo.y.cur());
            b.gate(
                block,
                &name("2·e·scale + sum = p·2·sum + remainder"),
                e.clone().times(2 * i128::from(table.out_scale)) + sum[p].cur()
                    - prob.value() * sum[p].cur().times(2)
                    - remainder.value(),
                rows(),
            );
            b.gate(
                block,
                &name("remainder is below 2·sum"),
                remainder.value() + complement.value() + one() - sum[p].cur().times(2),
                rows(),
            );
            e_lanes.push(e);
            p_lanes.push(prob.value());
        }
        exponentials.push(e_lanes);
        probabilities.push(p_lanes);
    }
    let total = |lanes: &Vec<Local>| Expr::sum(lanes.clone());
    let sums = slab.running_sum(b, "exponentials", &exponentials.iter().map(total).collect::<Vec<_>>());
    let marks = slab.running_sum(b, "maximum marks", &top.lanes.iter().map(total).collect::<Vec<_>>());
    for (p, piece) in slab.pieces.iter().enumerate() {
        let ends = slab.ends(piece);
        let difference = sums[p].cur() - sum[p].cur();
        b.determine(piece.block, "sum is that of the exponentials", &sum[p].cur(), difference, ends.clone());
        b.gate(piece.block, "one maximum is marked", marks[p].cur() - Expr::int(1), ends);
    }
    SoftmaxCells { p: Placed { slab: slab.clone(), lanes: probabilities }, distance, sum }
}
