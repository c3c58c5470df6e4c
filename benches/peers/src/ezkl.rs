//! What the same step costs with EZKL: a script runs it in an environment of its own.

use crate::data::json;
use crate::shape::Mlp;
use crate::step::Inputs;
use benches::results::{Proving, System};
use serde::Deserialize;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Why there are no figures of EZKL.
#[derive(Debug, thiserror::Error)]
pub enum EzklError {
    /// The inputs cannot be written, or the script not be started.
    #[error("EZKL cannot be run: {0}")]
    Io(#[from] io::Error),
    /// The script failed; it said why on stderr.
    #[error("`ezkl/run.sh` failed: {0}")]
    Failed(ExitStatus),
    /// What it wrote last is not what is expected.
    #[error("`ezkl/run.sh` did not end with its figures: {0}")]
    Figures(#[from] serde_json::Error),
}

/// The last line of the script.
#[derive(Debug, Deserialize)]
struct Figures {
    version: String,
    rows_log2: u32,
    setup: f64,
    proving: Vec<Proving>,
    verifying: f64,
    proving_key_bytes: u64,
    verifying_key_bytes: u64,
    proof_bytes: u64,
    peak_memory: u64,
    distance: f64,
}

/// Makes keys for a step, proves it `runs` times, verifies it.
pub fn measure(mlp: &Mlp, inputs: &Inputs, runs: u16) -> Result<System, EzklError> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(json(mlp, inputs).to_string().as_bytes())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ezkl/run.sh");
    let output = Command::new(script).arg(file.path()).arg(runs.to_string()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(EzklError::Failed(output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let of: Figures = serde_json::from_str(text.lines().last().unwrap_or_default())?;
    Ok(System {
        version: Some(of.version),
        rows_log2: of.rows_log2,
        setup: of.setup,
        proving: of.proving,
        verifying: vec![of.verifying],
        proof_bytes: of.proof_bytes,
        // The proving key's file holds the verifying key.
        key_bytes: of.proving_key_bytes,
        verifying_key_bytes: of.verifying_key_bytes,
        peak_memory: Some(of.peak_memory),
        distance: of.distance,
    })
}
