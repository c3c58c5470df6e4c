//! Text from a model, token by token, with the forward pass that training proves.

use super::{
    Sampling, SamplingError, SequenceError, Spec, Token, Weights, evaluate::stream, head_forward, sampling::Sampler,
    sequence::check_tokens,
};
use crate::arithmetic::fixed::Saturations;

/// What an empty prompt stands for: a new line; token 0 in a vocabulary that does not reach so far.
pub const START: Token = b'\n' as Token;

/// A prompt or setting that generates nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GenerateError {
    /// The prompt has tokens beyond the vocabulary.
    #[error("prompt: {0}")]
    Prompt(#[from] SequenceError),
    /// The sampling is refused.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// The tokens that follow a prompt, without end.
///
/// The model sees the last T tokens, the first of them at position 0. While there are fewer, the sequence is shorter
/// than in training: later positions would change nothing, as attention is causal.
#[derive(Clone, Debug)]
pub struct Generator<'a> {
    spec: &'a Spec,
    params: &'a Weights,
    sampler: Sampler,
    /// 1 to T tokens.
    window: Vec<Token>,
    /// Tokens generated.
    count: u64,
}

impl<'a> Generator<'a> {
    /// Begins after `prompt`; an empty one is [`START`]. `params` satisfy [`Weights::check`].
    pub fn new(
        spec: &'a Spec,
        params: &'a Weights,
        prompt: &[Token],
        sampling: Sampling,
    ) -> Result<Self, GenerateError> {
        let (vocab, context) = (spec.config.vocab, spec.config.context);
        check_tokens(vocab, prompt)?;
        let sampler = Sampler::new(sampling)?;
        let mut window = prompt[prompt.len().saturating_sub(context)..].to_vec();
        if window.is_empty() {
            window.push(if usize::from(START) < vocab { START } else { 0 });
        }
        Ok(Self { spec, params, sampler, window, count: 0 })
    }

    /// Logits of the next token, V of them, frac 24.
    pub fn logits(&self) -> Vec<i128> {
        // Whether a value clips is of interest to training only.
        let mut ignored = Saturations::default();
        let x = stream(self.spec, self.params, &self.window, &mut ignored);
        let last = x.rows_of(x.rows - 1, 1);
        head_forward(self.spec, self.params.head_matrix(), &self.params.norm_f, &last, &mut ignored).logits.data
    }
}

impl Iterator for Generator<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let token = self.sampler.choose(&self.logits(), &self.spec.tables.head, self.count);
        self.count += 1;
        if self.window.len() == self.spec.config.context {
            self.window.remove(0);
        }
        self.window.push(token);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::decimal::Decimal;
    use crate::model::Rates;
    use crate::model::{
        Config, Draw, Gradients, RopeScaling, State, bytes_of_token, draw_batch, sequence_gradient, tokens_of_bytes,
    };
    use crate::ops::sgd::Hyper;
    use std::sync::OnceLock;

    const CORPUS: &[u8] = include_bytes!("../../../fixtures/corpus/stories.txt");

    /// nano after 240 steps.
    fn trained() -> &'static (Spec, State) {
        static TRAINED: OnceLock<(Spec, State)> = OnceLock::new();
        TRAINED.get_or_init(|| {
            let spec = Spec::new(Config::NANO);
            let mut state = State::init(&spec.config, 1);
            let (batch, context) = (8, spec.config.context);
            // A rate of 0.4.
            let rate = (1 << 36) * 2 / 5;
            let (rates, predictions) = (Rates::constant(rate), (batch * context) as u64);
            let hyper = Hyper::new(rates, &"0.5".parse().unwrap(), &Decimal::ZERO, predictions).unwrap();
            let hyper = crate::model::Hyper::Sgd(hyper);
            let corpus = tokens_of_bytes(CORPUS);
            for step in 0..240 {
                let mut sum = Gradients::zeros(&spec.config);
                let draw = Draw { seed: 1, step, contribution: 0 };
                for sequence in draw_batch(&corpus, context, batch, draw).unwrap() {
                    sequence_gradient(&spec, &state.w, &sequence).unwrap().accumulate(&mut sum);
                }
                state.update(&hyper, &sum, &mut Saturations::default()).unwrap();
            }
            (spec, state)
        })
    }

    fn text(prompt: &[u8], sampling: Sampling, tokens: usize) -> Vec<u8> {
        let (spec, state) = trained();
        let tokens = Generator::new(spec, &state.w, &tokens_of_bytes(prompt), sampling).unwrap().take(tokens);
        tokens.flat_map(bytes_of_token).collect()
    }

    fn top_k(k: usize, temperature: &str, seed: u64) -> Sampling {
        Sampling::TopK { k, temperature: temperature.parse().unwrap(), seed }
    }

    /// The first of the largest.
    fn argmax(logits: &[i128]) -> Token {
        let max = logits.iter().max().unwrap();
        logits.iter().position(|x| x == max).unwrap() as Token
    }

    /// The logits of training at the last of `tokens`, padded to T + 1.
    fn training_logits(spec: &Spec, state: &State, tokens: &[Token], padding: Token) -> Vec<i128> {
        let mut sequence = tokens.to_vec();
        sequence.resize(spec.config.context + 1, padding);
        let trace = sequence_gradient(spec, &state.w, &sequence).unwrap();
        trace.head.logits.row(tokens.len() - 1).to_vec()
    }

    #[test]
    fn logits_are_those_of_training() {
        let (spec, state) = trained();
        let untied = Spec::new(Config::MICRO.untied());
        let other = State::init(&untied.config, 3);
        let mut grouped = Config::NANO;
        (grouped.heads, grouped.kv_heads, grouped.head_dim, grouped.biased) = (4, Some(2), Some(8), true);
        grouped.rope_scaling = RopeScaling::Linear { factor: "2.5".parse().unwrap() };
        let grouped = Spec::new(grouped);
        let mut third = State::init(&grouped.config, 3);
        let bias = third.w.layers[0].bias.as_mut().unwrap();
        for b in [&mut bias.q, &mut bias.k, &mut bias.v] {
            b.data.iter_mut().zip(0..).for_each(|(b, i)| *b = 300 * (i % 7));
        }
        for (spec, state) in [(spec, state), (&untied, &other), (&grouped, &third)] {
            for length in 1..=spec.config.context {
                let prompt = &tokens_of_bytes(&CORPUS[100..100 + length]);
                let generator = Generator::new(spec, &state.w, prompt, Sampling::Greedy).unwrap();
                for padding in [0, 255] {
                    assert_eq!(generator.logits(), training_logits(spec, state, prompt, padding), "{length}");
                }
            }
        }
    }

    #[test]
    fn greedy_text_is_the_argmax_of_training() {
        let (spec, state) = trained();
        let all = b"Once ".to_vec();
        let found = text(&all, Sampling::Greedy, 60);
        let mut all = tokens_of_bytes(&all);
        for token in tokens_of_bytes(&found) {
            let window = &all[all.len().saturating_sub(spec.config.context)..];
            assert_eq!(token, argmax(&training_logits(spec, state, window, 0)));
            all.push(token);
        }
        // It has learnt something of the stories' bytes.
        assert!(found.iter().all(|b| CORPUS.contains(b)), "{}", String::from_utf8_lossy(&found));
        assert!(found.contains(&b' '));
    }

    #[test]
    fn what_leaves_no_choice_is_greedy() {
        let greedy = text(b"Ben ", Sampling::Greedy, 40);
        for sampling in [top_k(1, "1", 9), top_k(256, "0", 9), top_k(256, "1e-6", 9)] {
            assert_eq!(text(b"Ben ", sampling, 40), greedy, "{sampling:?}");
        }
    }

    #[test]
    fn a_seed_decides() {
        let sample = |seed| text(b"Ben ", top_k(256, "1", seed), 40);
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        assert_ne!(sample(1), text(b"Ben ", Sampling::Greedy, 40));
        // The same on every platform.
        let text = sample(1);
        assert_eq!(String::from_utf8_lossy(&text), "ay the hame rive. The hh the wo bo i.P S");
    }

    #[test]
    fn the_model_sees_the_last_tokens_of_a_long_prompt() {
        let (prompt, context) = (&CORPUS[..100], trained().0.config.context);
        let whole = text(prompt, Sampling::Greedy, 30);
        assert_eq!(whole, text(&prompt[100 - context..], Sampling::Greedy, 30));
        assert_ne!(whole, text(&prompt[100 - context / 2..], Sampling::Greedy, 30));
    }

    #[test]
    fn an_empty_prompt_is_a_new_line() {
        assert_eq!(text(b"", top_k(40, "1", 3), 30), text(b"\n", top_k(40, "1", 3), 30));
        let mut config = Config::NANO;
        config.vocab = 8;
        let spec = Spec::new(config);
        let state = State::init(&spec.config, 1);
        let first = |prompt| {
            let tokens = Generator::new(&spec, &state.w, prompt, top_k(8, "1", 3)).unwrap();
            tokens.take(20).collect::<Vec<_>>()
        };
        assert_eq!(first(&[]), first(&[0]));
        assert!(first(&[]).iter().all(|&t| t < 8));
    }

    #[test]
    fn bad_prompts_and_settings_are_refused() {
        let mut config = Config::NANO;
        config.vocab = 128;
        let spec = Spec::new(config);
        let w = Weights::zeros(&spec.config);
        let error = |prompt: &[Token], sampling| Generator::new(&spec, &w, prompt, sampling).map(|_| ()).unwrap_err();
        let token = SequenceError::Token { token: 128, position: 2, vocab: 128 };
        assert_eq!(error(&[0, 127, 128], Sampling::Greedy), GenerateError::Prompt(token));
        assert_eq!(error(&[], top_k(0, "1", 0)), GenerateError::Sampling(SamplingError::None));
    }
}
