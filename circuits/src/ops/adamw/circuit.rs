//! The update of one lane of parameters, one per row: everything of an element stands in its row.
//!
//! What is linear in commitments enters as a port, whose commitments the verifier makes. Zero stays zero: padding rows of a
//! port need no mask.

use super::hyper::{BETA_BITS, ETA_BITS, GRADIENT_BOUND, Integers};
use super::quotient::{Operands, Quotient};
use super::reference::{Entering, FIRST_BITS, GRADIENT_SHIFT, MOMENT_FRAC, SECOND_BITS, trace};
use super::root::Root;
use crate::arithmetic::fixed::{Class, LOW_BITS, STATE_BITS};
use crate::arithmetic::gadgets::{Limbs, limb_count};
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
    of: impl Fn(&V, usize) -> (Integers<i128>, Entering) + Send + Sync + 'static,
) {
    let n = b.rows(block);
    let Integers { eta, epsilon, beta1, share1, beta2, share2, rounding } = integers.clone();
    let entering = [lane.gradient, lane.decayed, lane.first, lane.second];
    let leaving = [lane.w_new, lane.lo_new, lane.first_new, lane.second_new];
    entering.into_iter().chain(leaving).for_each(|column| b.carries_data(block, column, 0..n));

    // The mean gradient ĝ, whose 2^36-fold is the dividend less the remainder: no cell, and no limbs, as the mean below shows that it is an
    // integer.
    let (v_name, w, m) = (format!("v'{name}"), format!("w'{name}"), format!("m'{name}"));
    let left = Limbs::place(b, block, &format!("g{name}.remainder"), limb_count(GRADIENT_SHIFT));
    let scaled = lane.gradient.cur() + Expr::pow2(GRADIENT_SHIFT - 1) - left.value();

    // Both moments with their remainders, the root of the second, and the weight. Of the first all limbs but the lowest have cells.
    let [of_first, of_second] =
        [&m, &v_name].map(|name| Limbs::place(b, block, &format!("{name}.remainder"), limb_count(BETA_BITS)));
    let upper = Limbs::place(b, block, &format!("{m}.upper"), limb_count(FIRST_BITS) - 1);
    let root = Root::place(b, block, &v_name);
    let moved = Quotient::place(b, block, &w, [lane.w_new, lane.lo_new]);
    let cells_of = (left, [of_first.clone(), of_second.clone()], upper.clone(), root.clone(), moved.clone());
    b.assign(block, move |v, cells| {
        let (left, [of_first, of_second], upper, root, moved) = &cells_of;
        for row in 0..n {
            let (integers, e) = of(v, row);
            let Integers { beta1, share1, beta2, share2, rounding, .. } = integers;
            let trace = trace(&integers, &e);
            let (g, first, second) = (trace.gradient, i128::from(trace.first), trace.second);
            let of_port = [e.gradient, e.decayed, e.first, e.second];
            entering.into_iter().zip(of_port).for_each(|(column, value)| cells.set(column, row, value));
            left.set(cells, row, e.gradient + (1 << (GRADIENT_SHIFT - 1)) - (g << GRADIENT_SHIFT));
            of_first.set(cells, row, beta1 * e.first + share1 * g + rounding - (first << BETA_BITS));
            cells.set(lane.first_new, row, first);
            upper.set(cells, row, (first + (1 << (FIRST_BITS - 1))) >> LIMB_BITS);
            let square = if share2 == 0 { 0 } else { share2 * g * g };
            of_second.set(cells, row, beta2 * e.second + square + rounding - (second << BETA_BITS));
            cells.set(lane.second_new, row, second);
            root.set(cells, row, second, trace.root);
            moved.set(cells, row, e.decayed, &trace);
        }
    });
    let (first, second) = (lane.first_new.cur(), lane.second_new.cur());
    let rest = upper.value().times_pow2(LIMB_BITS) - Expr::pow2(FIRST_BITS - 1);
    b.define_up_to_a_limb(block, &format!("{m}: new moment"), lane.first_new, rest);
    let mean = |beta: Local, before: Col, after: Local, remainder: &Limbs| {
        beta * before.cur() + rounding.clone() - after.times_pow2(BETA_BITS) - remainder.value()
    };
    let rest = mean(beta1, lane.first, first.clone(), &of_first);
    let averaged = rest.times_pow2(GRADIENT_SHIFT) + share1 * scaled.clone();
    b.gate(block, &format!("{m}: the mean of moment and gradient"), averaged, 0..n);
    let rest = mean(beta2, lane.second, second.clone(), &of_second);
    let averaged = rest.times_pow2(2 * GRADIENT_SHIFT) + share2 * scaled.square();
    b.gate(block, &format!("{v_name}: the mean of moment and square"), averaged, 0..n);
    let squared = root.twice() - second.times(2);
    b.gate(block, &format!("{v_name}: the root's square and the rest"), squared, 0..n);
    let operands =
        Operands { from: lane.decayed.cur(), numerator: (eta * first).times(2), half: root.root() + epsilon };
    moved.constrain(b, block, &w, &operands);
}

/// What the ranges of what leaves rest on.
pub fn shown(interval: Interval) -> Declared {
    Declared::shown(interval, "limbs of the moment, of the root and of the weight")
}
