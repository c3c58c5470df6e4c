//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! Zero stays zero: padding rows of a port need no mask.

use super::{Element, Hyper};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS, rescale},
    arithmetic::gadgets::{Limbs, Rescale},
};
use backend::{Builder, Expr};
use plonkish::{BlockId, Col};

/// Largest `|g|` that the update's circuit takes: the sum over all predictions of a step.
pub const GRADIENT_BOUND: u128 = 1 << 71;

/// λ is below this: the learning rate over the number of predictions stays below 1.
pub const LAMBDA_BOUND: u64 = 1 << 36;

/// Port columns of one lane: what enters and what leaves.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Weight.
    pub w: Col,
    /// Its low part.
    pub lo: Col,
    /// Momentum.
    pub v: Col,
    /// Gradient.
    pub g: Col,
    /// New weight.
    pub w_new: Col,
    /// New low part.
    pub lo_new: Col,
    /// New momentum.
    pub v_new: Col,
}

/// Columns that hold λ, μ, ω on every row.
#[derive(Clone, Copy, Debug)]
pub struct HyperColumns {
    /// λ.
    pub lambda: Col,
    /// μ.
    pub mu: Col,
    /// ω.
    pub omega: Col,
}

/// Places the update of one element and its gradient per row, as `element` finds them, on all rows of `block`.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    block: BlockId,
    name: &str,
    (lane, columns): (Lane, HyperColumns),
    element: impl Fn(&V, usize) -> (Hyper, Element, i128) + Clone + Send + Sync + 'static,
) {
    let n = b.rows(block);
    let of_element = element.clone();
    let entering = [lane.w, lane.lo, lane.v, lane.g];
    entering.iter().for_each(|&column| b.carries_data(block, column, 0..n));
    b.assign(block, move |values, cells| {
        for row in 0..n {
            let (_, e, g) = of_element(values, row);
            for (column, value) in entering.into_iter().zip([e.w.into(), e.lo.into(), e.v.into(), g]) {
                cells.set(column, row, value);
            }
        }
    });
    let momentum = |hyper: Hyper, e: Element, g: i128| {
        i128::from(hyper.mu) * i128::from(e.v) + ((g + i128::from(hyper.omega) * i128::from(e.w)) << 12)
    };
    let of_element = element.clone();
    let momentum_of_row = move |values: &V, row: usize| {
        let (hyper, e, g) = of_element(values, row);
        momentum(hyper, e, g)
    };
    // μ < 2^24, |v| ≤ 2^35, ω < 2^48, |w| ≤ 2^16.
    let bound = (1u128 << 59) + (GRADIENT_BOUND << 12) + (1 << 76);
    let bits = Class::Momentum.bits();
    let division =
        Rescale { shift: 24, bits, bound }.limbs_of_lane(b, block, &format!("v'{name}"), 0..n, momentum_of_row);
    b.gate(
        block,
        &format!("v'{name}: x = mu·v + (g + omega·w)·2^12"),
        division.x.clone()
            - columns.mu.cur() * lane.v.cur()
            - (lane.g.cur() + columns.omega.cur() * lane.w.cur()).times_pow2(12),
        0..n,
    );
    let offset = Some(Expr::pow2(bits - 1));
    division.define(b, &format!("v'{name}: new momentum"), lane.v_new, (&division.upper, offset), 0..n);

    let moved_of_row = move |values: &V, row: usize| {
        let (hyper, e, g) = element(values, row);
        let v = i128::from(rescale(momentum(hyper, e, g), 24, Class::Momentum.bits()).value);
        let state = (i128::from(e.w) << LOW_BITS) + i128::from(e.lo);
        (state << 24) - i128::from(hyper.lambda) * v
    };
    let bits = Class::Weight.bits() + LOW_BITS;
    // λ < 2^36, |v'| ≤ 2^35, |W36| ≤ 2^40.
    let bound = (1u128 << 71) + (1 << 64);
    let division = Rescale { shift: 24, bits, bound }.limbs_of_lane(b, block, &format!("w'{name}"), 0..n, moved_of_row);
    b.gate(
        block,
        &format!("w'{name}: x = (w·2^24 + lo)·2^24 − lambda·v'"),
        division.x.clone() - (lane.w.cur().times_pow2(LOW_BITS) + lane.lo.cur()).times_pow2(24)
            + columns.lambda.cur() * lane.v_new.cur(),
        0..n,
    );
    let low_limbs = (LOW_BITS / 12) as usize;
    let (low, high) = (
        Limbs::of(&division.upper, 0, low_limbs),
        Limbs::of(&division.upper, low_limbs, division.upper.columns().len()),
    );
    division.define(b, &format!("w'{name}: new low part"), lane.lo_new, (&low, None), 0..n);
    let offset = Some(Expr::pow2(Class::Weight.bits() - 1));
    division.define(b, &format!("w'{name}: new weight"), lane.w_new, (&high, offset), 0..n);
}
