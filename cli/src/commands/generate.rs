//! `generate`: what a model makes of a text.

use crate::answers;
use crate::commands::chain::describe::joined;
use crate::error::CliError;
use crate::format::hex;
use crate::model_dir;
use crate::node_link::NodeLink;
use crate::tokenizer_file;
use crate::ui::{Output, Ui};
use crate::utf8::Utf8Stream;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Config, GenerateError, Generator, MAX_VOCAB, Sampling, Spec, State, Token};
use circuits::statements::model_digest;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Text to continue; an empty prompt stands for the beginning of a line
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prompt: String,
    /// Tokens to generate; of a model without a tokenizer each is a byte
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    tokens: u64,
    /// Sampling temperature: lower values favour likelier tokens; 0 always takes the most likely [default: 1 with
    /// --top-k, else 0]
    #[arg(long, value_name = "T")]
    temperature: Option<Decimal>,
    /// Sample only from the K most likely tokens [default: all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    top_k: Option<u64>,
    /// Seed for sampling [default: 0]
    #[arg(long)]
    seed: Option<u64>,
}

/// Where the weights come from.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(super) struct Source {
    /// Model or run directory, or a state file
    #[arg(long, group = "source", value_name = "DIR")]
    model: Option<PathBuf>,
    /// Directory of a devnet: uses the model at its tip and checks its commitments
    #[arg(long, group = "source", value_name = "DIR")]
    chain: Option<PathBuf>,
}

/// A model, its tokenizer, and what is said of it to machines.
pub(super) struct Loaded {
    pub config: Config,
    pub state: State,
    pub tokenizer: Tokenizer,
    pub facts: Value,
}

impl Loaded {
    /// The tokens of a prompt; with a tokenizer, an empty one is a new line.
    pub fn prompt(&self, text: &[u8]) -> Result<Vec<Token>, CliError> {
        let is_start = text.is_empty() && !self.tokenizer.is_bytes();
        Ok(self.tokenizer.encode(if is_start { b"\n" } else { text })?)
    }
}

impl Source {
    /// Reads it.
    pub(super) fn load(&self, ui: &Ui) -> Result<Loaded, CliError> {
        match (&self.model, &self.chain) {
            (Some(path), _) => from_file(path, ui),
            (None, Some(dir)) => from_chain(dir, ui),
            (None, None) => Err(CliError::Usage("specify a model with --model or --chain".to_owned())),
        }
    }
}

fn from_file(path: &Path, ui: &Ui) -> Result<Loaded, CliError> {
    let model = model_dir::load(path)?;
    let tokenizer = tokenizer_file::of_model(path, &model.config)?;
    tokenizer_file::warn_missing(path, &tokenizer, &model.config, ui);
    let mut facts = json!({ "step": model.step });
    // The digest of a private model confirms a guess at its weights.
    if ui.is_json() && !model_dir::is_private(path) {
        // Commitments take longer than a text does: only for those who see them.
        facts["model_digest"] = hex(&model_dir::digest(&ui.params(&model.config)?, &model)?).into();
    }
    Ok(Loaded { config: model.config, state: model.state, tokenizer, facts })
}

/// A node may say anything: the commitments are computed and compared, whoever sees them.
fn from_chain(dir: &Path, ui: &Ui) -> Result<Loaded, CliError> {
    if dir.join(model_dir::STATE).exists() {
        return Err(CliError::Usage(format!(
            "{} contains a model, not a devnet: specify it with --model",
            dir.display()
        )));
    }
    let link = NodeLink::open(dir, "--chain")?;
    let params = ui.params(link.spec().config())?;
    let model = {
        let _spinner = ui.spinner("commitments");
        answers::model(&link, &params)?
    };
    let summary = &model.record.summary;
    let facts = json!({
        "step": summary.step,
        "model_digest": hex(&model_digest(&model.config, summary.state.as_bytes())),
        "chain": link.spec().id().to_string(),
        "block": model.record.header.id().to_string(),
        "height": summary.height,
    });
    Ok(Loaded { config: model.config, state: model.state, tokenizer: Tokenizer::bytes(), facts })
}

impl Args {
    fn sampling(&self) -> Result<Sampling, CliError> {
        if self.temperature.is_none() && self.top_k.is_none() {
            return match self.seed {
                None => Ok(Sampling::Greedy),
                Some(_) => Err(CliError::Usage("--seed needs --temperature or --top-k".to_owned())),
            };
        }
        let temperature = match self.temperature {
            Some(temperature) => temperature,
            None => "1".parse().map_err(|_| CliError::Usage("1 is not a number".to_owned()))?,
        };
        let k = self.top_k.map_or(MAX_VOCAB, |k| usize::try_from(k).unwrap_or(usize::MAX));
        Ok(Sampling::TopK { k, temperature, seed: self.seed.unwrap_or(0) })
    }
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let sampling = args.sampling()?;
    let model = args.source.load(ui)?;
    let spec = Spec::new(model.config.clone());
    let prompt = model.prompt(args.prompt.as_bytes())?;
    let generator = Generator::new(&spec, &model.state.w, &prompt, sampling).map_err(|error| match error {
        GenerateError::Sampling(error) => CliError::Usage(error.to_string()),
        prompt => CliError::Generate(prompt),
    })?;

    let (mut tokens, mut text) = (vec![], vec![]);
    let mut stream = Utf8Stream::default();
    let mut wanted = ui.stream(&args.prompt);
    for token in generator.take(args.tokens as usize) {
        let bytes = model.tokenizer.bytes_of(token);
        tokens.push(token);
        text.extend(&bytes);
        for byte in bytes {
            wanted = wanted && ui.stream(&stream.push(byte));
        }
        if !wanted {
            break;
        }
    }
    ui.stream(&stream.finish());

    let json = json!({
        "ok": true,
        "prompt": args.prompt,
        "prompt_tokens": prompt,
        "text": String::from_utf8_lossy(&text),
        "tokens": tokens,
    });
    let json = joined([json, model.facts]);
    // The text stands there already; it lacks the end of its line.
    Ok(Output { text: String::new(), json })
}
