//! `export`: a model for the `transformers` library.

use crate::error::CliError;
use crate::format::{bytes, plural};
use crate::interchange::{self, WEIGHTS_FILE};
use crate::ui::{Output, Ui};
use crate::{files, model_dir};
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory of a model or of a run, or a state's file
    #[arg(value_name = "MODEL|RUN")]
    model: PathBuf,
    /// Directory to write config.json and model.safetensors to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<Output, CliError> {
    let weights_file = args.out.join(WEIGHTS_FILE);
    if weights_file.exists() {
        return Err(CliError::Usage(format!("{} holds weights already", args.out.display())));
    }
    let model = model_dir::load(&args.model)?;
    let weights = interchange::export(&model.config, &model.state.w).map_err(CliError::file(&args.model))?;
    files::create_dir(&args.out)?;
    files::write(&args.out.join(model_dir::CONFIG), model.config.to_json().as_bytes(), true)?;
    files::write(&weights_file, &weights, true)?;
    let parameters = model.config.parameters() as u64;
    let size = weights.len() as u64;
    Ok(Output {
        text: format!(
            "{}: LlamaForCausalLM, {}, after {}, {}",
            args.out.display(),
            plural(parameters, "parameter"),
            plural(model.step, "step"),
            bytes(size)
        ),
        json: json!({
            "ok": true,
            "out": args.out.display().to_string(),
            "parameters": parameters,
            "step": model.step,
            "weights_bytes": size,
        }),
    })
}
