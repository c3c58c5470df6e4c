//! `plot`: the losses that runs have recorded.

use crate::error::{CliError, FileError};
use crate::files::{self, MAX_TEXT, Readers};
use crate::format::plural;
use crate::loss_curve::{Curve, draw};
use crate::run_dir::RunDir;
use crate::ui::{Output, Ui};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directories of runs, which may still be in training
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// SVG file to write; one that is there already is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Smooth training losses over N steps [default: a fiftieth of the longest run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    smooth: Option<u64>,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    replaceable(&args.out)?;
    let dirs: Vec<RunDir> = args.runs.iter().map(|path| RunDir::new(path)).collect();
    let mut readers = Readers::Umask;
    for dir in &dirs {
        if dir.is_private() {
            dir.check_outside_public(&args.out)?;
            readers = Readers::Owner;
        }
    }
    let curves = dirs.iter().map(curve).collect::<Result<Vec<_>, _>>()?;
    let longest = curves.iter().map(|curve| curve.lines.len()).max().unwrap_or(0);
    let smooth = args.smooth.map_or((longest / 50).max(1), |n| usize::try_from(n).unwrap_or(usize::MAX));
    let svg = draw(&curves, smooth)
        .map_err(|error| CliError::file(&args.out)(FileError::Foreign(format!("the plot cannot be drawn: {error}"))))?;
    files::write_for(readers, &args.out, svg.as_bytes(), true)?;
    if readers == Readers::Owner {
        ui.warn("a run is private: its losses tell of its weights and data, and only you may read the file");
    }
    let text = curves.iter().map(|curve| {
        let (steps, measured) = (plural(curve.lines.len() as u64, "step"), curve.evaluations.len() as u64);
        format!("{}: {steps}, {} of what is held out", curve.name, plural(measured, "measurement"))
    });
    let runs: Vec<Value> = curves
        .iter()
        .map(|curve| json!({ "run": curve.name, "steps": curve.lines.len(), "evaluations": curve.evaluations.len() }))
        .collect();
    Ok(Output {
        text: text.chain([args.out.display().to_string()]).collect::<Vec<_>>().join("\n"),
        json: json!({ "ok": true, "out": args.out.display().to_string(), "smooth": smooth, "runs": runs }),
    })
}

fn curve(dir: &RunDir) -> Result<Curve, CliError> {
    let name = dir.path().display().to_string();
    if dir.is_private() && !dir.has_secrets() {
        let message = "this is what is handed over of a private run, without its log".into();
        return Err(CliError::file(dir.path())(FileError::Foreign(message)));
    }
    Ok(Curve { name, lines: dir.log_lines()?, evaluations: dir.evaluations()? })
}

/// Refuses to replace what is no drawing.
fn replaceable(out: &Path) -> Result<(), CliError> {
    let is_svg = || files::read(out, 16 * MAX_TEXT).is_ok_and(|bytes| bytes.starts_with(b"<svg"));
    if out.exists() && !is_svg() {
        return Err(CliError::Usage(format!("{} exists and is no SVG file", out.display())));
    }
    Ok(())
}
