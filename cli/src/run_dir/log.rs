//! A run's logs: a JSON document on each line, one for each step, or for each measurement.

use crate::error::{CliError, FileError};
use crate::files::{self, Readers};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Largest log.
pub const MAX_LOG: u64 = 1 << 30;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// Number of the step.
    pub step: u64,
    /// Mean loss in nats, for display.
    pub loss: f64,
    /// Sum of the losses over all predictions, frac 24: the exact value that is proven.
    pub loss_sum: u64,
    /// Predictions of the step.
    pub predictions: u64,
    /// Learning rate, frac 36.
    pub rate: u64,
    /// Elements that reached the end of their range.
    pub saturated: u64,
    /// Norm of the mean gradient, where it is clipped, before it is; for display.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gradient_norm: Option<f64>,
    /// Seconds that the step took, proofs included.
    pub seconds: f64,
    /// Seconds of proving.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proving_seconds: Option<f64>,
    /// Bytes of the proofs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proof_bytes: Option<u64>,
}

/// A line of the log of held-out losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Steps that were taken before.
    pub step: u64,
    /// Mean loss in nats, for display.
    pub loss: f64,
    /// Sum of the losses over all predictions, frac 24, exact.
    pub loss_sum: u64,
    /// Predictions.
    pub predictions: u64,
    /// Elements that reached the end of their range.
    pub saturated: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The lines of a file up to the last one that is to be kept. What follows it, lines beyond or one cut short, is removed from the
/// file; a line that is damaged in between stays where it is.
pub fn reconcile<L: DeserializeOwned>(
    readers: Readers,
    path: &Path,
    kept: impl Fn(&L) -> bool,
    warn: &mut dyn FnMut(String),
) -> Result<Vec<L>, CliError> {
    let bytes = if path.exists() { files::read(path, MAX_LOG)? } else { vec![] };
    let mut lines: Vec<L> = vec![];
    let (mut at, mut good, mut damaged, mut between) = (0, 0, vec![], vec![]);
    for (number, line) in (1..).zip(bytes.split_inclusive(|&b| b == b'\n')) {
        at += line.len();
        match serde_json::from_slice::<L>(line) {
            Ok(parsed) if line.ends_with(b"\n") && kept(&parsed) => {
                lines.push(parsed);
                damaged.append(&mut between);
                good = at;
            }
            Ok(_) => {}
            Err(_) => between.push(number),
        }
    }
    if good < bytes.len() {
        files::write_for(readers, path, &bytes[..good], true)?;
    }
    damaged.iter().for_each(|line| warn(format!("{}: line {line} is damaged", path.display())));
    Ok(lines)
}

/// The lines of a file that can be read. The last one may be in the writing.
pub fn lines<L: DeserializeOwned>(path: &Path) -> Result<Vec<L>, CliError> {
    let bytes = files::read(path, MAX_LOG)?;
    Ok(bytes.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// A log, open.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a log, which is made if it is not there.
    pub fn open(readers: Readers, path: PathBuf) -> Result<Self, CliError> {
        let file = readers.options().append(true).open(&path).map_err(CliError::io("open", &path))?;
        Ok(Log { path, file })
    }

    /// Adds a line.
    pub fn add(&mut self, line: &impl Serialize) -> Result<(), CliError> {
        let text =
            serde_json::to_string(line).map_err(|e| CliError::file(&self.path)(FileError::Json(e.to_string())))?;
        self.file.write_all((text + "\n").as_bytes()).map_err(CliError::io("write", &self.path))
    }
}
