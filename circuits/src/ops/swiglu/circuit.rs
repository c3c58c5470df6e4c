//! The gated unit, forward and backward, row-aligned: gate, up, their product and the gradients of an element stand in
//! one row.

use super::{SwigluBackward, SwigluForward};
use crate::{
    fixed::Class,
    gadgets::{Limbs, Placed, Rescale, Slab},
    ops::tables::SigmoidTable,
    plan::{Builder, Expr, LIMB_BITS, Local},
    tensor::{Tensor, Wide},
};

/// Tags of the sigmoid's tables: value and slope.
#[derive(Clone, Copy, Debug)]
pub struct SigmoidTags {
    /// `SIG0`.
    pub value: u64,
    /// `SIG1`.
    pub slope: u64,
}

/// Values and bounds of a gated unit.
#[derive(Clone, Copy, Debug)]
pub struct Swiglu<'a> {
    /// Forward trace.
    pub forward: &'a SwigluForward,
    /// Backward trace.
    pub backward: &'a SwigluBackward,
    /// The tables.
    pub table: &'a SigmoidTable,
    /// Their tags.
    pub tags: SigmoidTags,
    /// Wide gate `h·Wg`, frac 24, and the gate.
    pub gate: (&'a Wide, &'a Tensor),
    /// Wide up `h·Wu`, frac 24, and up.
    pub up: (&'a Wide, &'a Tensor),
    /// Wide `dy·Wdᵀ`, frac 36, and `ds`.
    pub ds: (&'a Wide, &'a Tensor),
    /// Bound on the wide gate and up.
    pub wide_bound: u128,
    /// Bound on the wide `ds`.
    pub zds_bound: u128,
}

/// What other rooms read of a gated unit; wide values are to be constrained.
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
pub fn place(b: &mut Builder, slab: &Slab, g: Swiglu<'_>) -> SwigluCells {
    let (feature, gradient) = (Class::Feature.bits(), Class::Gradient.bits());
    let rows = |column: &[i64]| column[..1024].iter().enumerate().map(|(i, &y)| (i as i128, i128::from(y))).collect();
    b.table(g.tags.value, rows(&g.table.value));
    b.table(g.tags.slope, rows(&g.table.slope));
    let int = |x: &Tensor, t: usize, j: usize| i128::from(x.at(t, j));

    let z = Rescale { shift: 12, bits: Class::Gate.bits(), bound: g.wide_bound }
        .place(b, slab, "z", |t, j| g.gate.0.at(t, j));
    let u = Rescale { shift: 12, bits: feature, bound: g.wide_bound }.place(b, slab, "u", |t, j| g.up.0.at(t, j));
    let sig = sigmoid(b, slab, &z.y, g);

    let s = Rescale { shift: 24, bits: feature, bound: 1 << (17 + 12 + 23) }
        .place(b, slab, "s", |t, j| int(g.gate.1, t, j) * int(&g.forward.sig, t, j) * int(g.up.1, t, j));
    slab.gate(b, "s is z·sig·u rounded", |p, l| s.x.lane(p, l) - z.y.lane(p, l) * sig.lane(p, l) * u.y.lane(p, l));

    let ds = Rescale { shift: 12, bits: gradient, bound: g.zds_bound }.place(b, slab, "ds", |t, j| g.ds.0.at(t, j));
    let du = Rescale { shift: 24, bits: gradient, bound: 1 << (35 + 17 + 12) }
        .place(b, slab, "du", |t, j| int(g.ds.1, t, j) * int(g.gate.1, t, j) * int(&g.forward.sig, t, j));
    slab.gate(b, "du is ds·z·sig rounded", |p, l| {
        du.x.lane(p, l) - ds.y.lane(p, l) * z.y.lane(p, l) * sig.lane(p, l)
    });
    let tau = slab.hints(b, "tau", None, |t, j| int(&g.backward.tau, t, j));
    slab.determine(b, "tau is sig·2^24 + z·sig·(4096 − sig)", &tau, |p, l| {
        let sig = sig.lane(p, l);
        tau.lane(p, l) - sig.clone().times_pow2(24) - z.y.lane(p, l) * sig.clone() * (Expr::int(4096) - sig)
    });
    // |tau| ≤ 2^36 + 2^17·2^22.
    let dz = Rescale { shift: 48, bits: gradient, bound: 1 << (35 + 23 + 40) }
        .place(b, slab, "dz", |t, j| int(g.ds.1, t, j) * int(g.up.1, t, j) * int(&g.backward.tau, t, j));
    slab.gate(b, "dz is ds·u·tau rounded", |p, l| {
        dz.x.lane(p, l) - ds.y.lane(p, l) * u.y.lane(p, l) * tau.lane(p, l)
    });
    SwigluCells { zg: z.x, zu: u.x, s: s.y, zds: ds.x, du: du.y, dz: dz.y }
}

/// `sig = floor((SIG0[idx] + SIG1[idx]·f + 2^11) / 2^12)` with `z + 2^17 = 256·idx + f`.
fn sigmoid(b: &mut Builder, slab: &Slab, z: &Placed, g: Swiglu<'_>) -> Placed {
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
            for row in slab.data(piece) {
                let (t, j) = slab.element(piece, row, lane);
                let s = g.table.look_up(g.gate.1.at(t, j));
                b.set(block, value.x, row, s.idx as i128);
                b.set(block, value.y, row, g.table.value[s.idx].into());
                b.set(block, slope.x, row, s.idx as i128);
                b.set(block, slope.y, row, g.table.slope[s.idx].into());
                fraction.set(b, row, s.f as u128);
                sig.set(b, row, s.sig as u128);
                rest.set(b, row, (s.sigma + (1 << 11) - (s.sig << LIMB_BITS)) as u128);
            }
            let rows = || slab.data(piece);
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
