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

impl Angles {
    /// Places the angles of every element of a slab, `[T × d]`.
    pub fn place<V>(b: &mut Builder<V>, slab: &Slab, table: &RopeTable) -> Self {
        let at = |t: usize, j: usize| table.at(t, (j / 2) % table.pairs);
        let cos = slab.constants(b, "cos", |t, j| at(t, j).0.into());
        let sin = slab.constants(b, "sin", |t, j| at(t, j).1.into());
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
        let (cos, sin) = table.at(t, (j / 2) % table.pairs);
        let (cos, sin, values) = (i128::from(cos), sign * i128::from(sin), values(v));
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
