//! The forward pass alone: what a model says of a text, and what the text costs it.

use super::{
    Config, DataError, SequenceError, Spec, Token, Weights, check_corpus, check_sequence, embed, head_forward,
    layer_forward, sequence::check_tokens,
};
use crate::arithmetic::fixed::Saturations;
use crate::arithmetic::tensor::{Tensor, Wide};
use crate::ops::cross_entropy;

/// The residual stream above the last layer, `[tokens × d]`. There are 1 to T tokens, all of them in the vocabulary.
pub(super) fn stream(spec: &Spec, params: &Weights, tokens: &[Token], saturations: &mut Saturations) -> Tensor {
    params
        .layers
        .iter()
        .fold(embed(&params.embed, tokens), |x, layer| layer_forward(spec, layer, &x, saturations).x_out)
}

/// Logits after each of 1 to T tokens, frac 24, exact, `[tokens × V]`. `params` satisfy [`Weights::check`].
///
/// # Errors
/// If there are other numbers of tokens, or tokens that the vocabulary does not have.
pub fn logits(spec: &Spec, params: &Weights, tokens: &[Token]) -> Result<Wide, SequenceError> {
    let context = spec.config.context;
    if tokens.is_empty() || tokens.len() > context {
        return Err(SequenceError::Length { expected: context, found: tokens.len() });
    }
    check_tokens(spec.config.vocab, tokens)?;
    // Whether a value clips is of interest to losses only.
    let mut ignored = Saturations::default();
    let x = stream(spec, params, tokens, &mut ignored);
    Ok(head_forward(spec, params.head_matrix(), &params.norm_f, &x, &mut ignored).logits)
}

/// What sequences cost a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Sum of the losses over all predictions, frac 24, exact.
    pub loss: i128,
    /// Predictions: T of each sequence.
    pub predictions: u64,
    /// Clipped elements of the forward pass.
    pub saturations: Saturations,
}

impl Evaluated {
    /// The same of these sequences and others.
    pub fn and(mut self, other: &Self) -> Self {
        self.loss += other.loss;
        self.predictions += other.predictions;
        self.saturations += other.saturations;
        self
    }
}

/// The loss of `sequence`, T + 1 tokens: that which training reports of it. `params` satisfy [`Weights::check`].
///
/// # Errors
/// If it is no sequence of the model.
pub fn sequence_loss(spec: &Spec, params: &Weights, sequence: &[Token]) -> Result<Evaluated, SequenceError> {
    let context = spec.config.context;
    check_sequence(&spec.config, sequence)?;
    let mut saturations = Saturations::default();
    let x = stream(spec, params, &sequence[..context], &mut saturations);
    let head = head_forward(spec, params.head_matrix(), &params.norm_f, &x, &mut saturations);
    let loss = cross_entropy::forward_backward(&head.logits, &sequence[1..], &spec.tables.head, &spec.tables.log);
    Ok(Evaluated { loss: loss.total, predictions: context as u64, saturations })
}

/// Windows of a text: window i is the T + 1 tokens from i·T on, as the sequences of a data set are. Each token but the first is
/// predicted once, up to the last window's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows<'a> {
    text: &'a [Token],
    context: usize,
    /// How many of all are looked at.
    chosen: usize,
}

impl<'a> Windows<'a> {
    /// All of a text, or so many of them.
    ///
    /// # Errors
    /// If the text has no window, or tokens beyond the vocabulary.
    pub fn new(config: &Config, text: &'a [Token], at_most: Option<usize>) -> Result<Self, DataError> {
        check_corpus(text, config)?;
        let all = (text.len() - 1) / config.context;
        Ok(Windows { text, context: config.context, chosen: at_most.map_or(all, |most| most.min(all)) })
    }

    /// How many the text has.
    pub fn all(&self) -> usize {
        (self.text.len() - 1) / self.context
    }

    /// How many are looked at.
    pub fn len(&self) -> usize {
        self.chosen
    }

    /// Whether none is looked at.
    pub fn is_empty(&self) -> bool {
        self.chosen == 0
    }

    /// Window `index` of those that are looked at, T + 1 tokens; they stand evenly apart, the first of all among them.
    pub fn window(&self, index: usize) -> &'a [Token] {
        let number = (index as u128 * self.all() as u128 / self.chosen.max(1) as u128) as usize;
        let start = number * self.context;
        &self.text[start..=start + self.context]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{State, sequence_gradient};

    fn text(config: &Config, length: usize) -> Vec<Token> {
        (0..length).map(|i| ((i * 37 + i * i) % config.vocab) as Token).collect()
    }

    #[test]
    fn losses_and_logits_are_those_of_training() {
        for config in [Config::NANO, Config::MICRO.untied()] {
            let spec = Spec::new(config);
            let w = State::init(&spec.config, 3).w;
            let context = spec.config.context;
            let text = text(&spec.config, 3 * context + 5);
            let windows = Windows::new(&spec.config, &text, None).unwrap();
            let mut sum = Evaluated::default();
            let mut expected = 0;
            for i in 0..windows.len() {
                let trace = sequence_gradient(&spec, &w, windows.window(i)).unwrap();
                let found = sequence_loss(&spec, &w, windows.window(i)).unwrap();
                assert_eq!(found.loss, trace.loss());
                assert_eq!(logits(&spec, &w, &trace.tokens).unwrap(), trace.head.logits);
                expected += trace.loss();
                sum = sum.and(&found);
            }
            assert_eq!((sum.loss, sum.predictions), (expected, 3 * context as u64));
        }
    }

    /// What clips is counted as training counts it in its forward pass.
    #[test]
    fn clipped_values_are_counted() {
        let spec = Spec::new(Config::NANO);
        let w = Weights::build(&spec.config, |s| Tensor::from_fn(s.rows, s.cols, |_, _| 65_535));
        let sequence = text(&spec.config, 17);
        let evaluated = sequence_loss(&spec, &w, &sequence).unwrap();
        assert!(evaluated.saturations.total() > 0);
        assert_eq!(evaluated.loss, sequence_gradient(&spec, &w, &sequence).unwrap().loss());
    }

    #[test]
    fn windows_share_no_prediction_and_stand_evenly() {
        let config = Config::NANO;
        let text = text(&config, 10 * 16 + 16);
        let windows = Windows::new(&config, &text, None).unwrap();
        assert_eq!((windows.all(), windows.len()), (10, 10));
        assert!((0..10).all(|i| windows.window(i) == &text[16 * i..=16 * i + 16]));
        let some = Windows::new(&config, &text, Some(4)).unwrap();
        let numbers = [0, 2, 5, 7];
        assert!((0..4).all(|i| some.window(i) == windows.window(numbers[i])));
        assert_eq!(Windows::new(&config, &text, Some(99)).unwrap(), windows);
        assert_eq!(Windows::new(&config, &text[..16], None), Err(DataError::Short { needed: 17, found: 16 }));
        let ascii = Config { vocab: 128, ..config };
        let bad = [&[0; 20][..], &[200]].concat();
        let error = DataError::Token { offset: 20, token: 200, vocab: 128 };
        assert_eq!(Windows::new(&ascii, &bad, None), Err(error));
    }

    #[test]
    fn what_is_no_text_of_the_model_is_refused() {
        let spec = Spec::new(Config { vocab: 128, ..Config::NANO });
        let w = Weights::zeros(&spec.config);
        let length = |found| Err(SequenceError::Length { expected: 16, found });
        assert_eq!(logits(&spec, &w, &[]).map(|_| ()), length(0));
        assert_eq!(logits(&spec, &w, &[0; 17]).map(|_| ()), length(17));
        let token = SequenceError::Token { token: 128, position: 1, vocab: 128 };
        assert_eq!(logits(&spec, &w, &[0, 128]).map(|_| ()), Err(token));
        let short = Err(SequenceError::Length { expected: 17, found: 16 });
        assert_eq!(sequence_loss(&spec, &w, &[0; 16]).map(|_| ()), short);
    }
}
