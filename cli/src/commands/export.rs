//! `export`: a model for the `transformers` library.

use crate::error::CliError;
use crate::files::{self, Readers};
use crate::format::{bytes, plural};
use crate::interchange::{self, SIDECAR_FILE, WEIGHTS_FILE};
use crate::model_dir;
use crate::run_dir::RunDir;
use crate::tokenizer_file::{self, TOKENIZER};
use crate::ui::{Output, Ui};
use circuits::model::Config;
use serde_json::json;
use std::path::PathBuf;
use tokenizer::Tokenizer;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Model or run directory, or a state file
    #[arg(value_name = "MODEL|RUN")]
    model: PathBuf,
    /// Directory to write config.json, tokenizer.json, model.safetensors and gradientcoin.safetensors to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What `transformers` must know besides the tokenizer itself: which of its classes reads it, and that the text of tokens is just that.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

fn tokenizer_config(config: &Config) -> String {
    let json = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        "clean_up_tokenization_spaces": false,
        "split_special_tokens": true,
    });
    format!("{json:#}\n")
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    // The weights last: without them nothing is imported.
    let names = [model_dir::CONFIG, TOKENIZER, TOKENIZER_CONFIG, SIDECAR_FILE, WEIGHTS_FILE];
    let [config_file, json_file, tokenizer_config_file, sidecar_file, weights_file] =
        names.map(|name| args.out.join(name));
    if let Some(file) = names.map(|name| args.out.join(name)).into_iter().find(|file| file.exists()) {
        return Err(CliError::Usage(format!("{} already exists", file.display())));
    }
    let out = RunDir::new(&args.out);
    if let Some(other) = if out.run_file().exists() { Some("a run") } else { out.occupied() } {
        // Its tokenizer would be another's.
        return Err(CliError::Usage(format!("{} contains {other}", args.out.display())));
    }
    let model = model_dir::load(&args.model)?;
    let tokenizer = tokenizer_file::of_model(&args.model, &model.config)?;
    tokenizer_file::warn_unused(&args.model, &tokenizer, ui);
    let tokenizer_json = match tokenizer.json() {
        Some(json) => Some(json.to_vec()),
        // A smaller vocabulary does not have all bytes.
        None if model.config.vocab >= 256 => Some(Tokenizer::json_of_bytes()?),
        None => None,
    };
    let exported = interchange::export(&model.config, &model.state, model.step).map_err(CliError::file(&args.model))?;
    let mut readers = Readers::Umask;
    if model_dir::is_private(&args.model) {
        readers = Readers::Owner;
        ui.warn("the model is private: the exported files hold its weights and momentum, from which the model one step before follows");
    }
    files::create_dir(&args.out)?;
    files::write(&config_file, model.config.to_hugging_face().as_bytes(), true)?;
    if let Some(json) = &tokenizer_json {
        files::write_for(readers, &json_file, json, true)?;
        files::write(&tokenizer_config_file, tokenizer_config(&model.config).as_bytes(), true)?;
    }
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
            "tokenizer": tokenizer_file::digest(&tokenizer),
        }),
    })
}
