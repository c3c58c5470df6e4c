//! The update of whole tensors.

use super::reference::{Element, Hyper, element};
use crate::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::{Tensor, Wide},
};

/// Updates one tensor's weights, low parts and momentum in place.
///
/// # Panics
/// If the shapes differ.
pub fn apply(hyper: &Hyper, w: &mut Tensor, lo: &mut Tensor, v: &mut Tensor, g: &Wide, saturations: &mut Saturations) {
    assert!(w.shape() == g.shape() && lo.shape() == g.shape() && v.shape() == g.shape(), "sgd: shapes differ");
    for (i, &g) in g.data.iter().enumerate() {
        let old = Element { w: w.data[i], lo: lo.data[i], v: v.data[i] };
        let new = element(hyper, old, g, saturations);
        (w.data[i], lo.data[i], v.data[i]) = (new.w, new.lo, new.v);
    }
}
