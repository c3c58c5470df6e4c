//! `inspect`: what is in a file or directory.

use crate::commands::chain::describe::{self, joined};
use crate::error::{CliError, FileError};
use crate::files::{self, MAX_SMALL, MAX_STATE};
use crate::format::hex;
use crate::key_file::KeyFile;
use crate::model_dir;
use crate::node_link::GENESIS;
use crate::run_dir::RunDir;
use crate::tokenizer_file::{self, TOKENIZER};
use crate::ui::{Output, Ui};
use ::chain::block::Block;
use ::chain::genesis::Genesis;
use ::chain::light::{Checkpoint, is_light_file};
use circuits::model::file::ModelState;
use circuits::model::{Config, Optimizer};
use circuits::ops::adamw::Betas;
use circuits::statements::codec::{self, Encoded};
use circuits::statements::dataset::{DatasetRoot, DatasetSecret, RevealedLeaf};
use circuits::statements::hidden::Opening;
use circuits::statements::{Bundle, GenesisProof, Run, StateCommitments, model_digest};
use prover::private::PrivateState;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;

mod chain;
mod genesis;
mod run;

use run::{bundle_facts, commitments_facts, config_facts, model_facts, run_facts, schedule_facts};

/// An optimizer, for machines.
fn optimizer(optimizer: &Optimizer) -> Value {
    match optimizer {
        Optimizer::Sgd { momentum, weight_decay, clip } => json!({
            "name": optimizer.kind().name(),
            "momentum": momentum.to_string(),
            "weight_decay": weight_decay.to_string(),
            "clip": clip.map(|clip| clip.to_string()),
        }),
        Optimizer::AdamW(Betas { beta1, beta2, eps, weight_decay, clip }) => json!({
            "name": optimizer.kind().name(),
            "beta1": beta1.to_string(),
            "beta2": beta2.to_string(),
            "eps": eps.to_string(),
            "weight_decay": weight_decay.to_string(),
            "clip": clip.to_string(),
        }),
    }
}

/// What is said of proofs and chains that are only shown.
const UNVERIFIED: &str = "none of this is verified here";

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Any file or directory that this program writes: of a model, a run, a chain, a wallet or a light client
    path: PathBuf,
    /// Of a revealed sequence: the tokenizer.json of its model. Without it, the tokens are shown as bytes
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, _: &Ui) -> Result<Output, CliError> {
    let path = &args.path;
    let tokenizer = args.tokenizer.as_deref().map_or(Ok(Tokenizer::bytes()), tokenizer_file::read)?;
    let (kind, facts) = if path.is_dir() { directory(path)? } else { file(path, &tokenizer)? };
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
        content.insert("genesis_proof".into(), dir.genesis_proof_file().exists().into());
        if dir.state_file().exists() {
            let state = dir.state()?;
            content.insert("steps_taken".into(), state.model.step.into());
        }
        tokenizer_of(dir.own(), &mut content)?;
        return Ok(("run directory", content));
    }
    let genesis = path.join(GENESIS);
    if genesis.exists() {
        return Ok(("devnet directory", genesis::facts(&genesis)?));
    }
    let file = path.join(model_dir::STATE);
    if !file.exists() {
        return Err(CliError::file(path)(FileError::Unknown));
    }
    let model = model_dir::load(path)?;
    let mut content = config_facts(&model.config);
    content.insert("steps".into(), model.step.into());
    tokenizer_of(path, &mut content)?;
    let commitments = path.join(model_dir::COMMITMENTS);
    if commitments.exists() {
        let commitments: StateCommitments = files::decode(&commitments, MAX_SMALL)?;
        let digest = model_digest(&model.config, &commitments.digest());
        content.insert("model_digest".into(), hex(&digest).into());
    }
    Ok(("model directory", content))
}

/// A tokenizer.
fn tokenizer_facts(tokenizer: &Tokenizer) -> Value {
    let special: Map<String, Value> =
        tokenizer.special().map(|(token, name)| (name.to_owned(), token.into())).collect();
    let kind = if tokenizer.is_bytes() { "bytes" } else { "byte-level BPE" };
    json!({ "kind": kind, "tokens": tokenizer.size(), "special": special, "digest": tokenizer_file::digest(tokenizer) })
}

/// The tokenizer in a directory, if there is one.
fn tokenizer_of(dir: &Path, content: &mut Facts) -> Result<(), CliError> {
    let file = dir.join(TOKENIZER);
    if file.exists() {
        content.insert("tokenizer".into(), tokenizer_facts(&tokenizer_file::read(&file)?));
    }
    Ok(())
}

fn file(path: &Path, tokenizer: &Tokenizer) -> Result<(&'static str, Facts), CliError> {
    let mut magic = [0; 8];
    let mut opened = File::open(path).map_err(CliError::io("read", path))?;
    let long_enough = opened.read_exact(&mut magic).is_ok();
    drop(opened);
    match magic {
        _ if is_light_file(path) => Ok(("light client file", chain::light_facts(path)?)),
        _ if chain::is_store(path) => Ok(("node store", chain::store_facts(path)?)),
        _ if !long_enough => Err(CliError::file(path)(FileError::Unknown)),
        Bundle::MAGIC => {
            let data = files::read(path, MAX_SMALL)?;
            let bundle: Bundle = codec::decode(&data).map_err(CliError::file(path))?;
            Ok(("bundle: the proofs of a step", bundle_facts(&bundle, data.len(), path)?))
        }
        Run::MAGIC => Ok(("run", facts(run_facts(&files::decode(path, MAX_SMALL)?, path)?))),
        PrivateState::MAGIC => {
            let PrivateState { model, .. } = files::decode(path, MAX_STATE)?;
            let content = json!({ "steps": model.step, "run": model.run.map(|id| hex(&id)) });
            Ok(("state of a private run, with its secrets: keep it", facts(content)))
        }
        DatasetSecret::MAGIC => {
            let secret: DatasetSecret = files::decode(path, MAX_SMALL)?;
            Ok(("secret of a data set: keep it", facts(json!({ "dataset": secret.root.to_string() }))))
        }
        Opening::MAGIC => {
            let opening: Opening = files::decode(path, MAX_SMALL)?;
            let content = json!({ "run": hex(&opening.run), "steps": opening.step });
            Ok(("opening of a private run's state", facts(content)))
        }
        RevealedLeaf::MAGIC => {
            let leaf: RevealedLeaf = files::decode(path, MAX_SMALL)?;
            let text = tokenizer.text(&leaf.tokens);
            let content = json!({
                "dataset": leaf.root.to_string(),
                "sequence": leaf.index,
                "tokens": leaf.tokens,
                "text": String::from_utf8_lossy(&text),
                "text_is_of": tokenizer_file::digest(tokenizer).unwrap_or_else(|| "bytes (--tokenizer names a tokenizer)".into()),
                "note": UNVERIFIED,
            });
            Ok(("revealed sequence of a data set", facts(content)))
        }
        ModelState::MAGIC => {
            let file: ModelState = files::decode(path, MAX_STATE)?;
            let (step, run) = (file.step, file.run);
            let (config, _) = file.open().map_err(CliError::file(path))?;
            let mut content = config_facts(&config);
            content.insert("steps".into(), step.into());
            content.insert("run".into(), run.map(|id| hex(&id)).into());
            Ok(("model state", content))
        }
        GenesisProof::MAGIC => {
            let proof: GenesisProof = files::decode(path, MAX_SMALL)?;
            let sizes: Vec<usize> = proof.updates.iter().map(Vec::len).collect();
            let content = json!({
                "update_proofs": sizes,
                "canonical_opening": proof.canonical.len(),
                "note": UNVERIFIED,
            });
            Ok(("genesis proof: shows that a first state is in range", facts(content)))
        }
        StateCommitments::MAGIC => {
            let commitments: StateCommitments = files::decode(path, MAX_SMALL)?;
            Ok(("state commitments", facts(commitments_facts(&commitments))))
        }
        Genesis::MAGIC => Ok(("chain genesis", genesis::facts(path)?)),
        Block::MAGIC => {
            let block: Block = files::decode(path, MAX_SMALL)?;
            let note = json!({ "note": UNVERIFIED });
            let header = describe::header(&block.header, &block.summary);
            Ok(("block", facts(joined([header, describe::content(None, &block)?, note]))))
        }
        Checkpoint::MAGIC => {
            let checkpoint: Checkpoint = files::decode(path, MAX_SMALL)?;
            let digest =
                json!({ "digest": checkpoint.digest()?.to_string(), "headers_before": checkpoint.ancestors.len() });
            let note = json!({ "note": UNVERIFIED });
            Ok(("light client checkpoint", facts(joined([describe::record(&checkpoint.record), digest, note]))))
        }
        KeyFile::MAGIC => {
            let key = KeyFile::read(path)?;
            let (address, cost) = (key.address().to_string(), key.cost);
            let argon2id = json!({ "memory_kib": cost.memory_kib, "passes": cost.passes, "lanes": cost.lanes });
            Ok(("key file", facts(json!({ "address": address, "argon2id": argon2id }))))
        }
        _ => {
            if let Some(log) = run::log_facts(path) {
                return Ok(("run log", log));
            }
            if let Some(log) = run::evaluation_facts(path) {
                return Ok(("log of held-out losses", log));
            }
            let text = files::read(path, tokenizer::MAX_FILE).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(Ok(root)) = text.as_ref().map(|text| text.trim_end().parse::<DatasetRoot>()) {
                let content = json!({ "dataset": root.to_string(), "sequences": root.leaves() });
                return Ok(("root of a data set", facts(content)));
            }
            let Some(text) = text.filter(|text| text.trim_start().starts_with('{')) else {
                return Err(CliError::file(path)(FileError::Unknown));
            };
            if let Some(settings) = run::settings_facts(&text) {
                return Ok(("run settings", settings?));
            }
            if serde_json::from_str::<Value>(&text).is_ok_and(|json| json.get("model").is_some_and(Value::is_object)) {
                return Ok(("tokenizer", facts(tokenizer_facts(&tokenizer_file::read(path)?))));
            }
            let config = Config::from_json(&text).map_err(CliError::file(path))?;
            Ok(("configuration", config_facts(&config)))
        }
    }
}
