//! Measures a step of an MLP, with EZKL's in the same run if asked, prints a table, and keeps the figures with machine, commit
//! and date.
//!
//! `cargo run --release -p peers -- --ezkl`

use benches::machine::{Machine, commit, date};
use benches::results::{PEERS_FORMAT, PeerStep, Peers, System};
use clap::Parser;
use peers::shape::RATE_FRAC;
use peers::{Mlp, Shape, data, ezkl, measure};
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Measures what a training step of a ReLU MLP costs to prove, here and with EZKL. Prints Markdown; writes JSON.
#[derive(Parser)]
struct Options {
    /// Rows, inputs, hidden and outputs of the MLP; may be repeated
    #[arg(long, default_value = "8,16,32,16")]
    shape: Vec<Shape>,
    /// Runs of proving, here and with EZKL
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Also proves the same step with EZKL
    #[arg(long)]
    ezkl: bool,
    /// File for the figures [default: one of its own in benches/results, with `--ezkl`]
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures one shape in this process: what the others do for each
    #[arg(long, hide = true)]
    alone: bool,
}

/// Seed of the data.
const SEED: u64 = 1;
/// Learning rate 1/2, frac 24.
const LEARNING_RATE: u64 = 1 << (RATE_FRAC - 1);

fn main() -> ExitCode {
    let options = Options::parse();
    match if options.alone { alone(&options) } else { all(&options) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn alone(options: &Options) -> Result<(), Box<dyn Error>> {
    for &shape in &options.shape {
        let measured = measure::ours(&Mlp::new(shape, LEARNING_RATE)?, SEED, options.runs.into())?;
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}

fn all(options: &Options) -> Result<(), Box<dyn Error>> {
    let date = date().ok_or("the program `date` does not say what day it is")?;
    let mut peers = Peers {
        format: PEERS_FORMAT,
        date,
        commit: commit(),
        machine: Machine::this(),
        command: std::env::args().collect(),
        setting: "An SGD step of a two-layer ReLU MLP, mean squared error, zero knowledge".into(),
        steps: vec![],
    };
    for &shape in &options.shape {
        let mlp = Mlp::new(shape, LEARNING_RATE)?;
        eprintln!("{shape}: proving it here");
        let ours = in_a_process_of_its_own(shape, options.runs)?;
        let ezkl = if options.ezkl {
            eprintln!("{shape}: proving it with EZKL");
            Some(ezkl::measure(&mlp, &data::draw(&mlp, SEED), options.runs)?)
        } else {
            None
        };
        peers.steps.push(PeerStep { shape: shape.to_string(), parameters: shape.parameters(), ours, ezkl });
    }
    print!("{}", peers.table());
    for step in peers.steps.iter().filter(|step| step.reaches_bars() == Some(false)) {
        eprintln!("{}: a ratio is below what is aimed at", step.shape);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&peers)? + "\n")?;
    } else if options.ezkl {
        eprintln!("{}", peers.write("benches/results".as_ref())?.display());
    }
    Ok(())
}

/// What a process held at its peak is what it did alone.
fn in_a_process_of_its_own(shape: Shape, runs: u16) -> Result<System, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--alone", "--shape", &shape.to_string(), "--runs", &runs.to_string()]);
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{shape} could not be measured: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
