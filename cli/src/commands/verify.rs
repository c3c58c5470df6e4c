//! `verify`: a run's directory or one bundle, without weights.

use crate::error::{CliError, Rejection};
use crate::files::{self, MAX_CORPUS};
use crate::format::{bytes, hex, plural, time};
use crate::model_dir;
use crate::run_dir::RunDir;
use crate::ui::{Output, Ui};
use circuits::curve::Params;
use circuits::model::{LossError, public_loss};
use circuits::statement::{Run, StateCommitments};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use verifier::{RunRefused, RunVerifier, StepVerifier, VerifiedRun};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A run's directory, or one step's bundle
    path: PathBuf,
    /// The corpus: each batch must be the one that the seed assigns
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// A model: the run must begin at its state
    #[arg(long, value_name = "DIR")]
    genesis: Option<PathBuf>,
    /// A model: the run must end at its state
    #[arg(long, value_name = "DIR")]
    end: Option<PathBuf>,
    /// Proven steps that the run must have
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let corpus = args.corpus.as_deref().map(|file| files::read(file, MAX_CORPUS)).transpose()?;
    if args.path.is_dir() {
        verify_run(&args, corpus.as_deref(), ui)
    } else {
        verify_bundle(&args, corpus.as_deref(), ui)
    }
}

fn keys(params: &Params, run: &Run, ui: &Ui) -> Result<StepVerifier, CliError> {
    let config = run.check().map_err(|e| Rejection::Run(e.into()))?;
    let _spinner = ui.spinner("verifying keys");
    Ok(StepVerifier::new(params, &config).map_err(Rejection::from)?)
}

fn verify_run(args: &Args, corpus: Option<&[u8]>, ui: &Ui) -> Result<Output, CliError> {
    let dir = RunDir::new(&args.path);
    let run = dir.run()?;
    let files = dir.bundles()?;
    let params = ui.params()?;
    let keys = keys(&params, &run, ui)?;
    let start = Instant::now();
    let mut verifier = RunVerifier::new(&params, &keys, &run, corpus).map_err(Rejection::from)?;
    let bar = ui.bar(files.len() as u64, 0, "{bar:30} step {pos}/{len} ({elapsed}, {eta} left)");
    for (_, file) in &files {
        verifier = verifier.step(&read_bundle(file)?).map_err(Rejection::from)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let verified = {
        let _spinner = ui.spinner("multi-scalar multiplication");
        verifier.finish().map_err(Rejection::from)?
    };
    let elapsed = start.elapsed();
    let found = verified.steps.len() as u64;
    if let Some(expected) = args.steps.filter(|&expected| expected != found) {
        return Err(Rejection::Steps { expected, found }.into());
    }
    ends_at(&params, &run.genesis, "begin", args.genesis.as_deref())?;
    ends_at(&params, &verified.after, "end", args.end.as_deref())?;
    let mut output = report(&verified, &run, elapsed)?;
    if args.genesis.is_some() {
        output.text += "\nbegins at the state of the given model";
    }
    if args.end.is_some() {
        output.text += "\nends at the state of the given model";
    }
    output.json["genesis_compared"] = args.genesis.is_some().into();
    output.json["end_compared"] = args.end.is_some().into();
    output.json["chain"] = true.into();
    Ok(output)
}

fn verify_bundle(args: &Args, corpus: Option<&[u8]>, ui: &Ui) -> Result<Output, CliError> {
    if args.steps.is_some() {
        return Err(CliError::Usage("--steps is for a run's directory".into()));
    }
    let bundle = read_bundle(&args.path)?;
    let params = ui.params()?;
    let keys = keys(&params, &bundle.run, ui)?;
    let start = Instant::now();
    let at = (&bundle.run, bundle.step, &bundle.before);
    let verified = RunVerifier::starting_at(&params, &keys, at, corpus)
        .and_then(|verifier| verifier.step(&bundle)?.finish())
        .map_err(Rejection::from)?;
    let elapsed = start.elapsed();
    ends_at(&params, &bundle.before, "begin", args.genesis.as_deref())?;
    ends_at(&params, &verified.after, "end", args.end.as_deref())?;
    let mut output = report(&verified, &bundle.run, elapsed)?;
    output.text += &format!("\nthe chain is not checked: one step, from state {}", hex(&bundle.before.digest()));
    output.json["chain"] = false.into();
    output.json["before_digest"] = hex(&bundle.before.digest()).into();
    Ok(output)
}

fn read_bundle(path: &Path) -> Result<circuits::statement::Bundle, CliError> {
    RunDir::read_bundle(path).map_err(|error| match error {
        CliError::File { path, source } => Rejection::Bundle { path, source }.into(),
        other => other,
    })
}

/// Compares commitments with those of a model's state.
fn ends_at(
    params: &Params,
    commitments: &StateCommitments,
    verb: &'static str,
    model: Option<&Path>,
) -> Result<(), CliError> {
    let Some(path) = model else { return Ok(()) };
    let matches = model_dir::commit(params, &model_dir::load(path)?)? == *commitments;
    if matches { Ok(()) } else { Err(Rejection::Model { verb, path: path.to_owned() }.into()) }
}

fn report(verified: &VerifiedRun, run: &Run, elapsed: Duration) -> Result<Output, CliError> {
    let steps = verified.steps.len() as u64;
    let proof_bytes: u64 = verified.steps.iter().map(|s| s.proof_bytes).sum();
    let mut text = String::new();
    const SHOWN: usize = 10;
    for (i, step) in verified.steps.iter().enumerate() {
        if i < SHOWN || i + SHOWN >= verified.steps.len() {
            text += &format!("step {:>4}  loss {:.4}\n", step.step, step.mean_loss());
        } else if i == SHOWN {
            text += &format!("… {} more …\n", verified.steps.len() - 2 * SHOWN);
        }
    }
    let proofs = plural(verified.proofs as u64, "proof");
    text += &format!("verified: {}, {proofs}, {}, in {}", plural(steps, "step"), bytes(proof_bytes), time(elapsed));
    text += &format!("\ngenesis {}\nstate   {}", hex(&run.genesis.digest()), hex(&verified.after.digest()));
    text += if verified.corpus {
        "\neach batch is the one that the seed assigns from the corpus"
    } else {
        "\nthe batches are committed to, but not compared with a corpus (--corpus does that)"
    };
    let losses = verified.steps.iter().map(|s| {
        Ok(json!({
            "step": s.step,
            "loss": s.mean_loss(),
            "loss_sum": public_loss(s.loss)?,
            "predictions": s.predictions,
            "proof_bytes": s.proof_bytes,
        }))
    });
    let losses = losses.collect::<Result<Vec<_>, LossError>>()?;
    let id = run.id().map_err(|e| Rejection::Run(RunRefused::Run(e)))?;
    let json = json!({
        "ok": true,
        "run": hex(&id),
        "steps": losses,
        "proofs": verified.proofs,
        "proof_bytes": proof_bytes,
        "seconds": elapsed.as_secs_f64(),
        "genesis_digest": hex(&run.genesis.digest()),
        "state_digest": hex(&verified.after.digest()),
        "corpus_compared": verified.corpus,
    });
    Ok(Output { text, json })
}
