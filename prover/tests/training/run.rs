//! Training on the corpus from the oracle's weights and windows.

use std::{fs, path::PathBuf};

use circuits::model::{Config, Optimizer, Schedule, State, Weights};
use prover::trainer::{Recipe, StepLog, Trainer};

use crate::seed;

/// The bytes of a file under `fixtures`.
pub fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Takes `steps` steps, calling `log` after each.
pub fn train(
    config: &Config,
    seed: u64,
    (rate, momentum): (&str, &str),
    (steps, batch): (usize, usize),
    mut log: impl FnMut(&StepLog),
) {
    let decimal = |text: &str| text.parse().expect("a decimal");
    let corpus = fixture("corpus/stories.txt");
    let recipe = Recipe {
        schedule: Schedule::constant(&decimal(rate)).expect("a rate"),
        optimizer: Optimizer::Sgd { momentum: decimal(momentum), weight_decay: decimal("0") },
    };
    let state = State::resting(seed::weights(config, seed), Weights::zeros(config), config, recipe.optimizer.kind());
    let mut trainer = Trainer::new(config.clone(), state, recipe).expect("a state of the model");
    for offsets in seed::offsets(config, &corpus, seed, steps * batch).chunks_exact(batch) {
        let sequences: Vec<_> = offsets.iter().map(|&o| seed::window(config, &corpus, o)).collect();
        log(&trainer.step(&sequences).expect("a step"));
    }
}

/// The mean of the last `n` losses.
pub fn mean_of_last(losses: &[f64], n: usize) -> f64 {
    let last = &losses[losses.len().saturating_sub(n)..];
    last.iter().sum::<f64>() / last.len() as f64
}
