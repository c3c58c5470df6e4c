//! `estimate`: what proofs will cost, before there are any.

use crate::error::CliError;
use crate::format::{bytes, plural, time};
use crate::model_choice::ModelChoice;
use crate::training_args::OptimizerName;
use crate::ui::{Output, Ui};
use circuits::model::{Config, OptimizerKind, Spec};
use circuits::segments::{Circuits, Privacy, Variant};
use circuits::statements::{Extent, MAX_INSTANCES_PER_PROOF, MAX_PREDICTIONS, RunError};
use prover::estimate::{Pace, StepEstimate};
use serde_json::{Value, json};
use std::time::Duration;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelChoice,
    /// Of a private run
    #[arg(long)]
    private: bool,
    /// Of a run with this optimizer [default: sgd]
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    optimizer: OptimizerName,
    /// Of a run that clips gradients, as those of adamw always do
    #[arg(long)]
    clip: bool,
    /// Sequences per contribution
    #[arg(long, value_name = "B", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Contributions per step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    accumulate: u32,
    /// Most instances of a circuit that share a proof
    #[arg(long, value_name = "N", default_value_t = MAX_INSTANCES_PER_PROOF, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_INSTANCES_PER_PROOF)))]
    instances_per_proof: u32,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let config = args.model.config()?;
    let extent = Extent {
        batch: args.batch as usize,
        accumulate: args.accumulate as usize,
        instances_per_proof: args.instances_per_proof as usize,
    };
    let predictions = (extent.batch * extent.accumulate).saturating_mul(config.context) as u64;
    if predictions > MAX_PREDICTIONS {
        return Err(CliError::Usage(RunError::Predictions(predictions).to_string()));
    }
    let params = ui.params(&config)?;
    let privacy = if args.private { Privacy::Private } else { Privacy::Public };
    let variant = Variant { privacy, update: args.optimizer.update(args.clip) };
    let spinner = ui.spinner("proving a small circuit");
    let pace = Pace::measure(&params)?;
    let estimate = StepEstimate::of(&config, &Circuits::of(&Spec::new(config.clone()), variant), extent, pace)?;
    drop(spinner);
    // With momentum there are two for each.
    let genesis = match args.optimizer.kind() {
        OptimizerKind::Sgd => "a genesis proof without momentum",
        OptimizerKind::AdamW => "a genesis proof",
    };
    Ok(Output {
        text: text((&args.model.name(), genesis), &config, extent, &estimate),
        json: as_json(&config, extent, &estimate),
    })
}

fn text((name, genesis): (&str, &str), config: &Config, extent: Extent, of: &StepEstimate) -> String {
    let seconds = |x: f64| time(Duration::from_secs_f64(x));
    format!(
        "{name}: {}, {}\n{}\nverifying keys: {}\n{genesis}: about {}, once a run",
        plural(config.parameters() as u64, "parameter"),
        plural((extent.batch * extent.accumulate) as u64, "sequence"),
        line(of),
        bytes(of.key_bytes as u64),
        seconds(of.genesis_seconds),
    )
}

/// A step in a line.
pub fn line(of: &StepEstimate) -> String {
    format!(
        "proving a step: about {} and {} of memory; its proofs: {}",
        time(Duration::from_secs_f64(of.seconds)),
        bytes(of.peak_memory as u64),
        bytes(of.proof_bytes as u64)
    )
}

fn as_json(config: &Config, extent: Extent, of: &StepEstimate) -> Value {
    json!({
        "ok": true,
        "parameters": config.parameters(),
        "batch": extent.batch,
        "accumulate": extent.accumulate,
        "instances_per_proof": extent.instances_per_proof,
        "seconds": of.seconds,
        "genesis_seconds": of.genesis_seconds,
        "peak_memory_bytes": of.peak_memory as u64,
        "proof_bytes": of.proof_bytes,
        "key_bytes": of.key_bytes,
    })
}
