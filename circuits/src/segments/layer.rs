//! One transformer layer, forward and backward. All layers of a model share this circuit.

use super::Privacy;
use super::{
    EDGE, EXP_TAGS, Entering, InputError, SIGMOID_TAGS, WEIGHT, boundary, boundary_layout, check_tensor, norm_bound,
    read, written,
};
use crate::{
    arithmetic::fixed::{Class, FRAC, Saturations},
    arithmetic::gadgets::{Get, PortLayout, Rescale, Slab, project},
    arithmetic::tensor::{Matrix, Tensor, Wide},
    model::{
        Biases, Config, Layer, LayerBackward, LayerForward, LayerWeights, SequenceTrace, Spec, Weights, layer_backward,
        layer_forward, tensors,
    },
    ops::{
        attention::circuit::{self as attention, Attention},
        linear::circuit::{self as linear, Bias, Input, OutputGradient, Ports, Weight},
        rmsnorm::circuit::{self as rmsnorm, Norm},
        rope,
        softmax::circuit::FREE,
        swiglu::circuit::{self as swiglu, Swiglu},
    },
};
use backend::{Builder, Circuit};
use plonkish::{Challenge, Declared, Interval, PortId, Roles};

/// Ports of the layer segment, in order.
pub const WEIGHTS: PortId = 0;
/// Gradients of the weights.
pub const GRADIENTS: PortId = 1;
/// Residual stream and gradient below the layer.
pub const LOWER: PortId = 2;
/// Residual stream and gradient above the layer.
pub const UPPER: PortId = 3;

/// Weights, the residual stream from below and its gradient from above are given.
pub const ROLES: Roles = Roles { inputs: &[(WEIGHTS, ""), (LOWER, "x"), (UPPER, "dx")], results: &[], free: FREE };

const X_OUT: &str = "x out is the rounded sum";

/// Layout of the weight and gradient ports.
pub fn weight_layout(config: &Config, k: u32) -> PortLayout {
    PortLayout::new(k, linear::port_tensors(&tensors(config), Some(0)))
}

/// The biases of a layer whose model has them.
fn biases<M>(layer: &Layer<M>) -> &Biases<M> {
    layer.bias.as_ref().expect("checked with the layer's inputs")
}

fn int<E: Copy + Into<i128> + Default>(x: &Matrix<E>, i: usize, j: usize) -> i128 {
    x.data[i * x.cols + j].into()
}

/// What a layer of one sequence is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInput {
    /// Weights of the layer.
    pub weights: LayerWeights,
    /// Residual stream below and gradient above.
    pub entering: Entering,
}

/// All values of a layer of one sequence.
#[derive(Clone, Debug)]
pub struct LayerValues {
    /// Weights.
    pub weights: LayerWeights,
    /// Forward trace.
    pub forward: LayerForward,
    /// Backward trace.
    pub backward: LayerBackward,
}

impl LayerValues {
    /// Those of a layer of a traced sequence.
    pub fn of(params: &Weights, trace: &SequenceTrace, layer: usize) -> Self {
        let (forward, backward) = (trace.forward[layer].clone(), trace.backward[layer].clone());
        LayerValues { weights: params.layers[layer].clone(), forward, backward }
    }
}

impl LayerInput {
    /// Refuses tensors of other shapes than the configuration's, and integers outside their ranges.
    pub fn check(&self, config: &Config) -> Result<(), InputError> {
        if self.weights.bias.is_some() != config.biased {
            return Err(InputError::Biases);
        }
        for (tensor, spec) in
            self.weights.fields().into_iter().zip(tensors(config).iter().filter(|t| t.layer == Some(0)))
        {
            check_tensor(&spec.name, tensor, (spec.rows, spec.cols), Class::Weight)?;
        }
        self.entering.check(config)
    }

    /// Forward and backward.
    pub fn compute(self, spec: &Spec) -> LayerValues {
        let mut none = Saturations::default();
        let forward = layer_forward(spec, &self.weights, &self.entering.x, &mut none);
        let backward = layer_backward(spec, &self.weights, &forward, &self.entering.dx, &mut none);
        LayerValues { weights: self.weights, forward, backward }
    }
}

/// The circuit of a layer of one sequence.
pub fn circuit(spec: &Spec, k: u32, privacy: Privacy) -> Circuit<LayerValues> {
    let (config, tables) = (&spec.config, &spec.tables);
    let (context, d, mlp) = (config.context, config.hidden, config.mlp);
    let (feature, gradient, residual) = (Class::Feature.bits(), Class::Gradient.bits(), Class::Residual.bits());
    let (h_bound, grad_max) = (norm_bound(d), 1u128 << (gradient - 1));
    let layout = weight_layout(config, k);
    let edges = boundary_layout(config, k);

    let mut builder = Builder::<LayerValues>::for_values(k);
    let b = &mut builder;
    b.port("weights", layout.columns(), privacy.of_tensors());
    b.port("gradients", layout.columns(), privacy.of_tensors());
    b.port("lower", edges.columns(), privacy.of_edges());
    b.port("upper", edges.columns(), privacy.of_edges());

    let heads = spec.heads();
    let (features, kv_features) = (config.features(), config.kv_features());

    // Weights.
    let ports = Ports { layout: &layout, weights: WEIGHTS, gradients: GRADIENTS, predictions: context };
    let vector = |b: &mut Builder<_>, name: &str, w: Get<_, Tensor>, dw: Get<_, Wide>| {
        let (w, dw) = ports.tensor(b, name, move |v, i, j| int(w(v), i, j), move |v, i, j| int(dw(v), i, j));
        (project::inner(b, &w, Challenge::Outputs)[0], project::inner(b, &dw, Challenge::Outputs)[0])
    };
    let matrix = |b: &mut Builder<_>, name: &str, w: Get<_, Tensor>, dw: Get<_, Wide>| -> Weight {
        ports.matrix(b, name, move |v, i, j| int(w(v), i, j), move |v, i, j| int(dw(v), i, j))
    };
    let (gain1, dgain1) = vector(b, "norm1", |v| &v.weights.norm1, |v| &v.backward.grads.norm1);
    let wq = matrix(b, "wq", |v| &v.weights.wq, |v| &v.backward.grads.wq);
    let wk = matrix(b, "wk", |v| &v.weights.wk, |v| &v.backward.grads.wk);
    let wv = matrix(b, "wv", |v| &v.weights.wv, |v| &v.backward.grads.wv);
    let wo = matrix(b, "wo", |v| &v.weights.wo, |v| &v.backward.grads.wo);
    let (gain2, dgain2) = vector(b, "norm2", |v| &v.weights.norm2, |v| &v.backward.grads.norm2);
    let wg = matrix(b, "wg", |v| &v.weights.wg, |v| &v.backward.grads.wg);
    let wu = matrix(b, "wu", |v| &v.weights.wu, |v| &v.backward.grads.wu);
    let wd = matrix(b, "wd", |v| &v.weights.wd, |v| &v.backward.grads.wd);
    let biases = config.biased.then(|| {
        let mut bias = |name: &str, w: Get<_, Tensor>, dw: Get<_, Wide>| {
            let (by_outputs, gradient) = vector(b, name, w, dw);
            Bias { by_outputs, gradient }
        };
        [
            bias("bq", |v| &biases(&v.weights).q, |v| &biases(&v.backward.grads).q),
            bias("bk", |v| &biases(&v.weights).k, |v| &biases(&v.backward.grads).k),
            bias("bv", |v| &biases(&v.weights).v, |v| &biases(&v.backward.grads).v),
        ]
    });

    // The edges.
    let x_in = boundary(b, (&edges, LOWER), "edge", (0, read()), |v, t, j| int(&v.forward.x, t, j));
    let dx_in = boundary(b, (&edges, LOWER), "edge", (1, written()), |v, t, j| int(v.backward.dx_in(), t, j));
    let rounded = Declared::shown(Interval::within(EDGE), X_OUT);
    let x_out = boundary(b, (&edges, UPPER), "residual", (0, rounded), |v, t, j| int(&v.forward.x_out, t, j));
    let dx_out = boundary(b, (&edges, UPPER), "edge", (1, read()), |v, t, j| int(&v.backward.dx_out, t, j));

    // First norm: apart from the lower edge, whose rows are the port's.
    let low = Slab::new(b, "rmsnorm", context, d);
    let x = low.unchecked(b, "x", Some(written()), |v: &LayerValues, t, j| int(&v.forward.x, t, j));
    let norm1 = rmsnorm::place(
        b,
        &low,
        &x,
        &Norm {
            forward: |v| &v.forward.norm1,
            backward: |v| &v.backward.norm1,
            gain: |v| &v.weights.norm1,
            x: |v| &v.forward.x,
            zdh: |v| &v.backward.zdh1,
            dh: |v| &v.backward.dh1,
            dres: Some(|v| v.backward.dx_mid()),
            eps24: config.eps24(),
            zdh_bound: (features + 2 * kv_features) as u128 * grad_max * WEIGHT,
        },
        gain1,
        dgain1,
    );
    project::link(b, &norm1.dx, &dx_in);
    let by_rows = |b: &mut Builder<_>, x, inner| project::bilinear(b, x, Challenge::Rows, inner);
    let below = by_rows(b, &x_in, Challenge::Outputs);
    let entering = by_rows(b, &x, Challenge::Outputs);
    b.equal(entering, below);

    // Attention.
    let wide_feature = d as u128 * h_bound * WEIGHT;
    let bias_bound = if config.biased { WEIGHT << FRAC } else { 0 };
    let rotated = |b: &mut Builder<_>, name: &str, sizes: (usize, usize), z: Get<_, Wide>, dq: Get<_, Wide>| {
        let (columns, summed) = sizes;
        let slab = Slab::new(b, "rope", context, columns);
        // From the widths alone: |h| may be smaller, which only spares limbs.
        let z_range = Declared::equation(((d as u128 * WEIGHT) << (feature - 1)) + bias_bound);
        let wide = slab.unchecked(b, &format!("wide {name}"), Some(z_range), move |v, t, j| int(z(v), t, j));
        let dq_bound = attention::wide_gradient_bound(context, summed);
        let dq_range = Declared::equation(dq_bound);
        let grad = slab.unchecked(b, &format!("wide d{name}"), Some(dq_range), move |v, t, j| int(dq(v), t, j));
        let angles = rope::circuit::Angles::place(b, &slab, &tables.rope);
        let forward = (1, feature, wide_feature + bias_bound);
        let y = rope::circuit::place(b, &slab, name, (&wide, z), &angles, forward);
        let back = (-1, gradient, dq_bound);
        let dz = rope::circuit::place(b, &slab, &format!("d{name}"), (&grad, dq), &angles, back);
        (wide, y, grad, dz)
    };
    let sizes = [(features, 1), (kv_features, heads.group())];
    let (zq, q, dq, dzq) = rotated(b, "q", sizes[0], |v| &v.forward.zq, |v| &v.backward.attention.dq);
    let (zk, key, dk, dzk) = rotated(b, "k", sizes[1], |v| &v.forward.zk, |v| &v.backward.attention.dk);
    let att = attention::place(
        b,
        &Attention {
            heads,
            forward: |v| &v.forward.attention,
            scores: |v| &v.forward.attention.scores,
            softmax: |v| &v.forward.attention.softmax,
            backward: |v| &v.backward.attention,
            table: &tables.attention,
            tags: EXP_TAGS,
            kappa: tables.kappa,
            zdo: |v| &v.backward.zdo,
            zv: |v| &v.forward.zv,
            zdo_bound: d as u128 * grad_max * WEIGHT,
            zv_bound: wide_feature + bias_bound,
        },
        &q,
        &key,
        dq,
        dk,
    );

    // Middle of the residual stream and second norm, in one slab.
    let mid = Slab::new(b, "rmsnorm", context, d);
    let feature_max = 1u128 << (feature - 1);
    let bypass = 1u128 << (residual - 1 + 12);
    let x_mid = Rescale { shift: 12, bits: residual, bound: features as u128 * feature_max * WEIGHT + bypass }
        .place(b, &mid, "x mid", |v, t, j| int(&v.forward.zx_mid, t, j))
        .hold(b, "x mid");
    let norm2 = rmsnorm::place(
        b,
        &mid,
        &x_mid.y,
        &Norm {
            forward: |v| &v.forward.norm2,
            backward: |v| &v.backward.norm2,
            gain: |v| &v.weights.norm2,
            x: |v| &v.forward.x_mid,
            zdh: |v| &v.backward.zdh2,
            dh: |v| &v.backward.dh2,
            dres: Some(|v| &v.backward.dx_out),
            eps24: config.eps24(),
            zdh_bound: 2 * mlp as u128 * grad_max * WEIGHT,
        },
        gain2,
        dgain2,
    );
    let d_mid = OutputGradient::project(b, &norm2.dx);
    let d_out = OutputGradient::project(b, &dx_out);
    for (norm, dy) in [(&norm1, &d_mid), (&norm2, &d_out)] {
        let dres = by_rows(b, norm.dres.as_ref().expect("placed with one"), Challenge::Outputs);
        let dy = b.horner(&dy.by_outputs, Challenge::Rows);
        b.equal(dres, dy);
    }

    // The gated unit.
    let unit = Slab::new(b, "swiglu", context, mlp);
    let gated = swiglu::place(
        b,
        &unit,
        &Swiglu {
            forward: |v| &v.forward.swiglu,
            backward: |v| &v.backward.swiglu,
            table: &tables.sigmoid,
            tags: SIGMOID_TAGS,
            gate: (|v| &v.forward.zg, |v| &v.forward.z),
            up: (|v| &v.forward.zu, |v| &v.forward.u),
            ds: (|v| &v.backward.zds, |v| &v.backward.ds),
            wide_bound: wide_feature,
            zds_bound: d as u128 * grad_max * WEIGHT,
        },
    );

    // The layer's output, over the upper edge.
    let out = Rescale { shift: 12, bits: residual, bound: mlp as u128 * feature_max * WEIGHT + bypass }.place(
        b,
        &x_out.slab,
        "x out",
        |v, t, j| int(&v.forward.zx_out, t, j),
    );
    x_out.slab.determine(b, X_OUT, &x_out, |p, l| out.y.lane(p, l) - x_out.lane(p, l));

    // The matrix products.
    let h1 = Input::project(b, &norm1.h);
    let o = Input::project(b, &att.o);
    let h2 = Input::project(b, &norm2.h);
    let s = Input::project(b, &gated.s);
    let unit = biases.as_ref().map(|_| linear::input_of_biases(b, context));
    for (i, (y, w)) in [(&zq, &wq), (&zk, &wk), (&att.zv, &wv)].into_iter().enumerate() {
        let y = by_rows(b, y, Challenge::Outputs);
        linear::forward(b, y, &h1, w, unit.zip(biases.as_ref().map(|biases| &biases[i])));
    }
    for (y, w) in [(&gated.zg, &wg), (&gated.zu, &wu)] {
        let y = by_rows(b, y, Challenge::Outputs);
        linear::forward(b, y, &h2, w, None);
    }
    let mid = by_rows(b, &x_mid.y, Challenge::Outputs);
    for (y, bypass, x, w) in [(&x_mid.x, below, &o, &wo), (&out.x, mid, &s, &wd)] {
        let y = by_rows(b, y, Challenge::Outputs);
        let product = b.dot(&project::pairs(&x.by_rows, &w.by_outputs));
        let sum = b.sum(&[(product, 1), (bypass, 1 << 12)]);
        b.equal(y, sum);
    }
    let [dzq, dzk, dv] = [&dzq, &dzk, &att.dv].map(|dy| OutputGradient::project(b, dy));
    let [dz, du] = [&gated.dz, &gated.du].map(|dy| OutputGradient::project(b, dy));
    let zds = by_rows(b, &gated.zds, Challenge::Inputs);
    linear::input_gradient(b, zds, &[(&d_out, &wd)]);
    let zdh2 = by_rows(b, &norm2.zdh, Challenge::Inputs);
    linear::input_gradient(b, zdh2, &[(&dz, &wg), (&du, &wu)]);
    let zdo = by_rows(b, &att.zdo, Challenge::Inputs);
    linear::input_gradient(b, zdo, &[(&d_mid, &wo)]);
    let zdh1 = by_rows(b, &norm1.zdh, Challenge::Inputs);
    linear::input_gradient(b, zdh1, &[(&dzq, &wq), (&dzk, &wk), (&dv, &wv)]);
    for (w, x, dy) in [
        (&wq, &h1, &dzq),
        (&wk, &h1, &dzk),
        (&wv, &h1, &dv),
        (&wo, &o, &d_mid),
        (&wg, &h2, &dz),
        (&wu, &h2, &du),
        (&wd, &s, &d_out),
    ] {
        linear::weight_gradient(b, w, x, dy);
    }
    for (bias, dy) in biases.iter().flatten().zip([&dzq, &dzk, &dv]) {
        linear::bias_gradient(b, bias, dy);
    }
    builder.compile()
}
