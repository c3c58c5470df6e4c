//! The gated unit, forward and backward, row-aligned: gate, up, their product and the gradients of an element stand in
//! one row.

use super::{SwigluBackward, SwigluForward, TAU_BOUND};
use crate::{
    arithmetic::fixed::Class,
    arithmetic::gadgets::{Get, Limbs, Placed, Rescale, Slab},
    arithmetic::tensor::{Tensor, Wide},
    ops::tables::SigmoidTable,
};
use backend::{Builder, Expr, Local};
use plonkish::LIMB_BITS;
use std::sync::Arc;

/// Tags of the sigmoid's tables: value and slope.
#[derive(Clone, Copy, Debug)]
pub struct SigmoidTags {
    /// `SIG0`.
    pub value: u64,
    /// `SIG1`.
    pub slope: u64,
}

/// Values and bounds of a gated unit.
pub struct Swiglu<'a, V> {
    /// Forward trace.
    pub forward: Get<V, SwigluForward>,
    /// Backward trace.
    pub backward: Get<V, SwigluBackward>,
    /// The tables.
    pub table: &'a SigmoidTable,
    /// Their tags.
    pub tags: SigmoidTags,
    /// Wide gate `h·Wg`, frac 24, and the gate.
    pub gate: (Get<V, Wide>, Get<V, Tensor>),
    /// Wide up `h·Wu`, frac 24, and up.
    pub up: (Get<V, Wide>, Get<V, Tensor>),
    /// Wide `dy·Wdᵀ`, frac 36, and `ds`.
    pub ds: (Get<V, Wide>, Get<V, Tensor>),
    /// Bound on the wide gate and up.
    pub wide_bound: u128,
    /// Bound on the wide `ds`.
    pub zds_bound: u128,
}

/// What other ops read of a gated unit; wide values are to be constrained.
#[derive(Clone, Debug)]
pub struct SwigluCells {
    /// Wide gate.
    pub zg: Placed,
    /// Wide up.
    pub zu: Placed,
    /// Product.
    pub s: Placed,
    /// Wide gradient of the product.
    pub zds: Placed,
    /// Gradient of up.
    pub du: Placed,
    /// Gradient of the gate.
    pub dz: Placed,
}

/// Places the gated unit in `slab`, `[T × f]`.
pub fn place<V: 'static>(b: &mut Builder<V>, slab: &Slab, g: &Swiglu<'_, V>) -> SwigluCells {
    let Swiglu { forward, backward, gate: (zg, z_of), up: (zu, u_of), ds: (zds, ds_of), .. } = *g;
    let (feature, gradient) = (Class::Feature.bits(), Class::Gradient.bits());
    let rows = |column: &[i64]| column[..1024].iter().enumerate().map(|(i, &y)| (i as i128, i128::from(y))).collect();
    b.table(g.tags.value, rows(&g.table.value));
    b.table(g.tags.slope, rows(&g.table.slope));
    let int = |x: &Tensor, t: usize, j: usize| i128::from(x.at(t, j));

    let z = Rescale { shift: 12, bits: Class::Gate.bits(), bound: g.wide_bound }
        .place(b, slab, "z", move |v, t, j| zg(v).at(t, j))
        .hold(b, "z");
    let u = Rescale { shift: 12, bits: feature, bound: g.wide_bound }
        .place(b, slab, "u", move |v, t, j| zu(v).at(t, j))
        .hold(b, "u");
    let sig = sigmoid(b, slab, &z.y, g);

    let s = Rescale { shift: 24, bits: feature, bound: 1 << (17 + 12 + 23) }
        .place(b, slab, "s", move |v, t, j| int(z_of(v), t, j) * int(&forward(v).sig, t, j) * int(u_of(v), t, j));
    slab.gate(b, "s is z·sig·u rounded", |p, l| s.x.lane(p, l) - z.y.lane(p, l) * sig.lane(p, l) * u.y.lane(p, l));

    let ds = Rescale { shift: 12, bits: gradient, bound: g.zds_bound }
        .place(b, slab, "ds", move |v, t, j| zds(v).at(t, j))
        .hold(b, "ds");
    let du = Rescale { shift: 24, bits: gradient, bound: 1 << (35 + 17 + 12) }
        .place(b, slab, "du", move |v, t, j| int(ds_of(v), t, j) * int(z_of(v), t, j) * int(&forward(v).sig, t, j));
    slab.gate(b, "du is ds·z·sig rounded", |p, l| {
        du.x.lane(p, l) - ds.y.lane(p, l) * z.y.lane(p, l) * sig.lane(p, l)
    });
    let tau = slab.expressions(|p, l| {
        let sig = sig.lane(p, l);
        sig.clone().times_pow2(24) + z.y.lane(p, l) * sig.clone() * (Expr::int(4096) - sig)
    });
    let dz =
        Rescale { shift: 48, bits: gradient, bound: TAU_BOUND << (35 + 23) }.place(b, slab, "dz", move |v, t, j| {
            int(ds_of(v), t, j) * int(u_of(v), t, j) * int(&backward(v).tau, t, j)
        });
    slab.gate(b, "dz is ds·u·(sig·2^24 + z·sig·(4096 − sig)) rounded", |p, l| {
        dz.x.lane(p, l) - ds.y.lane(p, l) * u.y.lane(p, l) * tau.lane(p, l)
    });
    SwigluCells { zg: z.x, zu: u.x, s: s.y, zds: ds.x, du: du.y, dz: dz.y }
}

/// `sig = floor((SIG0[idx] + SIG1[idx]·f + 2^11) / 2^12)` with `z + 2^17 = 256·idx + f`.
fn sigmoid<V: 'static>(b: &mut Builder<V>, slab: &Slab, z: &Placed, g: &Swiglu<'_, V>) -> Placed {
    let (shared, (_, z_of)) = (Arc::new(g.table.clone()), g.gate);
    let mut lanes_of_pieces: Vec<Vec<Local>> = vec![];
    for (p, piece) in slab.pieces.iter().enumerate() {
        let block = piece.block;
        let mut lanes = vec![];
        for lane in 0..slab.lanes {
            let value = b.lookup(block, g.tags.value, &format!("sigmoid{lane}"), slab.data(piece));
            let slope = b.lookup(block, g.tags.slope, &format!("slope{lane}"), slab.data(piece));
            let fraction = Limbs::place(b, block, &format!("fraction{lane}"), 1);
            let sig = Limbs::place(b, block, &format!("sig{lane}"), 1);
            let rest = Limbs::place(b, block, &format!("sig rest{lane}"), 1);
            let (table, shape, piece) = (shared.clone(), slab.clone(), *piece);
            let limbs = [&fraction, &sig, &rest].map(Clone::clone);
            b.assign(block, move |v, cells| {
                let ([fraction, sig, rest], z) = (&limbs, z_of(v));
                for row in shape.data(&piece) {
                    let (t, j) = shape.element(&piece, row, lane);
                    let s = table.look_up(z.at(t, j));
                    cells.set(value.x, row, s.idx as i128);
                    cells.set(value.y, row, table.value[s.idx].into());
                    cells.set(slope.x, row, s.idx as i128);
                    cells.set(slope.y, row, table.slope[s.idx].into());
                    fraction.set(cells, row, s.f.into());
                    sig.set(cells, row, s.sig.into());
                    rest.set(cells, row, (s.sigma + (1 << 11) - (s.sig << LIMB_BITS)).into());
                }
            });
            let rows = || slab.data(&piece);
            fraction.narrow(b, &format!("fraction{lane}"), 8, Expr::int(1), rows());
            let name = |what: &str| format!("{what} (lane {lane})");
            b.gate(
                block,
                &name("z + 2^17 = 256·index + fraction"),
                z.lane(p, lane) + Expr::pow2(17) - value.x.cur().times(256) - fraction.value(),
                rows(),
            );
            b.gate(block, &name("value and slope have one index"), value.x.cur() - slope.x.cur(), rows());
            b.gate(
                block,
                &name("sig is value + slope·fraction rounded"),
                value.y.cur() + slope.y.cur() * fraction.value() + Expr::int(1 << 11)
                    - sig.value().times_pow2(LIMB_BITS)
                    - rest.value(),
                rows(),
            );
            lanes.push(sig.value());
        }
        lanes_of_pieces.push(lanes);
    }
    Placed { slab: slab.clone(), lanes: lanes_of_pieces }
}
