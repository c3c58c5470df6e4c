//! Loss of each position from its softmax: `ℓ = D_y + ln(sum)`, the logarithm by a table over the normalised mantissa.

use super::Loss;
use crate::{
    arithmetic::gadgets::{Get, Limbs, Placed, Slab, limb_count},
    ops::{softmax::circuit::SoftmaxCells, tables::LogTable},
};
use backend::{Builder, Expr};
use plonkish::{Cell, Kind};

/// Tags of the logarithm's tables.
#[derive(Clone, Copy, Debug)]
pub struct LogTags {
    /// `b ↦ 2^(top−b)`.
    pub power: u64,
    /// `b ↦ LNPOW[b]`.
    pub ln_power: u64,
    /// `i ↦ LN0[i]`.
    pub value: u64,
    /// `i ↦ LN1[i]`.
    pub chord: u64,
}

/// Places the losses of the rows of `soft`, whose targets are `hot`; the sum of the losses is the cell returned.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    soft: &SoftmaxCells,
    hot: &Placed,
    (loss, table, tags): (Get<V, Loss>, &LogTable, LogTags),
) -> Cell {
    let rows = |column: &[i64]| column.iter().enumerate().map(|(i, &y)| (i as i128, i128::from(y))).collect();
    let (top, bits) = (table.top(), table.fraction_bits());
    b.table(tags.power, (0..=top).map(|p| (i128::from(p), 1i128 << (top - p))).collect());
    b.table(tags.ln_power, rows(&table.lnpow));
    b.table(tags.value, rows(&table.ln0[..1024]));
    b.table(tags.chord, rows(&table.ln1[..1024]));

    let terms = Placed::row_sums(slab, |p, l| hot.lane(p, l) * soft.distance.lane(p, l));
    let distances = slab.running_sum(b, "target distance", &terms);

    let n = slab.runs;
    let block = b.block("cross_entropy/loss", n);
    let distance = b.column(block, Kind::Copyable, "distance");
    let sum = b.column(block, Kind::Copyable, "sum");
    let power = b.lookup(block, tags.power, "power", 0..n);
    let ln_power = b.lookup(block, tags.ln_power, "ln power", 0..n);
    let value = b.lookup(block, tags.value, "ln value", 0..n);
    let chord = b.lookup(block, tags.chord, "ln chord", 0..n);
    let fraction = Limbs::place(b, block, "fraction", limb_count(bits));
    let step = Limbs::place(b, block, "step", 2);
    let rest = Limbs::place(b, block, "rest", limb_count(bits));
    let total = b.column(block, Kind::Copyable, "total");
    for t in 0..n {
        for (from, to) in [(&distances, distance), (&soft.sum, sum)] {
            let (from, to) = (slab.end(b, from, t), b.cell(block, to, t));
            b.copy(from, to);
        }
    }
    let (table, limbs) = (table.clone(), [&fraction, &step, &rest].map(Clone::clone));
    b.assign(block, move |v, cells| {
        let [fraction, step, rest] = &limbs;
        for (t, position) in loss(v).positions.iter().enumerate() {
            let (p, i) = (position.b as usize, position.i);
            for (pair, x, y) in [
                (power, p, 1i64 << (top as usize - p)),
                (ln_power, p, table.lnpow[p]),
                (value, i, table.ln0[i]),
                (chord, i, table.ln1[i]),
            ] {
                cells.set(pair.x, t, x as i128);
                cells.set(pair.y, t, y.into());
            }
            fraction.set(cells, t, position.f.into());
            step.set(cells, t, position.chord.into());
            rest.set(cells, t, (table.ln1[i] * position.f + (1 << (bits - 1)) - (position.chord << bits)).into());
        }
    });
    b.gate(
        block,
        &format!("sum·2^({top}−b) = 2^{top} + i·2^{bits} + fraction"),
        sum.cur() * power.y.cur() - Expr::pow2(top) - value.x.cur().times_pow2(bits) - fraction.value(),
        0..n,
    );
    b.gate(block, "one power", power.x.cur() - ln_power.x.cur(), 0..n);
    b.gate(block, "one mantissa", value.x.cur() - chord.x.cur(), 0..n);
    b.gate(
        block,
        "step is chord·fraction rounded",
        chord.y.cur() * fraction.value() + Expr::pow2(bits - 1) - step.value().times_pow2(bits) - rest.value(),
        0..n,
    );
    let position = distance.cur() + ln_power.y.cur() + value.y.cur() + step.value();
    b.define(block, "total begins with the first loss", total, position.clone(), 0..1);
    b.define(block, "total adds up the losses", total, total.at(-1) + position, 1..n);
    b.cell(block, total, n - 1)
}
