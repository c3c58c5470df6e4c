//! A model's loss on a text that it is not trained on, or not now. The loss is an exact integer; floats only print it.

use circuits::model::{Evaluated, SequenceError, Spec, Token, Weights, Windows, sequence_loss};
use rayon::prelude::*;
use std::f64::consts::LN_2;
use std::str::FromStr;
use tokenizer::Tokenizer;

/// How many windows of a text to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCount {
    /// All.
    All,
    /// At most so many, evenly apart.
    AtMost(usize),
}

impl WindowCount {
    /// As `Windows` takes it.
    pub fn limit(self) -> Option<usize> {
        match self {
            WindowCount::All => None,
            WindowCount::AtMost(most) => Some(most),
        }
    }
}

impl FromStr for WindowCount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("all", _) => Ok(WindowCount::All),
            (_, Ok(most @ 1..)) => Ok(WindowCount::AtMost(most)),
            _ => Err("`all`, or a number of windows"),
        }
    }
}

/// What windows cost a model, many at a time; `told` is called once for each. Sums of integers do not depend on their order.
pub fn evaluate(
    spec: &Spec,
    weights: &Weights,
    windows: &Windows<'_>,
    told: &(dyn Fn() + Sync),
) -> Result<Evaluated, SequenceError> {
    let window = |index| {
        let evaluated = sequence_loss(spec, weights, windows.window(index));
        told();
        evaluated
    };
    (0..windows.len()).into_par_iter().map(window).try_reduce(Evaluated::default, |a, b| Ok(a.and(&b)))
}

/// Mean loss in nats a prediction, for display.
pub fn nats(evaluated: &Evaluated) -> f64 {
    evaluated.loss as f64 / f64::from(1 << 24) / evaluated.predictions as f64
}

/// Bytes that the predicted tokens of windows stand for.
pub fn predicted_bytes(windows: &Windows<'_>, tokenizer: &Tokenizer) -> u64 {
    let length = |&token: &Token| tokenizer.bytes_of(token).len() as u64;
    (0..windows.len()).map(|i| windows.window(i)[1..].iter().map(length).sum::<u64>()).sum()
}

/// The loss in bits for each of these bytes, for display.
pub fn bits_per_byte(evaluated: &Evaluated, bytes: u64) -> f64 {
    nats(evaluated) / LN_2 * (evaluated.predictions as f64 / bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use circuits::model::{Config, State};

    #[test]
    fn the_number_of_threads_changes_nothing_and_every_window_is_told() {
        let spec = Spec::new(Config::NANO);
        let weights = State::init(&spec.config, 1).w;
        let text: Vec<Token> = (0..400).map(|i| (i * i % 251) as Token).collect();
        let windows = Windows::new(&spec.config, &text, None).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let told = std::sync::atomic::AtomicUsize::new(0);
            let count = || {
                told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            };
            let evaluated = pool.install(|| evaluate(&spec, &weights, &windows, &count)).unwrap();
            (evaluated, told.into_inner())
        };
        let (evaluated, told) = with(1);
        assert_eq!((evaluated.predictions, told), (24 * 16, 24));
        assert_eq!(with(3), (evaluated, told));
        assert!((4.5..8.5).contains(&nats(&evaluated)));
    }

    #[test]
    fn numbers_of_windows() {
        assert_eq!("all".parse(), Ok(WindowCount::All));
        assert_eq!("7".parse(), Ok(WindowCount::AtMost(7)));
        for bad in ["0", "-1", "some", "", "1.5"] {
            assert!(bad.parse::<WindowCount>().is_err(), "{bad}");
        }
    }
}
