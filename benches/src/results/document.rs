//! The document that results are kept in.

use crate::machine::{Commit, Machine};
use crate::ops::Op;
use circuits::statements::StepSize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Version of the document's layout.
pub const FORMAT: u32 = 1;

/// Why results cannot be read, or written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no such document.
    #[error("{path} is no file of results: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it is amiss.
        source: serde_json::Error,
    },
    /// A file has another layout.
    #[error("{path} has results of format {found}, not {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plot cannot be drawn.
    #[error("the plot cannot be drawn: {0}")]
    Plot(String),
}

/// Measured with one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// When it began, in UTC.
    pub date: String,
    /// Commit of the working tree.
    pub commit: Option<Commit>,
    /// Version of the circuits.
    pub circuit_version: u32,
    /// Where.
    pub machine: Machine,
    /// The command line.
    pub command: Vec<String>,
    /// What all figures are of.
    pub setting: String,
    /// Each preset's figures.
    pub presets: Vec<Measured>,
}

/// One preset's figures: times in seconds, run by run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Name of the preset.
    pub preset: String,
    /// Parameters of the model.
    pub parameters: usize,
    /// Advice columns of a step.
    pub columns: usize,
    /// Cells of these columns.
    pub cells: usize,
    /// Those that ops own.
    pub assigned: usize,
    /// Bytes of the circuits' proofs, by their keys.
    pub circuit_proof_bytes: usize,
    /// Bytes of all that is proof in the bundle: theirs, and the opening that shows canonical commitments.
    pub proof_bytes: u64,
    /// Bytes of the file of verifying keys.
    pub key_bytes: u64,
    /// Proving a step, in a process that has done nothing else.
    pub proving: Vec<Proving>,
    /// The most memory in bytes that this process held until then.
    pub peak_memory: Option<u64>,
    /// Verifying it.
    pub verifying: Vec<f64>,
    /// The genesis proof, unless it is left out.
    pub genesis: Option<Genesis>,
    /// The native step of batch 1, without proof.
    pub native: Vec<f64>,
    /// The same of batch 8.
    pub native_of_8: Vec<f64>,
    /// Each op's part.
    pub ops: BTreeMap<String, Op>,
}

/// One run of proving.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proving {
    /// By the clock.
    pub seconds: f64,
    /// Of all threads, where the system tells.
    pub processor_seconds: Option<f64>,
}

/// What a genesis proof costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Genesis {
    /// Proving it.
    pub proving: Vec<f64>,
    /// Verifying it.
    pub verifying: Vec<f64>,
    /// Bytes of all that is proof in it.
    pub proof_bytes: u64,
}

impl Measured {
    /// What is known before anything is measured.
    pub fn unmeasured(preset: &str, parameters: usize, size: &StepSize, key_bytes: u64) -> Self {
        Measured {
            preset: preset.into(),
            parameters,
            columns: size.columns,
            cells: size.cells,
            assigned: size.assigned,
            circuit_proof_bytes: size.proof_bytes,
            proof_bytes: 0,
            key_bytes,
            proving: vec![],
            peak_memory: None,
            verifying: vec![],
            genesis: None,
            native: vec![],
            native_of_8: vec![],
            ops: BTreeMap::new(),
        }
    }

    /// Seconds on one thread of all commitments to advice columns, by run.
    pub fn commitments(&self) -> Vec<f64> {
        let runs = self.ops.values().map(|op| op.commit_seconds.len()).min().unwrap_or(0);
        (0..runs).map(|run| self.ops.values().map(|op| op.commit_seconds[run]).sum()).collect()
    }
}

impl Results {
    /// As JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a file of results.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let text = fs::read_to_string(path).map_err(|source| ResultsError::Read { path: path.into(), source })?;
        let malformed = |source| ResultsError::Malformed { path: path.into(), source };
        // The version first: another layout need not have the same fields.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        match serde_json::from_str(&text).map_err(malformed)? {
            Version { format: FORMAT } => serde_json::from_str(&text).map_err(malformed),
            Version { format: found } => Err(ResultsError::Format { path: path.into(), found }),
        }
    }

    /// Writes these results and their plot into a directory, under a name of their own. The newest measurement beside other proof
    /// systems in that directory is drawn as well.
    pub fn write(&self, dir: &Path) -> Result<[PathBuf; 2], ResultsError> {
        let plot = super::plot(self, super::Peers::newest(dir)?.as_ref())?;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| ResultsError::Write { path, source }
        };
        fs::create_dir_all(dir).map_err(at(dir))?;
        let json = self.json().map_err(|e| at(dir)(e.into()))?;
        let name = name(&self.date, self.commit.as_ref());
        let names = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
        for name in names {
            let files = ["json", "svg"].map(|extension| dir.join(format!("{name}.{extension}")));
            let file = fs::File::options().write(true).create_new(true).open(&files[0]);
            match file {
                // Nothing that was measured is written over.
                Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(failed) => return Err(at(&files[0])(failed)),
                Ok(mut file) => io::Write::write_all(&mut file, json.as_bytes()).map_err(at(&files[0]))?,
            }
            fs::write(&files[1], plot).map_err(at(&files[1]))?;
            return Ok(files);
        }
        unreachable!("there is always a further number")
    }
}

/// Of a file: date and commit.
pub(super) fn name(date: &str, commit: Option<&Commit>) -> String {
    let day = date.split(' ').next().unwrap_or_default();
    let id = commit.map_or("unknown", |commit| &commit.id);
    let dirty = if commit.is_some_and(|commit| commit.dirty) { "-dirty" } else { "" };
    format!("{day}-{id}{dirty}")
}
