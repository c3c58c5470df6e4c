//! Rotation of wide products into features, and of wide gradients back.

use crate::{
    arithmetic::gadgets::{Get, Placed, Rescale, Slab},
    arithmetic::tensor::Wide,
    ops::tables::RopeTable,
};
use backend::Builder;
use std::sync::Arc;

/// Rotates `z` (placed by its caller), by `sign = 1` forward and `−1` backward; result of `bits` bits.
/// `bound` bounds `|z|`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    name: &str,
    (z, values): (&Placed, Get<V, Wide>),
    table: &RopeTable,
    (sign, bits, bound): (i128, u32, u128),
) -> Placed {
    let table = Arc::new(table.clone());
    let angle = move |t: usize, j: usize| {
        let (cos, sin) = table.at(t, (j / 2) % table.pairs);
        (i128::from(cos), sign * i128::from(sin))
    };
    let cos = slab.constants(b, &format!("{name} cos"), |t, j| angle(t, j).0);
    let sin = slab.constants(b, &format!("{name} sin"), |t, j| angle(t, j).1);
    let y = Rescale { shift: 24, bits, bound: (2 * bound) << 12 }.place(b, slab, name, move |v, t, j| {
        let ((cos, sin), values) = (angle(t, j), values(v));
        let (even, odd) = (values.at(t, j & !1), values.at(t, j | 1));
        if j % 2 == 0 { even * cos - odd * sin } else { even * sin + odd * cos }
    });
    slab.gate(b, &format!("{name} is the rotated pair rounded"), |p, l| {
        let (even, odd) = (z.lane(p, l & !1), z.lane(p, l | 1));
        let (cos, sin) = (cos.lane(p, l), sin.lane(p, l));
        y.x.lane(p, l) - if l % 2 == 0 { even * cos - odd * sin } else { even * sin + odd * cos }
    });
    y.y
}
