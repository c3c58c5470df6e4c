//! The step as one circuit.

use crate::shape::{Mlp, Shape};
use crate::step::{CLASS, SHIFT_1, SHIFT_2, Values};
use backend::{Builder, Circuit, Expr};
use circuits::arithmetic::fixed::FRAC;
use circuits::arithmetic::gadgets::{Get, Limbs, Placed, PortLayout, PortTensor, Rescale, Slab, limb_count, project};
use circuits::arithmetic::tensor::{Tensor, Wide};
use circuits::ops::linear::circuit::{Input, OutputGradient};
use circuits::ops::relu::circuit::{self as relu, Relu};
use circuits::ops::squared_error::circuit as squared_error;
use plonkish::{Blinding, Cell, Challenge, Declared, PortId, Roles};

/// Port of the batch: x, then the target. Blinded, as all ports are.
pub const DATA: PortId = 0;
/// Port of the weights before the step: W1, then W2.
pub const WEIGHTS: PortId = 1;
/// Port of the weights after it, of the same layout as [`WEIGHTS`].
pub const NEW_WEIGHTS: PortId = 2;
/// Ports.
pub const PORTS: usize = NEW_WEIGHTS + 1;

/// Instance row of the sum of squared errors.
pub const TOTAL_ROW: usize = Challenge::ALL.len();

/// Batch and weights are given; the loss is claimed; nothing is free.
pub const ROLES: Roles = Roles { inputs: &[(DATA, ""), (WEIGHTS, "")], results: &[TOTAL_ROW], free: &[] };

/// Bits of a product of two elements of [`CLASS`].
const PRODUCT: u32 = 2 * (CLASS.bits() - 1);

/// Layout of [`DATA`].
pub fn data_layout(shape: &Shape, k: u32) -> PortLayout {
    PortLayout::new(k, vec![tensor("x", shape.rows, shape.inputs), tensor("t", shape.rows, shape.outputs)])
}

/// Layout of [`WEIGHTS`] and [`NEW_WEIGHTS`].
pub fn weight_layout(shape: &Shape, k: u32) -> PortLayout {
    PortLayout::new(k, vec![tensor("w1", shape.inputs, shape.hidden), tensor("w2", shape.hidden, shape.outputs)])
}

fn tensor(name: &str, runs: usize, columns: usize) -> PortTensor {
    PortTensor { name: name.into(), runs, columns }
}

/// A tensor of a port, and the lane groups that its pieces stand in.
struct Entered {
    tensor: Placed,
    groups: Vec<usize>,
}

/// A tensor that enters, with the limbs that show its range: a step stands for itself, whoever wrote its ports.
fn enter(
    b: &mut Builder<Values>,
    (layout, port): (&PortLayout, PortId),
    (index, op): (usize, &str),
    of: Get<Values, Tensor>,
) -> Entered {
    let (slab, groups) = layout.slab(b, op, index);
    let (name, half) = (&layout.tensors[index].name, CLASS.bits() - 1);
    let mut columns = vec![];
    for (&piece, &group) in slab.pieces.iter().zip(&groups) {
        let lanes = b.port_lanes(piece.block, port, group, name);
        for (lane, &column) in lanes.iter().enumerate() {
            let limbs = Limbs::place(b, piece.block, &format!("{name}{lane}"), limb_count(CLASS.bits()));
            let (shape, cells_of) = (slab.clone(), limbs.clone());
            b.assign(piece.block, move |values, cells| {
                for row in shape.data(&piece) {
                    let (run, column) = shape.element(&piece, row, lane);
                    cells_of.set(cells, row, i128::from(of(values).at(run, column)) + (1 << half));
                }
            });
            let meaning = format!("{name}{lane}: an element is its limbs less 2^{half}");
            b.define(piece.block, &meaning, column, limbs.value() - Expr::pow2(half), slab.data(&piece));
        }
        columns.push(lanes.to_vec());
    }
    Entered { tensor: slab.placed(&columns), groups }
}

/// The division that gives new weights, on the rows of the old ones; its dividend is to be constrained.
fn update(
    b: &mut Builder<Values>,
    old: &Entered,
    (name, division): (&str, Rescale),
    dividend: Get<Values, Wide>,
) -> Placed {
    let slab = &old.tensor.slab;
    let new = division.place(b, slab, name, move |v, i, j| dividend(v).at(i, j));
    for (p, (piece, &group)) in slab.pieces.iter().zip(&old.groups).enumerate() {
        let lanes = b.port_lanes(piece.block, NEW_WEIGHTS, group, name);
        for (lane, &column) in lanes.iter().enumerate() {
            let meaning = format!("{name}{lane}: a new weight is the quotient or the end of its range");
            b.define(piece.block, &meaning, column, new.y.lane(p, lane), slab.data(piece));
        }
    }
    new.x
}

/// The circuit of a step, of `2^k` rows.
pub fn circuit(mlp: &Mlp, k: u32) -> Circuit<Values> {
    let Shape { rows, inputs, hidden, outputs } = mlp.shape;
    let (data, weights) = (data_layout(&mlp.shape, k), weight_layout(&mlp.shape, k));
    let mut builder = Builder::<Values>::for_values(k);
    let b = &mut builder;
    b.port("data", data.columns(), Blinding::Shared);
    b.port("weights", weights.columns(), Blinding::Shared);
    b.port("new weights", weights.columns(), Blinding::Shared);
    let x = enter(b, (&data, DATA), (0, "mlp"), |v| &v.inputs.x).tensor;
    let target = enter(b, (&data, DATA), (1, "squared_error"), |v| &v.inputs.target).tensor;
    let w1 = enter(b, (&weights, WEIGHTS), (0, "mlp"), |v| &v.inputs.w1);
    let w2 = enter(b, (&weights, WEIGHTS), (1, "mlp"), |v| &v.inputs.w2);

    // Forward and backward, the gradients of the loss up to a factor, which is in η.
    let bound = |terms: usize| (terms as u128) << PRODUCT;
    let slab = Slab::new(b, "relu", rows, hidden);
    let h = relu::place(b, &slab, &Relu { z: |v: &Values| &v.z, bound: bound(inputs) });
    // An error has a bit more than what it is the difference of.
    let of_dh = (outputs as u128) << (PRODUCT + 1);
    let dh = slab.unchecked(b, "dh", Some(Declared::equation(of_dh)), |v: &Values, n, j| v.dh.at(n, j));
    let dz = h.gradient(b, &dh);
    let y = Rescale { shift: FRAC, bits: CLASS.bits(), bound: bound(hidden) }.place(
        b,
        &target.slab,
        "y",
        |v: &Values, n, j| v.wide_y.at(n, j),
    );
    let (error, total) = squared_error::place(b, &y.y, &target);
    b.public(total, TOTAL_ROW);

    // The update. Largest |W·2^shift − η·dW|, N terms of dW being at most `term`.
    let half = CLASS.bits() - 1;
    let division = |shift: u32, term: u128| Rescale {
        shift,
        bits: CLASS.bits(),
        bound: (1 << (half + shift)) + mlp.eta.unsigned_abs() * rows as u128 * term,
    };
    let dividend_1 = update(b, &w1, ("w1'", division(SHIFT_1, of_dh << half)), |v| &v.dividend_1);
    let dividend_2 = update(b, &w2, ("w2'", division(SHIFT_2, 1 << (PRODUCT + 1))), |v| &v.dividend_2);

    // The products.
    let dot = |b: &mut Builder<Values>, x: &[Cell], y: &[Cell]| b.dot(&project::pairs(x, y));
    let (x, z, h) = (Input::project(b, &x), h.z, Input::project(b, &h.y));
    let (error, dz) = (OutputGradient::project(b, &error), project::inner(b, &dz, Challenge::Outputs));
    let [w1, w2] = [w1.tensor, w2.tensor];
    let (w1_out, w2_out) = (project::inner(b, &w1, Challenge::Outputs), project::inner(b, &w2, Challenge::Outputs));
    let w2_in = project::outer(b, &w2, Challenge::Inputs, hidden).remove(0);
    // z = x·W1, y = h·W2.
    for (product, of, w) in [(&z, &x, &w1_out), (&y.x, &h, &w2_out)] {
        let product = project::bilinear(b, product, Challenge::Rows, Challenge::Outputs);
        let expected = dot(b, &of.by_rows, w);
        b.equal(product, expected);
    }
    // dh = error·W2ᵀ.
    let product = project::bilinear(b, &dh, Challenge::Rows, Challenge::Inputs);
    let expected = dot(b, &error.by_rows, &w2_in);
    b.equal(product, expected);
    // W'·2^shift before rounding = W·2^shift − η·(xᵀ·dz or hᵀ·error).
    for (dividend, w, shift, of, gradient) in
        [(&dividend_1, &w1_out, SHIFT_1, &x, &dz), (&dividend_2, &w2_out, SHIFT_2, &h, &error.by_outputs)]
    {
        let dividend = project::bilinear(b, dividend, Challenge::Inputs, Challenge::Outputs);
        let w = b.horner(w, Challenge::Inputs);
        let gradient = dot(b, &of.by_inputs, gradient);
        let expected = b.sum(&[(w, 1 << shift), (gradient, -mlp.eta)]);
        b.equal(dividend, expected);
    }
    builder.compile()
}
