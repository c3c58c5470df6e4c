//! One transformer layer, forward and backward. All layers of a model share this circuit.

use super::{EDGE, EXP_TAGS, SIGMOID_TAGS, Segment, WEIGHT, boundary, boundary_layout, norm_bound, read, written};
use crate::{
    fixed::Class,
    gadgets::{PortLayout, Rescale, Slab, project},
    model::{Config, LayerBackward, LayerForward, LayerParams, Spec, tensors},
    ops::{
        attention::circuit::{self as attention, Attention},
        linear::circuit::{self as linear, Input, OutputGradient, Ports, Weight},
        rmsnorm::circuit::{self as rmsnorm, Norm},
        rope,
        swiglu::circuit::{self as swiglu, Swiglu},
    },
    plan::{Builder, Challenge, Declared, Interval, PortId},
    tensor::{Matrix, Tensor, Wide},
};

/// Ports of the layer segment, in order.
pub const WEIGHTS: PortId = 0;
/// Gradients of the weights.
pub const GRADIENTS: PortId = 1;
/// Residual stream and gradient below the layer.
pub const LOWER: PortId = 2;
/// Residual stream and gradient above the layer.
pub const UPPER: PortId = 3;

const X_OUT: &str = "x out is the rounded sum";

/// Layout of the weight and gradient ports.
pub fn weight_layout(config: &Config, k: u32) -> PortLayout {
    PortLayout::new(k, linear::port_tensors(&tensors(config), Some(0)))
}

fn int<E: Copy + Into<i128> + Default>(x: &Matrix<E>, i: usize, j: usize) -> i128 {
    x.data[i * x.cols + j].into()
}

/// Builds the segment for one layer of one sequence.
pub fn build(spec: &Spec, k: u32, w: &LayerParams, f: &LayerForward, g: &LayerBackward) -> Segment {
    let (config, tables) = (&spec.config, &spec.tables);
    let (context, d, mlp) = (config.context, config.hidden, config.mlp);
    let (feature, gradient, residual) = (Class::Feature.bits(), Class::Gradient.bits(), Class::Residual.bits());
    let (h_bound, grad_max) = (norm_bound(d), 1u128 << (gradient - 1));
    let layout = weight_layout(config, k);
    let edges = boundary_layout(config, k);

    let mut builder = Builder::new();
    let b = &mut builder;
    b.port("weights", layout.columns(), true);
    b.port("gradients", layout.columns(), true);
    b.port("lower", edges.columns(), false);
    b.port("upper", edges.columns(), false);

    // Weights.
    let ports = Ports { layout: &layout, weights: WEIGHTS, gradients: GRADIENTS, predictions: context };
    let vector = |b: &mut Builder, name: &str, w: &Tensor, dw: &Wide| {
        let (w, dw) = ports.tensor(b, name, |i, j| int(w, i, j), |i, j| int(dw, i, j));
        (project::inner(b, &w, Challenge::Outputs)[0], project::inner(b, &dw, Challenge::Outputs)[0])
    };
    let matrix = |b: &mut Builder, name: &str, w: &Tensor, dw: &Wide| -> Weight {
        ports.matrix(b, name, |i, j| int(w, i, j), |i, j| int(dw, i, j))
    };
    let (gain1, dgain1) = vector(b, "norm1", &w.norm1, &g.grads.norm1);
    let wq = matrix(b, "wq", &w.wq, &g.grads.wq);
    let wk = matrix(b, "wk", &w.wk, &g.grads.wk);
    let wv = matrix(b, "wv", &w.wv, &g.grads.wv);
    let wo = matrix(b, "wo", &w.wo, &g.grads.wo);
    let (gain2, dgain2) = vector(b, "norm2", &w.norm2, &g.grads.norm2);
    let wg = matrix(b, "wg", &w.wg, &g.grads.wg);
    let wu = matrix(b, "wu", &w.wu, &g.grads.wu);
    let wd = matrix(b, "wd", &w.wd, &g.grads.wd);

    // The edges.
    let x_in = boundary(b, (&edges, LOWER), "rmsnorm", (0, read()), |t, j| int(&f.x, t, j));
    let dx_in = boundary(b, (&edges, LOWER), "edge", (1, written()), |t, j| int(g.dx_in(), t, j));
    let rounded = Declared::shown(Interval::within(EDGE), X_OUT);
    let x_out = boundary(b, (&edges, UPPER), "residual", (0, rounded), |t, j| int(&f.x_out, t, j));
    let dx_out = boundary(b, (&edges, UPPER), "edge", (1, read()), |t, j| int(&g.dx_out, t, j));

    // First norm, over the lower edge.
    let norm1 = rmsnorm::place(
        b,
        &x_in.slab,
        &x_in,
        Norm {
            forward: &f.norm1,
            backward: &g.norm1,
            gain: &w.norm1,
            x: &f.x,
            zdh: &g.zdh1,
            dh: &g.dh1,
            dres: Some(g.dx_mid()),
            eps24: config.eps24(),
            zdh_bound: 3 * d as u128 * grad_max * WEIGHT,
        },
        gain1,
        dgain1,
    );
    project::link(b, &norm1.dx, &dx_in);

    // Attention.
    let wide_feature = d as u128 * h_bound * WEIGHT;
    let rotated = |b: &mut Builder, name: &str, z: &Wide, dq: &Wide| {
        let slab = Slab::with_lanes(b, "rope", context, d, 2); // a pair in a row
        // From the widths alone: |h| may be smaller, which only spares limbs.
        let z_range = Declared::equation((d as u128 * WEIGHT) << (feature - 1));
        let wide = slab.hints(b, &format!("wide {name}"), Some(z_range), |t, j| int(z, t, j));
        let dq_range = Declared::equation(attention::wide_gradient_bound(context));
        let grad = slab.hints(b, &format!("wide d{name}"), Some(dq_range), |t, j| int(dq, t, j));
        let forward = (1, feature, wide_feature);
        let y = rope::circuit::place(b, &slab, name, (&wide, z), &tables.rope, forward);
        let back = (-1, gradient, attention::wide_gradient_bound(context));
        let dz = rope::circuit::place(b, &slab, &format!("d{name}"), (&grad, dq), &tables.rope, back);
        (wide, y, grad, dz)
    };
    let (zq, q, dq, dzq) = rotated(b, "q", &f.zq, &g.attention.dq);
    let (zk, key, dk, dzk) = rotated(b, "k", &f.zk, &g.attention.dk);
    let att = attention::place(
        b,
        Attention {
            heads: config.heads,
            forward: &f.attention,
            backward: &g.attention,
            table: &tables.attention,
            tags: EXP_TAGS,
            kappa: tables.kappa,
            zdo: &g.zdo,
            zv: &f.zv,
            zdo_bound: d as u128 * grad_max * WEIGHT,
            zv_bound: wide_feature,
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
    let x_mid = Rescale { shift: 12, bits: residual, bound: d as u128 * feature_max * WEIGHT + bypass }.place(
        b,
        &mid,
        "x mid",
        |t, j| int(&f.zx_mid, t, j),
    );
    let norm2 = rmsnorm::place(
        b,
        &mid,
        &x_mid.y,
        Norm {
            forward: &f.norm2,
            backward: &g.norm2,
            gain: &w.norm2,
            x: &f.x_mid,
            zdh: &g.zdh2,
            dh: &g.dh2,
            dres: Some(&g.dx_out),
            eps24: config.eps24(),
            zdh_bound: 2 * mlp as u128 * grad_max * WEIGHT,
        },
        gain2,
        dgain2,
    );
    project::link(b, norm2.dres.as_ref().expect("placed with one"), &dx_out);
    project::link(b, norm1.dres.as_ref().expect("placed with one"), &norm2.dx);

    // The gated unit.
    let unit = Slab::new(b, "swiglu", context, mlp);
    let gated = swiglu::place(
        b,
        &unit,
        Swiglu {
            forward: &f.swiglu,
            backward: &g.swiglu,
            table: &tables.sigmoid,
            tags: SIGMOID_TAGS,
            gate: (&f.zg, &f.z),
            up: (&f.zu, &f.u),
            ds: (&g.zds, &g.ds),
            wide_bound: wide_feature,
            zds_bound: d as u128 * grad_max * WEIGHT,
        },
    );

    // The layer's output, over the upper edge.
    let out = Rescale { shift: 12, bits: residual, bound: mlp as u128 * feature_max * WEIGHT + bypass }.place(
        b,
        &x_out.slab,
        "x out",
        |t, j| int(&f.zx_out, t, j),
    );
    x_out.slab.determine(b, X_OUT, &x_out, |p, l| out.y.lane(p, l) - x_out.lane(p, l));

    // The matrix products.
    let h1 = Input::project(b, &norm1.h);
    let o = Input::project(b, &att.o);
    let h2 = Input::project(b, &norm2.h);
    let s = Input::project(b, &gated.s);
    let by_rows = |b: &mut Builder, x, inner| project::bilinear(b, x, Challenge::Rows, inner);
    for (y, w) in [(&zq, &wq), (&zk, &wk), (&att.zv, &wv)] {
        let y = by_rows(b, y, Challenge::Outputs);
        linear::forward(b, y, &h1, w);
    }
    for (y, w) in [(&gated.zg, &wg), (&gated.zu, &wu)] {
        let y = by_rows(b, y, Challenge::Outputs);
        linear::forward(b, y, &h2, w);
    }
    for (y, bypass, x, w) in [(&x_mid.x, &x_in, &o, &wo), (&out.x, &x_mid.y, &s, &wd)] {
        let y = by_rows(b, y, Challenge::Outputs);
        let bypass = by_rows(b, bypass, Challenge::Outputs);
        let product = b.dot(&project::pairs(&x.by_rows, &w.by_outputs));
        let sum = b.sum(&[(product, 1), (bypass, 1 << 12)]);
        b.equal(y, sum);
    }
    let [dzq, dzk, dv] = [&dzq, &dzk, &att.dv].map(|dy| OutputGradient::project(b, dy));
    let [dz, du] = [&gated.dz, &gated.du].map(|dy| OutputGradient::project(b, dy));
    let d_mid = OutputGradient::project(b, &norm2.dx);
    let d_out = OutputGradient::project(b, &dx_out);
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
    let (plan, witness) = builder.finish(k);
    Segment { plan, witness }
}
