//! `reveal`: what the owner of a private run chooses to show.

use crate::commands::train::{dataset, read_dataset_secret};
use crate::error::{CliError, FileError};
use crate::files;
use crate::format::plural;
use crate::held_out::{HeldOut, Split};
use crate::model_dir;
use crate::run_dir::{Kept, RunDir};
use crate::tokenizer_file;
use crate::ui::{Output, Ui};
use circuits::statements::RunData;
use circuits::statements::codec;
use circuits::statements::dataset::RevealedLeaf;
use circuits::statements::hidden::Opening;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A private run's directory
    run: PathBuf,
    /// For the last model: directory to create, with the model and what opens the run's commitments of it (`verify RUN --revealed
    /// DIR`). For a sequence: file to write (`verify RUN --includes FILE`)
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Show this sequence of the data set, and no model
    #[arg(long, value_name = "I")]
    leaf: Option<u64>,
    /// The data set's corpus, if it is no longer where the run was trained from it
    #[arg(long, value_name = "FILE", requires = "leaf")]
    corpus: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let dir = RunDir::new(&args.run);
    if !dir.is_private() {
        let message =
            format!("{} is not the directory of a private run, with the folders public and secret", args.run.display());
        return Err(CliError::Usage(message));
    }
    if args.out.exists() {
        return Err(CliError::Usage(format!("{} exists already", args.out.display())));
    }
    match args.leaf {
        Some(index) => sequence(&args, index, &dir, ui),
        None => model(&args.out, &dir),
    }
}

fn model(out: &Path, dir: &RunDir) -> Result<Output, CliError> {
    let Kept { model, secrets } = dir.state()?;
    let (id, step) = (dir.run()?.id()?, model.step);
    let path = dir.state_file();
    let foreign = |reason: &str| CliError::File { path: path.clone(), source: FileError::Foreign(reason.into()) };
    if model.run != Some(id) {
        return Err(foreign("this state belongs to another run than public/run.bin"));
    }
    let secrets = secrets.ok_or_else(|| foreign("what hides the state is missing"))?;
    let (config, state) = model.open().map_err(CliError::file(&path))?;
    let kind = state.moments.kind();
    let tokenizer = tokenizer_file::of_model(dir.path(), &config)?;
    let opening = Opening::of(id, step, secrets.segments());
    files::create_dir(out)?;
    files::encode(&out.join(model_dir::OPENING), &opening, true)?;
    tokenizer_file::keep(out, files::Readers::Umask, &tokenizer)?;
    model_dir::save(out, &config, &state.at_rest_of(kind), step, None)?;
    Ok(Output {
        text: format!("{}: the model after {}, shown to whoever has it", out.display(), plural(step, "step")),
        json: json!({ "ok": true, "out": out.display().to_string(), "step": step }),
    })
}

fn sequence(args: &Args, index: u64, dir: &RunDir, ui: &Ui) -> Result<Output, CliError> {
    let run = dir.run()?;
    let config = run.check().map_err(CliError::file(&dir.run_file()))?;
    let RunData::Dataset(root) = run.data else {
        return Err(CliError::Usage(format!("{} is not on a data set", args.run.display())));
    };
    let secret = read_dataset_secret(&dir.dataset_secret_file())?;
    let settings = dir.settings()?;
    let corpus_file = args.corpus.clone().unwrap_or(settings.corpus);
    let held_out = settings.measured.held_out.map(|part| HeldOut::Bytes(part.bytes));
    let tokenizer = tokenizer_file::of_model(dir.path(), &config)?;
    let split = Split::read(&corpus_file, (&config, &tokenizer), held_out, ui)?;
    let corpus = split.training.corpus(&tokenizer);
    let params = ui.params(&config)?;
    let dataset = dataset((&params, &config), (&corpus_file, &corpus), root, Some(secret.leaves), ui)?;
    let revealed = RevealedLeaf::of(&dataset, index).map_err(|e| CliError::Usage(format!("--leaf {index}: {e}")))?;
    files::write(&args.out, &codec::encode(&revealed).map_err(CliError::file(&args.out))?, true)?;
    Ok(Output {
        text: format!("{}: sequence {index} of {}, shown to whoever has the file", args.out.display(), root.leaves()),
        json: json!({ "ok": true, "out": args.out.display().to_string(), "sequence": index, "root": root.to_string() }),
    })
}
