//! `init`: a model with random weights.

use crate::error::CliError;
use crate::format::{hex, plural};
use crate::model_choice::ModelChoice;
use crate::model_dir;
use crate::ui::{Output, Ui};
use circuits::model::{Spec, State};
use circuits::statements::model_digest;
use prover::step::commit_state;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelChoice,
    /// Seed of the weights
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Directory to create
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let config = args.model.config()?;
    if args.out.join(model_dir::STATE).exists() {
        return Err(CliError::Usage(format!("{} already contains a model", args.out.display())));
    }
    let params = ui.params(&config)?;
    let commitments = {
        let _spinner = ui.spinner("commitments");
        let state = State::init(&config, args.seed);
        let commitments = commit_state(&params, &Spec::new(config.clone()), &state)?;
        model_dir::save(&args.out, &config, &state, 0, &commitments)?;
        commitments
    };
    let digest = hex(&model_digest(&config, &commitments.digest()));
    let parameters = config.parameters() as u64;
    Ok(Output {
        text: format!("{}: {}, model {digest}", args.out.display(), plural(parameters, "parameter")),
        json: json!({
            "ok": true,
            "model": args.out.display().to_string(),
            "parameters": parameters,
            "seed": args.seed,
            "model_digest": digest,
        }),
    })
}
