//! What is measured and kept while a run goes on: held-out losses, checkpoints.

use super::session::Session;
use crate::error::{CliError, FileError};
use crate::evaluation::{WindowCount, evaluate, nats};
use crate::events::Events;
use crate::format::{hex, plural};
use crate::held_out::HeldOut;
use crate::run_dir::{Evaluation, HeldOutPart, Log, LogLine, Measured, RunDir};
use crate::ui::Ui;
use circuits::model::file::ModelState;
use circuits::model::{Windows, public_loss};
use circuits::statements::corpus_digest;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Hold out the end of the corpus, a share below 1 or a number of bytes: no batch is drawn from it. The run's corpus is what is
    /// left (`verify --corpus FILE --held-out …`)
    #[arg(long, value_name = "SHARE|BYTES")]
    pub held_out: Option<HeldOut>,
    /// Measure the held-out loss every N steps, and before the first [default: after the last alone]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    eval_every: Option<u64>,
    /// Windows of what is held out to measure, evenly apart [default: all]
    #[arg(long, value_name = "N|all")]
    eval_windows: Option<WindowCount>,
    /// Keep the model every N steps, in RUN/checkpoints; of a private run, in RUN/secret/checkpoints
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: Option<u64>,
    /// Write losses, learning rate and clipped values to an event file of TensorBoard in this directory: those of this command's
    /// steps, and if it has none of the run's, of those before
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
}

impl Args {
    /// What is measured of a run that was begun with `before`, and holds out `held_out`.
    pub fn measured(&self, before: &Measured, held_out: &[u8]) -> Result<Measured, CliError> {
        let given = [("--eval-every", self.eval_every.is_some()), ("--eval-windows", self.eval_windows.is_some())];
        if let Some((name, _)) = given.iter().find(|(_, given)| *given && held_out.is_empty()) {
            return Err(CliError::Usage(format!("{name} needs a run with --held-out")));
        }
        let part = || HeldOutPart { bytes: held_out.len() as u64, digest: hex(&corpus_digest(held_out)) };
        Ok(Measured {
            held_out: (!held_out.is_empty()).then(part),
            eval_every: self.eval_every.or(before.eval_every),
            eval_windows: self.eval_windows.map_or(before.eval_windows, WindowCount::limit),
            checkpoint_every: self.checkpoint_every.or(before.checkpoint_every),
        })
    }
}

/// Refuses a corpus whose end is not the one that the run holds out.
pub fn same_part(file: &Path, before: &Measured, measured: &Measured) -> Result<(), CliError> {
    if before.held_out == measured.held_out {
        return Ok(());
    }
    let source = FileError::Foreign("the end of this corpus is not the one that the run holds out".into());
    Err(CliError::file(file)(source))
}

/// Does what is due between two steps.
pub struct Watch<'a> {
    dir: &'a RunDir,
    ui: &'a Ui,
    evaluations: Option<Log>,
    events: Option<Events>,
}

impl<'a> Watch<'a> {
    /// Of a run that begins or goes on.
    pub fn new(session: &Session, args: &Args, dir: &'a RunDir, ui: &'a Ui) -> Result<Self, CliError> {
        let evaluations = if session.held_out.is_empty() { None } else { Some(dir.open_evaluations()?) };
        let mut events = None;
        if let Some(path) = &args.tensorboard {
            let mut new = Events::create(dir.readers(), path, &session.id)?;
            if new.is_first {
                session.lines.iter().try_for_each(|line| new.step(line))?;
                session.evaluations.iter().try_for_each(|line| new.evaluation(line))?;
            }
            events = Some(new);
        }
        Ok(Watch { dir, ui, evaluations, events })
    }

    /// Notes a step that was taken.
    pub fn step(&mut self, line: &LogLine) -> Result<(), CliError> {
        self.events.as_mut().map_or(Ok(()), |events| events.step(line))
    }

    /// What is due after the last step that was taken, unless it was done before the process was killed. `bar` stands on the
    /// terminal meanwhile.
    pub fn between(&mut self, session: &mut Session, bar: Option<&ProgressBar>) -> Result<(), CliError> {
        let step = session.trainer.step;
        let measured = &session.settings.measured;
        let due = |every: Option<u64>| every.is_some_and(|every| step.is_multiple_of(every));
        let is_measured = session.evaluations.last().is_some_and(|last| last.step == step);
        if self.evaluations.is_some() && !is_measured && (step == session.settings.steps || due(measured.eval_every)) {
            match bar {
                Some(bar) => bar.suspend(|| self.evaluate(session))?,
                None => self.evaluate(session)?,
            }
        }
        if step > 0 && due(session.settings.measured.checkpoint_every) && !self.dir.has_checkpoint(step) {
            let trainer = &session.trainer;
            let model = ModelState::new(&trainer.spec.config, &trainer.state, Some(session.id), step);
            self.dir.write_checkpoint(&trainer.spec.config, &model, &session.tokenizer)?;
        }
        Ok(())
    }

    fn evaluate(&mut self, session: &mut Session) -> Result<(), CliError> {
        let Some(log) = &mut self.evaluations else { return Ok(()) };
        let (spec, start) = (&session.trainer.spec, Instant::now());
        let limit = session.settings.measured.eval_windows;
        let windows = Windows::new(&spec.config, &session.held_out.tokens, limit)
            .map_err(|source| CliError::File { path: session.settings.corpus.clone(), source: source.into() })?;
        let bar = self.ui.bar(windows.len() as u64, 0, "{wide_bar} held-out window {pos}/{len}, {eta} left");
        let evaluated = evaluate(spec, &session.trainer.state.w, &windows, &|| bar.inc(1))?;
        bar.finish_and_clear();
        let line = Evaluation {
            step: session.trainer.step,
            loss: nats(&evaluated),
            loss_sum: public_loss(evaluated.loss)?,
            predictions: evaluated.predictions,
            saturated: evaluated.saturations.total(),
            seconds: start.elapsed().as_secs_f64(),
        };
        log.add(&line)?;
        self.ui.progress(&format!("after {}: held-out loss {:.4}", plural(line.step, "step"), line.loss));
        if let Some(events) = &mut self.events {
            events.evaluation(&line)?;
        }
        session.evaluations.push(line);
        Ok(())
    }
}

/// The last of a run's held-out losses and the lowest, for people and for machines.
pub fn held_out_summary(session: &Session) -> (String, Value) {
    let Some(last) = session.evaluations.last() else { return (String::new(), Value::Null) };
    let lowest = session.evaluations.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap_or(last);
    let mut text = format!("\nheld-out loss {:.4} after {}", last.loss, plural(last.step, "step"));
    if lowest.step != last.step {
        text += &format!(", {:.4} at its lowest after {}", lowest.loss, plural(lowest.step, "step"));
    }
    let json = json!({
        "bytes": session.held_out.bytes.len(),
        "predictions": last.predictions,
        "step": last.step,
        "loss": last.loss,
        "loss_sum": last.loss_sum,
        "lowest": { "step": lowest.step, "loss": lowest.loss },
    });
    (text, json)
}
