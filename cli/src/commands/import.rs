//! `import`: a model of the `transformers` library.

use crate::error::CliError;
use crate::format::{hex, plural};
use crate::interchange::{self, WEIGHTS_FILE};
use crate::ui::{Output, Ui};
use crate::{files, model_dir};
use circuits::model::{Config, Spec};
use circuits::statement::model_digest;
use prover::step::commit_state;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory with config.json and model.safetensors of a LlamaForCausalLM
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Directory of the model to make
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    if args.out.join(model_dir::STATE).exists() {
        return Err(CliError::Usage(format!("{} holds a model already", args.out.display())));
    }
    let config_file = args.dir.join(model_dir::CONFIG);
    let config = Config::from_json(&files::read_text(&config_file)?).map_err(CliError::file(&config_file))?;
    let weights_file = args.dir.join(WEIGHTS_FILE);
    let weights = files::read(&weights_file, interchange::file_limit(&config))?;
    let imported = interchange::import(&config, &weights).map_err(CliError::file(&weights_file))?;
    for (name, count) in &imported.saturated {
        let elements = plural(*count, "element");
        ui.warn(&format!("{}: {elements} of `{name}` beyond ±16 clipped", weights_file.display()));
    }
    let params = ui.params()?;
    let commitments = {
        let _spinner = ui.spinner("commitments");
        let commitments = commit_state(&params, &Spec::new(config.clone()), &imported.state)?;
        model_dir::save(&args.out, &config, &imported.state, &commitments)?;
        commitments
    };
    let parameters = config.parameters() as u64;
    let clipped: u64 = imported.saturated.values().sum();
    let digest = hex(&model_digest(&config, &commitments.digest()));
    Ok(Output {
        text: format!("{}: {}, {clipped} clipped, model {digest}", args.out.display(), plural(parameters, "parameter")),
        json: json!({
            "ok": true,
            "model": args.out.display().to_string(),
            "parameters": parameters,
            "saturated": imported.saturated,
            "model_digest": digest,
        }),
    })
}
