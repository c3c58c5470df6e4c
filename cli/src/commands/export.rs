//! `export`: a model for the `transformers` library.

use crate::error::CliError;
use crate::files::{self, Readers};
use crate::format::{bytes, plural};
use crate::interchange::{self, SIDECAR_FILE, WEIGHTS_FILE};
use crate::model_dir;
use crate::ui::{Output, Ui};
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Model or run directory, or a state file
    #[arg(value_name = "MODEL|RUN")]
    model: PathBuf,
    /// Directory to write config.json, model.safetensors and gradientcoin.safetensors to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    // The weights last: without them nothing is imported.
    let [config_file, sidecar_file, weights_file] =
        [model_dir::CONFIG, SIDECAR_FILE, WEIGHTS_FILE].map(|name| args.out.join(name));
    if let Some(file) = [&config_file, &sidecar_file, &weights_file].into_iter().find(|file| file.exists()) {
        return Err(CliError::Usage(format!("{} already exists", file.display())));
    }
    let model = model_dir::load(&args.model)?;
    let exported = interchange::export(&model.config, &model.state, model.step).map_err(CliError::file(&args.model))?;
    let mut readers = Readers::Umask;
    if model_dir::is_private(&args.model) {
        readers = Readers::Owner;
        ui.warn("the model is private: the exported files hold its weights and momentum, from which the model one step before follows");
    }
    files::create_dir(&args.out)?;
    files::write(&config_file, model.config.to_hugging_face().as_bytes(), true)?;
    files::write_for(readers, &sidecar_file, &exported.sidecar, true)?;
    files::write_for(readers, &weights_file, &exported.weights, true)?;
    let parameters = model.config.parameters() as u64;
    let [weights, sidecar] = [&exported.weights, &exported.sidecar].map(|file| file.len() as u64);
    Ok(Output {
        text: format!(
            "{}: {}, {}, after {}, {}; {SIDECAR_FILE}, {}, holds the rest of the state",
            args.out.display(),
            model.config.architecture(),
            plural(parameters, "parameter"),
            plural(model.step, "step"),
            bytes(weights),
            bytes(sidecar),
        ),
        json: json!({
            "ok": true,
            "out": args.out.display().to_string(),
            "parameters": parameters,
            "step": model.step,
            "weights_bytes": weights,
            "sidecar_bytes": sidecar,
        }),
    })
}
