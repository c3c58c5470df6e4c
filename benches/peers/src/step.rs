//! The step in integers: what is proven, exactly this.

use crate::shape::{Mlp, RATE_FRAC, Shape};
use circuits::arithmetic::fixed::{Class, FRAC, Saturations};
use circuits::arithmetic::tensor::{Tensor, Wide};
use circuits::ops::{linear, relu, squared_error};

/// The class of all that enters and leaves, weights included: frac 12, 24 bits (±2048).
pub const CLASS: Class = Class::Feature;
/// Bits that are shifted out of the dividend of a first-layer weight: frac 60.
pub const SHIFT_1: u32 = 2 * FRAC + RATE_FRAC;
/// The same of the second layer, whose gradient has frac 24: frac 48.
pub const SHIFT_2: u32 = FRAC + RATE_FRAC;

/// Tensors that are none of the MLP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A tensor has another shape.
    #[error("`{name}` has the shape {found:?}, not {expected:?}")]
    Shape {
        /// Of the tensor.
        name: &'static str,
        /// Rows and columns by the MLP's shape.
        expected: (usize, usize),
        /// Rows and columns found.
        found: (usize, usize),
    },
    /// An integer is outside its range.
    #[error("an element of `{0}` is outside its range")]
    Range(&'static str),
}

/// What enters a step; all of [`CLASS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Batch, `[N × I]`.
    pub x: Tensor,
    /// Target, `[N × O]`.
    pub target: Tensor,
    /// Weights of the first layer, `[I × H]`.
    pub w1: Tensor,
    /// Weights of the second layer, `[H × O]`.
    pub w2: Tensor,
}

impl Inputs {
    /// Refuses tensors of other shapes, and integers outside their range.
    pub fn check(&self, shape: &Shape) -> Result<(), InputError> {
        let Shape { rows, inputs, hidden, outputs } = *shape;
        for (name, tensor, expected) in [
            ("x", &self.x, (rows, inputs)),
            ("target", &self.target, (rows, outputs)),
            ("w1", &self.w1, (inputs, hidden)),
            ("w2", &self.w2, (hidden, outputs)),
        ] {
            if tensor.shape() != expected || tensor.data.len() != expected.0 * expected.1 {
                return Err(InputError::Shape { name, expected, found: tensor.shape() });
            }
            if !tensor.within(CLASS) {
                return Err(InputError::Range(name));
            }
        }
        Ok(())
    }
}

/// All values of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// What entered.
    pub inputs: Inputs,
    /// `x·W1`, frac 24, exact, `[N × H]`.
    pub z: Wide,
    /// `h·W2`, frac 24, exact, `[N × O]`, h being ReLU of z, rounded to [`CLASS`].
    pub wide_y: Wide,
    /// Rounded: [`CLASS`].
    pub y: Tensor,
    /// `y − target`, and the sum of its squares.
    pub loss: squared_error::SquaredError,
    /// `error·W2ᵀ`, frac 24, exact, `[N × H]`.
    pub dh: Wide,
    /// `W1·2^48 − η·xᵀ·dz`, frac 60, dz being dh where z is positive.
    pub dividend_1: Wide,
    /// `W2·2^36 − η·hᵀ·error`, frac 48.
    pub dividend_2: Wide,
    /// The new weights of the first layer, [`CLASS`].
    pub new_w1: Tensor,
    /// The new weights of the second layer, [`CLASS`].
    pub new_w2: Tensor,
    /// How many elements were clipped.
    pub saturations: Saturations,
}

impl Values {
    /// Takes the step.
    pub fn of(mlp: &Mlp, inputs: Inputs) -> Result<Self, InputError> {
        inputs.check(&mlp.shape)?;
        let mut saturations = Saturations::default();
        let Inputs { x, target, w1, w2 } = &inputs;
        let z = linear::forward(x, w1);
        let h = relu::forward(&z, &mut saturations);
        let wide_y = linear::forward(&h, w2);
        let y = wide_y.rescale(FRAC, CLASS, &mut saturations);
        let loss = squared_error::forward(&y, target);
        let dh = linear::input_gradient(&loss.error, w2);
        let dividend_2 = dividend(mlp, w2, SHIFT_2, &linear::weight_gradient(&h, &loss.error));
        let dividend_1 = dividend(mlp, w1, SHIFT_1, &weight_gradient(x, &relu::backward(&z, &dh)));
        let new_w1 = dividend_1.rescale(SHIFT_1, CLASS, &mut saturations);
        let new_w2 = dividend_2.rescale(SHIFT_2, CLASS, &mut saturations);
        Ok(Values { inputs, z, wide_y, y, loss, dh, dividend_1, dividend_2, new_w1, new_w2, saturations })
    }
}

/// `W·2^shift − η·dW`.
fn dividend(mlp: &Mlp, w: &Tensor, shift: u32, dw: &Wide) -> Wide {
    let data = w.data.iter().zip(&dw.data).map(|(&w, &dw)| (i128::from(w) << shift) - mlp.eta * dw);
    Wide { rows: w.rows, cols: w.cols, data: data.collect() }
}

/// `xᵀ·dz`, where dz is wider than a tensor's elements.
fn weight_gradient(x: &Tensor, dz: &Wide) -> Wide {
    Wide::from_fn(x.cols, dz.cols, |i, j| (0..x.rows).map(|n| i128::from(x.at(n, i)) * dz.at(n, j)).sum())
}
