//! `dataset`: corpora, committed to sequence by sequence.

use crate::commands::train::fresh_secret;
use crate::error::CliError;
use crate::files;
use crate::format::{bytes, plural, time};
use crate::held_out::{HeldOut, Split};
use crate::model_choice::ModelChoice;
use crate::ui::{Output, Ui};
use backend::curve::Params;
use circuits::model::Config;
use circuits::statements::dataset::{Dataset, DatasetSecret, LeafSecret};
use circuits::statements::{Corpus, codec};
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Commit to each sequence of a corpus: runs on the data set show that every batch is the one that the seed assigns, to
    /// whoever knows the root
    Commit(Commit),
}

/// Arguments of `commit`.
#[derive(clap::Args)]
struct Commit {
    /// Any file; its bytes are the tokens, or, with --tokenizer, what that makes of its text. Sequence i is the T + 1 of them from i·T on,
    /// T being the model's context
    file: PathBuf,
    #[command(flatten)]
    model: ModelChoice,
    /// The tokenizer.json of the models that are trained on it
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Leave out the end of the corpus, for runs that hold it out (`train --held-out`): a share below 1, or a number of bytes
    #[arg(long, value_name = "SHARE|BYTES")]
    held_out: Option<HeldOut>,
    /// Blind every sequence's commitment, for private runs (`train --private --dataset-secret FILE`), and write what blinds them to this
    /// file, which nobody else may read
    #[arg(long, value_name = "FILE")]
    private: Option<PathBuf>,
    /// File to write the root to; `train --dataset` and `verify --dataset` take it, or the root itself
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let Command::Commit(args) = args.command;
    if let Some(out) = [&args.out, &args.private].into_iter().flatten().find(|out| out.exists()) {
        return Err(CliError::Usage(format!("{} exists already", out.display())));
    }
    let (config, tokenizer) = args.model.with_tokenizer(args.tokenizer.as_deref())?;
    let Split { training, held_out } = Split::read(&args.file, (&config, &tokenizer), args.held_out, ui)?;
    let corpus = training.corpus(&tokenizer);
    let params = ui.params(&config)?;
    let start = Instant::now();
    let secret = args.private.as_ref().map(|_| fresh_secret()).transpose()?;
    let dataset = committed(&params, &config, &corpus, secret.clone(), ui)?;
    let (root, elapsed) = (dataset.root(), start.elapsed());
    // What blinds the leaves is safe before anyone knows the root.
    if let (Some(file), Some(leaves)) = (&args.private, secret) {
        let secret = DatasetSecret { root, leaves };
        files::create_private(file, &codec::encode(&secret).map_err(CliError::file(file))?)?;
    }
    if let Some(out) = &args.out {
        files::write(out, format!("{root}\n").as_bytes(), true)?;
    }
    let left_out = (corpus.tokens().len() - 1) % config.context;
    let mut text = format!(
        "{}: {} of {} tokens, in {}\nroot  {root}",
        args.file.display(),
        plural(root.leaves(), "sequence"),
        config.context + 1,
        time(elapsed)
    );
    if left_out > 0 {
        text += &format!("\n{} at the end fill no sequence and are left out", plural(left_out as u64, "token"));
    }
    if !held_out.is_empty() {
        text += &format!("\n{} at the end are held out", bytes(held_out.bytes.len() as u64));
    }
    let json = json!({
        "ok": true,
        "root": root.to_string(),
        "held_out_bytes": held_out.bytes.len(),
        "sequences": root.leaves(),
        "context": config.context,
        "left_out_tokens": left_out,
        "seconds": elapsed.as_secs_f64(),
    });
    Ok(Output { text, json })
}

/// Commits to the sequences of a corpus.
pub fn committed(
    params: &Params,
    config: &Config,
    corpus: &Corpus,
    secret: Option<LeafSecret>,
    ui: &Ui,
) -> Result<Dataset, CliError> {
    let bar = ui.bar(0, 0, "{wide_bar} sequence {pos}/{len}, {eta} left");
    let dataset = Dataset::new_told(params, config.context, corpus.tokens(), secret, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(dataset)
}
