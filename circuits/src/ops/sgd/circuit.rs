//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! What is divided enters as a port, whose commitment the verifier makes of those of weights, movement and gradient.
//! Zero stays zero: padding rows of a port need no mask.

use crate::{
    arithmetic::fixed::{Class, LOW_BITS, STATE_BITS, STATE_FRAC},
    arithmetic::gadgets::{Limbs, Rescale},
};
use backend::{Builder, Expr};
use plonkish::{BlockId, Col, LIMB_BITS};

/// Largest `|x|` that the update's circuit takes: no gradient that the other circuits give exceeds it at a learning rate up to 1.
pub const DIVIDEND_BOUND: u128 = 1 << 95;

/// Port columns of one lane: what enters and what leaves.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Dividend.
    pub x: Col,
    /// New weight.
    pub w_new: Col,
    /// Its low part.
    pub lo_new: Col,
}

/// Places the division of one dividend per row, `x(row)`, on all rows of `block`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    block: BlockId,
    name: &str,
    lane: Lane,
    x: impl Fn(&V, usize) -> i128 + Clone + Send + Sync + 'static,
) {
    let n = b.rows(block);
    let entering = x.clone();
    b.carries_data(block, lane.x, 0..n);
    b.assign(block, move |values, cells| (0..n).for_each(|row| cells.set(lane.x, row, entering(values, row))));
    let division = Rescale { shift: STATE_FRAC, bits: STATE_BITS, bound: DIVIDEND_BOUND };
    let division = division.place_lane(b, block, &format!("w'{name}"), 0..n, x);
    b.gate(block, &format!("w'{name}: x is the dividend"), division.x.clone() - lane.x.cur(), 0..n);
    let low_limbs = (LOW_BITS / LIMB_BITS) as usize;
    let (low, high) = (
        Limbs::of(&division.upper, 0, low_limbs),
        Limbs::of(&division.upper, low_limbs, division.upper.columns().len()),
    );
    let low = division.part(b, &low);
    b.define(block, &format!("w'{name}: new low part"), lane.lo_new, low, 0..n);
    let high = division.part(b, &high) - Expr::pow2(Class::Weight.bits() - 1);
    b.define(block, &format!("w'{name}: new weight"), lane.w_new, high, 0..n);
}
