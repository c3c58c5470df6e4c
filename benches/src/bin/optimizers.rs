//! What an update of AdamW costs beside one of SGD: of the same parameters by the same gradient, in turns.
//!
//! `cargo run --release -p benches --bin optimizers -- --preset micro`

use backend::parameters;
use benches::machine;
use benches::setup::{batch, corpus, spec};
use benches::timing::{median, seconds, time};
use circuits::model::{Gradients, Hyper, Optimizer, OptimizerKind, Pace, Rates, Spec, State};
use circuits::ops::adamw::Betas;
use circuits::segments::Variant;
use circuits::statements::Domain;
use clap::Parser;
use prover::step::{StepKeys, StepProver, UpdateTasks};
use prover::trainer::batch_gradient;
use std::error::Error;

#[derive(Parser)]
struct Arguments {
    /// The model
    #[arg(long, default_value = "micro")]
    preset: String,
    /// Pairs of updates, of which the medians count
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// Usual numbers of an optimizer.
fn optimizer(kind: OptimizerKind) -> Result<Optimizer, Box<dyn Error>> {
    Ok(match kind {
        OptimizerKind::Sgd => Optimizer::Sgd { momentum: "0.9".parse()?, weight_decay: "0".parse()? },
        OptimizerKind::AdamW => Optimizer::AdamW(Betas {
            beta1: "0.9".parse()?,
            beta2: "0.999".parse()?,
            eps: "1e-8".parse()?,
            weight_decay: "0.01".parse()?,
        }),
    })
}

/// What is proven: an update after three others, so that no moment is zero.
struct Measured {
    keys: StepKeys,
    state: State,
    hyper: Hyper,
}

fn prepared(
    kind: OptimizerKind,
    params: &backend::curve::Params,
    spec: &Spec,
    gradients: &Gradients,
    predictions: u64,
) -> Result<Measured, Box<dyn Error>> {
    let keys = StepKeys::generate_of(params, spec, Variant::public(kind))?;
    let mut state = State::init(&spec.config, 1).at_rest_of(kind);
    let optimizer = optimizer(kind)?;
    let pace = |step| Pace { rates: Rates::constant(1 << 26), step, predictions };
    for step in 1..4 {
        state.update(&optimizer.hyper(pace(step))?, gradients, &mut Default::default())?;
    }
    Ok(Measured { keys, state, hyper: optimizer.hyper(pace(4))? })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let spec = spec(&arguments.preset);
    let params = parameters::load(None, spec.config.k())?.params;
    params.bases();
    let sequences = batch(&spec, &corpus(), 8, 0);
    let gradients = batch_gradient(&spec, &State::init(&spec.config, 1).w, &sequences)?.gradients;
    let predictions = (sequences.len() * spec.config.context) as u64;
    let of = |kind| prepared(kind, &params, &spec, &gradients, predictions);
    let measured = [of(OptimizerKind::Sgd)?, of(OptimizerKind::AdamW)?];
    let (mut times, mut bytes, mut columns) = ([vec![], vec![]], [0; 2], [0; 2]);
    for _ in 0..arguments.runs {
        for (number, Measured { keys, state, hyper }) in measured.iter().enumerate() {
            let prover = StepProver::new(&params, keys, &spec);
            let UpdateTasks { tasks, inputs } =
                prover.update_tasks(&Domain::new("a measurement", &[]), state, &gradients, hyper)?;
            let (taken, proofs) = time(|| prover.execute_all(&tasks, &inputs, &mut |_| {}));
            times[number].push(taken);
            bytes[number] = proofs?.iter().map(Vec::len).sum::<usize>();
            columns[number] = keys.update.verifying.shape.advice;
        }
    }
    let [sgd, adamw] = times.map(|of| seconds(median(of)));
    println!("{}; `{}`, {} pairs.\n", machine::heading(), arguments.preset, arguments.runs);
    println!("| an update | SGD | AdamW | ratio |");
    println!("|---|---:|---:|---:|");
    println!("| proving | {:.1} ms | {:.1} ms | {:.2} |", 1e3 * sgd, 1e3 * adamw, adamw / sgd);
    println!("| proof bytes | {} | {} | {:.2} |", bytes[0], bytes[1], bytes[1] as f64 / bytes[0] as f64);
    println!(
        "| advice columns of an instance | {} | {} | {:.2} |",
        columns[0],
        columns[1],
        columns[1] as f64 / columns[0] as f64
    );
    Ok(())
}
