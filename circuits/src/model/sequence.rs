//! One sequence from tokens to gradients.

use thiserror::Error;

use super::{
    Config, Gradients, HeadTrace, LayerBackward, LayerForward, Spec, Token, Weights, embed, embedding_backward,
    head_forward_backward, layer_backward, layer_forward,
};
use crate::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::{Tensor, Wide},
};

/// A sequence that the model cannot read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SequenceError {
    /// Not T + 1 tokens.
    #[error("a sequence has {expected} tokens, not {found}")]
    Length {
        /// T + 1.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// A token that is not in the vocabulary.
    #[error("token {token} at position {position} is not below the vocabulary of {vocab}")]
    Token {
        /// The token.
        token: Token,
        /// Its place.
        position: usize,
        /// V.
        vocab: usize,
    },
}

/// A loss that no statement can name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the loss {0}/2^24 is not between 0 and 2^40")]
pub struct LossError(pub String);

/// A loss (frac 24) as statements name it. No sum of losses is negative, and that of a sequence has less than 60 bits.
pub fn public_loss<L: Copy + ToString + TryInto<u64>>(loss: L) -> Result<u64, LossError> {
    loss.try_into().map_err(|_| LossError(loss.to_string()))
}

/// Whether every token is in the vocabulary.
pub(super) fn check_tokens(vocab: usize, tokens: &[Token]) -> Result<(), SequenceError> {
    match tokens.iter().enumerate().find(|&(_, &t)| usize::from(t) >= vocab) {
        Some((position, &token)) => Err(SequenceError::Token { token, position, vocab }),
        None => Ok(()),
    }
}

/// Whether a sequence has T + 1 tokens, all of them in the vocabulary.
pub fn check_sequence(config: &Config, sequence: &[Token]) -> Result<(), SequenceError> {
    let expected = config.context + 1;
    if sequence.len() != expected {
        return Err(SequenceError::Length { expected, found: sequence.len() });
    }
    check_tokens(config.vocab, sequence)
}

/// Everything computed for one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceTrace {
    /// Inputs, T tokens.
    pub tokens: Vec<Token>,
    /// Targets: the inputs moved on by one.
    pub targets: Vec<Token>,
    /// Embedded inputs, `[T × d]`.
    pub x0: Tensor,
    /// Forward, bottom to top.
    pub forward: Vec<LayerForward>,
    /// Head.
    pub head: HeadTrace,
    /// Backward, by layer: `backward[l]` belongs to `forward[l]`.
    pub backward: Vec<LayerBackward>,
    /// `dE_emb`, without the head's part, `[V × d]`, frac 36.
    pub d_embed: Wide,
    /// Clipped elements.
    pub saturations: Saturations,
}

impl SequenceTrace {
    /// Sum of the losses over the predictions, frac 24.
    pub fn loss(&self) -> i128 {
        self.head.loss.total
    }

    /// Gradient below the first layer, `[T × d]`.
    pub fn dx0(&self) -> &Tensor {
        self.backward.first().map_or(&self.head.norm_backward.dx, LayerBackward::dx_in)
    }

    /// Adds this sequence's gradients.
    pub fn accumulate(&self, sum: &mut Gradients) {
        sum.embed.add(&self.d_embed);
        sum.head.as_mut().unwrap_or(&mut sum.embed).add(&self.head.d_head);
        sum.norm_f.add(&self.head.norm_backward.dgain);
        for (layer, back) in sum.layers.iter_mut().zip(&self.backward) {
            layer.add(&back.grads);
        }
    }

    /// This sequence's gradients.
    pub fn gradients(&self, spec: &Spec) -> Gradients {
        let mut gradients = Gradients::zeros(&spec.config);
        self.accumulate(&mut gradients);
        gradients
    }
}

/// Forward and backward over `sequence`, T + 1 tokens. `params` satisfy [`Weights::check`].
pub fn sequence_gradient(spec: &Spec, params: &Weights, sequence: &[Token]) -> Result<SequenceTrace, SequenceError> {
    let config = &spec.config;
    check_sequence(config, sequence)?;
    let (tokens, targets) = (&sequence[..config.context], &sequence[1..]);
    let mut saturations = Saturations::default();

    let x0 = embed(&params.embed, tokens);
    let mut forward: Vec<LayerForward> = Vec::with_capacity(config.layers);
    for w in &params.layers {
        let x = forward.last().map_or(&x0, |below| &below.x_out);
        forward.push(layer_forward(spec, w, x, &mut saturations));
    }
    let top = forward.last().map_or(&x0, |below| &below.x_out);
    let head = head_forward_backward(spec, params.head_matrix(), &params.norm_f, top, targets, &mut saturations);

    let mut backward: Vec<LayerBackward> = Vec::with_capacity(config.layers);
    for (w, trace) in params.layers.iter().zip(&forward).rev() {
        let dx = backward.last().map_or(&head.norm_backward.dx, LayerBackward::dx_in);
        backward.push(layer_backward(spec, w, trace, dx, &mut saturations));
    }
    let dx0 = backward.last().map_or(&head.norm_backward.dx, LayerBackward::dx_in);
    let d_embed = embedding_backward(spec, dx0, tokens);
    backward.reverse();
    let (tokens, targets) = (tokens.to_vec(), targets.to_vec());
    Ok(SequenceTrace { tokens, targets, x0, forward, head, backward, d_embed, saturations })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        arithmetic::fixed::Class,
        model::{Config, State},
    };

    fn sequence(config: &Config, seed: usize) -> Vec<Token> {
        (0..=config.context).map(|i| ((i * 37 + seed * 101 + i * i) % config.vocab) as Token).collect()
    }

    #[test]
    fn an_untrained_model_loses_about_ln_of_the_vocabulary() {
        let spec = Spec::new(Config::NANO);
        let state = State::init(&spec.config, 3);
        let trace = sequence_gradient(&spec, &state.w, &sequence(&spec.config, 1)).unwrap();
        let nats = trace.loss() as f64 / 16_777_216.0 / 16.0;
        assert!((4.5..8.5).contains(&nats), "{nats}");
        assert_eq!(trace.saturations.total(), 0);
        assert!(trace.gradients(&spec).iter().all(|g| g.data.iter().any(|&x| x != 0)));
    }

    #[test]
    fn the_arithmetic_is_pinned() {
        let pins = [
            (Config::NANO, "20fa39f2eec8068321332cb7f4ffdc94"),
            (Config::MICRO.untied(), "ba4e8089e0447f83aa1a21b80c7a9100"),
        ];
        for (config, pin) in pins {
            let spec = Spec::new(config);
            let state = State::init(&spec.config, 3);
            let trace = sequence_gradient(&spec, &state.w, &sequence(&spec.config, 1)).unwrap();
            let mut hash = blake2b_simd::Params::new().hash_length(16).to_state();
            hash.update(&trace.loss().to_le_bytes());
            for x in trace.gradients(&spec).iter().flat_map(|g| &g.data) {
                hash.update(&x.to_le_bytes());
            }
            assert_eq!(hash.finalize().to_hex().as_str(), pin);
        }
    }

    #[test]
    fn malformed_sequences_are_refused() {
        let mut config = Config::NANO;
        config.vocab = 128;
        let spec = Spec::new(config);
        let w = Weights::zeros(&spec.config);
        let error = sequence_gradient(&spec, &w, &[0; 16]).map(|_| ());
        assert_eq!(error, Err(SequenceError::Length { expected: 17, found: 16 }));
        let mut tokens = [0; 17];
        tokens[16] = 128;
        let error = sequence_gradient(&spec, &w, &tokens).map(|_| ());
        assert_eq!(error, Err(SequenceError::Token { token: 128, position: 16, vocab: 128 }));
    }

    /// Every intermediate of every class stays in its class, and nothing overflows (tests check overflow).
    fn assert_total(config: Config, mut weight: impl FnMut(usize) -> i64) {
        let spec = Spec::new(config);
        let mut count = 0;
        let w = Weights::build(&spec.config, |s| {
            Tensor::from_fn(s.rows, s.cols, |_, _| {
                count += 1;
                weight(count)
            })
        });
        w.check(&spec.config).unwrap();
        let trace = sequence_gradient(&spec, &w, &sequence(&spec.config, 2)).unwrap();
        for f in &trace.forward {
            assert!(f.x.within(Class::Residual) && f.x_mid.within(Class::Residual));
            assert!(f.q.within(Class::Feature) && f.swiglu.s.within(Class::Feature) && f.z.within(Class::Gate));
            assert!(f.attention.softmax.sum.iter().all(|&s| (1..1 << 35).contains(&s)));
            assert!(f.attention.softmax.p.data.iter().all(|&p| (0..4096).contains(&p)));
        }
        for b in &trace.backward {
            for x in [&b.ds, &b.swiglu.dz, b.dx_mid(), &b.attention.ds, &b.dzq, &b.dh1, b.dx_in()] {
                assert!(x.within(Class::Gradient));
            }
        }
        assert!(trace.head.loss.softmax.p.data.iter().all(|&p| (0..1 << 24).contains(&p)));
    }

    #[test]
    fn extreme_weights_are_no_exception() {
        let mut grouped = Config::NANO;
        (grouped.heads, grouped.kv_heads, grouped.head_dim, grouped.biased) = (16, Some(1), Some(8), true);
        for config in [Config::NANO, Config::NANO.untied(), Config::MICRO, grouped] {
            assert_total(config.clone(), |_| Class::Weight.max());
            assert_total(config.clone(), |_| Class::Weight.min());
            assert_total(config.clone(), |_| 0);
            let mut x = 1u64;
            assert_total(config, |_| {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if x >> 63 == 0 { Class::Weight.min() } else { Class::Weight.max() }
            });
        }
    }

    #[test]
    fn extreme_residuals_and_gradients_are_no_exception() {
        let mut wide = Config::NANO;
        (wide.hidden, wide.heads, wide.mlp, wide.context) = (512, 2, 2040, 4);
        // The largest group.
        let mut grouped = wide.clone();
        (grouped.heads, grouped.kv_heads, grouped.head_dim, grouped.biased) = (256, Some(1), Some(4), true);
        for (config, sign) in [(wide.clone(), 0), (wide, 1), (grouped.clone(), 0), (grouped, 1)] {
            config.check().unwrap();
            let spec = Spec::new(config);
            let (t, d) = (spec.config.context, spec.config.hidden);
            let extreme = |class: Class| {
                Tensor::from_fn(t, d, |i, j| if sign * (i * 7 + j) % 2 == 0 { class.max() } else { class.min() })
            };
            let w = Weights::build(&spec.config, |s| {
                Tensor::from_fn(s.rows, s.cols, |i, j| {
                    if sign * (i + j) % 2 == 0 { Class::Weight.max() } else { Class::Weight.min() }
                })
            });
            let mut s = Saturations::default();
            let forward = layer_forward(&spec, &w.layers[0], &extreme(Class::Residual), &mut s);
            let back = layer_backward(&spec, &w.layers[0], &forward, &extreme(Class::Gradient), &mut s);
            assert!(back.dx_in().within(Class::Gradient) && forward.x_out.within(Class::Residual));
            let x = extreme(Class::Residual);
            head_forward_backward(&spec, &w.embed, &w.norm_f, &x, &[0; 4], &mut s);
            assert!(s.total() > 0);
        }
    }

    /// 7.6
    #[test]
    fn a_loss_that_no_statement_can_name_is_refused() {
        assert_eq!((public_loss(0i128), public_loss(u128::from(u64::MAX))), (Ok(0), Ok(u64::MAX)));
        let error = public_loss(-1i128).unwrap_err();
        assert_eq!(error, LossError("-1".into()));
        assert_eq!(error.to_string(), "the loss -1/2^24 is not between 0 and 2^40");
        assert_eq!(public_loss(1u128 << 64), Err(LossError((1u128 << 64).to_string())));
    }
}
