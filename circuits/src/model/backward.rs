//! The backward pass of one sequence, segment by segment: gradients of the *sum* of the losses.

use super::{Biases, HeadForward, Layer, LayerForward, LayerWeights, Spec, Token, head_forward};
use crate::{
    arithmetic::fixed::{Class, Saturations},
    arithmetic::tensor::{Tensor, Wide},
    ops::{
        attention::{self, AttentionBackward},
        cross_entropy::{self, Loss},
        embedding, linear,
        rmsnorm::{self, NormBackward, NormForward},
        rope,
        swiglu::{self, SwigluBackward},
    },
};

/// The trace of a layer's backward pass. A field `z…` is the exact product behind the field that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerBackward {
    /// Gradient of the output, `[T × d]`, [`Class::Gradient`].
    pub dx_out: Tensor,
    /// `dy·Wdᵀ`, frac 36, `[T × f]`.
    pub zds: Wide,
    /// The same as [`Class::Gradient`].
    pub ds: Tensor,
    /// `du`, `τ`, `dz`.
    pub swiglu: SwigluBackward,
    /// `dz·Wgᵀ + du·Wuᵀ`, frac 36, `[T × d]`.
    pub zdh2: Wide,
    /// The same as [`Class::Gradient`].
    pub dh2: Tensor,
    /// Through the second norm; `norm2.dx` is `dx_mid`, the residual's gradient included.
    pub norm2: NormBackward,
    /// `dx_mid·Woᵀ`, frac 36, `[T × H·hd]`.
    pub zdo: Wide,
    /// The same as [`Class::Gradient`].
    pub d_o: Tensor,
    /// `dP`, `ρ`, `dS`, and the wide `dq`, `dk` before the rotation back.
    pub attention: AttentionBackward,
    /// Gradient of `zq`, `[T × H·hd]`, [`Class::Gradient`].
    pub dzq: Tensor,
    /// Gradient of `zk`, `[T × Hkv·hd]`, [`Class::Gradient`].
    pub dzk: Tensor,
    /// `dzq·Wqᵀ + dzk·Wkᵀ + dv·Wvᵀ`, frac 36, `[T × d]`.
    pub zdh1: Wide,
    /// The same as [`Class::Gradient`].
    pub dh1: Tensor,
    /// Through the first norm; `norm1.dx` is `dx_in`.
    pub norm1: NormBackward,
    /// Gradients of the weights, frac 36, exact.
    pub grads: Layer<Wide>,
}

impl LayerBackward {
    /// Gradient of the residual stream between the halves.
    pub fn dx_mid(&self) -> &Tensor {
        &self.norm2.dx
    }

    /// Gradient of the input.
    pub fn dx_in(&self) -> &Tensor {
        &self.norm1.dx
    }
}

/// Backward through one layer; `dx_out` is `[T × d]` of [`Class::Gradient`].
pub fn layer_backward(
    spec: &Spec,
    w: &LayerWeights,
    forward: &LayerForward,
    dx_out: &Tensor,
    saturations: &mut Saturations,
) -> LayerBackward {
    let tables = &spec.tables;
    let LayerForward { z, u, q, k, v, .. } = forward;

    let zds = linear::input_gradient(dx_out, &w.wd);
    let ds = zds.rescale(12, Class::Gradient, saturations);
    let swiglu = swiglu::backward(z, &forward.swiglu.sig, u, &ds, saturations);
    let mut zdh2 = linear::input_gradient(&swiglu.dz, &w.wg);
    zdh2.add(&linear::input_gradient(&swiglu.du, &w.wu));
    let dh2 = zdh2.rescale(12, Class::Gradient, saturations);
    let norm2 = rmsnorm::backward(&forward.norm2, &w.norm2, &dh2, Some(dx_out), saturations);
    let dx_mid = &norm2.dx;

    let zdo = linear::input_gradient(dx_mid, &w.wo);
    let d_o = zdo.rescale(12, Class::Gradient, saturations);
    let attention = attention::backward(&forward.attention, q, k, v, &d_o, spec.heads(), tables.kappa, saturations);
    let dzq = rope::backward(&attention.dq, &tables.rope, saturations);
    let dzk = rope::backward(&attention.dk, &tables.rope, saturations);
    let mut zdh1 = linear::input_gradient(&dzq, &w.wq);
    zdh1.add(&linear::input_gradient(&dzk, &w.wk));
    zdh1.add(&linear::input_gradient(&attention.dv, &w.wv));
    let dh1 = zdh1.rescale(12, Class::Gradient, saturations);
    let norm1 = rmsnorm::backward(&forward.norm1, &w.norm1, &dh1, Some(dx_mid), saturations);

    let (h1, h2) = (&forward.norm1.h, &forward.norm2.h);
    let grads = Layer {
        norm1: norm1.dgain.clone(),
        wq: linear::weight_gradient(h1, &dzq),
        wk: linear::weight_gradient(h1, &dzk),
        wv: linear::weight_gradient(h1, &attention.dv),
        wo: linear::weight_gradient(&forward.attention.o, dx_mid),
        norm2: norm2.dgain.clone(),
        wg: linear::weight_gradient(h2, &swiglu.dz),
        wu: linear::weight_gradient(h2, &swiglu.du),
        wd: linear::weight_gradient(&forward.swiglu.s, dx_out),
        bias: w.bias.as_ref().map(|_| Biases {
            q: linear::bias_gradient(&dzq),
            k: linear::bias_gradient(&dzk),
            v: linear::bias_gradient(&attention.dv),
        }),
    };
    LayerBackward {
        dx_out: dx_out.clone(),
        zds,
        ds,
        swiglu,
        zdh2,
        dh2,
        norm2,
        zdo,
        d_o,
        attention,
        dzq,
        dzk,
        zdh1,
        dh1,
        norm1,
        grads,
    }
}

/// The trace of the head: final norm, logits, loss, and backward through them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadTrace {
    /// Input, `[T × d]`, [`Class::Residual`].
    pub x: Tensor,
    /// Final norm.
    pub norm: NormForward,
    /// `h·Eᵀ`, frac 24, exact, `[T × V]`.
    pub logits: Wide,
    /// Softmax, `dlog` and the losses.
    pub loss: Loss,
    /// `dlog·E`, frac 36, `[T × d]`.
    pub zdh: Wide,
    /// The same as [`Class::Gradient`].
    pub dh: Tensor,
    /// Through the final norm; `norm_backward.dx` is the gradient at the top of the layers, `norm_backward.dgain`
    /// that of `norm_f`.
    pub norm_backward: NormBackward,
    /// `dlogᵀ·h`, frac 36, exact, `[V × d]`.
    pub d_head: Wide,
}

/// Head of one sequence. `head` is `[V × d]` (the embedding when tied); every target is below V.
pub fn head_forward_backward(
    spec: &Spec,
    head: &Tensor,
    norm_f: &Tensor,
    x: &Tensor,
    targets: &[Token],
    saturations: &mut Saturations,
) -> HeadTrace {
    let HeadForward { norm, logits } = head_forward(spec, head, norm_f, x, saturations);
    let loss = cross_entropy::forward_backward(&logits, targets, &spec.tables.head, &spec.tables.log);
    let zdh = linear::forward(&loss.dlog, head);
    let dh = zdh.rescale(12, Class::Gradient, saturations);
    let norm_backward = rmsnorm::backward(&norm, norm_f, &dh, None, saturations);
    let d_head = linear::weight_gradient(&loss.dlog, &norm.h);
    HeadTrace { x: x.clone(), norm, logits, loss, zdh, dh, norm_backward, d_head }
}

/// `dE_emb`, frac 36, exact, `[V × d]`, of the gradient `dx0` at the bottom of the layers.
pub fn embedding_backward(spec: &Spec, dx0: &Tensor, tokens: &[Token]) -> Wide {
    let mut d_embed = Wide::zeros(spec.config.vocab, spec.config.hidden);
    embedding::backward(dx0, tokens, &mut d_embed);
    d_embed
}
