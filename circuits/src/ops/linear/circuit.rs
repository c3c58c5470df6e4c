//! Matrix products by random projection.
//!
//! The four shapes of a linear map `Y = X·W` and its gradients, each checked between projected vectors. Challenges:
//! `Rows` (μ) over tokens, `Outputs` (ν) and `Inputs` (λ) over features. A bias is the row of one more input, which is 2^12
//! for every token.

use crate::{
    arithmetic::fixed::{Class, FRAC},
    arithmetic::gadgets::{Placed, PortLayout, project},
    model::TensorSpec,
};
use backend::{Builder, Expr};
use plonkish::{Cell, Challenge, Declared, Interval, Kind, PortId};

/// A weight matrix (`[in × out]`) and its gradient, projected where they stand in their ports.
#[derive(Clone, Debug)]
pub struct Weight {
    /// `⟨W⟩_ν`, one per input.
    pub by_outputs: Vec<Cell>,
    /// `λ⟨W⟩`, one per output.
    pub by_inputs: Vec<Cell>,
    /// `λ⟨⟨dW⟩_ν⟩`.
    pub gradient: Cell,
}

/// A bias (`[1 × out]`) and its gradient, projected where they stand in their ports.
#[derive(Clone, Debug)]
pub struct Bias {
    /// `⟨b⟩_ν`.
    pub by_outputs: Cell,
    /// `⟨db⟩_ν`.
    pub gradient: Cell,
}

/// An input of linear maps.
#[derive(Clone, Debug)]
pub struct Input {
    /// `μ⟨X⟩`, one per feature.
    pub by_rows: Vec<Cell>,
    /// `⟨X⟩_λ`, one per token.
    pub by_inputs: Vec<Cell>,
}

/// The gradient of an output of a linear map.
#[derive(Clone, Debug)]
pub struct OutputGradient {
    /// `μ⟨dY⟩`, one per feature.
    pub by_rows: Vec<Cell>,
    /// `⟨dY⟩_ν`, one per token.
    pub by_outputs: Vec<Cell>,
}

impl Input {
    /// Projects an input.
    pub fn project<V>(b: &mut Builder<V>, x: &Placed) -> Self {
        let by_rows = project::outer(b, x, Challenge::Rows, x.slab.runs).remove(0);
        Input { by_rows, by_inputs: project::inner(b, x, Challenge::Inputs) }
    }
}

impl OutputGradient {
    /// Projects a gradient.
    pub fn project<V>(b: &mut Builder<V>, dy: &Placed) -> Self {
        let by_rows = project::outer(b, dy, Challenge::Rows, dy.slab.runs).remove(0);
        OutputGradient { by_rows, by_outputs: project::inner(b, dy, Challenge::Outputs) }
    }
}

/// The ports of weights and of their gradients: one layout, two ports.
#[derive(Clone, Debug)]
pub struct Ports<'a> {
    /// Where each tensor stands in both.
    pub layout: &'a PortLayout,
    /// Weights.
    pub weights: PortId,
    /// Gradients.
    pub gradients: PortId,
    /// Number of predictions of a sequence, T.
    pub predictions: usize,
}

/// What a prediction adds to the gradient of a weight is at most this: the product of a feature and a gradient.
pub const GRADIENT_OF_PREDICTION: u128 = 1 << (Class::Feature.bits() - 1 + Class::Gradient.bits() - 1);

impl Ports<'_> {
    /// A tensor of the ports and its gradient, on the same rows. Values: `w(run, column)`, `g(run, column)`.
    pub fn tensor<V: 'static>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        w: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
        g: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
    ) -> (Placed, Placed) {
        let tensor = self.layout.tensors.iter().position(|t| t.name == name).expect("a tensor of the port");
        let (slab, groups) = self.layout.slab(b, "linear", tensor);
        let weight = Declared::outside(Interval::signed(Class::Weight.bits()), "the update that wrote it");
        let weights = slab.port_lanes(b, self.weights, &groups, (name, weight));
        let gradient = Declared::equation(self.predictions as u128 * GRADIENT_OF_PREDICTION);
        let gradients = slab.port_lanes(b, self.gradients, &groups, (&format!("d{name}"), gradient));
        slab.fill(b, &weights, w);
        slab.fill(b, &gradients, g);
        (slab.placed(&weights), slab.placed(&gradients))
    }

    /// A weight matrix, projected.
    pub fn matrix<V: 'static>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        w: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
        g: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
    ) -> Weight {
        let (w, g) = self.tensor(b, name, w, g);
        Weight {
            by_outputs: project::inner(b, &w, Challenge::Outputs),
            by_inputs: project::outer(b, &w, Challenge::Inputs, w.slab.runs).remove(0),
            gradient: project::bilinear(b, &g, Challenge::Inputs, Challenge::Outputs),
        }
    }
}

/// `2^12·Σ_t μ^(T−1−t)`: what every token has for the input whose row is a bias, projected.
pub fn input_of_biases<V>(b: &mut Builder<V>, tokens: usize) -> Cell {
    let block = b.block("linear/bias", 1);
    let unit = b.column(block, Kind::Copyable, "unit");
    b.define(block, "unit is 2^12", unit, Expr::pow2(FRAC), 0..1);
    let unit = b.cell(block, unit, 0);
    b.horner(&vec![unit; tokens], Challenge::Rows)
}

/// `Y = X·W`, plus 2^12 times a bias where there is one, which is given with [`input_of_biases`]; `y = μ⟨⟨Y⟩_ν⟩`.
pub fn forward<V>(b: &mut Builder<V>, y: Cell, x: &Input, w: &Weight, bias: Option<(Cell, &Bias)>) {
    let mut terms = project::pairs(&x.by_rows, &w.by_outputs);
    terms.extend(bias.map(|(input, bias)| (input, bias.by_outputs)));
    let product = b.dot(&terms);
    b.equal(y, product);
}

/// `db = 2^12·Σ_t dY_t`.
pub fn bias_gradient<V>(b: &mut Builder<V>, bias: &Bias, dy: &OutputGradient) {
    let terms: Vec<_> = dy.by_outputs.iter().map(|&cell| (cell, 1 << FRAC)).collect();
    let sum = b.sum(&terms);
    b.equal(bias.gradient, sum);
}

/// `dX = Σ dY·Wᵀ`, where `dx = μ⟨⟨dX⟩_λ⟩`.
pub fn input_gradient<V>(b: &mut Builder<V>, dx: Cell, terms: &[(&OutputGradient, &Weight)]) {
    let products: Vec<_> = terms.iter().map(|(dy, w)| (b.dot(&project::pairs(&dy.by_rows, &w.by_inputs)), 1)).collect();
    let product = b.sum(&products);
    b.equal(dx, product);
}

/// `dW = Xᵀ·dY`.
pub fn weight_gradient<V>(b: &mut Builder<V>, w: &Weight, x: &Input, dy: &OutputGradient) {
    let product = b.dot(&project::pairs(&x.by_inputs, &dy.by_outputs));
    b.equal(w.gradient, product);
}

/// The tensors of a port, from a model's.
pub fn port_tensors(specs: &[TensorSpec], layer: Option<usize>) -> Vec<crate::arithmetic::gadgets::PortTensor> {
    specs
        .iter()
        .filter(|s| s.layer == layer)
        .map(|s| crate::arithmetic::gadgets::PortTensor {
            name: s.name.rsplit('.').next().unwrap_or(&s.name).to_string(),
            runs: s.rows,
            columns: s.cols,
        })
        .collect()
}
