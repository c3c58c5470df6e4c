//! The update of whole tensors.

use super::hyper::Hyper;
use super::reference::{Element, element};
use crate::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::{Tensor, Wide},
};

/// Updates one tensor's weights, low parts and moments in place.
///
/// # Panics
/// If the shapes differ.
pub fn apply(
    hyper: &Hyper,
    [w, lo, first]: [&mut Tensor; 3],
    second: &mut Wide,
    g: &Wide,
    saturations: &mut Saturations,
) {
    assert!(
        [w.shape(), lo.shape(), first.shape(), second.shape()].iter().all(|&shape| shape == g.shape()),
        "adamw: shapes differ"
    );
    for (i, &g) in g.data.iter().enumerate() {
        let old = Element { w: w.data[i], lo: lo.data[i], first: first.data[i], second: second.data[i] };
        let new = element(hyper, old, g, saturations);
        (w.data[i], lo.data[i], first.data[i], second.data[i]) = (new.w, new.lo, new.first, new.second);
    }
}
