//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! Zero stays zero: padding rows of a port need no mask.

use super::{Element, Hyper, dividend};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS, STATE_BITS, STATE_FRAC},
    arithmetic::gadgets::{Limbs, Rescale},
};
use backend::{Builder, Expr, Local};
use plonkish::{BlockId, Col, LIMB_BITS};

/// Largest `|x|` that the update's circuit takes: no gradient that the other circuits give exceeds it at a learning rate up to 1.
pub const DIVIDEND_BOUND: u128 = 1 << 95;

/// Port columns of one lane: what enters and what leaves.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Weight with its low part.
    pub whole: Col,
    /// Its last movement.
    pub v: Col,
    /// Gradient.
    pub g: Col,
    /// New weight.
    pub w_new: Col,
    /// Its low part.
    pub lo_new: Col,
}

/// λ, μ, ω, the same on every row.
#[derive(Clone, Debug)]
pub struct PublicHyper {
    /// λ.
    pub lambda: Local,
    /// μ.
    pub mu: Local,
    /// ω.
    pub omega: Local,
}

/// Places the update of one element and its gradient per row, as `element` finds them, on all rows of `block`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    block: BlockId,
    name: &str,
    (lane, hyper): (Lane, &PublicHyper),
    element: impl Fn(&V, usize) -> (Hyper, Element, i128) + Clone + Send + Sync + 'static,
) {
    let n = b.rows(block);
    let of_element = element.clone();
    let entering = [lane.whole, lane.v, lane.g];
    entering.iter().for_each(|&column| b.carries_data(block, column, 0..n));
    b.assign(block, move |values, cells| {
        for row in 0..n {
            let (_, e, g) = of_element(values, row);
            for (column, value) in entering.into_iter().zip([e.whole().into(), e.v.into(), g]) {
                cells.set(column, row, value);
            }
        }
    });
    let dividend_of_row = move |values: &V, row: usize| {
        let (hyper, e, g) = element(values, row);
        // Values whose dividend is none are refused before they get here.
        dividend(&hyper, &e, g).unwrap_or(i128::MAX >> 1)
    };
    let division = Rescale { shift: STATE_FRAC, bits: STATE_BITS, bound: DIVIDEND_BOUND };
    let division = division.limbs_of_lane(b, block, &format!("w'{name}"), 0..n, dividend_of_row);
    b.gate(
        block,
        &format!("w'{name}: x = whole·2^36 + mu·v − lambda·g − omega·whole"),
        division.x.clone() - lane.whole.cur().times_pow2(STATE_FRAC) - hyper.mu.clone() * lane.v.cur()
            + hyper.lambda.clone() * lane.g.cur()
            + hyper.omega.clone() * lane.whole.cur(),
        0..n,
    );
    let low_limbs = (LOW_BITS / LIMB_BITS) as usize;
    let (low, high) = (
        Limbs::of(&division.upper, 0, low_limbs),
        Limbs::of(&division.upper, low_limbs, division.upper.columns().len()),
    );
    division.define(b, &format!("w'{name}: new low part"), lane.lo_new, (&low, None), 0..n);
    let offset = Some(Expr::pow2(Class::Weight.bits() - 1));
    division.define(b, &format!("w'{name}: new weight"), lane.w_new, (&high, offset), 0..n);
}
