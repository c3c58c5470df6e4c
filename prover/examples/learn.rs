//! What training in fixed point reaches on the corpus, beside what a table of frequencies knows: `learn [PRESET [STEPS]]`.
//!
//! Learning rate 0.1, momentum 0.9, batch 8, from the oracle's weights and windows of seed 1, so that the table stands
//! beside that of `fixtures/corpus/README.md`. For `micro` and 1,500 steps, the default, it must end below 0.6 nats.

#[path = "../tests/training/entropy.rs"]
mod entropy;
#[path = "../tests/training/run.rs"]
mod run;
#[path = "../../circuits/tests/oracle/seed.rs"]
mod seed;

use std::{env, error::Error, time::Instant};

use circuits::{arithmetic::fixed::Saturations, model::Config};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let preset = arguments.next().unwrap_or("micro".into());
    let steps: usize = arguments.next().map_or(Ok(1500), |s| s.parse())?;
    let config = Config::preset(&preset)?;

    let corpus = run::fixture("corpus/stories.txt");
    for order in 0..=3 {
        println!("entropy of order {order}: {:.4} nats a byte", entropy::conditional_entropy(&corpus, order));
    }
    let (mut losses, mut clipped) = (vec![], Saturations::default());
    let start = Instant::now();
    run::train(&config, 1, run::sgd("0.1", "0.9"), (steps, 8), |log| {
        losses.push(log.mean_loss());
        clipped += log.saturations;
        let step = losses.len();
        if [1, 50, 100, 200, 300, 500, 1000].contains(&step) || step == steps {
            println!("{preset}, step {step:5}: {:.4} nats over 20 steps", run::mean_of_last(&losses, 20));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.1} s, {:.1} ms a step; clipped: {clipped}", 1e3 * seconds / steps as f64);
    let last = run::mean_of_last(&losses, 20);
    if (preset.as_str(), steps) == ("micro", 1500) && last > 0.6 {
        return Err(format!("{last:.4} nats are more than 0.6").into());
    }
    Ok(())
}
