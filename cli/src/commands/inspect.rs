//! `inspect`: what is in a file or directory.

use crate::commands::chain::describe::{self, joined};
use crate::error::{CliError, FileError};
use crate::files::{self, MAX_SMALL, MAX_STATE, MAX_TEXT};
use crate::format::{bytes, hex, plural};
use crate::key_file::KeyFile;
use crate::model_dir;
use crate::node_link::GENESIS;
use crate::run_dir::RunDir;
use crate::ui::{Output, Ui};
use ::chain::block::Block;
use ::chain::genesis::Genesis;
use ::chain::light::Checkpoint;
use circuits::codec::{self, Encoded};
use circuits::model::{Config, Schedule};
use circuits::model_file::ModelState;
use circuits::statement::{Bundle, Layouts, Run, StateCommitments};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

mod genesis;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A bundle, run, state, set of commitments, configuration, key file, genesis or block, or the directory of a
    /// model, run or devnet
    path: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, _: &Ui) -> Result<Output, CliError> {
    let path = &args.path;
    let (kind, facts) = if path.is_dir() { directory(path)? } else { file(path)? };
    let mut text = format!("{}: {kind}", path.display());
    for (name, value) in &facts {
        lines(&mut text, 1, name, value);
    }
    let json = json!({ "ok": true, "path": path.display().to_string(), "kind": kind, "content": facts });
    Ok(Output { text, json })
}

type Facts = Map<String, Value>;

/// Indented lines of `name: value`.
fn lines(text: &mut String, indent: usize, name: &str, value: &Value) {
    *text += &format!("\n{:1$}{name}", "", indent * 2);
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| lines(text, indent + 1, name, value)),
        Value::String(value) => *text += &format!(": {value}"),
        other => *text += &format!(": {other}"),
    }
}

fn facts(value: Value) -> Facts {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn directory(path: &Path) -> Result<(&'static str, Facts), CliError> {
    let dir = RunDir::new(path);
    if dir.run_file().exists() {
        let mut content = facts(run_facts(&dir.run()?, &dir.run_file())?);
        content.insert("bundles".into(), dir.bundles()?.len().into());
        if dir.begun() {
            let state = dir.state()?;
            content.insert("steps_taken".into(), state.step.into());
        }
        return Ok(("directory of a run", content));
    }
    let genesis = path.join(GENESIS);
    if genesis.exists() {
        return Ok(("directory of a devnet", genesis::facts(&genesis)?));
    }
    let file = path.join(model_dir::STATE);
    if !file.exists() {
        return Err(CliError::file(path)(FileError::Unknown));
    }
    let model = model_dir::load(path)?;
    let mut content = config_facts(&model.config);
    content.insert("steps".into(), model.step.into());
    let commitments = path.join(model_dir::COMMITMENTS);
    if commitments.exists() {
        let commitments: StateCommitments = files::decode(&commitments, MAX_SMALL)?;
        content.insert("state_digest".into(), hex(&commitments.digest()).into());
    }
    Ok(("directory of a model", content))
}

fn file(path: &Path) -> Result<(&'static str, Facts), CliError> {
    let mut magic = [0; 8];
    let mut opened = File::open(path).map_err(CliError::io("read", path))?;
    let long_enough = opened.read_exact(&mut magic).is_ok();
    drop(opened);
    match magic {
        _ if !long_enough => Err(CliError::file(path)(FileError::Unknown)),
        Bundle::MAGIC => {
            let data = files::read(path, MAX_SMALL)?;
            let bundle: Bundle = codec::decode(&data).map_err(CliError::file(path))?;
            Ok(("bundle: the proofs of a step", bundle_facts(&bundle, data.len(), path)?))
        }
        Run::MAGIC => Ok(("run", facts(run_facts(&files::decode(path, MAX_SMALL)?, path)?))),
        ModelState::MAGIC => {
            let file: ModelState = files::decode(path, MAX_STATE)?;
            let (step, run) = (file.step, file.run);
            let (config, _) = file.open().map_err(CliError::file(path))?;
            let mut content = config_facts(&config);
            content.insert("steps".into(), step.into());
            content.insert("run".into(), run.map(|id| hex(&id)).into());
            Ok(("state of a model", content))
        }
        StateCommitments::MAGIC => {
            let commitments: StateCommitments = files::decode(path, MAX_SMALL)?;
            Ok(("commitments of a state", facts(commitments_facts(&commitments))))
        }
        Genesis::MAGIC => Ok(("genesis of a chain", genesis::facts(path)?)),
        Block::MAGIC => {
            let block: Block = files::decode(path, MAX_SMALL)?;
            let note = json!({ "note": "nothing of this is verified here" });
            let header = describe::header(&block.header, &block.summary);
            Ok(("block of a chain", facts(joined([header, describe::content(None, &block)?, note]))))
        }
        Checkpoint::MAGIC => {
            let checkpoint: Checkpoint = files::decode(path, MAX_SMALL)?;
            let digest = json!({ "digest": hex(&checkpoint.digest()?), "headers_before": checkpoint.ancestors.len() });
            let note = json!({ "note": "nothing of this is verified here" });
            Ok(("checkpoint of a light client", facts(joined([describe::record(&checkpoint.record), digest, note]))))
        }
        KeyFile::MAGIC => {
            let key = KeyFile::read(path)?;
            let (address, cost) = (key.address().to_string(), key.cost);
            let argon2id = json!({ "memory_kib": cost.memory_kib, "passes": cost.passes, "lanes": cost.lanes });
            Ok(("key file", facts(json!({ "address": address, "argon2id": argon2id }))))
        }
        _ => {
            let text = files::read(path, MAX_TEXT).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            match text.filter(|text| text.trim_start().starts_with('{')) {
                Some(text) => {
                    let config = Config::from_json(&text).map_err(CliError::file(path))?;
                    Ok(("configuration", config_facts(&config)))
                }
                None => Err(CliError::file(path)(FileError::Unknown)),
            }
        }
    }
}

fn config_facts(config: &Config) -> Facts {
    facts(json!({
        "parameters": config.parameters(),
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "intermediate_size": config.mlp,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps.to_string(),
        "rope_theta": config.rope_theta.to_string(),
        "tie_word_embeddings": config.tied,
        "config_digest": hex(&config.digest()),
    }))
}

fn commitments_facts(commitments: &StateCommitments) -> Value {
    let columns: usize = commitments.segments.iter().map(|s| s.w.len() + s.lo.len() + s.v.len()).sum();
    json!({ "digest": hex(&commitments.digest()), "segments": commitments.segments.len(), "commitments": columns })
}

/// A rate of frac 36, for display.
fn rate(rate: u64) -> f64 {
    rate as f64 / (1u64 << 36) as f64
}

fn schedule_facts(schedule: &Schedule) -> Value {
    match *schedule {
        Schedule::Constant { rate: constant } => json!({ "kind": "constant", "rate": rate(constant) }),
        Schedule::Cosine { peak, floor, steps, warmup } => json!({
            "kind": "cosine", "peak": rate(peak), "floor": rate(floor), "steps": steps, "warmup": warmup,
        }),
    }
}

fn run_facts(run: &Run, path: &Path) -> Result<Value, CliError> {
    let config = run.check().map_err(CliError::file(path))?;
    Ok(json!({
        "id": hex(&run.id()?),
        "circuits": run.circuits,
        "genesis": commitments_facts(&run.genesis),
        "corpus_digest": hex(&run.corpus),
        "seed": run.seed,
        "batch": run.batch,
        "accumulate": run.accumulate,
        "predictions_per_step": run.predictions(&config),
        "schedule": schedule_facts(&run.schedule),
        "momentum": run.momentum.to_string(),
        "weight_decay": run.weight_decay.to_string(),
        "config": config_facts(&config),
    }))
}

fn bundle_facts(bundle: &Bundle, size: usize, path: &Path) -> Result<Facts, CliError> {
    let run = run_facts(&bundle.run, path)?;
    let config = bundle.run.check().map_err(CliError::file(path))?;
    let predictions = bundle.run.predictions(&config) as f64;
    let sum: u128 = bundle.contributions.iter().flat_map(|c| &c.losses).map(|&l| u128::from(l)).sum();
    let sizes = |proofs: &[Vec<u8>]| proofs.iter().map(Vec::len).collect::<Vec<_>>();
    let contributions: Vec<Value> = bundle
        .contributions
        .iter()
        .map(|c| json!({ "sequences": c.losses.len(), "layer_proofs": sizes(&c.layers), "head_proofs": sizes(&c.heads) }))
        .collect();
    Ok(facts(json!({
        "step": bundle.step,
        "claimed_loss": sum as f64 / f64::from(1 << 24) / predictions,
        "file": bytes(size as u64),
        "proof_bytes": bundle.proof_bytes(),
        "before": commitments_facts(&bundle.before),
        "contributions": contributions,
        "update_proofs": sizes(&bundle.updates),
        "update_instances": plural(Layouts::new(&config).updates().len() as u64, "instance"),
        "canonical_opening": bundle.canonical.len(),
        "note": "nothing of this is verified here",
        "run": run,
    })))
}
