//! A model's directory: `config.json`, `state.bin`, `commitments.bin`. A run's directory serves as well.

use crate::error::{CliError, FileError};
use crate::files;
use crate::stray::Stray;
use circuits::curve::Params;
use circuits::model::{Config, Spec, State};
use circuits::model_file::ModelState;
use circuits::statement::StateCommitments;
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
    let encoded: ModelState = files::decode(&file, files::MAX_STATE)?;
    let step = encoded.step;
    let (config, state) = encoded.open().map_err(CliError::file(&file))?;
    if let Some(config_file) = config_file.filter(|f| f.exists())
        && read_config(&config_file)? != config
    {
        let source = FileError::Foreign("the configuration is not that of the state beside it");
        return Err(CliError::File { path: config_file, source });
    }
    Ok(Model { config, state, step })
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

/// Commitments of a model's state.
pub fn commit(params: &Params, model: &Model) -> Result<StateCommitments, CliError> {
    Ok(commit_state(params, &Spec::new(model.config.clone()), &model.state)?)
}
