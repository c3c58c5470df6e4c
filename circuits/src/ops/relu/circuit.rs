//! ReLU, forward and backward: a flag says whether an element is positive, and limbs leave it no choice.

use super::is_positive;
use crate::{
    arithmetic::fixed::{Class, FRAC},
    arithmetic::gadgets::{Get, Limbs, Placed, Rescale, Slab, limb_count},
    arithmetic::tensor::Wide,
};
use backend::{Builder, Expr, Local};
use plonkish::{Kind, LIMB_BITS};

/// Values and bounds of a ReLU.
pub struct Relu<V> {
    /// The exact z, frac 24.
    pub z: Get<V, Wide>,
    /// Bound on `|z|`: how many limbs there are.
    pub bound: u128,
}

/// What other ops read of a placed ReLU.
#[derive(Clone, Debug)]
pub struct ReluCells {
    /// z, of degree 2: the caller must constrain it.
    pub z: Placed,
    /// `rescale(max(z, 0), 12, 24)`, of degree 3 where it can saturate.
    pub y: Placed,
    /// `[z > 0]`, in cells: 1 or 0.
    pub positive: Placed,
}

impl ReluCells {
    /// `dz = dy·[z > 0]`, in cells; `dy` stands in the same slab.
    pub fn gradient<V>(&self, b: &mut Builder<V>, dy: &Placed) -> Placed {
        let slab = &self.positive.slab;
        let columns = slab.lane_columns(b, Kind::Unchecked, "dz");
        for (p, (piece, lanes)) in slab.pieces.iter().zip(&columns).enumerate() {
            for (lane, &dz) in lanes.iter().enumerate() {
                let passed = self.positive.lane(p, lane) * dy.lane(p, lane);
                b.define(
                    piece.block,
                    &format!("dz is dy if positive, else 0 (lane {lane})"),
                    dz,
                    passed,
                    slab.data(piece),
                );
            }
        }
        slab.placed(&columns)
    }
}

/// Places ReLU in a slab.
pub fn place<V: 'static>(b: &mut Builder<V>, slab: &Slab, relu: &Relu<V>) -> ReluCells {
    let Relu { z, bound } = *relu;
    let (mut flags, mut zs, mut ramps) = (vec![], vec![], vec![]);
    for p in 0..slab.pieces.len() {
        let lanes: Vec<[Local; 3]> = (0..slab.lanes).map(|lane| place_lane(b, slab, (p, lane), relu)).collect();
        for (all, part) in [&mut flags, &mut zs, &mut ramps].into_iter().zip(0..) {
            all.push(lanes.iter().map(|lane| lane[part].clone()).collect());
        }
    }
    let [positive, z_of_cells, ramp] = [flags, zs, ramps].map(|lanes| Placed { slab: slab.clone(), lanes });
    let y =
        Rescale { shift: FRAC, bits: Class::Feature.bits(), bound }
            .place(b, slab, "y", move |values, run, column| z(values).at(run, column).max(0));
    slab.gate(b, "y is max(z, 0) rounded", |p, lane| y.x.lane(p, lane) - ramp.lane(p, lane));
    ReluCells { z: z_of_cells, y: y.y, positive }
}

/// The flag, z and `max(z, 0)` of one lane of a piece.
fn place_lane<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    (p, lane): (usize, usize),
    &Relu { z, bound }: &Relu<V>,
) -> [Local; 3] {
    let (shape, piece) = (slab.clone(), slab.pieces[p]);
    let positive = b.column(piece.block, Kind::Unchecked, &format!("positive{lane}"));
    let count = limb_count(u128::BITS - bound.leading_zeros());
    assert!(count * (LIMB_BITS as usize) < 126, "relu: z is an i128");
    let magnitude = Limbs::place(b, piece.block, &format!("magnitude{lane}"), count);
    let limbs = magnitude.clone();
    b.assign(piece.block, move |values, cells| {
        for row in shape.data(&piece) {
            let (run, column) = shape.element(&piece, row, lane);
            let z = z(values).at(run, column);
            cells.set(positive, row, is_positive(z).into());
            limbs.set(cells, row, if is_positive(z) { z - 1 } else { -z });
        }
    });
    let (flag, one) = (positive.cur(), Expr::int(1));
    let bit = flag.clone() * (one.clone() - flag.clone());
    b.gate(piece.block, &format!("positive is 0 or 1 (lane {lane})"), bit, slab.data(&piece));
    let ramp = flag.clone() * (magnitude.value() + one.clone());
    let z = ramp.clone() - (one - flag.clone()) * magnitude.value();
    [flag, z, ramp]
}
