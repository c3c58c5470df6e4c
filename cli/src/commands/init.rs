//! `init`: a model with random weights.

use crate::error::CliError;
use crate::files::{self, Readers};
use crate::format::{hex, plural};
use crate::model_choice::ModelChoice;
use crate::model_dir;
use crate::tokenizer_file;
use crate::ui::{Output, Ui};
use circuits::model::{Config, Spec, State};
use circuits::statements::model_digest;
use prover::ProveError;
use prover::step::commit_state;
use serde_json::json;
use std::path::PathBuf;
use tokenizer::Tokenizer;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelChoice,
    /// The tokenizer.json of the model, which is copied: tokens of texts are what it makes of them. A preset's vocabulary becomes its; one of
    /// --config must have all its tokens
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Seed of the weights
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Weights that nobody can guess: drawn from the operating system, in a file that only its owner may read. For private runs
    #[arg(long, conflicts_with = "seed")]
    private: bool,
    /// Directory to create
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let (config, tokenizer) = args.model.with_tokenizer(args.tokenizer.as_deref())?;
    if let Some(file) = &args.tokenizer {
        tokenizer_file::warn_unused(file, &tokenizer, ui);
    }
    if args.out.join(model_dir::STATE).exists() {
        return Err(CliError::Usage(format!("{} already contains a model", args.out.display())));
    }
    if args.private {
        return private(&args, &config, &tokenizer);
    }
    let params = ui.params(&config)?;
    let commitments = {
        let _spinner = ui.spinner("commitments");
        let state = State::init(&config, args.seed);
        let commitments = commit_state(&params, &Spec::new(config.clone()), &state)?;
        files::create_dir(&args.out)?;
        tokenizer_file::keep(&args.out, Readers::Umask, &tokenizer)?;
        model_dir::save(&args.out, &config, &state, 0, Some(&commitments))?;
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
            "vocab_size": config.vocab,
            "tokenizer": tokenizer_file::digest(&tokenizer),
            "seed": args.seed,
            "model_digest": digest,
        }),
    })
}

/// No digest of it is told: whoever has it could see whether a guess at the weights is right.
fn private(args: &Args, config: &Config, tokenizer: &Tokenizer) -> Result<Output, CliError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| ProveError::NoRandomness)?;
    let state = State::secret(config, &secret);
    files::create_dir(&args.out)?;
    tokenizer_file::keep(&args.out, Readers::Owner, tokenizer)?;
    model_dir::save_for(Readers::Owner, &args.out, (config, &state, 0), None)?;
    let parameters = config.parameters() as u64;
    Ok(Output {
        text: format!("{}: {}, which only you may read", args.out.display(), plural(parameters, "parameter")),
        json: json!({ "ok": true, "model": args.out.display().to_string(), "parameters": parameters, "private": true }),
    })
}
