//! Checkpoints of a run: whole models, which everything that takes a model takes.

use super::RunDir;
use crate::error::CliError;
use crate::files::{self, Readers, TEMPORARY};
use crate::model_dir::{CONFIG, STATE};
use crate::tokenizer_file;
use circuits::model::Config;
use circuits::model::file::ModelState;
use circuits::statements::codec;
use std::fs;
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;

impl RunDir {
    fn checkpoints(&self) -> PathBuf {
        self.own.join("checkpoints")
    }

    /// The checkpoint after so many steps.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:06}"))
    }

    /// Whether there is one after so many steps.
    pub fn has_checkpoint(&self, step: u64) -> bool {
        self.checkpoint(step).join(STATE).exists()
    }

    /// Whether there are checkpoints of any run.
    pub fn has_checkpoints(&self) -> bool {
        self.checkpoints().exists()
    }

    /// Writes a checkpoint: under another name until all of it is there. Of a private run it holds the model, in a file that only its
    /// owner may read, and not what hides the run's state.
    pub fn write_checkpoint(
        &self,
        config: &Config,
        model: &ModelState,
        tokenizer: &Tokenizer,
    ) -> Result<PathBuf, CliError> {
        let (dir, all) = (self.checkpoint(model.step), self.checkpoints());
        self.create_own_dir(&all)?;
        let unfinished = all.join(format!("{TEMPORARY}step-{:06}", model.step));
        remove_dir(&unfinished)?;
        self.create_own_dir(&unfinished)?;
        files::write(&unfinished.join(CONFIG), config.to_json().as_bytes(), true)?;
        tokenizer_file::keep(&unfinished, self.readers, tokenizer)?;
        let state = unfinished.join(STATE);
        files::write_for(self.readers, &state, &codec::encode(model).map_err(CliError::file(&state))?, true)?;
        // One that is there is of the same run after as many steps: the same model.
        remove_dir(&dir)?;
        fs::rename(&unfinished, &dir).map_err(CliError::io("write", &dir))?;
        files::sync_dir(&all)?;
        Ok(dir)
    }

    /// Removes a checkpoint that was not finished.
    pub(super) fn clean_checkpoints(&self) -> Result<(), CliError> {
        let all = self.checkpoints();
        if !all.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(&all).map_err(CliError::io("list", &all))? {
            let entry = entry.map_err(CliError::io("list", &all))?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                remove_dir(&entry.path())?;
            }
        }
        Ok(())
    }

    fn create_own_dir(&self, path: &Path) -> Result<(), CliError> {
        if self.readers == Readers::Owner { files::create_private_dir(path) } else { files::create_dir(path) }
    }
}

fn remove_dir(path: &Path) -> Result<(), CliError> {
    if path.exists() { fs::remove_dir_all(path).map_err(CliError::io("remove", path)) } else { Ok(()) }
}
