//! Beginning a run, and going on with one.

use super::{Args, OptimizerKind, ScheduleKind};
use crate::commands::dataset::committed;
use crate::dataset_root;
use crate::error::{CliError, FileError, Rejection};
use crate::files::{self, MAX_CORPUS};
use crate::format::plural;
use crate::model_dir;
use crate::run_dir::{LogLine, RunDir, Settings};
use crate::ui::Ui;
use backend::curve::{CIRCUIT_VERSION, Params};
use circuits::arithmetic::decimal::{Decimal, DecimalError};
use circuits::model::file::ModelState;
use circuits::model::{Config, Optimizer, Schedule, State, check_corpus};
use circuits::statements::dataset::{Dataset, DatasetRoot};
use circuits::statements::{
    Disclosure, MAX_INSTANCES_PER_PROOF, Run, RunData, StateCommitments, TrainingData, corpus_digest,
};
use prover::trainer::{Recipe, Trainer};
use std::path::{Path, PathBuf};
use verifier::RunRefused;

/// A run in training.
pub struct Session {
    /// The run.
    pub run: Run,
    /// Its identity.
    pub id: [u8; 32],
    /// What the trainer needs beside it.
    pub settings: Settings,
    /// State and optimizer.
    pub trainer: Trainer,
    /// Where batches come from.
    pub data: TrainingData,
    /// The log.
    pub lines: Vec<LogLine>,
}

fn lr(args: &Args) -> Result<Decimal, CliError> {
    args.lr.map_or_else(|| "0.05".parse(), Ok).map_err(|e: DecimalError| CliError::Usage(e.to_string()))
}

/// The run that the arguments describe.
fn describe(
    args: &Args,
    steps: u64,
    config: String,
    genesis: StateCommitments,
    data: RunData,
) -> Result<Run, CliError> {
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(e.to_string());
    let decimal = |given: Option<Decimal>, default: &str| match given {
        Some(given) => Ok(given),
        None => default.parse().map_err(|e| usage(&e)),
    };
    let lr = lr(args)?;
    let schedule = match args.schedule.unwrap_or(ScheduleKind::Constant) {
        ScheduleKind::Constant => {
            if args.warmup.is_some() || args.floor.is_some() {
                return Err(CliError::Usage("--warmup and --floor need --schedule cosine".into()));
            }
            Schedule::constant(&lr)
        }
        ScheduleKind::Cosine => Schedule::cosine(&lr, steps, args.warmup.unwrap_or(0), &decimal(args.floor, "0.1")?),
    }
    .map_err(|e| usage(&e))?;
    Ok(Run {
        circuits: CIRCUIT_VERSION,
        config,
        genesis,
        disclosure: Disclosure::Public,
        data,
        seed: args.seed.unwrap_or(0),
        batch: args.batch.unwrap_or(8),
        accumulate: args.accumulate.unwrap_or(1),
        schedule,
        optimizer: match args.optimizer.unwrap_or_default() {
            OptimizerKind::Sgd => Optimizer::Sgd {
                momentum: decimal(args.momentum, "0")?,
                weight_decay: decimal(args.weight_decay, "0")?,
            },
        },
        instances_per_proof: args.instances_per_proof.unwrap_or(MAX_INSTANCES_PER_PROOF),
    })
}

/// Reads the whole corpus and looks at every byte: what no step could be taken with is refused before anything is written.
fn read_corpus(path: &Path, config: &Config, ui: &Ui) -> Result<Vec<u8>, CliError> {
    let corpus = files::read_shown(path, MAX_CORPUS, "reading the corpus", ui)?;
    check_corpus(&corpus, config).map_err(CliError::file(path))?;
    Ok(corpus)
}

/// The data set of a corpus, which must have this root.
fn dataset(
    (params, config): (&Params, &Config),
    (file, corpus): (&Path, &[u8]),
    root: DatasetRoot,
    ui: &Ui,
) -> Result<Dataset, CliError> {
    let dataset = committed(params, config, corpus, ui)?;
    if dataset.root() == root {
        return Ok(dataset);
    }
    let reason = format!("this corpus is another data set: {}, not {root}", dataset.root());
    Err(CliError::file(file)(FileError::Foreign(reason)))
}

fn trainer(config: Config, state: State, run: &Run) -> Result<Trainer, CliError> {
    let recipe = Recipe { schedule: run.schedule, optimizer: run.optimizer.clone() };
    Ok(Trainer::new(config, state, recipe)?)
}

/// Makes a run, without writing anything.
pub fn prepare(args: &Args, ui: &Ui) -> Result<Session, CliError> {
    let (Some(model), Some(corpus_file), Some(steps)) = (&args.model, &args.corpus, args.steps) else {
        let message = format!("{} contains no run: --model, --corpus and --steps are required", args.out.display());
        return Err(CliError::Usage(message));
    };
    let model = model_dir::load(model)?;
    let corpus = read_corpus(corpus_file, &model.config, ui)?;
    // Contradictions show before the commitments are made.
    let named = args.dataset.as_deref().map(dataset_root::given).transpose()?;
    let data = named.map_or_else(|| RunData::Corpus(corpus_digest(&corpus)), RunData::Dataset);
    let mut run = describe(args, steps, model.config.to_json(), StateCommitments::default(), data)?;
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(e.to_string());
    run.check_settings(&model.config).map_err(|e| usage(&e))?;
    let rate = (&lr(args)?, &run.schedule);
    run.optimizer.check_rounding(rate, run.predictions(&model.config)).map_err(|e| usage(&e))?;
    let params = ui.params(&model.config)?;
    let data = match named {
        None => TrainingData::Corpus(corpus),
        Some(root) => {
            TrainingData::Dataset(Box::new(dataset((&params, &model.config), (corpus_file, &corpus), root, ui)?))
        }
    };
    {
        let _spinner = ui.spinner("commitments of the genesis");
        run.genesis = model_dir::commit(&params, &model)?;
    }
    run.check().map_err(|e| usage(&e))?;
    let id = run.id()?;
    let corpus_file = std::path::absolute(corpus_file).map_err(CliError::io("find", corpus_file))?;
    let settings = Settings { steps, prove: args.prove, corpus: corpus_file };
    let trainer = trainer(model.config, model.state, &run)?;
    Ok(Session { run, id, settings, trainer, data, lines: vec![] })
}

/// Writes the files of a run that begins; its state last.
pub fn begin(session: &Session, dir: &RunDir, ui: &Ui) -> Result<(), CliError> {
    let mut warn = |text: String| ui.warn(&text);
    dir.clean(0, 0, &mut warn)?;
    dir.remove_genesis_proof()?;
    dir.write_run(&session.run)?;
    dir.write_settings(&session.settings)?;
    dir.reconcile_log(0, &mut warn)?;
    dir.replace_state(&session.state())
}

/// The state to go on from: the last one, or the one before it if that was asked for.
fn state(args: &Args, dir: &RunDir) -> Result<(ModelState, PathBuf), CliError> {
    if args.from_previous {
        return Ok((dir.previous_state()?, dir.previous_state_file()));
    }
    let kept = dir.previous_state_file().exists();
    match dir.state() {
        Ok(state) => Ok((state, dir.state_file())),
        Err(source @ (CliError::File { .. } | CliError::Io { .. })) if kept => {
            Err(CliError::DamagedState { source: Box::new(source) })
        }
        Err(error) => Err(error),
    }
}

/// Goes on with a run after the last step that was taken.
pub fn resume(args: &Args, dir: &RunDir, ui: &Ui) -> Result<Session, CliError> {
    let run = dir.run()?;
    let id = run.id()?;
    let config = run.check().map_err(CliError::file(&dir.run_file()))?;
    let mut settings = dir.settings()?;
    let (file, path) = state(args, dir)?;
    let step = file.step;
    let foreign = |source: &str| CliError::File { path: path.clone(), source: FileError::Foreign(source.into()) };
    if file.run != Some(id) {
        return Err(foreign("this state belongs to another run than run.bin next to it"));
    }
    let (of_state, state) = file.open().map_err(CliError::file(&path))?;
    if of_state != config {
        return Err(foreign("the configuration is not the run's"));
    }
    if let Some(steps) = args.steps.filter(|&steps| steps < step) {
        let taken = plural(step, "step");
        let message = format!("--steps {steps}: the run has already completed {taken}; nothing was changed");
        return Err(CliError::Usage(message));
    }
    same_run(args, &run, &settings)?;
    if args.prove && !settings.prove {
        return Err(CliError::Usage("the run was started without --prove".into()));
    }

    let corpus_file = args.corpus.clone().unwrap_or_else(|| settings.corpus.clone());
    let corpus = read_corpus(&corpus_file, &config, ui)?;
    let data = match run.data {
        RunData::Corpus(digest) if corpus_digest(&corpus) == digest => TrainingData::Corpus(corpus),
        RunData::Corpus(_) => return Err(Rejection::Run(RunRefused::Corpus).into()),
        RunData::Dataset(root) => {
            let params = ui.params(&config)?;
            TrainingData::Dataset(Box::new(dataset((&params, &config), (&corpus_file, &corpus), root, ui)?))
        }
    };
    let corpus_file = std::path::absolute(&corpus_file).map_err(CliError::io("find", &corpus_file))?;
    let wanted = Settings { steps: args.steps.unwrap_or(settings.steps), corpus: corpus_file, ..settings.clone() };
    if wanted != settings {
        settings = wanted;
        dir.write_settings(&settings)?;
    }
    let mut warn = |text: String| ui.warn(&text);
    // The process may have been killed while it proved the step after the one that is repeated.
    let last = if args.from_previous { step.saturating_add(1) } else { step };
    dir.clean(step, last, &mut warn)?;
    if settings.prove && !dir.is_proven_up_to(step)? {
        let source = FileError::Foreign("bundles of completed steps are missing".into());
        return Err(CliError::File { path: dir.path().to_owned(), source });
    }
    let lines = dir.reconcile_log(step, &mut warn)?;
    let mut trainer = trainer(config, state, &run)?;
    trainer.step = step;
    if args.from_previous {
        // From here on it is the last one.
        dir.replace_state(&ModelState::new(&trainer.spec.config, &trainer.state, Some(id), step))?;
    }
    Ok(Session { run, id, settings, trainer, data, lines })
}

/// Arguments given again must be those of the run.
fn same_run(args: &Args, run: &Run, settings: &Settings) -> Result<(), CliError> {
    let steps = match run.schedule {
        Schedule::Cosine { steps, .. } => steps,
        Schedule::Constant { .. } => settings.steps,
    };
    let rate = args.lr.is_some() || args.schedule.is_some() || args.warmup.is_some() || args.floor.is_some();
    let described = describe(args, steps, run.config.clone(), run.genesis.clone(), run.data)?;
    let Optimizer::Sgd { momentum, weight_decay } = &run.optimizer;
    let other_data = match &args.dataset {
        Some(given) => RunData::Dataset(dataset_root::given(given)?) != run.data,
        None => false,
    };
    let differs = [
        ("--dataset", other_data),
        ("--batch", args.batch.is_some() && described.batch != run.batch),
        ("--accumulate", args.accumulate.is_some() && described.accumulate != run.accumulate),
        ("--seed", args.seed.is_some() && described.seed != run.seed),
        (
            "--instances-per-proof",
            described.instances_per_proof != run.instances_per_proof && args.instances_per_proof.is_some(),
        ),
        ("--momentum", args.momentum.is_some_and(|given| given != *momentum)),
        ("--weight-decay", args.weight_decay.is_some_and(|given| given != *weight_decay)),
        ("--lr, --schedule, --warmup or --floor", rate && described.schedule != run.schedule),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((name, _)) => Err(CliError::Usage(format!("{name} is not what the run was started with"))),
        None => Ok(()),
    }
}
