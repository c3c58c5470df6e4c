//! A model's directory: `config.json`, `state.bin`, `commitments.bin`. A run's directory serves as well.

use crate::error::{CliError, FileError};
use crate::files::{self, Readers};
use crate::run_dir::RunDir;
use crate::stray::Stray;
use backend::curve::Params;
use circuits::model::file::ModelState;
use circuits::model::{Config, Spec, State};
use circuits::statements::codec::Encoded;
use circuits::statements::{StateCommitments, codec, model_digest};
use prover::private::PrivateState;
use prover::step::commit_state;
use std::path::{Path, PathBuf};

/// The configuration, for people and other programs.
pub const CONFIG: &str = "config.json";
/// The state.
pub const STATE: &str = "state.bin";
/// What opens the commitments of a private run's state, beside a model that was revealed.
pub const OPENING: &str = "opening.bin";
/// Commitments of the state.
pub const COMMITMENTS: &str = "commitments.bin";

/// A model read from a directory or from a state's file.
pub struct Model {
    /// Configuration.
    pub config: Config,
    /// State.
    pub state: State,
    /// Steps that its optimizer has taken, in all.
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
    let dir = RunDir::new(path);
    if dir.is_private() {
        let (model, file) = (dir.state()?.model, dir.state_file());
        let step = dir.run()?.taken.saturating_add(model.step);
        let (config, state) = model.open().map_err(CliError::file(&file))?;
        return Ok(Model { config, state, step });
    }
    let (file, config_file) =
        if path.is_dir() { (path.join(STATE), Some(path.join(CONFIG))) } else { (path.to_owned(), None) };
    if path.is_dir() && !file.exists() {
        return Err(no_state(path));
    }
    let encoded = state_of(&file)?;
    let step = encoded.step.saturating_add(encoded.run.map_or(Ok(0), |run| taken_before(path, &run))?);
    let (config, state) = encoded.open().map_err(CliError::file(&file))?;
    if let Some(config_file) = config_file.filter(|f| f.exists())
        && read_config(&config_file)? != config
    {
        let source = FileError::Foreign("the configuration does not match the state next to it".into());
        return Err(CliError::File { path: config_file, source });
    }
    Ok(Model { config, state, step })
}

/// Steps that the optimizer had taken to the first state of the run that a state is of: they stand in the run's file, which is in the
/// state's directory, or, of a checkpoint, in the run's. Of a state that is far from its run they are not known, and not counted.
fn taken_before(path: &Path, run: &[u8; 32]) -> Result<u64, CliError> {
    // RUN/state.bin, RUN/checkpoints/step-N/state.bin, RUN/secret/checkpoints/step-N/state.bin.
    for dir in path.ancestors().take(5).map(RunDir::new) {
        if !dir.run_file().exists() {
            continue;
        }
        let found = dir.run()?;
        if found.id()? == *run {
            return Ok(found.taken);
        }
    }
    Ok(0)
}

/// A state's file: a public one, or a private run's with its secrets.
fn state_of(file: &Path) -> Result<ModelState, CliError> {
    let bytes = files::read(file, files::MAX_STATE)?;
    if bytes.starts_with(&PrivateState::MAGIC) {
        files::check_secret(file)?;
        let private: PrivateState = codec::decode(&bytes).map_err(CliError::file(file))?;
        return Ok(private.model);
    }
    codec::decode(&bytes).map_err(CliError::file(file))
}

/// Whether a model is one that only its owner may read, as those of private runs are.
pub fn is_private(path: &Path) -> bool {
    let state = if path.is_dir() { path.join(STATE) } else { path.to_owned() };
    RunDir::new(path).is_private() || files::is_secret(&state)
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

/// Writes a model that is of no run, after `step` steps, with its commitments if they are given; its state last.
pub fn save(
    dir: &Path,
    config: &Config,
    state: &State,
    step: u64,
    commitments: Option<&StateCommitments>,
) -> Result<Vec<PathBuf>, CliError> {
    save_for(Readers::Umask, dir, (config, state, step), commitments)
}

/// The same, for some readers of the state.
pub fn save_for(
    readers: Readers,
    dir: &Path,
    (config, state, step): (&Config, &State, u64),
    commitments: Option<&StateCommitments>,
) -> Result<Vec<PathBuf>, CliError> {
    files::create_dir(dir)?;
    let [config_file, state_file] = [CONFIG, STATE].map(|name| dir.join(name));
    let mut paths = vec![config_file.clone()];
    files::write(&config_file, config.to_json().as_bytes(), true)?;
    if let Some(commitments) = commitments {
        paths.push(dir.join(COMMITMENTS));
        files::encode(&dir.join(COMMITMENTS), commitments, true)?;
    }
    let state = ModelState::new(config, state, None, step);
    let bytes = codec::encode(&state).map_err(CliError::file(&state_file))?;
    files::write_for(readers, &state_file, &bytes, true)?;
    paths.push(state_file);
    Ok(paths)
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
            ("num_key_value_heads", c.kv_heads().to_string()),
            ("head_dim", c.head_dim().to_string()),
            ("architectures", c.architecture().to_owned()),
            ("max_position_embeddings", c.context.to_string()),
            ("rms_norm_eps", c.norm_eps.to_string()),
            ("rope_theta", c.rope_theta.to_string()),
            ("rope_scaling", c.rope_scaling.to_string()),
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
