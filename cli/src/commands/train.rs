//! `train`: a run, natively or with proofs.

use super::estimate;
use crate::error::{CliError, FileError};
use crate::events;
use crate::files::{self, MAX_SMALL};
use crate::format::time;
use crate::interrupt;
use crate::keys::How;
use crate::progress::ProofBar;
use crate::run_dir::{Kept, LogLine, RunDir};
use crate::training_args::{OptimizerArgs, ScheduleArgs};
use crate::ui::{Output, Ui};
use backend::curve::Params;
use circuits::model::file::ModelState;
use circuits::model::{SquareSum, UpdateKind, public_loss};
use circuits::statements::{Assigned, Extent, GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF, StateCommitments};
use prover::engine::{Engine, Halo2, Native};
use prover::estimate::{Pace, StepEstimate};
use prover::step::{StepOf, StepProver, commit_state};
use session::Session;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};
use verifier::{RunRefused, RunVerifier, StepVerifier};
use watch::Watch;

mod session;
mod summary;
mod watch;

pub use session::{dataset, fresh_secret, read_dataset_secret};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory of the model to start from; a run directory also works
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    model: Option<PathBuf>,
    /// Corpus: any file; its bytes are the tokens, or, of a model with a tokenizer, what that makes of its text
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    corpus: Option<PathBuf>,
    /// Train on a data set, to which `dataset commit` committed: its root, or a file that holds it. The corpus must give it
    #[arg(long, value_name = "ROOT")]
    dataset: Option<String>,
    /// Keep weights, gradients and data hidden: what may be handed over is in RUN/public, what must be kept in RUN/secret. Needs
    /// --prove
    #[arg(long)]
    private: bool,
    /// Of a private run, the sums of losses to disclose: of each step, of so many steps, or none [default: step]
    #[arg(long, value_name = "step|M|none")]
    losses: Option<Losses>,
    /// Of a private run, the secret file of a data set that was committed to before, by `dataset commit --private`; without it, the
    /// corpus is committed to anew
    #[arg(long, value_name = "FILE")]
    dataset_secret: Option<PathBuf>,
    /// Total number of steps
    #[arg(long, value_name = "N", required_unless_present = "resume", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    steps: Option<u64>,
    /// Directory of the run
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Prove every step
    #[arg(long)]
    prove: bool,
    /// Resume an interrupted run; only --out is needed
    #[arg(long)]
    resume: bool,
    /// Resume from the previous state, one step earlier, if the last one is damaged
    #[arg(long, requires = "resume")]
    from_previous: bool,
    /// Sequences per contribution [default: 8]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Contributions per step; their gradients are added up [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    accumulate: Option<u32>,
    #[command(flatten)]
    schedule: ScheduleArgs,
    #[command(flatten)]
    optimizer: OptimizerArgs,
    /// Begin with moments of zero and count steps from 0: without it a run goes on with those that the model has, if they are of the
    /// same optimizer, and a schedule counts the steps that the model has taken
    #[arg(long)]
    fresh_optimizer: bool,
    /// Most instances of a circuit that share a proof: fewer take less memory, and more bytes and time in all [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_INSTANCES_PER_PROOF)))]
    instances_per_proof: Option<u32>,
    /// Seed of the batches [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// What makes the proofs; it may change from one command to the next
    #[arg(long, value_enum, default_value_t)]
    engine: EngineKind,
    #[command(flatten)]
    watch: watch::Args,
}

/// Over how many steps losses are added up before they are disclosed; of 0, they never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Losses(u32);

impl FromStr for Losses {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("step", _) => Ok(Losses(1)),
            ("none", _) => Ok(Losses(0)),
            (_, Ok(steps @ 1..)) => Ok(Losses(steps)),
            _ => Err("`step`, `none`, or a number of steps"),
        }
    }
}

/// Engines: both make the same proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineKind {
    /// This project's own.
    #[default]
    Native,
    /// The prover of halo2_proofs, several times slower: what the native engine is compared with
    Halo2,
}

impl EngineKind {
    fn engine(self) -> &'static dyn Engine {
        match self {
            EngineKind::Native => &Native,
            EngineKind::Halo2 => &Halo2,
        }
    }
}

/// Least time between two states that are safe from a power failure, without proofs. Every state is safe from a kill.
const SYNC: Duration = Duration::from_secs(1);

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let mut dir = RunDir::new(&args.out);
    if args.private && !dir.run_file().exists() {
        dir = RunDir::private(&args.out);
    }
    let exists = || {
        let message = format!("{} already contains a run; --resume continues it", args.out.display());
        Err(CliError::Usage(message))
    };
    if let Some(other) = dir.occupied() {
        return Err(CliError::Usage(format!("{} contains {other}: specify another directory", args.out.display())));
    }
    if !dir.begun() && dir.has_checkpoints() {
        let out = args.out.display();
        return Err(CliError::Usage(format!("{out} contains checkpoints of another run: specify another directory")));
    }
    if dir.is_private() && !dir.begun() {
        let out = args.out.display();
        if args.resume && dir.run_file().exists() && !dir.has_secrets() {
            return Err(CliError::Usage(format!("{out}/secret is missing: without it the run cannot go on")));
        }
        if !args.private {
            let message = format!(
                "{out} is of a private run that had not begun yet: repeat the command that began it, with --private"
            );
            return Err(CliError::Usage(message));
        }
    }
    if let Some(path) = &args.watch.tensorboard {
        dir.check_outside_public(path)?;
    }
    let (mut session, _lock) = if dir.begun() {
        if !args.resume {
            return exists();
        }
        let lock = dir.lock()?;
        (session::resume(&args, &dir, ui)?, lock)
    } else {
        let session = session::prepare(&args, ui)?;
        if let Some(path) = &args.watch.tensorboard {
            events::check(path, &session.id)?;
        }
        dir.create()?;
        let lock = dir.lock()?;
        if dir.begun() {
            return exists();
        }
        session::begin(&session, &dir, ui)?;
        (session, lock)
    };
    let resumed_at = session.trainer.step;
    let (told, path) = (ui.clone(), args.out.clone());
    // Whenever it is killed, a run goes on.
    interrupt::on_interrupt(move || {
        let path = crate::format::quoted(&path);
        interrupt::end(&told, format!("interrupted; resume with: gradientcoin train --resume --out {path}"))
    });
    let start = Instant::now();
    if session.settings.prove {
        prove(&mut session, &args, &dir, ui)?;
    } else {
        train(&mut session, &args.watch, &dir, ui)?;
    }
    Ok(summary::summary(&session, &dir, resumed_at, start.elapsed()))
}

impl Session {
    /// The batches of the step in hand, one per contribution. Refuses a learning rate that the update cannot express.
    fn batches(&self) -> Result<Vec<Assigned>, CliError> {
        let (run, config, step) = (&self.run, &self.trainer.spec.config, self.trainer.step);
        run.hyper(config, step, SquareSum::ZERO)?;
        Ok(run.assigned(config, &self.data, step)?)
    }

    /// Takes a step natively; gives its line, without times.
    fn step(&mut self, batches: &[Assigned]) -> Result<LogLine, CliError> {
        let rate = self.run.schedule.lr_at(self.run.taken.saturating_add(self.trainer.step));
        let log = self.trainer.accumulate(batches)?;
        Ok(LogLine {
            step: log.step,
            loss: log.mean_loss(),
            loss_sum: public_loss(log.loss)?,
            predictions: log.predictions,
            rate,
            saturated: log.saturations.total(),
            gradient_norm: log.gradient_norm(),
            seconds: 0.0,
            proving_seconds: None,
            proof_bytes: None,
        })
    }

    /// What is kept of the state.
    fn state(&self) -> Kept {
        let model = ModelState::new(&self.trainer.spec.config, &self.trainer.state, Some(self.id), self.trainer.step);
        Kept { model, secrets: self.secrets.clone() }
    }
}

fn train(session: &mut Session, args: &watch::Args, dir: &RunDir, ui: &Ui) -> Result<(), CliError> {
    let mut log = dir.open_log()?;
    let steps = session.settings.steps;
    let bar = ui.bar(steps, session.trainer.step, "{wide_bar} step {pos}/{len} {msg} {per_sec}, {eta} left");
    let mut synced = Instant::now();
    let mut watch = Watch::new(session, args, dir, ui)?;
    watch.between(session, Some(&bar))?;
    while session.trainer.step < steps {
        let start = Instant::now();
        let batches = session.batches()?;
        let mut line = session.step(&batches)?;
        line.seconds = start.elapsed().as_secs_f64();
        log.add(&line)?;
        let sync = synced.elapsed() >= SYNC || session.trainer.step == steps;
        dir.write_state(session.state(), sync)?;
        if sync {
            synced = Instant::now();
        }
        bar.set_message(format!("loss {:.4}", line.loss));
        bar.inc(1);
        watch.step(&line)?;
        session.lines.push(line);
        watch.between(session, Some(&bar))?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn prove(session: &mut Session, args: &Args, dir: &RunDir, ui: &Ui) -> Result<(), CliError> {
    let steps = session.settings.steps;
    let mut watch = Watch::new(session, &args.watch, dir, ui)?;
    if session.trainer.step >= steps {
        return watch.between(session, None);
    }
    let (params, keys) = match session.keys.take() {
        Some(made) => made,
        None => {
            let params = ui.params(&session.trainer.spec.config)?;
            let variant = session.run.variant();
            let keys = ui.prover_keys(&params, &session.trainer.spec, How { variant, ..How::default() })?;
            (params, keys)
        }
    };
    let verifier = StepVerifier::with_keys(&params, &session.trainer.spec.config, keys.verifying.clone())?;
    let mut before = first_commitments(session, dir, (&params, &verifier), ui)?;
    let mut log = dir.open_log()?;
    let config = session.trainer.spec.config.clone();
    let sequences = (session.run.batch * session.run.accumulate) as usize;
    let size = (sequences, config.layers, Layouts::new(&config).updates().len());
    let spec = session.trainer.spec.clone();
    let prover = StepProver::new(&params, &keys, &spec)
        .with_engine(args.engine.engine())
        .with_instances_per_proof(session.run.instances_per_proof);
    if args.engine == EngineKind::Native && !ui.is_json() {
        let extent = Extent {
            batch: session.run.batch as usize,
            accumulate: session.run.accumulate as usize,
            instances_per_proof: session.run.instances_per_proof as usize,
        };
        let pace = match session.run.optimizer.update() {
            UpdateKind::Sgd => Pace::with_key(&params, &keys.update)?,
            UpdateKind::ClippedSgd | UpdateKind::AdamW => Pace::measure(&params)?,
        };
        ui.progress(&estimate::line(&StepEstimate::of(&config, &keys.circuits, extent, pace)?));
    }
    prove_genesis(session, dir, (&prover, &verifier), ui)?;
    watch.between(session, None)?;
    while session.trainer.step < steps {
        let number = session.trainer.step;
        let start = Instant::now();
        let batches = session.batches()?;
        let mut state = session.trainer.state.clone();
        let mut line = session.step(&batches)?;
        let proving = Instant::now();
        let mut bar = ProofBar::step(ui, number, &keys, size);
        let (at, told) = (StepOf { run: &session.run, step: number, before: &before }, &mut |told| bar.observe(told));
        let (bundle, after) = match &mut session.secrets {
            None => prover.step(at, &mut state, &batches, told)?,
            Some(secrets) => prover.private_step(at, (&mut state, secrets), &batches, told)?,
        };
        drop(bar);
        if session.secrets.is_some() {
            // Secrets that are not the state's would show here first.
            verifier.verify(&params, (&session.run, number, &before), &bundle, None)?;
        }
        if state != session.trainer.state {
            return Err(CliError::Diverged(number));
        }
        line.proof_bytes = Some(bundle.proof_bytes());
        line.proving_seconds = Some(proving.elapsed().as_secs_f64());
        dir.write_bundle(&bundle)?;
        line.seconds = start.elapsed().as_secs_f64();
        log.add(&line)?;
        dir.write_state(session.state(), true)?;
        before = after;
        ui.progress(&format!("step {number}: loss {:.4}, proven in {}", line.loss, time(proving.elapsed())));
        watch.step(&line)?;
        session.lines.push(line);
        watch.between(session, None)?;
    }
    Ok(())
}

/// Commitments of the state in hand, which must be those that the last proof leads to, or the genesis: whatever happened to
/// the files, no step is proven from another state, nor after a step whose proof does not hold.
fn first_commitments(
    session: &Session,
    dir: &RunDir,
    (params, verifier): (&Params, &StepVerifier),
    ui: &Ui,
) -> Result<StateCommitments, CliError> {
    let committed = {
        let _spinner = ui.spinner("commitments of the state");
        let (spec, state) = (&session.trainer.spec, &session.trainer.state);
        match &session.secrets {
            None => commit_state(params, spec, state)?,
            Some(secrets) => secrets.commit_state(params, &spec.config, state)?,
        }
    };
    let (expected, proof) = match session.trainer.step.checked_sub(1) {
        None => (session.run.genesis.clone(), dir.run_file()),
        Some(last) => {
            let damaged = |source: CliError| CliError::DamagedBundle { source: Box::new(source) };
            let bundle = dir.bundle(last).map_err(damaged)?;
            let refused = |error: RunRefused| {
                let source = FileError::Foreign(error.to_string());
                damaged(CliError::File { path: dir.bundle_file(last), source })
            };
            let verified = RunVerifier::starting_at(params, verifier, (&session.run, last, &bundle.before), None)
                .and_then(|verifier| verifier.step(&bundle))
                .and_then(RunVerifier::finish);
            (verified.map_err(refused)?.after, dir.bundle_file(last))
        }
    };
    if committed == expected { Ok(committed) } else { Err(CliError::OtherState { state: dir.state_file(), proof }) }
}

/// Whether the run has a genesis proof that holds: if not, why.
fn kept_genesis_proof(session: &Session, dir: &RunDir, params: &Params, verifier: &StepVerifier) -> Result<(), String> {
    let file = dir.genesis_proof_file();
    if !file.exists() {
        return Err(format!("{} is missing", file.display()));
    }
    let proof: GenesisProof = files::decode(&file, MAX_SMALL).map_err(|error| error.to_string())?;
    let verified = verifier.verify_genesis(params, &session.run.genesis, &proof);
    verified.map_err(|error| format!("{}: {error}", file.display()))
}

/// Proves that the first state is in range, with the first step. It needs the first state: a run without it begins again.
fn prove_genesis(
    session: &Session,
    dir: &RunDir,
    (prover, verifier): (&StepProver<'_>, &StepVerifier),
    ui: &Ui,
) -> Result<(), CliError> {
    let Err(fault) = kept_genesis_proof(session, dir, prover.params, verifier) else { return Ok(()) };
    if session.secrets.is_some() {
        // Its blinding hides the first state in one proof alone.
        ui.warn(&format!("{fault}: without this file, no verifier accepts the run; begin it anew"));
        return Ok(());
    }
    if session.trainer.step > 0 {
        ui.warn(&format!("{fault}; the first state is gone: without this file, `verify` will require --genesis"));
        return Ok(());
    }
    let groups = Layouts::new(&session.trainer.spec.config).updates().len();
    let mut bar = ProofBar::genesis(ui, prover.keys, groups);
    let (proof, _) = prover.genesis(&session.trainer.state, &mut |told| bar.observe(told))?;
    dir.write_genesis_proof(&proof)
}
