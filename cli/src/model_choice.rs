//! Which model: a preset, or a configuration's file.

use crate::error::CliError;
use crate::model_dir;
use crate::tokenizer_file;
use circuits::model::Config;
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;

/// Arguments of commands that need a configuration and no weights.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("model").required(true))]
pub struct ModelChoice {
    /// nano, micro or mini
    #[arg(long, group = "model", value_parser = ["nano", "micro", "mini"])]
    preset: Option<String>,
    /// A `config.json` with the keys of Hugging Face's LlamaConfig or Qwen2Config
    #[arg(long, group = "model", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ModelChoice {
    /// What it was called.
    pub fn name(&self) -> String {
        let file = self.config.as_ref().map(|file| file.display().to_string());
        file.or_else(|| self.preset.clone()).unwrap_or_default()
    }

    /// The configuration, with a tokenizer that it has all tokens of: a preset's vocabulary becomes that tokenizer's.
    pub fn with_tokenizer(&self, file: Option<&Path>) -> Result<(Config, Tokenizer), CliError> {
        let mut config = self.config()?;
        let Some(file) = file else { return Ok((config, Tokenizer::bytes())) };
        let tokenizer = tokenizer_file::read(file)?;
        if self.config.is_none() && !tokenizer.is_bytes() {
            // A vocabulary is a multiple of 4: the tokens beyond the tokenizer's have no text.
            config.vocab = tokenizer.size().next_multiple_of(4);
            config.check().map_err(CliError::file(file))?;
        }
        tokenizer_file::check(file, &tokenizer, &config)?;
        Ok((config, tokenizer))
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config, CliError> {
        match (&self.config, &self.preset) {
            (Some(file), _) => model_dir::read_config(file),
            (None, preset) => {
                Config::preset(preset.as_deref().unwrap_or("nano")).map_err(|e| CliError::Usage(e.to_string()))
            }
        }
    }
}
