//! What a step costs here and elsewhere, measured in one run: the document that it is kept in, its tables, and where the newest
//! is found.

use super::document::{Proving, ResultsError};
use super::figures::{Figure, Unit};
use crate::machine::{Commit, Machine};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Version of the document's layout.
pub const PEERS_FORMAT: u32 = 1;

/// How the names of its files end.
const ENDING: &str = "-peers.json";

/// Measured with one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// [`PEERS_FORMAT`].
    pub format: u32,
    /// When it began, in UTC.
    pub date: String,
    /// Commit of the working tree.
    pub commit: Option<Commit>,
    /// Where.
    pub machine: Machine,
    /// The command line.
    pub command: Vec<String>,
    /// What all figures are of.
    pub setting: String,
    /// The steps that were proven.
    pub steps: Vec<PeerStep>,
}

/// One step, proven by each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerStep {
    /// Rows, inputs, hidden, outputs.
    pub shape: String,
    /// Weights.
    pub parameters: usize,
    /// What it costs here.
    pub ours: System,
    /// What it costs with EZKL, if that was measured.
    pub ezkl: Option<System>,
}

/// What a step costs with one proof system: times in seconds, run by run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// Its version, if it is not this program.
    pub version: Option<String>,
    /// Log2 of the rows of its circuit.
    pub rows_log2: u32,
    /// Making keys, once; here also the parameters of the commitments.
    pub setup: f64,
    /// Proving the step.
    pub proving: Vec<Proving>,
    /// Verifying it.
    pub verifying: Vec<f64>,
    /// Bytes of the proof.
    pub proof_bytes: u64,
    /// Bytes of all that a prover needs of the keys, the verifying key included.
    pub key_bytes: u64,
    /// Bytes of the verifying key.
    pub verifying_key_bytes: u64,
    /// The most memory in bytes that a process held that proves.
    pub peak_memory: Option<u64>,
    /// Largest distance of a new weight (here also of the loss) from float64.
    pub distance: f64,
}

/// A figure of both systems, and the least ratio that is aimed at.
struct Row {
    name: &'static str,
    unit: Unit,
    of: fn(&System) -> Vec<f64>,
    bar: Option<f64>,
}

const ROWS: [Row; 8] = [
    Row { name: "proving a step", unit: Unit::Seconds, of: seconds, bar: Some(40.0) },
    Row {
        name: "its processor time",
        unit: Unit::Seconds,
        of: |s| s.proving.iter().filter_map(|run| run.processor_seconds).collect(),
        bar: None,
    },
    Row { name: "bytes of the keys", unit: Unit::Bytes, of: |s| vec![s.key_bytes as f64], bar: Some(20.0) },
    Row {
        name: "peak memory of a process that proves",
        unit: Unit::Bytes,
        of: |s| s.peak_memory.iter().map(|&bytes| bytes as f64).collect(),
        bar: Some(5.0),
    },
    Row { name: "setup, once", unit: Unit::Seconds, of: |s| vec![s.setup], bar: None },
    Row { name: "verifying", unit: Unit::Seconds, of: |s| s.verifying.clone(), bar: None },
    Row { name: "verifying key", unit: Unit::Bytes, of: |s| vec![s.verifying_key_bytes as f64], bar: None },
    Row { name: "proof", unit: Unit::Bytes, of: |s| vec![s.proof_bytes as f64], bar: None },
];

fn seconds(of: &System) -> Vec<f64> {
    of.proving.iter().map(|run| run.seconds).collect()
}

impl System {
    /// Of proving.
    pub(super) fn median_seconds(&self) -> Option<f64> {
        ROWS[0].figure(self).median()
    }
}

impl PeerStep {
    /// Whether each ratio that is aimed at is reached; `None` without a peer.
    pub fn reaches_bars(&self) -> Option<bool> {
        let ezkl = self.ezkl.as_ref()?;
        let reached = |row: &Row| {
            let ratio = row.ratio(&self.ours, ezkl);
            row.bar.is_none_or(|bar| ratio.is_some_and(|ratio| ratio >= bar))
        };
        Some(ROWS.iter().all(reached))
    }
}

impl Row {
    fn figure(&self, of: &System) -> Figure {
        Figure::new(self.name, self.unit, (self.of)(of))
    }

    /// Theirs over ours, medians over medians.
    fn ratio(&self, ours: &System, theirs: &System) -> Option<f64> {
        Some(self.figure(theirs).median()? / self.figure(ours).median()?)
    }
}

impl Peers {
    /// Markdown: for each step both systems' figures, and theirs over ours.
    pub fn table(&self) -> String {
        let commit = self.commit.as_ref().map_or("unknown".into(), ToString::to_string);
        let mut text = format!(
            "{}; medians and spread of the runs; {}; commit {commit}; {}.\n",
            self.setting, self.machine, self.date
        );
        for step in &self.steps {
            let PeerStep { shape, parameters, ours, ezkl } = step;
            let version = ezkl.as_ref().and_then(|ezkl| ezkl.version.clone()).unwrap_or_default();
            let _ = writeln!(
                text,
                "\n| {shape}: {parameters} parameters | ours | EZKL {version} | EZKL over ours | at least |\n|---|---:|---:|---:|---:|"
            );
            for row in &ROWS {
                let theirs = ezkl.as_ref().map_or("–".into(), |ezkl| row.figure(ezkl).to_string());
                let ratio = ezkl.as_ref().and_then(|ezkl| row.ratio(ours, ezkl));
                let ratio = ratio.map_or("–".into(), |ratio| {
                    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
                });
                let bar = row.bar.map_or(String::new(), |bar| bar.to_string());
                let _ = writeln!(text, "| {} | {} | {theirs} | {ratio} | {bar} |", row.name, row.figure(ours));
            }
            let rows = |system: &System| format!("2^{}", system.rows_log2);
            let distance = |system: &System| format!("2^{:.1}", system.distance.log2());
            for (name, of) in
                [("rows", &rows as &dyn Fn(&System) -> String), ("largest distance from float64", &distance)]
            {
                let _ = writeln!(text, "| {name} | {} | {} | | |", of(ours), ezkl.as_ref().map_or("–".into(), of));
            }
        }
        text
    }

    /// Reads a document.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let text = fs::read_to_string(path).map_err(|source| ResultsError::Read { path: path.into(), source })?;
        let read: Peers =
            serde_json::from_str(&text).map_err(|source| ResultsError::Malformed { path: path.into(), source })?;
        match read.format {
            PEERS_FORMAT => Ok(read),
            found => Err(ResultsError::Format { path: path.into(), found }),
        }
    }

    /// The newest document of a directory that has a peer's figures, if there is one.
    pub fn newest(dir: &Path) -> Result<Option<Self>, ResultsError> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ResultsError::Read { path: dir.into(), source }),
        };
        let mut newest: Option<Peers> = None;
        for entry in entries {
            let path = entry.map_err(|source| ResultsError::Read { path: dir.into(), source })?.path();
            if !path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING)) {
                continue;
            }
            let read = Self::read(&path)?;
            let is_newer = newest.as_ref().is_none_or(|newest| newest.date < read.date);
            if is_newer && read.steps.iter().any(|step| step.ezkl.is_some()) {
                newest = Some(read);
            }
        }
        Ok(newest)
    }

    /// Writes the document into a directory, under a name of its own.
    pub fn write(&self, dir: &Path) -> Result<PathBuf, ResultsError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| ResultsError::Write { path, source }
        };
        fs::create_dir_all(dir).map_err(at(dir))?;
        let json = serde_json::to_string_pretty(self).map_err(|e| at(dir)(e.into()))? + "\n";
        let stem = super::document::name(&self.date, self.commit.as_ref());
        for path in
            (1..).map(|n| dir.join(if n == 1 { format!("{stem}{ENDING}") } else { format!("{stem}-{n}{ENDING}") }))
        {
            match fs::File::options().write(true).create_new(true).open(&path) {
                // Nothing that was measured is written over.
                Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(failed) => return Err(at(&path)(failed)),
                Ok(mut file) => io::Write::write_all(&mut file, json.as_bytes()).map_err(at(&path))?,
            }
            return Ok(path);
        }
        unreachable!("there is always a further number")
    }
}
