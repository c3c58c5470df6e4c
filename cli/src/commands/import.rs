//! `import`: a model of the `transformers` library.

use crate::error::{CliError, FileError, Rejection};
use crate::format::{hex, plural};
use crate::interchange::{self, Found, INDEX_FILE, SIDECAR_FILE, Shards, WEIGHTS_FILE, WeightFile};
use crate::tokenizer_file::{self, TOKENIZER};
use crate::ui::{Output, Ui};
use crate::{files, model_dir};
use circuits::model::{Config, Spec, State};
use circuits::statements::model_digest;
use prover::step::commit_state;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory with config.json and model.safetensors of a LlamaForCausalLM or Qwen2ForCausalLM, or model.safetensors.index.json and the files that it names;
    /// with tokenizer.json, a byte-level BPE, if bytes are not the tokens
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Directory of the model to create
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// Refuse weights that would be clipped, or rounded by more than 2^-24 of a tensor's largest value
    #[arg(long)]
    strict: bool,
}

/// What the file beside the weights said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sidecar {
    Absent,
    Unfit,
    Restored,
}

impl Sidecar {
    /// For machines.
    fn name(self) -> &'static str {
        match self {
            Sidecar::Absent => "absent",
            Sidecar::Unfit => "unfit",
            Sidecar::Restored => "restored",
        }
    }
}

/// The state after so many steps, from the weights and the file beside them.
fn state(dir: &Path, config: &Config, weights: &WeightFile) -> Result<(State, u64, Sidecar), CliError> {
    let file = dir.join(SIDECAR_FILE);
    if !file.exists() {
        return Ok((weights.state(config), 0, Sidecar::Absent));
    }
    let bytes = match files::read(&file, interchange::sidecar_limit(config)) {
        // Of a larger model.
        Err(CliError::File { source: FileError::TooLarge(_), .. }) => {
            return Ok((weights.state(config), 0, Sidecar::Unfit));
        }
        read => read?,
    };
    match interchange::restore(config, weights, &bytes).map_err(CliError::file(&file))? {
        Some((state, step)) => Ok((state, step, Sidecar::Restored)),
        None => Ok((weights.state(config), 0, Sidecar::Unfit)),
    }
}

/// The weights, and the file that says where they are.
fn read_weights(dir: &Path, config: &Config, ui: &Ui) -> Result<(WeightFile, PathBuf), CliError> {
    let file = dir.join(WEIGHTS_FILE);
    match Found::of(dir) {
        Found::Sharded => {
            let index = dir.join(INDEX_FILE);
            let shards = Shards::read(dir, config)?;
            let weights = interchange::read_views(config, shards.views(dir)?).map_err(CliError::file(&index))?;
            return Ok((weights, index));
        }
        Found::Single { index: true } => ui.warn(&format!(
            "{}: {WEIGHTS_FILE} is read, and {INDEX_FILE} beside it is not, as in `transformers`",
            dir.display()
        )),
        Found::Single { index: false } => {}
        Found::Nowhere => {
            if let Some(error) = interchange::instead(dir) {
                return Err(CliError::file(dir)(error));
            }
        }
    }
    let bytes = files::read(&file, interchange::weights_limit(config))?;
    Ok((interchange::read(config, &bytes).map_err(CliError::file(&file))?, file))
}

/// Files by which `transformers` has a tokenizer without [`TOKENIZER`].
const OTHER_TOKENIZERS: [&str; 5] =
    ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tokenizer_config.json"];

/// The directory's tokenizer, if it has one.
fn tokenizer(dir: &Path, config: &Config, ui: &Ui) -> Result<Tokenizer, CliError> {
    let file = dir.join(TOKENIZER);
    if !file.exists() {
        // Bytes would be other tokens than the model was trained on.
        return match OTHER_TOKENIZERS.into_iter().find(|name| dir.join(name).exists()) {
            Some(name) => Err(CliError::file(&dir.join(name))(FileError::OtherTokenizer)),
            None => Ok(Tokenizer::bytes()),
        };
    }
    let tokenizer = tokenizer_file::given(Some(&file), config)?;
    tokenizer_file::warn_unused(&file, &tokenizer, ui);
    Ok(tokenizer)
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    if args.out.join(model_dir::STATE).exists() {
        return Err(CliError::Usage(format!("{} already contains a model", args.out.display())));
    }
    let config = model_dir::read_config(&args.dir.join(model_dir::CONFIG))?;
    let tokenizer = tokenizer(&args.dir, &config, ui)?;
    let (weights, weights_file) = read_weights(&args.dir, &config, ui)?;
    if args.strict {
        let rejected = |source| Rejection::NotExact { path: weights_file.clone(), source };
        weights.strict().map_err(rejected)?;
    }
    let (state, step, sidecar) = state(&args.dir, &config, &weights)?;
    for (name, count) in &weights.clipped {
        let elements = plural(*count, "element");
        ui.warn(&format!("{}: {elements} of `{name}` beyond ±16 clipped", weights_file.display()));
    }
    if sidecar == Sidecar::Unfit {
        let file = args.dir.join(SIDECAR_FILE);
        ui.warn(&format!(
            "{}: does not match these weights or this configuration, which have changed since",
            file.display()
        ));
    }

    let params = ui.params(&config)?;
    let commitments = {
        let _spinner = ui.spinner("commitments");
        let commitments = commit_state(&params, &Spec::new(config.clone()), &state)?;
        files::create_dir(&args.out)?;
        tokenizer_file::keep(&args.out, files::Readers::Umask, &tokenizer)?;
        model_dir::save(&args.out, &config, &state, step, Some(&commitments))?;
        commitments
    };
    let parameters = config.parameters() as u64;
    let clipped: u64 = weights.clipped.values().sum();
    let digest = hex(&model_digest(&config, &commitments.digest()));
    let worst = weights.rounded.iter().max_by_key(|&(_, error)| error);
    let rounding = match worst {
        Some((name, error)) => format!("rounding error at most {:.1e} (`{name}`)", error.to_f64()),
        None => "nothing rounded".to_owned(),
    };
    let from_sidecar = match sidecar {
        Sidecar::Absent => format!("no {SIDECAR_FILE}: moments and step start at zero"),
        Sidecar::Unfit => format!("{SIDECAR_FILE} does not match: moments and step start at zero"),
        Sidecar::Restored => format!("{SIDECAR_FILE}: the state after {}, exactly", plural(step, "step")),
    };
    let rounded: BTreeMap<&String, f64> = weights.rounded.iter().map(|(name, error)| (name, error.to_f64())).collect();
    let tokens = match (tokenizer.is_bytes(), args.dir.join(TOKENIZER).exists()) {
        (true, true) => format!("{TOKENIZER}: bytes are tokens"),
        (true, false) => format!("no {TOKENIZER}: bytes are tokens"),
        (false, _) => format!("{TOKENIZER}: {} tokens", tokenizer.size()),
    };
    Ok(Output {
        text: format!(
            "{}: {}, {clipped} clipped, {rounding}\n{from_sidecar}\n{tokens}\nmodel {digest}",
            args.out.display(),
            plural(parameters, "parameter"),
        ),
        json: json!({
            "ok": true,
            "model": args.out.display().to_string(),
            "parameters": parameters,
            "step": step,
            "saturated": weights.clipped,
            "rounded": rounded,
            "largest_rounding_error": worst.map_or(0.0, |(_, error)| error.to_f64()),
            "sidecar": sidecar.name(),
            "tokenizer": tokenizer_file::digest(&tokenizer),
            "model_digest": digest,
        }),
    })
}
