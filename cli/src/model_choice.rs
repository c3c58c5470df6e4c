//! Which model: a preset, or a configuration's file.

use crate::error::CliError;
use crate::model_dir;
use circuits::model::Config;
use std::path::PathBuf;

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

    /// Whether it is a preset.
    pub fn is_preset(&self) -> bool {
        self.config.is_none()
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
