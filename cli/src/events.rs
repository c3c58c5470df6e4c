//! A run's curves as event files of TensorBoard.

use crate::error::CliError;
use crate::files::{self, Readers};
use crate::format::hex;
use crate::run_dir::{Evaluation, LogLine};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use syntaxdot_summary::SummaryWriter;

/// What the names of event files have in them.
const EVENTS: &str = ".tfevents.";

/// An event file that is being written. Each event is on disk once it is told.
pub struct Events {
    path: PathBuf,
    writer: SummaryWriter<BufWriter<File>>,
    /// Whether the directory had nothing of this run before.
    pub is_first: bool,
}

impl Events {
    /// A new file in a directory, which may have files of the same run: TensorBoard reads them one after another.
    pub fn create(readers: Readers, dir: &Path, run: &[u8; 32]) -> Result<Self, CliError> {
        let (id, others) = (hex(&run[..8]), check(dir, run)?);
        match readers {
            Readers::Umask => files::create_dir(dir)?,
            Readers::Owner => files::create_private_dir(dir)?,
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // In the order of their names; several may begin within a second.
        let name = |i: usize| dir.join(format!("events.out{EVENTS}{seconds:010}.{i:02}.{id}"));
        let mut options = readers.options();
        options.write(true).create(false).create_new(true);
        let mut i = others.len();
        let (path, file) = loop {
            let path = name(i);
            match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => i += 1,
                opened => break (path.clone(), opened.map_err(CliError::io("create", &path))?),
            }
        };
        let writer = SummaryWriter::new(BufWriter::new(file)).map_err(CliError::io("write", &path))?;
        Ok(Events { path, writer, is_first: others.is_empty() })
    }

    fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<(), CliError> {
        let written = self.writer.write_scalar(tag, step as i64, value as f32);
        written.map_err(CliError::io("write", &self.path))
    }

    /// A step's loss, learning rate, norm of the gradient where it is clipped, and number of clipped values.
    pub fn step(&mut self, line: &LogLine) -> Result<(), CliError> {
        self.scalar("loss/training", line.step, line.loss)?;
        self.scalar("learning_rate", line.step, line.rate as f64 / (1u64 << 36) as f64)?;
        if let Some(norm) = line.gradient_norm {
            self.scalar("gradient_norm", line.step, norm)?;
        }
        self.scalar("saturated", line.step, line.saturated as f64)
    }

    /// A held-out loss, after so many steps.
    pub fn evaluation(&mut self, line: &Evaluation) -> Result<(), CliError> {
        self.scalar("loss/held-out", line.step, line.loss)
    }
}

/// The event files of a run in a directory: refuses one that has another run's.
pub fn check(dir: &Path, run: &[u8; 32]) -> Result<Vec<String>, CliError> {
    let (id, files) = (hex(&run[..8]), event_files(dir)?);
    match files.iter().find(|name| !name.contains(&id)) {
        None => Ok(files),
        Some(other) => Err(CliError::Usage(format!(
            "{} has events of another run ({other}): specify another directory",
            dir.display()
        ))),
    }
}

/// Names of the event files in a directory, which may not be there.
fn event_files(dir: &Path) -> Result<Vec<String>, CliError> {
    if !dir.exists() {
        return Ok(vec![]);
    }
    let listed = fs::read_dir(dir).map_err(CliError::io("list", dir))?;
    let names = listed.map(|entry| Ok(entry.map_err(CliError::io("list", dir))?.file_name().to_string_lossy().into()));
    let names = names.collect::<Result<Vec<String>, CliError>>()?;
    Ok(names.into_iter().filter(|name| name.contains(EVENTS)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64) -> LogLine {
        LogLine {
            step,
            loss: 2.5,
            loss_sum: 0,
            predictions: 1,
            rate: 1 << 35,
            saturated: 3,
            gradient_norm: None,
            seconds: 0.0,
            proving_seconds: None,
            proof_bytes: None,
        }
    }

    #[test]
    fn files_of_one_run_follow_each_other_and_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let of = |run: u8| Events::create(Readers::Umask, &dir.path().join("tb"), &[run; 32]);
        let mut first = of(1).unwrap();
        first.step(&line(0)).unwrap();
        let second = of(1).unwrap();
        assert!(first.is_first && !second.is_first && first.path < second.path);
        let message = of(2).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("has events of another run"), "{message}");
        let bytes = fs::read(&first.path).unwrap();
        assert!(bytes.windows(13).any(|w| w == b"brain.Event:2") && bytes.windows(13).any(|w| w == b"loss/training"));
    }
}
