//! RMSNorm, forward and backward, row-aligned: `x`, `n`, `h`, `dh` and `dx` of an element stand in one row.

use super::{NormBackward, NormForward};
use crate::{
    arithmetic::fixed::Class,
    arithmetic::gadgets::{Get, Limbs, Placed, Rescale, Slab, limb_count, project},
    arithmetic::tensor::{Tensor, Wide},
};
use backend::{Builder, Expr};
use plonkish::{Cell, Challenge, Declared, Interval, Kind, LIMB_BITS};

/// Values and bounds of one norm.
pub struct Norm<V> {
    /// Forward trace.
    pub forward: Get<V, NormForward>,
    /// Backward trace.
    pub backward: Get<V, NormBackward>,
    /// `[1 × d]`.
    pub gain: Get<V, Tensor>,
    /// Input `[T × d]`.
    pub x: Get<V, Tensor>,
    /// The wide product behind `dh`, frac 36.
    pub zdh: Get<V, Wide>,
    /// `dh`, frac 24.
    pub dh: Get<V, Tensor>,
    /// The gradient that bypasses the norm.
    pub dres: Option<Get<V, Tensor>>,
    /// `round(eps·2^24)`.
    pub eps24: u64,
    /// Bound on `|zdh|`.
    pub zdh_bound: u128,
}

/// What other ops read of a norm.
#[derive(Clone, Debug)]
pub struct NormCells {
    /// Output.
    pub h: Placed,
    /// The wide product behind `dh`; to be constrained.
    pub zdh: Placed,
    /// Bypassing gradient; to be linked.
    pub dres: Option<Placed>,
    /// Gradient of the input.
    pub dx: Placed,
}

/// Places a norm over `slab`, in which `x` stands. `gain` and `dgain` are the projections over `Outputs` of the gain and
/// of its gradient in their ports.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    x: &Placed,
    norm: &Norm<V>,
    gain: Cell,
    dgain: Cell,
) -> NormCells {
    let Norm { forward, backward, x: x_of, gain: gain_of, zdh, dh: dh_of, dres: dres_of, .. } = *norm;
    let d = slab.columns;
    let int = |x: &Tensor, t: usize, j: usize| i128::from(x.at(t, j));
    let root_d = (d as u128).isqrt() + 1;

    let square = slab.running_sum(b, "sum of squares", &Placed::row_sums(slab, |p, l| x.lane(p, l).square()));
    let inv_range = Interval::unsigned(limb_count(INV_BITS) as u32 * LIMB_BITS);
    let inv_range = Declared::shown(inv_range, "inv is not negative");
    let inv = slab.per_run(b, "inv", Some(inv_range), move |v, t| forward(v).inv[t].into());
    let gain_range = Declared::equation(1 << (Class::Weight.bits() - 1));
    let gains = slab.unchecked(b, "gain", Some(gain_range), move |v, _, j| int(gain_of(v), 0, j));
    for run in project::inner(b, &gains, Challenge::Outputs) {
        b.equal(run, gain);
    }

    let n =
        Rescale { shift: 24, bits: Class::Feature.bits(), bound: root_d << 36 }
            .place(b, slab, "n", move |v, t, j| int(x_of(v), t, j) * i128::from(forward(v).inv[t]));
    slab.gate(b, "n is x·inv rounded", |p, l| n.x.lane(p, l) - x.lane(p, l) * inv[p].cur());
    let h = Rescale { shift: 12, bits: Class::Feature.bits(), bound: (root_d << 12) << 16 }.place(
        b,
        slab,
        "h",
        move |v, t, j| int(&forward(v).n, t, j) * int(gain_of(v), 0, j),
    );
    slab.gate(b, "h is n·gain rounded", |p, l| h.x.lane(p, l) - n.y.lane(p, l) * gains.lane(p, l));

    let dh = Rescale { shift: 12, bits: Class::Gradient.bits(), bound: norm.zdh_bound }
        .place(b, slab, "dh", move |v, t, j| zdh(v).at(t, j))
        .hold(b, "dh");
    let c =
        slab.running_sum(b, "c", &Placed::row_sums(slab, |p, l| dh.y.lane(p, l) * gains.lane(p, l) * n.y.lane(p, l)));
    let cbar_range = Declared::shown(Interval::signed(CBAR_BITS), "cbar is in range");
    let cbar = slab.per_run(b, "cbar", Some(cbar_range), move |v, t| backward(v).cbar[t].into());
    let dres_range = Declared::equation(1 << (Class::Gradient.bits() - 1));
    let dres = dres_of.map(|dres| slab.unchecked(b, "dres", Some(dres_range), move |v, t, j| int(dres(v), t, j)));
    // |inv| ≤ 2^36/√eps24, |dh·gain| ≤ 2^51, |n·cbar| ≤ (√d·2^12)·(2^51·√d·2^12/2^24).
    let inv_bound = (1u128 << 36) / u128::from(norm.eps24).isqrt().max(1) + 1;
    let bound = inv_bound * ((1 << 51) + root_d * root_d * (1 << 51)) + (1 << 71);
    let dx_value = move |v: &V, t: usize, j: usize| {
        let (forward, backward) = (forward(v), backward(v));
        let from_gain = int(dh_of(v), t, j) * int(gain_of(v), 0, j);
        let product = from_gain - int(&forward.n, t, j) * i128::from(backward.cbar[t]);
        i128::from(forward.inv[t]) * product + (dres_of.map_or(0, |dres| int(dres(v), t, j)) << 36)
    };
    let dx = Rescale { shift: 36, bits: Class::Gradient.bits(), bound }.place(b, slab, "dx", dx_value);
    slab.gate(b, "dx is inv·(dh·gain − n·cbar) + dres·2^36 rounded", |p, l| {
        let inner = dh.y.lane(p, l) * gains.lane(p, l) - n.y.lane(p, l) * cbar[p].cur();
        let bypass = dres.as_ref().map_or(Expr::int(0), |r| r.lane(p, l).times_pow2(36));
        dx.x.lane(p, l) - inv[p].cur() * inner - bypass
    });

    // The gradient of the gain, Σ_t dh·n, by its projection.
    let products = project::inner(b, &dh.y.zip(&n.y, |dh, n| dh * n), Challenge::Outputs);
    let sum = b.sum(&products.into_iter().map(|cell| (cell, 1)).collect::<Vec<_>>());
    b.equal(sum, dgain);

    per_token(b, slab, norm, [&square, &inv, &c, &cbar]);
    NormCells { h: h.y, zdh: dh.x, dres, dx: dx.y }
}

/// Bits of `inv`, unsigned: it is below 2^37.
const INV_BITS: u32 = 37;

/// Bits of `cbar`, signed: `|c| ≤ d·2^51·2^24`, so `|cbar| ≤ 2^51 + 1 < 2^59`.
const CBAR_BITS: u32 = 60;

/// `inv` is the largest integer with `inv²·M ≤ d·2^72`, and `cbar = round(c / (d·2^24))`: one row per token.
fn per_token<V: 'static>(b: &mut Builder<V>, slab: &Slab, norm: &Norm<V>, columns: [&Vec<plonkish::Col>; 4]) {
    let Norm { forward, backward, .. } = *norm;
    let (d, runs) = (slab.columns as i128, slab.runs);
    let block = b.block("rmsnorm/token", runs);
    let names = ["sum of squares", "inv", "c", "cbar"];
    let [square, inv, c, cbar] = names.map(|name| b.column(block, Kind::Copyable, name));
    for run in 0..runs {
        for (from, to) in columns.iter().zip([square, inv, c, cbar]) {
            let (from, to) = (slab.end(b, from, run), b.cell(block, to, run));
            b.copy(from, to);
        }
    }
    let rows = || 0..runs;
    let target = d << 72;
    let m = || square.cur() + Expr::int(d * i128::from(norm.eps24));
    // |x| < 2^35, so M < d·2^71, inv² M ≤ d·2^72, and both distances stay below (2·inv + 1)·M < d·2^74.
    let distance = limb_count(74 + (d as u128).ilog2() + 1);
    let width = Limbs::place(b, block, "inv", limb_count(INV_BITS));
    let below = Limbs::place(b, block, "target − inv²·M", distance);
    let above = Limbs::place(b, block, "(inv+1)²·M − target − 1", distance);
    let quotient = Limbs::place(b, block, "cbar + 2^59", limb_count(CBAR_BITS));
    let divisor = d << 24;
    let remainder_limbs = limb_count((divisor as u128).ilog2() + 1);
    let remainder = Limbs::place(b, block, "remainder", remainder_limbs);
    let complement = Limbs::place(b, block, "d·2^24 − 1 − remainder", remainder_limbs);
    let limbs = [&width, &below, &above, &quotient, &remainder, &complement].map(Clone::clone);
    b.assign(block, move |v, cells| {
        let [width, below, above, quotient, remainder, complement] = &limbs;
        let (forward, backward) = (forward(v), backward(v));
        for t in 0..runs {
            let (square, inv) = (forward.square[t] as i128, i128::from(forward.inv[t]));
            width.set(cells, t, inv);
            below.set(cells, t, target - inv * inv * square);
            above.set(cells, t, (inv + 1) * (inv + 1) * square - target - 1);
            let cbar = i128::from(backward.cbar[t]);
            quotient.set(cells, t, cbar + (1 << (CBAR_BITS - 1)));
            let r = backward.c[t] + divisor / 2 - cbar * divisor;
            remainder.set(cells, t, r);
            complement.set(cells, t, divisor - 1 - r);
        }
    });
    b.determine(block, "inv is not negative", &inv.cur(), inv.cur() - width.value(), rows());
    b.gate(block, "inv is not too large", below.value() - Expr::int(target) + inv.cur().square() * m(), rows());
    let next = || inv.cur() + Expr::int(1);
    b.gate(block, "inv is not too small", above.value() - next().square() * m() + Expr::int(target + 1), rows());
    let in_range = cbar.cur() + Expr::pow2(CBAR_BITS - 1) - quotient.value();
    b.determine(block, "cbar is in range", &cbar.cur(), in_range, rows());
    b.gate(
        block,
        "c + d·2^23 = cbar·d·2^24 + remainder",
        c.cur() + Expr::int(divisor / 2) - cbar.cur().times(divisor) - remainder.value(),
        rows(),
    );
    b.gate(block, "remainder is below d·2^24", remainder.value() + complement.value() - Expr::int(divisor - 1), rows());
}
