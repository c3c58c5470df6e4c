//! Embedding, final norm, logits and loss, forward and backward.

use super::{
    EXP_TAGS, Entering, InputError, LOG_TAGS, PUBLIC_ROWS, Privacy, WEIGHT, boundary, boundary_layout, check_tensor,
    norm_bound, read, written,
};
use crate::{
    arithmetic::fixed::{Class, Saturations},
    arithmetic::gadgets::{Get, PortLayout, Slab, project},
    arithmetic::tensor::{Tensor, Wide},
    model::{
        Config, HeadTrace, SequenceTrace, Spec, Token, Weights, check_sequence, embed as embed_tokens,
        embedding_backward, head_forward_backward, tensors,
    },
    ops::{
        cross_entropy::circuit as cross_entropy,
        embedding::circuit as embedding,
        linear::circuit::{Ports, port_tensors},
        rmsnorm::circuit::{self as rmsnorm, Norm},
        softmax::circuit::{self as softmax, FREE},
    },
};
use backend::{Builder, Circuit};
use plonkish::{Challenge, Declared, Interval, Kind, PortId, Roles};
use serde::{Deserialize, Serialize};

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
/// Of a private head, the sum of the losses, in row 0 of one column.
pub const LOSS: PortId = 5;

/// Of a public head, the instance row of the sum of the losses.
pub const LOSS_ROW: usize = PUBLIC_ROWS;

/// Weights, batch, the residual stream from below the head and its gradient from below the layers are given.
pub const ROLES: Roles =
    Roles { inputs: &[(WEIGHTS, ""), (LOWER, "dx"), (UPPER, "x"), (BATCH, "")], results: &[LOSS_ROW], free: FREE };
/// The same of a private head, whose loss is no public value.
pub const PRIVATE_ROLES: Roles = Roles { results: &[], ..ROLES };

/// Layout of the weight and gradient ports.
pub fn weight_layout(config: &Config, k: u32) -> PortLayout {
    PortLayout::new(k, port_tensors(&tensors(config), None))
}

/// The column of the batch port for a sequence.
pub fn batch_column(sequence: &[Token]) -> Vec<i128> {
    sequence.iter().map(|&t| i128::from(t)).collect()
}

/// What the head of one sequence is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadInput {
    /// Weights of the head.
    pub weights: HeadWeights,
    /// T + 1 tokens.
    pub sequence: Vec<Token>,
    /// Residual stream above the last layer and gradient below the first.
    pub entering: Entering,
}

/// The weights of a head segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadWeights {
    /// Embedding, `[V × d]`.
    pub embed: Tensor,
    /// Gain of the final norm, `[1 × d]`.
    pub norm_f: Tensor,
    /// Head, `[V × d]`, unless tied.
    pub head: Option<Tensor>,
}

impl HeadWeights {
    /// Those of a model.
    pub fn of(params: &Weights) -> Self {
        let Weights { embed, norm_f, head, .. } = params;
        HeadWeights { embed: embed.clone(), norm_f: norm_f.clone(), head: head.clone() }
    }

    /// Refuses tensors of other shapes than the configuration's, and integers outside their range.
    pub fn check(&self, config: &Config) -> Result<(), InputError> {
        let table = (config.vocab, config.hidden);
        check_tensor("embed", &self.embed, table, Class::Weight)?;
        check_tensor("norm_f", &self.norm_f, (1, config.hidden), Class::Weight)?;
        match &self.head {
            Some(head) if !config.tied => check_tensor("head", head, table, Class::Weight),
            None if config.tied => Ok(()),
            _ => Err(InputError::Tied),
        }
    }
}

/// All values of the head of one sequence.
#[derive(Clone, Debug)]
pub struct HeadValues {
    /// Weights.
    pub weights: HeadWeights,
    /// Inputs, T tokens.
    pub tokens: Vec<Token>,
    /// Targets: the inputs moved on by one.
    pub targets: Vec<Token>,
    /// Embedded inputs.
    pub x0: Tensor,
    /// Gradient below the first layer.
    pub dx0: Tensor,
    /// Forward and backward trace.
    pub trace: HeadTrace,
    /// Gradient of the embedding, of the head too where they are tied.
    pub d_embed: Wide,
}

impl HeadValues {
    /// Those of the head of a traced sequence.
    pub fn of(params: &Weights, trace: &SequenceTrace) -> Self {
        let mut d_embed = trace.d_embed.clone();
        if params.head.is_none() {
            d_embed.add(&trace.head.d_head);
        }
        HeadValues {
            weights: HeadWeights::of(params),
            tokens: trace.tokens.clone(),
            targets: trace.targets.clone(),
            x0: trace.x0.clone(),
            dx0: trace.dx0().clone(),
            trace: trace.head.clone(),
            d_embed,
        }
    }
}

impl HeadInput {
    /// Refuses tensors of other shapes than the configuration's, and integers outside their ranges.
    pub fn check(&self, config: &Config) -> Result<(), InputError> {
        self.weights.check(config)?;
        check_sequence(config, &self.sequence)?;
        self.entering.check(config)
    }

    /// Forward and backward.
    pub fn compute(self, spec: &Spec) -> HeadValues {
        let HeadInput { weights, sequence, entering: Entering { x, dx: dx0 } } = self;
        let HeadWeights { embed, norm_f, head } = &weights;
        let (tokens, targets) = (sequence[..sequence.len() - 1].to_vec(), sequence[1..].to_vec());
        let x0 = embed_tokens(embed, &tokens);
        let mut none = Saturations::default();
        let trace = head_forward_backward(spec, head.as_ref().unwrap_or(embed), norm_f, &x, &targets, &mut none);
        let mut d_embed = embedding_backward(spec, &dx0, &tokens);
        if spec.config.tied {
            d_embed.add(&trace.d_head);
        }
        HeadValues { weights, tokens, targets, x0, dx0, trace, d_embed }
    }
}

/// The circuit of the head of one sequence.
pub fn circuit(spec: &Spec, k: u32, privacy: Privacy) -> Circuit<HeadValues> {
    let (config, tables) = (&spec.config, &spec.tables);
    let (context, d, vocab) = (config.context, config.hidden, config.vocab);
    let layout = weight_layout(config, k);
    let edges = boundary_layout(config, k);
    let int = |x: &Tensor, i: usize, j: usize| i128::from(x.at(i, j));

    let mut builder = Builder::<HeadValues>::for_values(k);
    let b = &mut builder;
    b.port("weights", layout.columns(), privacy.of_tensors());
    b.port("gradients", layout.columns(), privacy.of_tensors());
    b.port("lower", edges.columns(), privacy.of_edges());
    b.port("upper", edges.columns(), privacy.of_edges());
    b.port("batch", 1, privacy.of_tensors());
    if privacy == Privacy::Private {
        b.port("loss", 1, privacy.of_tensors());
    }

    // The sequence.
    let batch = b.block_at("embedding", 0, context + 1);
    let tokens = b.column(batch, Kind::Port(BATCH, 0), "token");
    let below = Interval::new(0, vocab as i128 - 1);
    b.declare(batch, tokens, Declared::shown(below, "a copy of the index of a one-hot row"));
    b.carries_data(batch, tokens, 0..context + 1);
    b.assign(batch, move |v, cells| {
        for (t, &token) in v.tokens.iter().chain(v.targets.last()).enumerate() {
            cells.set(tokens, t, token.into());
        }
    });
    let token_cell = |b: &Builder<_>, t: usize| b.cell(batch, tokens, t);
    let one_hot = |b: &mut Builder<_>, op: &str, index: Get<_, Vec<Token>>, first: usize| {
        let slab = Slab::new(b, op, context, vocab);
        let cells: Vec<_> = (0..context).map(|t| token_cell(b, first + t)).collect();
        embedding::one_hot(b, &slab, index, |t| cells[t])
    };
    let input = one_hot(b, "embedding", |v| &v.tokens, 0);

    // Weights.
    let ports = Ports { layout: &layout, weights: WEIGHTS, gradients: GRADIENTS, predictions: context };
    let (embed, d_embed) =
        ports.tensor(b, "embed", move |v, i, j| int(&v.weights.embed, i, j), |v, i, j| v.d_embed.at(i, j));
    let (gain, dgain) = {
        let dgain = |v: &HeadValues, i, j| v.trace.norm_backward.dgain.at(i, j);
        let (w, g) = ports.tensor(b, "norm_f", move |v, i, j| int(&v.weights.norm_f, i, j), dgain);
        (project::inner(b, &w, Challenge::Outputs)[0], project::inner(b, &g, Challenge::Outputs)[0])
    };
    let untied = (!config.tied).then(|| {
        let head = move |v: &HeadValues, i, j| v.weights.head.as_ref().map_or(0, |head| int(head, i, j));
        ports.tensor(b, "head", head, |v, i, j| v.trace.d_head.at(i, j))
    });
    let (output, d_output) = untied.as_ref().map_or((&embed, &d_embed), |(w, g)| (w, g));

    // The edges.
    let x0 = boundary(b, (&edges, LOWER), "edge", (0, written()), move |v, t, j| int(&v.x0, t, j));
    let dx0 = boundary(b, (&edges, LOWER), "edge", (1, read()), move |v, t, j| int(&v.dx0, t, j));
    let x_in = boundary(b, (&edges, UPPER), "edge", (0, read()), move |v, t, j| int(&v.trace.x, t, j));
    let dx = boundary(b, (&edges, UPPER), "edge", (1, written()), move |v, t, j| int(&v.trace.norm_backward.dx, t, j));

    // Final norm: apart from the upper edge, whose rows are the port's.
    let slab = Slab::new(b, "rmsnorm", context, d);
    let x = slab.unchecked(b, "x", Some(written()), move |v: &HeadValues, t, j| int(&v.trace.x, t, j));
    let norm = rmsnorm::place(
        b,
        &slab,
        &x,
        &Norm {
            forward: |v| &v.trace.norm,
            backward: |v| &v.trace.norm_backward,
            gain: |v| &v.weights.norm_f,
            x: |v| &v.trace.x,
            zdh: |v| &v.trace.zdh,
            dh: |v| &v.trace.dh,
            dres: None,
            eps24: config.eps24(),
            zdh_bound: (vocab as u128) << (24 + 16),
        },
        gain,
        dgain,
    );
    project::link(b, &x, &x_in);
    project::link(b, &norm.dx, &dx);

    // Logits, softmax, loss.
    let target = one_hot(b, "cross_entropy", |v| &v.targets, 1);
    let slab = target.slab.clone();
    // From the widths alone: |h| may be smaller, which only spares limbs.
    let logit_range = Declared::equation((d as u128 * WEIGHT) << (Class::Feature.bits() - 1));
    let logits = slab.unchecked(b, "logit", Some(logit_range), |v, t, j| v.trace.logits.at(t, j));
    let soft = softmax::place(
        b,
        &slab,
        (&logits, |v| &v.trace.logits),
        |_, _| true,
        (|v| &v.trace.loss.softmax, &tables.head, EXP_TAGS),
        d as u128 * norm_bound(d) * WEIGHT,
    );
    let loss = cross_entropy::place(b, &slab, &soft, &target, (|v| &v.trace.loss, &tables.log, LOG_TAGS));
    match privacy {
        Privacy::Public => b.public(loss, LOSS_ROW),
        Privacy::Private => {
            let block = b.block_at("cross_entropy/port", 0, 1);
            let port = b.column(block, Kind::Port(LOSS, 0), "loss");
            b.carries_data(block, port, 0..1);
            let port = b.cell(block, port, 0);
            b.copy(loss, port);
        }
    }
    let scale = i128::from(tables.head.out_scale);
    let dlog = soft.p.zip(&target, |p, y| p - y.times(scale));

    // The products.
    let rows = |b: &mut Builder<_>, x| project::outer(b, x, Challenge::Rows, context).remove(0);
    let dot = |b: &mut Builder<_>, x: &[_], y: &[_]| b.dot(&project::pairs(x, y));
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
    builder.compile()
}
