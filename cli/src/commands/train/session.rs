//! Beginning a run, and going on with one.

use super::{Args, Losses, watch};
use crate::commands::dataset::committed;
use crate::dataset_root;
use crate::error::{CliError, FileError, Rejection};
use crate::files::{self, MAX_SMALL, Readers};
use crate::format::plural;
use crate::held_out::{HeldOut, Split, Text};
use crate::keys::How;
use crate::model_dir::{self, Model};
use crate::progress::ProofBar;
use crate::run_dir::{Evaluation, Kept, LogLine, Measured, RunDir, Settings};
use crate::tokenizer_file;
use crate::ui::Ui;
use backend::curve::{CIRCUIT_VERSION, Params};
use circuits::model::file::ModelState;
use circuits::model::{Config, Spec, State};
use circuits::statements::codec;
use circuits::statements::dataset::{Dataset, DatasetRoot, DatasetSecret, LeafSecret};
use circuits::statements::{
    Corpus, Disclosure, GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF, Run, RunData, StateCommitments, TrainingData,
};
use prover::private::Secrets;
use prover::step::StepKeys;
use prover::trainer::{Recipe, Trainer};
use prover::{ProveError, StepProver};
use std::path::{Path, PathBuf};
use tokenizer::Tokenizer;
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
    /// What made tokens of the corpus.
    pub tokenizer: Tokenizer,
    /// What is held out; nothing, if nothing is.
    pub held_out: Text,
    /// The log.
    pub lines: Vec<LogLine>,
    /// Held-out losses.
    pub evaluations: Vec<Evaluation>,
    /// What hides a private run.
    pub secrets: Option<Secrets>,
    /// Of a private run that begins, what else is written first.
    beginning: Option<(GenesisProof, DatasetSecret)>,
    /// Parameters and keys that its genesis proof was made with: its steps go on with them.
    pub keys: Option<(Params, StepKeys)>,
}

/// What is disclosed of the run that the arguments describe.
fn disclosure(args: &Args) -> Result<Disclosure, CliError> {
    if args.private {
        return Ok(Disclosure::Private { loss_steps: args.losses.map_or(1, |losses| losses.0) });
    }
    let given = [("--losses", args.losses.is_some()), ("--dataset-secret", args.dataset_secret.is_some())];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(CliError::Usage(format!("{name} is for a private run (--private)"))),
        None => Ok(Disclosure::Public),
    }
}

/// The run that the arguments describe, whose schedule is over so many steps in all, of which some were taken before.
fn describe(
    args: &Args,
    (steps, taken): (u64, u64),
    config: String,
    genesis: StateCommitments,
    (disclosure, data): (Disclosure, RunData),
) -> Result<Run, CliError> {
    let optimizer = args.optimizer.of("0")?;
    Ok(Run {
        circuits: CIRCUIT_VERSION,
        config,
        genesis,
        taken,
        disclosure,
        data,
        seed: args.seed.unwrap_or(0),
        batch: args.batch.unwrap_or(8),
        accumulate: args.accumulate.unwrap_or(1),
        schedule: args.schedule.of(optimizer.kind(), steps)?,
        optimizer,
        instances_per_proof: args.instances_per_proof.unwrap_or(MAX_INSTANCES_PER_PROOF),
    })
}

/// The model with the moments that a run begins with, and the steps that its optimizer has taken.
fn begin_from(args: &Args, model: Model, ui: &Ui) -> (Model, u64) {
    let (wanted, has) = (args.optimizer.kind(), model.state.moments.kind());
    let Model { config, state, step } = model;
    if args.fresh_optimizer || state.at_rest() {
        return (Model { config, state: state.at_rest_of(wanted), step }, 0);
    }
    if wanted != has {
        ui.warn(&format!("the model's moments are of {}: {} begins with none", has.name(), wanted.name()));
        return (Model { config, state: state.at_rest_of(wanted), step }, 0);
    }
    if step > 0 {
        let taken = plural(step, "step");
        ui.progress(&format!(
            "the model's optimizer has taken {taken}, which the schedule counts (--fresh-optimizer begins anew)"
        ));
    }
    (Model { config, state, step }, step)
}

/// A secret of random bytes.
pub fn fresh_secret() -> Result<LeafSecret, CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| ProveError::NoRandomness)?;
    Ok(LeafSecret::new(bytes))
}

/// Reads the secret of a data set, which nobody else may.
pub fn read_dataset_secret(path: &Path) -> Result<DatasetSecret, CliError> {
    files::check_secret(path)?;
    files::decode(path, MAX_SMALL)
}

/// The data set of a corpus, which must have this root.
pub fn dataset(
    (params, config): (&Params, &Config),
    (file, corpus): (&Path, &Corpus),
    root: DatasetRoot,
    secret: Option<LeafSecret>,
    ui: &Ui,
) -> Result<Dataset, CliError> {
    let dataset = committed(params, config, corpus, secret, ui)?;
    if dataset.root() == root {
        return Ok(dataset);
    }
    let reason = format!("this corpus is another data set: {}, not {root}", dataset.root());
    Err(CliError::file(file)(FileError::Foreign(reason)))
}

fn trainer(config: Config, state: State, run: &Run) -> Result<Trainer, CliError> {
    let recipe = Recipe { schedule: run.schedule, optimizer: run.optimizer.clone() };
    Ok(Trainer { taken: run.taken, ..Trainer::new(config, state, recipe)? })
}

/// The data set that the arguments choose.
struct Chosen {
    /// Its root, if it was committed to before.
    root: Option<DatasetRoot>,
    /// Of a private run, what blinds its leaves.
    leaves: Option<LeafSecret>,
}

impl Chosen {
    fn of(args: &Args) -> Result<Self, CliError> {
        let root = args.dataset.as_deref().map(dataset_root::given).transpose()?;
        let Some(path) = &args.dataset_secret else {
            if args.private && root.is_some() {
                return Err(CliError::Usage("--private with --dataset needs --dataset-secret".into()));
            }
            return Ok(Chosen { root, leaves: if args.private { Some(fresh_secret()?) } else { None } });
        };
        let secret = read_dataset_secret(path)?;
        if root.is_some_and(|root| root != secret.root) {
            let source = FileError::Foreign(format!("this is the secret of another data set: {}", secret.root));
            return Err(CliError::File { path: path.clone(), source });
        }
        Ok(Chosen { root: Some(secret.root), leaves: Some(secret.leaves) })
    }
}

/// Makes a run, without writing anything.
pub fn prepare(args: &Args, ui: &Ui) -> Result<Session, CliError> {
    let (Some(model), Some(corpus_file), Some(steps)) = (&args.model, &args.corpus, args.steps) else {
        let message = format!("{} contains no run: --model, --corpus and --steps are required", args.out.display());
        return Err(CliError::Usage(message));
    };
    let disclosure = disclosure(args)?;
    if args.private && !args.prove {
        return Err(CliError::Usage("--private needs --prove".into()));
    }
    if cfg!(unix) && args.private && !model_dir::is_private(model) {
        ui.warn(&format!(
            "{}: others may read this model, or guess it from its seed, and with it what the run hides (init --private)",
            model.display()
        ));
    }
    if args.private && args.optimizer.update().clips() {
        ui.progress("each step shows the sum of the squares of its gradient, by which it is clipped");
    }
    if !args.private && model_dir::is_private(model) {
        ui.warn(&format!(
            "{}: only you may read this model, and the run is public: its files and commitments tell of the weights (--private hides them)",
            model.display()
        ));
    }
    let loaded = model_dir::load(model)?;
    let tokenizer = tokenizer_file::of_model(model, &loaded.config)?;
    tokenizer_file::warn_missing(model, &tokenizer, &loaded.config, ui);
    let (model, taken) = begin_from(args, loaded, ui);
    let of = (&model.config, &tokenizer);
    let Split { training, held_out } = Split::read(corpus_file, of, args.watch.held_out, ui)?;
    let corpus = training.corpus(&tokenizer);
    let measured = args.watch.measured(&Measured::default(), &held_out.bytes)?;
    // Contradictions show before the commitments are made.
    let chosen = Chosen::of(args)?;
    let data = match chosen.root {
        Some(root) => RunData::Dataset(root),
        // Not known before the corpus is committed to; what else is wrong with the run shows without it.
        None if args.private => RunData::Dataset(DatasetRoot::new([0; 32], 1)?),
        None => RunData::Corpus(corpus.digest()),
    };
    let of_schedule = (steps.saturating_add(taken), taken);
    let mut run = describe(args, of_schedule, model.config.to_json(), StateCommitments::default(), (disclosure, data))?;
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(e.to_string());
    run.check_settings(&model.config).map_err(|e| usage(&e))?;
    let rate = (&args.schedule.rate(run.optimizer.kind())?, &run.schedule);
    run.optimizer.check_rounding(rate, run.predictions(&model.config)).map_err(|e| usage(&e))?;
    let params = ui.params(&model.config)?;
    let Chosen { root, leaves } = chosen;
    let data = match (root, &leaves) {
        (None, None) => TrainingData::Corpus(corpus),
        (None, Some(_)) => {
            TrainingData::Dataset(Box::new(committed(&params, &model.config, &corpus, leaves.clone(), ui)?))
        }
        (Some(root), _) => {
            let of = (&params, &model.config);
            TrainingData::Dataset(Box::new(dataset(of, (corpus_file, &corpus), root, leaves.clone(), ui)?))
        }
    };
    run.data = data.named();
    let (mut secrets, mut beginning, mut own_keys) = (None, None, None);
    if let (Some(leaves), RunData::Dataset(root)) = (leaves, run.data) {
        let spec = Spec::new(model.config.clone());
        let how = How { variant: run.variant(), ..How::default() };
        let keys = ui.prover_keys(&params, &spec, how)?;
        let prover = StepProver::new(&params, &keys, &spec).with_instances_per_proof(run.instances_per_proof);
        let mut bar = ProofBar::genesis(ui, &keys, Layouts::new(&spec.config).updates().len());
        let (hidden, proof, genesis) = prover.private_genesis(&model.state, &mut |told| bar.observe(told))?;
        run.genesis = genesis;
        drop(bar);
        (secrets, beginning) = (Some(hidden), Some((proof, DatasetSecret { root, leaves })));
        own_keys = Some((params, keys));
    } else {
        let _spinner = ui.spinner("commitments of the genesis");
        run.genesis = model_dir::commit(&params, &model)?;
    }
    run.check().map_err(|e| usage(&e))?;
    let id = run.id()?;
    let corpus_file = std::path::absolute(corpus_file).map_err(CliError::io("find", corpus_file))?;
    let tokenizer_digest = tokenizer_file::digest(&tokenizer);
    let settings = Settings { steps, prove: args.prove, corpus: corpus_file, tokenizer: tokenizer_digest, measured };
    let trainer = trainer(model.config, model.state, &run)?;
    Ok(Session {
        run,
        id,
        settings,
        trainer,
        data,
        tokenizer,
        held_out,
        lines: vec![],
        evaluations: vec![],
        secrets,
        beginning,
        keys: own_keys,
    })
}

/// Writes the files of a run that begins; its state last.
pub fn begin(session: &Session, dir: &RunDir, ui: &Ui) -> Result<(), CliError> {
    let mut warn = |text: String| ui.warn(&text);
    dir.clean(0, 0, &mut warn)?;
    dir.remove_genesis_proof()?;
    if let Some((proof, secret)) = &session.beginning {
        let path = dir.dataset_secret_file();
        files::write_for(Readers::Owner, &path, &codec::encode(secret).map_err(CliError::file(&path))?, true)?;
        dir.write_genesis_proof(proof)?;
    }
    tokenizer_file::keep(dir.own(), dir.readers(), &session.tokenizer)?;
    dir.write_run(&session.run)?;
    dir.write_settings(&session.settings)?;
    dir.reconcile_log(0, &mut warn)?;
    dir.remove_evaluations()?;
    dir.replace_state(session.state())
}

/// The state to go on from: the last one, or the one before it if that was asked for.
fn state(args: &Args, dir: &RunDir) -> Result<(Kept, PathBuf), CliError> {
    if args.from_previous {
        return Ok((dir.previous_state()?, dir.previous_state_file()));
    }
    let kept = dir.previous_state_file().exists();
    match dir.state() {
        Ok(state) => Ok((state, dir.state_file())),
        Err(error @ CliError::File { source: FileError::Readable { .. }, .. }) => Err(error),
        Err(source @ (CliError::File { .. } | CliError::Io { .. })) if kept => {
            Err(CliError::DamagedState { source: Box::new(source) })
        }
        Err(error) => Err(error),
    }
}

/// What blinds the leaves of a private run's data set.
fn own_dataset_secret(dir: &RunDir, root: &DatasetRoot) -> Result<LeafSecret, CliError> {
    let path = dir.dataset_secret_file();
    let secret = read_dataset_secret(&path)?;
    if secret.root != *root {
        let source = FileError::Foreign("this is the secret of another data set than the run's".into());
        return Err(CliError::File { path, source });
    }
    Ok(secret.leaves)
}

/// Goes on with a run after the last step that was taken.
pub fn resume(args: &Args, dir: &RunDir, ui: &Ui) -> Result<Session, CliError> {
    let run = dir.run()?;
    let id = run.id()?;
    let config = run.check().map_err(CliError::file(&dir.run_file()))?;
    let mut settings = dir.settings()?;
    if dir.is_private() != (run.disclosure != Disclosure::Public) {
        let source = FileError::Foreign("the run is private, and its directory is not, or the other way round".into());
        return Err(CliError::File { path: dir.run_file(), source });
    }
    let (Kept { model: file, secrets }, path) = state(args, dir)?;
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
    let tokenizer = tokenizer_file::of_model(dir.path(), &config)?;
    let kept = settings.measured.held_out.as_ref().map(|part| HeldOut::Bytes(part.bytes));
    let split = Split::read(&corpus_file, (&config, &tokenizer), kept, ui)?;
    let measured = args.watch.measured(&settings.measured, &split.held_out.bytes)?;
    if args.watch.held_out.is_some_and(|given| !split.is_cut_by(given, &tokenizer)) {
        return Err(CliError::Usage("--held-out is not what the run was started with".into()));
    }
    let Split { training, held_out } = split;
    let corpus = training.corpus(&tokenizer);
    let data = match run.data {
        RunData::Corpus(digest) if corpus.digest() == digest => TrainingData::Corpus(corpus),
        RunData::Corpus(_) => return Err(Rejection::Run(RunRefused::Corpus).into()),
        RunData::Dataset(root) => {
            let params = ui.params(&config)?;
            let secret = if dir.is_private() { Some(own_dataset_secret(dir, &root)?) } else { None };
            let of = (&params, &config);
            TrainingData::Dataset(Box::new(dataset(of, (&corpus_file, &corpus), root, secret, ui)?))
        }
    };
    watch::same_part(&corpus_file, &settings.measured, &measured)?;
    let corpus_file = std::path::absolute(&corpus_file).map_err(CliError::io("find", &corpus_file))?;
    let steps = args.steps.unwrap_or(settings.steps);
    if let Some(end) = run.schedule.steps().filter(|&end| run.taken.saturating_add(steps) > end) {
        let (end, floor) = (plural(end, "step"), "the rate stays at its floor");
        ui.warn(&format!("the run's schedule is of {end}: after it {floor}"));
    }
    let wanted = Settings { steps, corpus: corpus_file, measured, ..settings.clone() };
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
    let evaluations = dir.reconcile_evaluations(step, &mut warn)?;
    let mut trainer = trainer(config, state, &run)?;
    trainer.step = step;
    if args.from_previous {
        // From here on it is the last one.
        let model = ModelState::new(&trainer.spec.config, &trainer.state, Some(id), step);
        dir.replace_state(Kept { model, secrets: secrets.clone() })?;
    }
    Ok(Session {
        run,
        id,
        settings,
        trainer,
        data,
        tokenizer,
        held_out,
        lines,
        evaluations,
        secrets,
        beginning: None,
        keys: None,
    })
}

/// Arguments given again must be those of the run.
fn same_run(args: &Args, run: &Run, settings: &Settings) -> Result<(), CliError> {
    // What the schedule was made for; of a constant one it makes no difference.
    let steps = run.schedule.steps().unwrap_or_else(|| settings.steps.saturating_add(run.taken));
    if let Some((name, ..)) = args.optimizer.contradicts(&run.optimizer) {
        return Err(CliError::Usage(format!("--{name} is not what the run was started with")));
    }
    // What is not given is the run's.
    let schedule = match args.schedule.is_given() {
        true => args.schedule.of(run.optimizer.kind(), steps)?,
        false => run.schedule,
    };
    let losses = |losses: Losses| run.disclosure == Disclosure::Private { loss_steps: losses.0 };
    let other_data = match &args.dataset {
        Some(given) => RunData::Dataset(dataset_root::given(given)?) != run.data,
        None => false,
    };
    let differs = [
        ("--dataset", other_data),
        ("--private", args.private && run.disclosure == Disclosure::Public),
        ("--losses", args.losses.is_some_and(|given| !losses(given))),
        ("--batch", args.batch.is_some_and(|given| given != run.batch)),
        ("--accumulate", args.accumulate.is_some_and(|given| given != run.accumulate)),
        ("--seed", args.seed.is_some_and(|given| given != run.seed)),
        ("--instances-per-proof", args.instances_per_proof.is_some_and(|given| given != run.instances_per_proof)),
        ("--fresh-optimizer", args.fresh_optimizer && run.taken > 0),
        ("--lr, --schedule, --warmup, --decay or --floor", schedule != run.schedule),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((name, _)) => Err(CliError::Usage(format!("{name} is not what the run was started with"))),
        None => Ok(()),
    }
}
