//! Training on the corpus from the oracle's weights and windows.

use std::{fs, path::PathBuf};

use circuits::model::{Config, Optimizer, Schedule, State, Token, Weights};
use prover::trainer::{Recipe, StepLog, Trainer};

use crate::seed;

/// The bytes of a file under `fixtures`.
pub fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A constant rate.
pub fn recipe(rate: &str, optimizer: Optimizer) -> Recipe {
    Recipe { schedule: Schedule::constant(&rate.parse().expect("a decimal")).expect("a rate"), optimizer }
}

/// SGD with momentum, without weight decay.
pub fn sgd(rate: &str, momentum: &str) -> Recipe {
    let decimal = |text: &str| text.parse().expect("a decimal");
    recipe(rate, Optimizer::Sgd { momentum: decimal(momentum), weight_decay: decimal("0"), clip: None })
}

/// A model at the oracle's initial weights, and the batches of the first steps.
pub fn start(
    config: &Config,
    seed: u64,
    recipe: Recipe,
    (steps, batch): (usize, usize),
) -> (Trainer, Vec<Vec<Vec<Token>>>) {
    let corpus = fixture("corpus/stories.txt");
    let state = State::resting(seed::weights(config, seed), Weights::zeros(config), config, recipe.optimizer.kind());
    let trainer = Trainer::new(config.clone(), state, recipe).expect("a state of the model");
    let offsets = seed::offsets(config, &corpus, seed, steps * batch);
    let windows = |offsets: &[usize]| offsets.iter().map(|&o| seed::window(config, &corpus, o)).collect();
    (trainer, offsets.chunks_exact(batch).map(windows).collect())
}

/// Takes `steps` steps, calling `log` after each.
pub fn train(
    config: &Config,
    seed: u64,
    recipe: Recipe,
    (steps, batch): (usize, usize),
    mut log: impl FnMut(&StepLog),
) {
    let (mut trainer, batches) = start(config, seed, recipe, (steps, batch));
    for batch in &batches {
        log(&trainer.step(batch).expect("a step"));
    }
}

/// The mean of the last `n` losses.
pub fn mean_of_last(losses: &[f64], n: usize) -> f64 {
    let last = &losses[losses.len().saturating_sub(n)..];
    last.iter().sum::<f64>() / last.len() as f64
}
