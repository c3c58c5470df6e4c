//! The rotation of the pair `(2i, 2i+1)` of each head at position `t`, and its transpose.

use crate::{
    arithmetic::fixed::{Class, Saturations, rescale_to},
    arithmetic::tensor::{Tensor, Wide},
    ops::tables::RopeTable,
};

/// Rotates wide `z` (`[T × heads·hd]`, frac 24) into [`Class::Feature`].
pub fn forward(z: &Wide, table: &RopeTable, saturations: &mut Saturations) -> Tensor {
    rotate(z, table, 1, Class::Feature, saturations)
}

/// Rotates the wide gradient (`[T × heads·hd]`, frac 36) back into [`Class::Gradient`].
pub fn backward(dz: &Wide, table: &RopeTable, saturations: &mut Saturations) -> Tensor {
    rotate(dz, table, -1, Class::Gradient, saturations)
}

fn rotate(z: &Wide, table: &RopeTable, sign: i128, class: Class, saturations: &mut Saturations) -> Tensor {
    assert_eq!(z.cols % (2 * table.pairs), 0, "rope: columns are whole heads");
    let mut out = Tensor::zeros(z.rows, z.cols);
    for t in 0..z.rows {
        let target = out.row_mut(t);
        for (pair, x) in z.row(t).chunks_exact(2).enumerate() {
            let (cos, sin) = table.at(t, pair % table.pairs);
            let (cos, sin) = (i128::from(cos), sign * i128::from(sin));
            target[2 * pair] = rescale_to(x[0] * cos - x[1] * sin, 24, class, saturations);
            target[2 * pair + 1] = rescale_to(x[0] * sin + x[1] * cos, 24, class, saturations);
        }
    }
    out
}
