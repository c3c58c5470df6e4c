//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! What is linear in commitments enters as a port, whose commitments the verifier makes. Zero stays zero: padding rows of a
//! port need no mask.

use super::hyper::{BETA_BITS, ETA_BITS, GRADIENT_BOUND, Integers};
use super::quotient::{Operands, Quotient};
use super::reference::{Entering, FIRST_BITS, FIRST_MAX, GRADIENT_SHIFT, MOMENT_FRAC, SECOND_BITS, trace};
use super::root::Root;
use crate::arithmetic::fixed::{Class, LOW_BITS, STATE_BITS};
use crate::arithmetic::gadgets::{Limbs, Rescale, limb_count};
use backend::{Builder, Expr, Local};
use plonkish::{BlockId, Col, Declared, Interval, LIMB_BITS};

/// Port columns of one lane: what enters and what leaves.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// `γ·g`.
    pub gradient: Col,
    /// Weight after its decay.
    pub decayed: Col,
    /// First moment.
    pub first: Col,
    /// Second moment.
    pub second: Col,
    /// New weight.
    pub w_new: Col,
    /// Its low part.
    pub lo_new: Col,
    /// New first moment.
    pub first_new: Col,
    /// New second moment.
    pub second_new: Col,
}

/// How many public integers there are.
pub const INTEGERS: usize = 7;

/// Where the public integers lie, in their order.
pub fn integer_ranges() -> [(&'static str, Interval); INTEGERS] {
    let (beta, share) = (Interval::new(0, 1 << BETA_BITS), Interval::new(0, 1 << BETA_BITS));
    let epsilon = Interval::new(0, 1 << (MOMENT_FRAC + 1));
    let rounding = Interval::unsigned(BETA_BITS);
    [
        ("eta", Interval::unsigned(ETA_BITS)),
        ("epsilon", epsilon),
        ("beta1", beta),
        ("share1", share),
        ("beta2", beta),
        ("share2", share),
        ("rounding", rounding),
    ]
}

/// Where what enters lies, in the order of [`Entering`].
pub fn entering_ranges() -> [Interval; 4] {
    [
        Interval::within(GRADIENT_BOUND),
        Interval::signed(STATE_BITS + 1),
        Interval::signed(FIRST_BITS),
        Interval::unsigned(SECOND_BITS),
    ]
}

/// Where what leaves lies: weight, low part, moments.
pub fn leaving_ranges() -> [Interval; 4] {
    [
        Interval::signed(Class::Weight.bits()),
        Interval::unsigned(LOW_BITS),
        Interval::signed(FIRST_BITS),
        Interval::unsigned(SECOND_BITS),
    ]
}

/// Places the update of one element per row, what `of` gives, on all rows of `block`; `integers` are public.
pub fn place<V: 'static>(
    b: &mut Builder<V>,
    block: BlockId,
    name: &str,
    lane: Lane,
    integers: &Integers<Local>,
    of: impl Fn(&V, usize) -> (Integers<i128>, Entering) + Clone + Send + Sync + 'static,
) {
    let n = b.rows(block);
    let Integers { eta, epsilon, beta1, share1, beta2, share2, rounding } = integers.clone();
    // The gadget rounds to the nearest.
    let offset = rounding.clone() - Expr::pow2(BETA_BITS - 1);
    let entering = [lane.gradient, lane.decayed, lane.first, lane.second];
    entering.into_iter().chain([lane.second_new]).for_each(|column| b.carries_data(block, column, 0..n));
    let values = of.clone();
    b.assign(block, move |v, cells| {
        for row in 0..n {
            let (_, e) = values(v, row);
            let of_port = [e.gradient, e.decayed, e.first, e.second];
            entering.into_iter().zip(of_port).for_each(|(column, value)| cells.set(column, row, value));
        }
    });

    // The mean gradient ĝ, whose 2^36-fold is the dividend less the remainder: no cell, and no limbs, as the mean below shows that it is an
    // integer.
    let (v_name, w, m) = (format!("v'{name}"), format!("w'{name}"), format!("m'{name}"));
    let left = Limbs::place(b, block, &format!("g{name}.remainder"), limb_count(GRADIENT_SHIFT));
    let scaled = lane.gradient.cur() + Expr::pow2(GRADIENT_SHIFT - 1) - left.value();

    // The first moment: a mean of what is in range cannot saturate.
    let values = of.clone();
    let mean = Rescale { shift: BETA_BITS, bits: FIRST_BITS, bound: (FIRST_MAX as u128) << BETA_BITS };
    let mean = mean.place_lane(b, block, &m, 0..n, move |v, row| {
        let (integers, entering) = values(v, row);
        let gradient = trace(&integers, &entering).gradient;
        let mean = integers.beta1 * entering.first + integers.share1 * gradient;
        mean + integers.rounding - (1 << (BETA_BITS - 1))
    });
    let rest = beta1 * lane.first.cur() + offset - mean.x.clone();
    let averaged = rest.times_pow2(GRADIENT_SHIFT) + share1 * scaled.clone();
    b.gate(block, &format!("{m}: the mean of moment and gradient"), averaged, 0..n);
    let first = mean.upper.value() - Expr::pow2(FIRST_BITS - 1);
    b.define(block, &format!("{m}: the quotient"), lane.first_new, first.clone(), 0..n);

    // The second moment with its root, and the weight.
    let remainder = Limbs::place(b, block, &format!("{v_name}.remainder"), limb_count(BETA_BITS));
    let root = Root::place(b, block, &v_name);
    let moved = Quotient::place(b, block, &w);
    let cells_of = (left, remainder.clone(), root.clone(), moved.clone());
    b.assign(block, move |v, cells| {
        let (left, remainder, root, moved) = &cells_of;
        for row in 0..n {
            let (integers, entering) = of(v, row);
            let trace = trace(&integers, &entering);
            let g = trace.gradient;
            left.set(cells, row, entering.gradient + (1 << (GRADIENT_SHIFT - 1)) - (g << GRADIENT_SHIFT));
            let square = if integers.share2 == 0 { 0 } else { integers.share2 * g * g };
            let dividend = integers.beta2 * entering.second + square + integers.rounding;
            remainder.set(cells, row, dividend - (trace.second << BETA_BITS));
            root.set(cells, row, trace.second, trace.root);
            cells.set(lane.second_new, row, trace.second);
            moved.set(cells, row, entering.decayed, &trace);
        }
    });
    let second = lane.second_new.cur();
    let rest = beta2 * lane.second.cur() + rounding - second.clone().times_pow2(BETA_BITS) - remainder.value();
    let averaged = rest.times_pow2(2 * GRADIENT_SHIFT) + share2 * scaled.square();
    b.gate(block, &format!("{v_name}: the mean of moment and square"), averaged, 0..n);
    let squared = root.twice() - second.times(2);
    b.gate(block, &format!("{v_name}: the root's square and the rest"), squared, 0..n);
    let operands =
        Operands { from: lane.decayed.cur(), numerator: (eta * first).times(2), half: root.root() + epsilon };
    moved.constrain(b, block, &w, &operands);
    let low_limbs = (LOW_BITS / LIMB_BITS) as usize;
    let upper = &moved.ends.upper;
    let (low, high) = (Limbs::of(upper, 0, low_limbs), Limbs::of(upper, low_limbs, upper.columns().len()));
    let low = moved.ends.part(b, &low);
    b.define(block, &format!("{w}: new low part"), lane.lo_new, low, 0..n);
    let high = moved.ends.part(b, &high) - Expr::pow2(Class::Weight.bits() - 1);
    b.define(block, &format!("{w}: new weight"), lane.w_new, high, 0..n);
}

/// What the ranges of what leaves rest on.
pub fn shown(interval: Interval) -> Declared {
    Declared::shown(interval, "limbs of the means, of the root and of the quotient")
}
