//! A model's directory: `config.json`, `state.bin`, `commitments.bin`. A run's directory serves as well.

use crate::error::{CliError, FileError};
use crate::files;
use crate::stray::Stray;
use backend::curve::Params;
use circuits::model::file::ModelState;
use circuits::model::{Config, Spec, State};
use circuits::statements::{StateCommitments, model_digest};
use prover::step::commit_state;
use std::path::{Path, PathBuf};

/// The configuration, for people and other programs.
pub const CONFIG: &str = "config.json";
/// The state.
pub const STATE: &str = "state.bin";
/// Commitments of the state.
pub const COMMITMENTS: &str = "commitments.bin";

/// A model read from a directory or from a state's file.
pub struct Model {
    /// Configuration.
    pub config: Config,
    /// State.
    pub state: State,
    /// Steps taken.
    pub step: u64,
}

/// Reads a configuration, perhaps from elsewhere.
pub fn read_config(path: &Path) -> Result<Config, CliError> {
    let bytes = files::read(path, files::MAX_TEXT)?;
    if let Some(stray) = Stray::of_text(&bytes) {
        return Err(CliError::file(path)(stray));
    }
    let text = String::from_utf8(bytes).map_err(|_| CliError::file(path)(FileError::Text))?;
    Config::from_json(&text).map_err(CliError::file(path))
}

/// Reads a model from its directory, a run's directory, or a state's file.
pub fn load(path: &Path) -> Result<Model, CliError> {
    let (file, config_file) =
        if path.is_dir() { (path.join(STATE), Some(path.join(CONFIG))) } else { (path.to_owned(), None) };
    if path.is_dir() && !file.exists() {
        return Err(no_state(path));
    }
    let encoded: ModelState = files::decode(&file, files::MAX_STATE)?;
    let step = encoded.step;
    let (config, state) = encoded.open().map_err(CliError::file(&file))?;
    if let Some(config_file) = config_file.filter(|f| f.exists())
        && read_config(&config_file)? != config
    {
        let source = FileError::Foreign("the configuration does not match the state next to it".into());
        return Err(CliError::File { path: config_file, source });
    }
    Ok(Model { config, state, step })
}

/// What is there instead of a model.
fn no_state(dir: &Path) -> CliError {
    let weights = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"];
    let message = match weights.into_iter().find(|name| dir.join(name).exists()) {
        Some(name) => {
            let dir = dir.display();
            format!("it contains {name} but no {STATE}: `gradientcoin import {dir} --out MODEL` imports it")
        }
        None => format!("it contains no {STATE}: this is not a model or run directory"),
    };
    CliError::File { path: dir.to_owned(), source: FileError::Foreign(message) }
}

/// Writes a model that is of no run, after `step` steps; its state last.
pub fn save(
    dir: &Path,
    config: &Config,
    state: &State,
    step: u64,
    commitments: &StateCommitments,
) -> Result<Vec<PathBuf>, CliError> {
    files::create_dir(dir)?;
    let paths = [CONFIG, COMMITMENTS, STATE].map(|name| dir.join(name));
    files::write(&paths[0], config.to_json().as_bytes(), true)?;
    files::encode(&paths[1], commitments, true)?;
    files::encode(&paths[2], &ModelState::new(config, state, None, step), true)?;
    Ok(paths.to_vec())
}

/// The keys in which a model's configuration differs from a run's, with both values.
pub fn differences(model: &Config, run: &Config) -> Vec<String> {
    let fields = |c: &Config| {
        [
            ("vocab_size", c.vocab.to_string()),
            ("hidden_size", c.hidden.to_string()),
            ("intermediate_size", c.mlp.to_string()),
            ("num_hidden_layers", c.layers.to_string()),
            ("num_attention_heads", c.heads.to_string()),
            ("max_position_embeddings", c.context.to_string()),
            ("rms_norm_eps", c.norm_eps.to_string()),
            ("rope_theta", c.rope_theta.to_string()),
            ("tie_word_embeddings", c.tied.to_string()),
        ]
    };
    let pairs = fields(model).into_iter().zip(fields(run)).filter(|(a, b)| a.1 != b.1);
    pairs.map(|((key, a), (_, b))| format!("its `{key}` is {a}, but the run's is {b}")).collect()
}

/// Digest of a model: configuration and state.
pub fn digest(params: &Params, model: &Model) -> Result<[u8; 32], CliError> {
    Ok(model_digest(&model.config, &commit(params, model)?.digest()))
}

/// Commitments of a model's state.
pub fn commit(params: &Params, model: &Model) -> Result<StateCommitments, CliError> {
    Ok(commit_state(params, &Spec::new(model.config.clone()), &model.state)?)
}
