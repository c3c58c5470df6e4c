//! Data of a step, drawn with a seed, and how another program reads it.

use crate::shape::{Mlp, RATE_FRAC};
use crate::step::{CLASS, Inputs, Values};
use benches::lanes::number;
use circuits::arithmetic::fixed::FRAC;
use circuits::arithmetic::tensor::Tensor;
use serde_json::{Value, json};

/// A number of frac `frac` as a float, which holds it exactly up to 53 bits.
pub fn float(x: i64, frac: u32) -> f64 {
    x as f64 / (1u64 << frac) as f64
}

/// Uniform data: x and the target within ±2, weights within ±1/√inputs of their layer.
pub fn draw(mlp: &Mlp, seed: u64) -> Inputs {
    let shape = mlp.shape;
    let mut next = seed << 32;
    let mut uniform = |rows: usize, cols: usize, bound: i64| {
        Tensor::from_fn(rows, cols, |_, _| {
            next += 1;
            (number(next) % (2 * bound as u64 + 1)) as i64 - bound
        })
    };
    let of_layer = |inputs: usize| (1i64 << FRAC) / (inputs as i64).isqrt().max(1);
    let x = uniform(shape.rows, shape.inputs, 2 << FRAC);
    let target = uniform(shape.rows, shape.outputs, 2 << FRAC);
    let w1 = uniform(shape.inputs, shape.hidden, of_layer(shape.inputs));
    let w2 = uniform(shape.hidden, shape.outputs, of_layer(shape.hidden));
    Inputs { x, target, w1, w2 }
}

/// Rows of floats.
fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    let of_row = |i| tensor.row(i).iter().map(|&x| float(x, CLASS.frac())).collect();
    (0..tensor.rows).map(of_row).collect()
}

/// The step's inputs as JSON: the same numbers, as floats that hold them exactly.
pub fn json(mlp: &Mlp, inputs: &Inputs) -> Value {
    json!({
        "learning_rate": float(mlp.learning_rate as i64, RATE_FRAC),
        "x": rows(&inputs.x),
        "target": rows(&inputs.target),
        "w1": rows(&inputs.w1),
        "w2": rows(&inputs.w2),
    })
}

/// The same step in float64, and how far a step in integers is from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Float {
    /// New weights of the first layer, row by row.
    pub w1: Vec<f64>,
    /// New weights of the second layer, row by row.
    pub w2: Vec<f64>,
    /// Mean squared error.
    pub loss: f64,
}

impl Float {
    /// Takes the step; written apart from the integers' reference, element by element.
    pub fn of(mlp: &Mlp, inputs: &Inputs) -> Self {
        let (n, i, h, o) = (mlp.shape.rows, mlp.shape.inputs, mlp.shape.hidden, mlp.shape.outputs);
        let [x, t, w1, w2] = [&inputs.x, &inputs.target, &inputs.w1, &inputs.w2]
            .map(|tensor| tensor.data.iter().map(|&x| float(x, FRAC)).collect::<Vec<f64>>());
        let rate = float(mlp.learning_rate as i64, RATE_FRAC);
        let (mut new_w1, mut new_w2, mut loss) = (w1.clone(), w2.clone(), 0.0);
        for sample in 0..n {
            let x = &x[sample * i..][..i];
            let z: Vec<f64> = (0..h).map(|j| (0..i).map(|k| x[k] * w1[k * h + j]).sum()).collect();
            let hidden: Vec<f64> = z.iter().map(|z| z.max(0.0)).collect();
            let mut dh = vec![0.0; h];
            for c in 0..o {
                let y: f64 = (0..h).map(|j| hidden[j] * w2[j * o + c]).sum();
                let error = y - t[sample * o + c];
                loss += error * error / (n * o) as f64;
                let dy = 2.0 * error / (n * o) as f64;
                for j in 0..h {
                    dh[j] += dy * w2[j * o + c];
                    new_w2[j * o + c] -= rate * hidden[j] * dy;
                }
            }
            for j in (0..h).filter(|&j| z[j] > 0.0) {
                (0..i).for_each(|k| new_w1[k * h + j] -= rate * x[k] * dh[j]);
            }
        }
        Float { w1: new_w1, w2: new_w2, loss }
    }

    /// The largest distance of weights and loss.
    pub fn distance(&self, mlp: &Mlp, of: &Values) -> f64 {
        let weights = self.w1.iter().zip(&of.new_w1.data).chain(self.w2.iter().zip(&of.new_w2.data));
        let elements = (mlp.shape.rows * mlp.shape.outputs) as f64;
        let loss = of.loss.total as f64 / f64::from(1 << (2 * FRAC)) / elements;
        weights.map(|(float_w, &w)| (float_w - float(w, FRAC)).abs()).fold((self.loss - loss).abs(), f64::max)
    }
}
