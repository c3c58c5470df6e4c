//! What an update of AdamW costs beside one of SGD, by clipped gradients too: of the same parameters by the same gradient, in turns.
//!
//! `cargo run --release -p benches --bin optimizers -- --preset micro`

use backend::parameters;
use benches::machine;
use benches::setup::{batch, corpus, spec};
use benches::timing::{median, seconds, time};
use circuits::model::{Gradients, Hyper, Optimizer, Pace, Rates, Spec, State, UpdateKind};
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
    /// Updates of each kind, of which the medians count
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// Usual numbers of an optimizer.
fn optimizer(kind: UpdateKind) -> Result<Optimizer, Box<dyn Error>> {
    let sgd = |clip| Ok(Optimizer::Sgd { momentum: "0.9".parse()?, weight_decay: "0".parse()?, clip });
    match kind {
        UpdateKind::Sgd => sgd(None),
        UpdateKind::ClippedSgd => sgd(Some("1".parse()?)),
        UpdateKind::AdamW => Ok(Optimizer::AdamW(Betas {
            beta1: "0.9".parse()?,
            beta2: "0.999".parse()?,
            eps: "1e-8".parse()?,
            weight_decay: "0.01".parse()?,
            clip: "1".parse()?,
        })),
    }
}

/// What is proven: an update after three others, so that no moment is zero.
struct Measured {
    keys: StepKeys,
    state: State,
    hyper: Hyper,
}

fn prepared(
    kind: UpdateKind,
    params: &backend::curve::Params,
    spec: &Spec,
    gradients: &Gradients,
    predictions: u64,
) -> Result<Measured, Box<dyn Error>> {
    let keys = StepKeys::generate_of(params, spec, Variant::public(kind))?;
    let mut state = State::init(&spec.config, 1).at_rest_of(kind.optimizer());
    let (optimizer, squares) = (optimizer(kind)?, gradients.squares());
    let pace = |step| Pace { rates: Rates::constant(1 << 26), step, predictions, squares };
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
    let measured = UpdateKind::ALL.map(|kind| prepared(kind, &params, &spec, &gradients, predictions));
    let (mut times, mut bytes, mut columns) = ([const { vec![] }; 3], [0; 3], [0; 3]);
    for _ in 0..arguments.runs {
        for (number, measured) in measured.iter().enumerate() {
            let Measured { keys, state, hyper } = measured.as_ref().map_err(ToString::to_string)?;
            let prover = StepProver::new(&params, keys, &spec);
            let UpdateTasks { tasks, inputs, .. } =
                prover.update_tasks(&Domain::new("a measurement", &[]), state, &gradients, hyper)?;
            let (taken, proofs) = time(|| prover.execute_all(&tasks, &inputs, &mut |_| {}));
            times[number].push(taken);
            bytes[number] = proofs?.iter().map(Vec::len).sum::<usize>();
            columns[number] = keys.update.verifying.shape.advice;
        }
    }
    let times = times.map(|of| 1e3 * seconds(median(of)));
    println!("{}; `{}`, {} runs.\n", machine::heading(), arguments.preset, arguments.runs);
    println!("| an update | SGD | SGD, clipped | AdamW | AdamW over SGD | over SGD, clipped |");
    println!("|---|---:|---:|---:|---:|---:|");
    let row = |name: &str, [sgd, clipped, adamw]: [f64; 3], places: usize| {
        let ratios = [adamw / sgd, adamw / clipped];
        println!(
            "| {name} | {sgd:.places$} | {clipped:.places$} | {adamw:.places$} | {:.2} | {:.2} |",
            ratios[0], ratios[1]
        );
    };
    row("proving, ms", times, 1);
    row("proof bytes", bytes.map(|bytes| bytes as f64), 0);
    row("advice columns of an instance", columns.map(|columns| columns as f64), 0);
    Ok(())
}
