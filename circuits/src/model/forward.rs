//! The forward pass of one sequence, segment by segment.

use super::{Config, LayerWeights, Token};
use crate::{
    arithmetic::fixed::{Class, Saturations},
    arithmetic::tensor::{Tensor, Wide},
    ops::{
        attention::{self, AttentionForward, Heads},
        embedding, linear,
        rmsnorm::{self, NormForward},
        rope,
        swiglu::{self, SwigluForward},
        tables::Tables,
    },
};

/// A configuration with everything that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The shape.
    pub config: Config,
    /// The tables.
    pub tables: Tables,
}

impl Spec {
    /// Makes the tables of a model; `config` satisfies [`Config::check`], as every constructor ensures.
    pub fn new(config: Config) -> Self {
        Self { tables: Tables::new(&config), config }
    }

    /// How attention's features are shared by heads.
    pub fn heads(&self) -> Heads {
        Heads { queries: self.config.heads, keys: self.config.kv_heads(), dim: self.config.head_dim() }
    }
}

/// The trace of a layer's forward pass. A field `z…` is the exact product behind the field that it names;
/// T context, d hidden, f intermediate, H heads of hd features, Hkv of them for keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerForward {
    /// Input, `[T × d]`, [`Class::Residual`].
    pub x: Tensor,
    /// Norm before attention; `norm1.h` feeds q, k, v.
    pub norm1: NormForward,
    /// `h·Wq`, plus the bias if there is one, before the rotation, frac 24, `[T × H·hd]`.
    pub zq: Wide,
    /// The same of the keys, `[T × Hkv·hd]`.
    pub zk: Wide,
    /// `h·Wv`, plus the bias if there is one, frac 24, `[T × Hkv·hd]`.
    pub zv: Wide,
    /// Rotated queries, `[T × H·hd]`, [`Class::Feature`].
    pub q: Tensor,
    /// Rotated keys, `[T × Hkv·hd]`, [`Class::Feature`].
    pub k: Tensor,
    /// Values, `[T × Hkv·hd]`, [`Class::Feature`].
    pub v: Tensor,
    /// Scores, probabilities and output `O`.
    pub attention: AttentionForward,
    /// `O·Wo + x·2^12`, frac 24, `[T × d]`.
    pub zx_mid: Wide,
    /// Residual stream between the halves, `[T × d]`, [`Class::Residual`].
    pub x_mid: Tensor,
    /// Norm before the gated unit; `norm2.h` feeds gate and up.
    pub norm2: NormForward,
    /// `h2·Wg`, frac 24, `[T × f]`.
    pub zg: Wide,
    /// `h2·Wu`, frac 24, `[T × f]`.
    pub zu: Wide,
    /// Gate after its clamp, `[T × f]`, [`Class::Gate`].
    pub z: Tensor,
    /// Up, `[T × f]`, [`Class::Feature`].
    pub u: Tensor,
    /// Sigmoid and product.
    pub swiglu: SwigluForward,
    /// `s·Wd + x_mid·2^12`, frac 24, `[T × d]`.
    pub zx_out: Wide,
    /// Output, `[T × d]`, [`Class::Residual`].
    pub x_out: Tensor,
}

/// `x0`, `[T × d]`, frac 12. Every token is below V.
pub fn embed(embed: &Tensor, tokens: &[Token]) -> Tensor {
    embedding::forward(embed, tokens)
}

/// One layer over `x`, `[T × d]` of [`Class::Residual`].
pub fn layer_forward(spec: &Spec, w: &LayerWeights, x: &Tensor, saturations: &mut Saturations) -> LayerForward {
    let Spec { config, tables } = spec;
    let norm1 = rmsnorm::forward(x, &w.norm1, config.eps24(), saturations);
    let mut zq = linear::forward(&norm1.h, &w.wq);
    let mut zk = linear::forward(&norm1.h, &w.wk);
    let mut zv = linear::forward(&norm1.h, &w.wv);
    if let Some(bias) = &w.bias {
        for (z, bias) in [(&mut zq, &bias.q), (&mut zk, &bias.k), (&mut zv, &bias.v)] {
            linear::add_bias(z, bias);
        }
    }
    let q = rope::forward(&zq, &tables.rope, saturations);
    let k = rope::forward(&zk, &tables.rope, saturations);
    let v = zv.rescale(12, Class::Feature, saturations);
    let attention = attention::forward(&q, &k, &v, spec.heads(), &tables.attention, saturations);
    let (zx_mid, x_mid) = residual(&attention.o, &w.wo, x, saturations);

    let norm2 = rmsnorm::forward(&x_mid, &w.norm2, config.eps24(), saturations);
    let zg = linear::forward(&norm2.h, &w.wg);
    let zu = linear::forward(&norm2.h, &w.wu);
    let z = zg.rescale(12, Class::Gate, saturations);
    let u = zu.rescale(12, Class::Feature, saturations);
    let swiglu = swiglu::forward(&z, &u, &tables.sigmoid, saturations);
    let (zx_out, x_out) = residual(&swiglu.s, &w.wd, &x_mid, saturations);
    LayerForward {
        x: x.clone(),
        norm1,
        zq,
        zk,
        zv,
        q,
        k,
        v,
        attention,
        zx_mid,
        x_mid,
        norm2,
        zg,
        zu,
        z,
        u,
        swiglu,
        zx_out,
        x_out,
    }
}

/// The trace of the head's forward pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadForward {
    /// Final norm.
    pub norm: NormForward,
    /// `h·Eᵀ`, frac 24, exact, `[T × V]`; below 2^56 in absolute value.
    pub logits: Wide,
}

/// Logits over `x`, `[T × d]` of [`Class::Residual`]; `head` is `[V × d]` (the embedding when tied).
pub fn head_forward(
    spec: &Spec,
    head: &Tensor,
    norm_f: &Tensor,
    x: &Tensor,
    saturations: &mut Saturations,
) -> HeadForward {
    let norm = rmsnorm::forward(x, norm_f, spec.config.eps24(), saturations);
    // Rows of E are outputs: the products of a linear map whose matrix is Eᵀ.
    let logits = linear::input_gradient(&norm.h, head);
    HeadForward { norm, logits }
}

/// `a·W + x·2^12`, exact and as [`Class::Residual`].
fn residual(a: &Tensor, w: &Tensor, x: &Tensor, saturations: &mut Saturations) -> (Wide, Tensor) {
    let mut wide = linear::forward(a, w);
    wide.add_shifted(x, 12);
    let rounded = wide.rescale(12, Class::Residual, saturations);
    (wide, rounded)
}
