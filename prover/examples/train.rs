//! Native training, timed: `train PRESET STEPS BATCH RATE MOMENTUM CORPUS`.

use std::{env, error::Error, fs, time::Instant};

use circuits::{
    arithmetic::decimal::Decimal,
    model::{Config, Draw, Optimizer, Schedule, State, draw_batch, tokens_of_bytes},
};
use prover::trainer::{Recipe, Trainer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [preset, steps, batch, rate, momentum, corpus] = arguments.as_slice() else {
        return Err("usage: train PRESET STEPS BATCH RATE MOMENTUM CORPUS".into());
    };
    let config = Config::preset(preset)?;
    let (steps, batch): (u64, usize) = (steps.parse()?, batch.parse()?);
    let corpus = tokens_of_bytes(&fs::read(corpus)?);
    let schedule = if steps > 1 {
        Schedule::cosine(&rate.parse()?, steps, steps / 20, &"0.1".parse()?)?
    } else {
        Schedule::constant(&rate.parse()?)?
    };
    let optimizer = Optimizer::Sgd { momentum: momentum.parse()?, weight_decay: Decimal::ZERO, clip: None };
    let state = State::init(&config, 1);
    println!("{} parameters", config.parameters());
    let mut trainer = Trainer::new(config, state, Recipe { schedule, optimizer })?;

    let start = Instant::now();
    let mut clipped = 0;
    for step in 0..steps {
        let draw = Draw { seed: 1, step, contribution: 0 };
        let sequences = draw_batch(&corpus, trainer.spec.config.context, batch, draw)?;
        let log = trainer.step(&sequences)?;
        clipped += log.saturations.total();
        if step % (steps / 20).max(1) == 0 || step + 1 == steps {
            println!("step {step:5}  loss {:.4}  clipped {}", log.mean_loss(), log.saturations);
        }
    }
    let total = start.elapsed();
    println!("{clipped} elements clipped; {:.2} ms a step", total.as_secs_f64() * 1e3 / steps as f64);
    Ok(())
}
