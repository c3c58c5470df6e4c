//! What a run and its files say.

use super::{Facts, UNVERIFIED, facts, optimizer};
use crate::commands::chain::describe::joined;
use crate::error::{CliError, FileError};
use crate::files;
use crate::format::{bytes, hex, plural};
use crate::run_dir::{Evaluation, LogLine, MAX_LOG, Settings};
use circuits::model::{Config, Schedule, SquareSum};
use circuits::statements::{Bundle, Disclosure, Layouts, Run, RunData, StateCommitments, model_digest};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;

/// A configuration.
pub fn config_facts(config: &Config) -> Facts {
    facts(json!({
        "parameters": config.parameters(),
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "intermediate_size": config.mlp,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads(),
        "head_dim": config.head_dim(),
        "architecture": config.architecture(),
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps.to_string(),
        "rope_theta": config.rope_theta.to_string(),
        "rope_scaling": config.rope_scaling.to_string(),
        "tie_word_embeddings": config.tied,
        "config_digest": hex(&config.digest()),
    }))
}

/// Commitments of a state.
pub fn commitments_facts(commitments: &StateCommitments) -> Value {
    let columns: usize = commitments.segments.iter().map(|s| s.ports().map(Vec::len).sum::<usize>()).sum();
    json!({ "state_digest": hex(&commitments.digest()), "segments": commitments.segments.len(), "commitments": columns })
}

/// Commitments of a model whose configuration is known.
pub fn model_facts(config: &Config, commitments: &StateCommitments) -> Value {
    let digest = json!({ "model_digest": hex(&model_digest(config, &commitments.digest())) });
    joined([digest, commitments_facts(commitments)])
}

/// A rate of frac 36, for display.
fn rate(rate: u64) -> f64 {
    rate as f64 / (1u64 << 36) as f64
}

/// A schedule.
pub fn schedule_facts(schedule: &Schedule) -> Value {
    match *schedule {
        Schedule::Constant { rate: constant } => json!({ "kind": "constant", "rate": rate(constant) }),
        Schedule::Cosine { peak, floor, steps, warmup } | Schedule::Linear { peak, floor, steps, warmup } => json!({
            "kind": schedule.name(), "peak": rate(peak), "floor": rate(floor), "steps": steps, "warmup": warmup,
        }),
        Schedule::Stable { peak, floor, steps, warmup, decay } => json!({
            "kind": schedule.name(), "peak": rate(peak), "floor": rate(floor), "steps": steps, "warmup": warmup,
            "decay": decay,
        }),
    }
}

/// What batches are drawn from.
fn data_facts(data: &RunData) -> Value {
    match data {
        RunData::Corpus(digest) => json!({ "corpus_digest": hex(digest) }),
        RunData::Dataset(root) => json!({ "dataset": root.to_string(), "sequences": root.leaves() }),
    }
}

/// A run.
pub fn run_facts(run: &Run, path: &Path) -> Result<Value, CliError> {
    let config = run.check().map_err(CliError::file(path))?;
    Ok(json!({
        "id": hex(&run.id()?),
        "circuits": run.circuits,
        "genesis": model_facts(&config, &run.genesis),
        "kind": run.disclosure.privacy().name(),
        "losses_disclosed_over_steps": match run.disclosure {
            Disclosure::Public => None,
            Disclosure::Private { loss_steps } => Some(loss_steps),
        },
        "steps_taken_before": run.taken,
        "data": data_facts(&run.data),
        "seed": run.seed,
        "batch": run.batch,
        "accumulate": run.accumulate,
        "predictions_per_step": run.predictions(&config),
        "schedule": schedule_facts(&run.schedule),
        "optimizer": optimizer(&run.optimizer),
        "instances_per_proof": run.instances_per_proof,
        "config": config_facts(&config),
    }))
}

/// A bundle, of so many bytes.
pub fn bundle_facts(bundle: &Bundle, size: usize, path: &Path) -> Result<Facts, CliError> {
    let run = run_facts(&bundle.run, path)?;
    let config = bundle.run.check().map_err(CliError::file(path))?;
    let predictions = bundle.run.predictions(&config) as f64;
    let sum: u128 = bundle.contributions.iter().flat_map(|c| &c.losses).map(|&l| u128::from(l)).sum();
    let steps = bundle.run.disclosure.loss_of(bundle.step).unwrap_or(1) as f64;
    let sum = match &bundle.private {
        None => Some(sum),
        Some(private) => private.loss.as_ref().map(|loss| loss.sum),
    };
    let claimed = sum.map(|sum| sum as f64 / f64::from(1 << 24) / predictions / steps);
    let sizes = |proofs: &[Vec<u8>]| proofs.iter().map(Vec::len).collect::<Vec<_>>();
    let contributions: Vec<Value> = bundle
        .contributions
        .iter()
        .map(|c| json!({ "sequences": bundle.run.batch, "layer_proofs": sizes(&c.layers), "head_proofs": sizes(&c.heads) }))
        .collect();
    Ok(facts(json!({
        "step": bundle.step,
        "claimed_loss": claimed,
        "claimed_loss_is_over_steps": bundle.run.disclosure.loss_of(bundle.step),
        "file": bytes(size as u64),
        "proof_bytes": bundle.proof_bytes(),
        "before": model_facts(&config, &bundle.before),
        "contributions": contributions,
        "gradient_norm": (!bundle.squares.is_empty())
            .then(|| SquareSum::total(&bundle.squares).mean_norm(predictions as u64)),
        "update_proofs": sizes(&bundle.updates),
        "update_instances": plural(Layouts::new(&config).updates().len() as u64, "instance"),
        "canonical_opening": bundle.canonical.len(),
        "span_proof": bundle.private.as_ref().map(|private| private.span.len()),
        "note": UNVERIFIED,
        "run": run,
    })))
}

/// The lines of a log, if its first one is of this kind.
fn log_lines<L: DeserializeOwned>(path: &Path) -> Option<(L, Vec<Option<L>>)> {
    let parse = |line: &str| serde_json::from_str::<L>(line).ok();
    let text = String::from_utf8(files::read(path, MAX_LOG).ok()?).ok()?;
    Some((parse(text.lines().next()?)?, text.lines().map(parse).collect()))
}

/// A log, if that is what the text is.
pub fn log_facts(path: &Path) -> Option<Facts> {
    let (first, lines) = log_lines::<LogLine>(path)?;
    let (count, good) = (lines.len(), lines.iter().flatten());
    let last = good.clone().last().unwrap_or(&first);
    Some(facts(json!({
        "lines": count,
        "damaged": count - good.clone().count(),
        "first_step": first.step,
        "last_step": last.step,
        "first_loss": first.loss,
        "last_loss": last.loss,
        "saturated": good.map(|line| line.saturated).sum::<u64>(),
    })))
}

/// A log of held-out losses, if that is what the text is.
pub fn evaluation_facts(path: &Path) -> Option<Facts> {
    let (first, lines) = log_lines::<Evaluation>(path)?;
    let (count, good) = (lines.len(), lines.iter().flatten());
    let last = good.clone().last().unwrap_or(&first);
    let lowest = good.clone().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap_or(&first);
    Some(facts(json!({
        "lines": count,
        "damaged": count - good.count(),
        "predictions": last.predictions,
        "first_step": first.step,
        "last_step": last.step,
        "first_loss": first.loss,
        "last_loss": last.loss,
        "lowest_loss": lowest.loss,
        "lowest_at_step": lowest.step,
    })))
}

/// What a trainer goes on with, if that is what the text is.
pub fn settings_facts(text: &str) -> Option<Result<Facts, CliError>> {
    let settings: Settings = serde_json::from_str(text).ok()?;
    let value = serde_json::to_value(settings).map_err(|e| FileError::Json(e.to_string()));
    Some(Ok(value.map(facts).unwrap_or_default()))
}
