//! Rotation of wide products into features, and of wide gradients back.

use crate::{
    arithmetic::gadgets::{Get, Placed, Rescale, Slab},
    arithmetic::tensor::Wide,
    ops::tables::RopeTable,
};
use backend::Builder;
use std::sync::Arc;

/// Angles of a slab, constants of the circuit.
#[derive(Clone, Debug)]
pub struct Angles {
    table: Arc<RopeTable>,
    cos: Placed,
    sin: Placed,
}

/// Cosine and sine by which an element is rotated, with the other one of its pair.
fn angle(table: &RopeTable, t: usize, j: usize) -> (i128, i128) {
    let (cos, sin) = table.at(t, (j / 2) % table.pairs);
    (cos.into(), sin.into())
}

impl Angles {
    /// Places the angles of every element of a slab, `[T × heads·hd]`.
    pub fn place<V>(b: &mut Builder<V>, slab: &Slab, table: &RopeTable) -> Self {
        let cos = slab.constants(b, "cos", |t, j| angle(table, t, j).0);
        let sin = slab.constants(b, "sin", |t, j| angle(table, t, j).1);
        Angles { table: Arc::new(table.clone()), cos, sin }
    }
}

/// Rotates `z` (placed by its caller), by `sign = 1` forward and `−1` backward; result of `bits` bits.
/// `bound` bounds `|z|`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    name: &str,
    (z, values): (&Placed, Get<V, Wide>),
    angles: &Angles,
    (sign, bits, bound): (i128, u32, u128),
) -> Placed {
    let table = angles.table.clone();
    let y = Rescale { shift: 24, bits, bound: (2 * bound) << 12 }.place(b, slab, name, move |v, t, j| {
        let (cos, sin) = angle(&table, t, j);
        let (sin, values) = (sign * sin, values(v));
        let (even, odd) = (values.at(t, j & !1), values.at(t, j | 1));
        if j % 2 == 0 { even * cos - odd * sin } else { even * sin + odd * cos }
    });
    slab.gate(b, &format!("{name} is the rotated pair rounded"), |p, l| {
        let (even, odd) = (z.lane(p, l & !1), z.lane(p, l | 1));
        let (cos, sin) = (angles.cos.lane(p, l), angles.sin.lane(p, l).times(sign));
        y.x.lane(p, l) - if l % 2 == 0 { even * cos - odd * sin } else { even * sin + odd * cos }
    });
    y.y
}
