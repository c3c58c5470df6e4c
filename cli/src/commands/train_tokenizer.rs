//! `train-tokenizer`: a byte-level BPE from a corpus.

use crate::error::CliError;
use crate::files::{self, MAX_CORPUS};
use crate::format::{bytes, plural, time};
use crate::tokenizer_file;
use crate::ui::{Output, Ui};
use circuits::model::MAX_VOCAB;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use tokenizer::{EncodeError, MIN_VOCAB, Stage, Tokenizer};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Text to learn from, UTF-8
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Tokens: the 256 bytes, each by its value, and those that are merged of two. None is special
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(MIN_VOCAB as u64..=MAX_VOCAB as u64))]
    vocab: u64,
    /// File to write, a `tokenizer.json` of Hugging Face; the same text gives the same file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    if args.out.exists() {
        return Err(CliError::Usage(format!("{} exists already", args.out.display())));
    }
    let corpus = files::read_shown(&args.corpus, MAX_CORPUS, "reading the corpus", ui)?;
    let start = Instant::now();
    let text = String::from_utf8(corpus).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        CliError::file(&args.corpus)(EncodeError::Utf8 { offset })
    })?;
    let json = learn(&args, &text, ui)?;
    let tokenizer = Tokenizer::from_json(json.clone()).map_err(CliError::file(&args.out))?;
    let tokens = {
        let _spinner = ui.spinner("tokens of the corpus");
        tokenizer.encode(text.as_bytes()).map_err(CliError::file(&args.corpus))?.len() as u64
    };
    files::write(&args.out, &json, true)?;
    let (elapsed, length) = (start.elapsed(), text.len() as u64);
    let each = length as f64 / tokens.max(1) as f64;
    Ok(Output {
        text: format!(
            "{}: {} of {}, in {}; the corpus is {}, {each:.2} bytes each",
            args.out.display(),
            plural(args.vocab, "token"),
            bytes(length),
            time(elapsed),
            plural(tokens, "token"),
        ),
        json: json!({
            "ok": true,
            "out": args.out.display().to_string(),
            "vocab_size": args.vocab,
            "tokenizer": tokenizer_file::digest(&tokenizer),
            "corpus_bytes": length,
            "corpus_tokens": tokens,
            "seconds": elapsed.as_secs_f64(),
        }),
    })
}

/// Shows how far it is: first the words of the corpus, then the tokens.
fn learn(args: &Args, text: &str, ui: &Ui) -> Result<Vec<u8>, CliError> {
    let words = ui.bar(text.len() as u64, 0, "{wide_bar} words of {bytes}/{total_bytes}, {eta} left");
    let merges = ui.bar(args.vocab, MIN_VOCAB as u64 - 1, "{wide_bar} token {pos}/{len}, {eta} left");
    let json = tokenizer::train(text, args.vocab as usize, &mut |stage| match stage {
        Stage::Words(done) => words.set_position(done as u64),
        Stage::Tokens(done) => {
            words.finish_and_clear();
            merges.set_position(done as u64);
        }
    });
    words.finish_and_clear();
    merges.finish_and_clear();
    json.map_err(CliError::file(&args.corpus))
}
