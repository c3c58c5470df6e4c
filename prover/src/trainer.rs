//! Native training: the reference arithmetic over a batch, one sequence per task.
//!
//! Sums of integers do not depend on their order, so that the number of threads changes nothing.

use circuits::{
    arithmetic::fixed::Saturations,
    model::{
        Config, Gradients, Optimizer, Pace, Schedule, SequenceError, Spec, SquareSum, State, StateError, Token,
        Weights, sequence_gradient,
    },
    ops::hyper::HyperError,
};
use rayon::prelude::*;
use thiserror::Error;

/// A step that cannot be taken.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The state is not one of the model.
    #[error("state: {0}")]
    State(#[from] StateError),
    /// A sequence of the batch cannot be read.
    #[error("batch: {0}")]
    Sequence(#[from] SequenceError),
    /// The optimizer's integers are out of range; an empty batch, for one, has no predictions.
    #[error("optimizer: {0}")]
    Hyper(#[from] HyperError),
}

/// How a model is trained, as written by the user.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Learning rate by step.
    pub schedule: Schedule,
    /// How the state moves.
    pub optimizer: Optimizer,
}

/// The gradient of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchGradient {
    /// Sum of the losses over all predictions, frac 24.
    pub loss: i128,
    /// Gradient of that sum, frac 36, exact.
    pub gradients: Gradients,
    /// Clipped elements.
    pub saturations: Saturations,
}

impl BatchGradient {
    fn zero(config: &Config) -> Self {
        Self { loss: 0, gradients: Gradients::zeros(config), saturations: Saturations::default() }
    }

    /// Adds the gradient of other sequences.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.gradients.add(&other.gradients);
        self.saturations += other.saturations;
    }
}

/// The gradient of a batch of sequences of T + 1 tokens; `params` satisfy `Weights::check`.
pub fn batch_gradient<S: AsRef<[Token]> + Sync>(
    spec: &Spec,
    params: &Weights,
    batch: &[S],
) -> Result<BatchGradient, SequenceError> {
    let zero = || BatchGradient::zero(&spec.config);
    batch
        .par_iter()
        .try_fold(zero, |mut sum, sequence| {
            let trace = sequence_gradient(spec, params, sequence.as_ref())?;
            trace.accumulate(&mut sum.gradients);
            sum.loss += trace.loss();
            sum.saturations += trace.saturations;
            Ok(sum)
        })
        .try_reduce(zero, |mut a, b| {
            a.add(&b);
            Ok(a)
        })
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLog {
    /// Number of the step, from 0.
    pub step: u64,
    /// Sum of the losses before the update, frac 24.
    pub loss: i128,
    /// Predictions that the loss sums over.
    pub predictions: u64,
    /// Clipped elements, in the gradient and in the update.
    pub saturations: Saturations,
    /// Sum of the squares of the gradient, where it is clipped.
    pub squares: Option<SquareSum>,
}

impl StepLog {
    /// Mean loss per prediction in nats, for display only.
    pub fn mean_loss(&self) -> f64 {
        self.loss as f64 / f64::from(1 << 24) / self.predictions as f64
    }

    /// Norm of the mean gradient before it is clipped, if it is; for display only.
    pub fn gradient_norm(&self) -> Option<f64> {
        self.squares.map(|squares| squares.mean_norm(self.predictions))
    }
}

/// A model in training.
#[derive(Clone, Debug)]
pub struct Trainer {
    /// The model and its tables.
    pub spec: Spec,
    /// Weights, low parts and moments.
    pub state: State,
    /// Steps taken.
    pub step: u64,
    /// Steps that the optimizer had taken to the first state: schedule and bias correction count from there.
    pub taken: u64,
    /// How it is trained.
    pub recipe: Recipe,
}

impl Trainer {
    /// Starts from `state`, which must be one of `config` and of the recipe's optimizer.
    pub fn new(config: Config, state: State, recipe: Recipe) -> Result<Self, TrainError> {
        state.check(&config)?;
        let (expected, found) = (recipe.optimizer.kind(), state.moments.kind());
        if expected != found {
            return Err(StateError::Optimizer { expected: expected.name(), found: found.name() }.into());
        }
        Ok(Self { spec: Spec::new(config), state, step: 0, taken: 0, recipe })
    }

    /// One step on a batch of sequences of T + 1 tokens.
    pub fn step(&mut self, batch: &[Vec<Token>]) -> Result<StepLog, TrainError> {
        self.accumulate(&[batch])
    }

    /// One step on several contributions' batches: the gradient is their sum, the loss the mean over all of them.
    pub fn accumulate<B: AsRef<[Vec<Token>]>>(&mut self, batches: &[B]) -> Result<StepLog, TrainError> {
        let sequences: Vec<&Vec<Token>> = batches.iter().flat_map(AsRef::as_ref).collect();
        let predictions = (sequences.len() * self.spec.config.context) as u64;
        let step = self.taken.saturating_add(self.step);
        let rates = self.recipe.schedule.rates_at(step);
        let pace = |squares| Pace { rates, step: step.saturating_add(1), predictions, squares };
        // What is no batch shows before its gradient is computed.
        self.recipe.optimizer.hyper(pace(SquareSum::ZERO))?;
        // Sums are exact: one pass over all sequences is the sum of the contributions.
        let mut sum = batch_gradient(&self.spec, &self.state.w, &sequences)?;
        let squares = self.recipe.optimizer.clip().map(|_| sum.gradients.squares());
        let hyper = self.recipe.optimizer.hyper(pace(squares.unwrap_or_default()))?;
        self.state.update(&hyper, &sum.gradients, &mut sum.saturations)?;
        let log = StepLog { step: self.step, loss: sum.loss, predictions, saturations: sum.saturations, squares };
        self.step += 1;
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use circuits::arithmetic::decimal::Decimal;
    use circuits::model::{Draw, draw_batch, tokens_of_bytes};

    fn trainer(config: Config) -> Trainer {
        let recipe = Recipe {
            schedule: Schedule::constant(&"0.1".parse().unwrap()).unwrap(),
            optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: Decimal::ZERO, clip: None },
        };
        let state = State::init(&config, 1);
        Trainer::new(config, state, recipe).unwrap()
    }

    fn batch(step: u64) -> Vec<Vec<Token>> {
        let corpus = tokens_of_bytes(&b"the quick brown fox jumps over the lazy dog. ".repeat(4));
        draw_batch(&corpus, 16, 4, Draw { seed: 1, step, contribution: 0 }).unwrap()
    }

    #[test]
    fn the_loss_falls_and_nothing_clips() {
        for config in [Config::NANO, Config::NANO.untied()] {
            let mut trainer = trainer(config);
            let first = trainer.step(&batch(0)).unwrap();
            let mut last = first;
            for step in 1..60 {
                last = trainer.step(&batch(step)).unwrap();
                assert_eq!(last.saturations.total(), 0);
            }
            assert!(last.mean_loss() < first.mean_loss() / 1.7, "{first:?} {last:?}");
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut trainer = trainer(Config::NANO);
                trainer.step(&batch(0)).unwrap();
                trainer.state
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn contributions_add_up() {
        let (a, b) = (batch(0), batch(1));
        let mut accumulated = trainer(Config::NANO);
        let log = accumulated.accumulate(&[&a, &b]).unwrap();
        let mut flat = trainer(Config::NANO);
        let whole = flat.step(&[a.clone(), b.clone()].concat()).unwrap();
        assert_eq!((&accumulated.state, log), (&flat.state, whole));
        // As the prover adds up: contribution by contribution.
        let mut sum = BatchGradient::zero(&Config::NANO);
        let mut state = trainer(Config::NANO).state;
        for batch in [&a, &b] {
            sum.add(&batch_gradient(&flat.spec, &state.w, batch).unwrap());
        }
        let rates = flat.recipe.schedule.rates_at(0);
        let pace = Pace { rates, step: 1, predictions: 2 * 4 * 16, squares: SquareSum::ZERO };
        let hyper = flat.recipe.optimizer.hyper(pace).unwrap();
        state.update(&hyper, &sum.gradients, &mut sum.saturations).unwrap();
        assert_eq!((state, sum.loss), (flat.state, whole.loss));
    }

    #[test]
    fn bad_batches_are_refused() {
        let mut trainer = trainer(Config::NANO);
        assert!(matches!(trainer.step(&[]), Err(TrainError::Hyper(HyperError::Predictions(0)))));
        assert!(matches!(trainer.step(&[vec![0; 3]]), Err(TrainError::Sequence(SequenceError::Length { .. }))));
        let state = trainer.state.clone();
        let other = Trainer::new(Config::MICRO, state, trainer.recipe.clone());
        assert!(matches!(other, Err(TrainError::State(_))));
    }
}
