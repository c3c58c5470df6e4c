//! `eval`: what a text costs a model, beside what it costs tables of counts.

use super::generate::Source;
use crate::commands::chain::describe::joined;
use crate::entropy::{self, MAX_ORDER};
use crate::error::CliError;
use crate::evaluation::{WindowCount, bits_per_byte, evaluate, nats, predicted_bytes};
use crate::format::{bytes, plural, table, time};
use crate::held_out::{HeldOut, Split, Text};
use crate::ui::{Output, Ui};
use circuits::model::{Evaluated, Spec, Windows, public_loss};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Any file; its bytes are the tokens, or, of a model with a tokenizer, what that makes of its text. Window i is the T + 1 of them from
    /// i·T on, T being the model's context: each token but the first is predicted once, from those of its window before it
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Only the end of the corpus, as `train --held-out` leaves it out: a share below 1, or a number of bytes
    #[arg(long, value_name = "SHARE|BYTES")]
    held_out: Option<HeldOut>,
    /// Windows to evaluate, evenly apart
    #[arg(long, value_name = "N|all", default_value = "all")]
    windows: WindowCount,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let model = args.source.load(ui)?;
    let split = Split::read(&args.corpus, (&model.config, &model.tokenizer), args.held_out, ui)?;
    let Text { bytes: text, tokens } = &if args.held_out.is_some() { split.held_out } else { split.training };
    let windows = Windows::new(&model.config, tokens, args.windows.limit()).map_err(CliError::file(&args.corpus))?;
    let predicted = predicted_bytes(&windows, &model.tokenizer);
    let spec = Spec::new(model.config);
    let start = Instant::now();
    let bar = ui.bar(windows.len() as u64, 0, "{wide_bar} window {pos}/{len}, {eta} left");
    let evaluated = evaluate(&spec, &model.state.w, &windows, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let elapsed = start.elapsed();
    let entropies = {
        let _spinner = ui.spinner("entropies of the corpus");
        (0..=MAX_ORDER).into_par_iter().filter_map(|n| Some((n, entropy::conditional(text, n)?))).collect::<Vec<_>>()
    };

    let part = if args.held_out.is_some() { "the last " } else { "" };
    let in_tokens = if model.tokenizer.is_bytes() { String::new() } else { format!(" in {} tokens", tokens.len()) };
    let mut said = format!(
        "{}: {part}{}{in_tokens}, {} of {} predictions, in {}\n",
        args.corpus.display(),
        bytes(text.len() as u64),
        counted(&windows),
        spec.config.context,
        time(elapsed),
    );
    said += &table(&[
        ("loss", format!("{:.4} nats a token", nats(&evaluated))),
        ("perplexity", format!("{:.4}", nats(&evaluated).exp())),
        ("bits a byte", format!("{:.4}", bits_per_byte(&evaluated, predicted))),
    ]);
    said += &clipped(&evaluated);
    said += "\nentropies of the bytes themselves, each given the n before it, by their own frequencies (what a table made from this very text would need):";
    for (order, bits) in &entropies {
        said += &format!("\n  order {order}   {bits:.4} bits a byte");
    }
    let entropies: Vec<Value> =
        entropies.iter().map(|(order, bits)| json!({ "order": order, "bits_per_byte": bits })).collect();
    let json = json!({
        "ok": true,
        "corpus": args.corpus.display().to_string(),
        "bytes": text.len(),
        "tokens": tokens.len(),
        "held_out": args.held_out.is_some(),
        "windows": windows.len(),
        "windows_in_all": windows.all(),
        "predictions": evaluated.predictions,
        "loss": nats(&evaluated),
        "loss_sum": public_loss(evaluated.loss)?,
        "perplexity": nats(&evaluated).exp(),
        "predicted_bytes": predicted,
        "bits_per_byte": bits_per_byte(&evaluated, predicted),
        "saturated": evaluated.saturations.total(),
        "entropies": entropies,
        "seconds": elapsed.as_secs_f64(),
    });
    Ok(Output { text: said, json: joined([json, model.facts]) })
}

/// `all 100 windows`, or how many of them.
fn counted(windows: &Windows<'_>) -> String {
    let all = plural(windows.all() as u64, "window");
    if windows.len() == windows.all() { format!("all {all}") } else { format!("{} of {all}", windows.len()) }
}

fn clipped(evaluated: &Evaluated) -> String {
    match evaluated.saturations.total() {
        0 => String::new(),
        n => format!("\n{} reached the end of their range", plural(n, "value")),
    }
}
