//! Embedding, final norm, logits and loss, forward and backward.

use super::{EXP_TAGS, LOG_TAGS, PUBLIC_ROWS, Segment, WEIGHT, boundary, boundary_layout, norm_bound, read, written};
use crate::{
    fixed::Class,
    gadgets::{PortLayout, Slab, project},
    model::{Config, Params, SequenceTrace, Spec, tensors},
    ops::{
        cross_entropy::circuit as cross_entropy,
        embedding::circuit as embedding,
        linear::circuit::{Ports, port_tensors},
        rmsnorm::circuit::{self as rmsnorm, Norm},
        softmax::circuit as softmax,
    },
    plan::{Builder, Challenge, Declared, Interval, Kind, PortId},
    tensor::{Tensor, Wide},
};

/// Ports of the head segment, in order.
pub const WEIGHTS: PortId = 0;
/// Gradients of the weights.
pub const GRADIENTS: PortId = 1;
/// Embedded inputs and their gradient: below the first layer.
pub const LOWER: PortId = 2;
/// Residual stream and gradient above the last layer.
pub const UPPER: PortId = 3;
/// The sequence: T + 1 tokens in one column.
pub const BATCH: PortId = 4;

/// Instance row of the loss.
pub const LOSS_ROW: usize = PUBLIC_ROWS;

/// Layout of the weight and gradient ports.
pub fn weight_layout(config: &Config, k: u32) -> PortLayout {
    PortLayout::new(k, port_tensors(&tensors(config), None))
}

/// The column of the batch port for a sequence.
pub fn batch_column(sequence: &[u8]) -> Vec<i128> {
    sequence.iter().map(|&t| i128::from(t)).collect()
}

/// Builds the segment for one sequence. `gradients` are those of this sequence.
pub fn build(spec: &Spec, k: u32, w: &Params, trace: &SequenceTrace) -> Segment {
    let (config, tables) = (&spec.config, &spec.tables);
    let (context, d, vocab) = (config.context, config.hidden, config.vocab);
    let layout = weight_layout(config, k);
    let edges = boundary_layout(config, k);
    let head = &trace.head;
    let int = |x: &Tensor, i: usize, j: usize| i128::from(x.at(i, j));

    let mut builder = Builder::new();
    let b = &mut builder;
    b.port("weights", layout.columns(), true);
    b.port("gradients", layout.columns(), true);
    b.port("lower", edges.columns(), false);
    b.port("upper", edges.columns(), false);
    b.port("batch", 1, true);

    // The sequence.
    let batch = b.block_at("embedding", 0, context + 1);
    let tokens = b.column(batch, Kind::Port(BATCH, 0), "token");
    let below = Interval::new(0, vocab as i128 - 1);
    b.declare(batch, tokens, Declared::shown(below, "a copy of the index of a one-hot row"));
    for (t, &token) in trace.tokens.iter().chain(trace.targets.last()).enumerate() {
        b.set(batch, tokens, t, token.into());
    }
    let token_cell = |b: &Builder, t: usize| b.cell(batch, tokens, t);
    let one_hot = |b: &mut Builder, room: &str, index: &[u8], first: usize| {
        let slab = Slab::new(b, room, context, vocab);
        let cells: Vec<_> = (0..context).map(|t| token_cell(b, first + t)).collect();
        embedding::one_hot(b, &slab, index, |t| cells[t])
    };
    let input = one_hot(b, "embedding", &trace.tokens, 0);

    // Weights.
    let ports = Ports { layout: &layout, weights: WEIGHTS, gradients: GRADIENTS, predictions: context };
    let mut d_embed = trace.d_embed.clone();
    if config.tied {
        d_embed.add(&head.d_head);
    }
    let wide = |x: &Wide, i: usize, j: usize| x.at(i, j);
    let (embed, d_embed) = ports.tensor(b, "embed", |v, j| int(&w.embed, v, j), |v, j| wide(&d_embed, v, j));
    let (gain, dgain) = {
        let dgain = &head.norm_backward.dgain;
        let (w, g) = ports.tensor(b, "norm_f", |i, j| int(&w.norm_f, i, j), |i, j| wide(dgain, i, j));
        (project::inner(b, &w, Challenge::Outputs)[0], project::inner(b, &g, Challenge::Outputs)[0])
    };
    let untied = w.head.as_ref().map(|m| ports.tensor(b, "head", |v, j| int(m, v, j), |v, j| wide(&head.d_head, v, j)));
    let (output, d_output) = untied.as_ref().map_or((&embed, &d_embed), |(w, g)| (w, g));

    // The edges.
    let dx0 = trace.backward.first().map_or(&head.norm_backward.dx, |l| l.dx_in());
    let x0 = boundary(b, (&edges, LOWER), "edge", (0, written()), |t, j| int(&trace.x0, t, j));
    let dx0 = boundary(b, (&edges, LOWER), "edge", (1, read()), |t, j| int(dx0, t, j));
    let x = boundary(b, (&edges, UPPER), "rmsnorm", (0, read()), |t, j| int(&head.x, t, j));
    let dx = boundary(b, (&edges, UPPER), "edge", (1, written()), |t, j| int(&head.norm_backward.dx, t, j));

    // Final norm, over the upper edge.
    let norm = rmsnorm::place(
        b,
        &x.slab,
        &x,
        Norm {
            forward: &head.norm,
            backward: &head.norm_backward,
            gain: &w.norm_f,
            x: &head.x,
            zdh: &head.zdh,
            dh: &head.dh,
            dres: None,
            eps24: config.eps24(),
            zdh_bound: (vocab as u128) << (24 + 16),
        },
        gain,
        dgain,
    );
    project::link(b, &norm.dx, &dx);

    // Logits, softmax, loss.
    let target = one_hot(b, "cross_entropy", &trace.targets, 1);
    let slab = target.slab.clone();
    // From the widths alone: |h| may be smaller, which only spares limbs.
    let logit_range = Declared::equation((d as u128 * WEIGHT) << (Class::Feature.bits() - 1));
    let logits = slab.hints(b, "logit", Some(logit_range), |t, v| head.logits.at(t, v));
    let soft = softmax::place(
        b,
        &slab,
        (&logits, &head.logits),
        |_, _| true,
        (&head.loss.softmax, &tables.head, EXP_TAGS),
        d as u128 * norm_bound(d) * WEIGHT,
    );
    let loss = cross_entropy::place(b, &slab, &soft, &target, (&head.loss, &tables.log, LOG_TAGS));
    b.public(loss, LOSS_ROW);
    let scale = i128::from(tables.head.out_scale);
    let dlog = soft.p.zip(&target, |p, y| p - y.times(scale));

    // The products.
    let rows = |b: &mut Builder, x| project::outer(b, x, Challenge::Rows, context).remove(0);
    let dot = |b: &mut Builder, x: &[_], y: &[_]| b.dot(&project::pairs(x, y));
    let (input_rows, input_keys) = (rows(b, &input), project::inner(b, &input, Challenge::Keys));
    let (dlog_rows, dlog_keys) = (rows(b, &dlog), project::inner(b, &dlog, Challenge::Keys));
    let (h_rows, h_out) = (rows(b, &norm.h), project::inner(b, &norm.h, Challenge::Outputs));
    let embed_out = project::inner(b, &embed, Challenge::Outputs);
    let output_out = if untied.is_some() { project::inner(b, output, Challenge::Outputs) } else { embed_out.clone() };
    let output_keys = project::outer(b, output, Challenge::Keys, vocab).remove(0);
    let dx0_out = project::inner(b, &dx0, Challenge::Outputs);

    // x0 = one-hot·E.
    let y = project::bilinear(b, &x0, Challenge::Rows, Challenge::Outputs);
    let product = dot(b, &input_rows, &embed_out);
    b.equal(y, product);
    // logits = h·Eᵀ.
    let y = project::bilinear(b, &logits, Challenge::Rows, Challenge::Keys);
    let product = dot(b, &h_rows, &output_keys);
    b.equal(y, product);
    // dh = dlog·E.
    let y = project::bilinear(b, &norm.zdh, Challenge::Rows, Challenge::Outputs);
    let product = dot(b, &dlog_rows, &output_out);
    b.equal(y, product);
    // dE = one-hotᵀ·dx0·2^12 + dlogᵀ·h; apart when the head is untied.
    let scatter = dot(b, &input_keys, &dx0_out);
    let outer = dot(b, &dlog_keys, &h_out);
    let y = project::bilinear(b, &d_embed, Challenge::Keys, Challenge::Outputs);
    if untied.is_some() {
        let product = b.sum(&[(scatter, 1 << 12)]);
        b.equal(y, product);
        let y = project::bilinear(b, d_output, Challenge::Keys, Challenge::Outputs);
        b.equal(y, outer);
    } else {
        let product = b.sum(&[(outer, 1), (scatter, 1 << 12)]);
        b.equal(y, product);
    }
    let (plan, witness) = builder.finish(k);
    Segment { plan, witness }
}
