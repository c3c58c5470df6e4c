//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! Zero stays zero: padding rows of a port need no mask.

use super::{Element, Hyper};
use crate::{
    fixed::{Class, LOW_BITS},
    gadgets::{Limbs, Rescale},
    plan::{BlockId, Builder, Col, Expr},
};

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

/// Places the update of `elements` (one per row, gradients beside them) in `block`.
pub fn place(
    b: &mut Builder,
    block: BlockId,
    name: &str,
    (lane, columns): (Lane, HyperColumns),
    hyper: &Hyper,
    elements: &[(Element, i128)],
) {
    let n = elements.len();
    let (lambda, mu, omega) = (i128::from(hyper.lambda), i128::from(hyper.mu), i128::from(hyper.omega));
    for (row, &(e, g)) in elements.iter().enumerate() {
        for (column, value) in [(lane.w, e.w.into()), (lane.lo, e.lo.into()), (lane.v, e.v.into()), (lane.g, g)] {
            b.set(block, column, row, value);
        }
    }
    let momentum: Vec<(usize, i128)> = elements
        .iter()
        .map(|&(e, g)| mu * i128::from(e.v) + ((g + omega * i128::from(e.w)) << 12))
        .enumerate()
        .collect();
    // μ < 2^24, |v| ≤ 2^35, ω < 2^48, |w| ≤ 2^16.
    let bound = (1u128 << 59) + (GRADIENT_BOUND << 12) + (1 << 76);
    let bits = Class::Momentum.bits();
    let division = Rescale { shift: 24, bits, bound }.limbs_of_lane(b, block, &format!("v'{name}"), &momentum);
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

    let moved: Vec<(usize, i128)> = elements
        .iter()
        .zip(&momentum)
        .map(|(&(e, _), &(row, x))| {
            let v = i128::from(crate::fixed::rescale(x, 24, bits).value);
            let state = (i128::from(e.w) << LOW_BITS) + i128::from(e.lo);
            (row, (state << 24) - lambda * v)
        })
        .collect();
    let bits = Class::Weight.bits() + LOW_BITS;
    // λ < 2^36, |v'| ≤ 2^35, |W36| ≤ 2^40.
    let bound = (1u128 << 71) + (1 << 64);
    let division = Rescale { shift: 24, bits, bound }.limbs_of_lane(b, block, &format!("w'{name}"), &moved);
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
