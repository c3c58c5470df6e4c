//! What `gradientcoin estimate` says of each preset before a step is proven, and what proving it takes.

use benches::setup::{Setup, spec};
use benches::timing::{median, seconds, time};
use benches::{machine, ready};
use circuits::segments::Variant;
use circuits::statements::Extent;
use clap::Parser;
use prover::estimate::{Pace, StepEstimate};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use verifier::StepVerifier;
use verifier::keys::file_name;

/// Prints what was estimated and what was measured of steps of batch 1, and the ratios of the two
#[derive(Parser)]
struct Options {
    /// Presets to measure
    #[arg(long, value_delimiter = ',', default_value = "nano,micro,mini")]
    preset: Vec<String>,
    /// Steps that are proven, of which the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Measures one preset, in this process: what the others do for each
    #[arg(long, hide = true)]
    alone: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let cache = std::env::temp_dir().join("gradientcoin-estimate");
    if let ([preset], true) = (&options.preset[..], options.alone) {
        return alone(preset, options.runs, &cache);
    }
    println!("{}\n", machine::heading());
    println!("| preset | what | estimated | measured | estimated over measured |");
    println!("|---|---|---:|---:|---:|");
    // What a process held at its peak is what it did alone.
    for preset in &options.preset {
        let runs = options.runs.to_string();
        let status =
            Command::new(std::env::current_exe()?).args(["--alone", "--preset", preset, "--runs", &runs]).status()?;
        if !status.success() {
            return Err(format!("{preset}: {status}").into());
        }
    }
    Ok(())
}

fn alone(preset: &str, runs: usize, cache: &Path) -> Result<(), Box<dyn Error>> {
    let spec = spec(preset);
    // Keys are made, and read from the cache thereafter.
    drop(ready::to_prove(cache, &spec)?);
    let (params, keys) = ready::to_prove(cache, &spec)?;
    let estimate = StepEstimate::of(&spec.config, &keys.circuits, Extent::default(), Pace::measure(&params)?)?;
    let key_bytes = std::fs::metadata(cache.join(file_name(Variant::default(), &spec.config)))?.len();
    let verifier = StepVerifier::with_keys(&params, &spec.config, keys.verifying.clone())?;
    let setup = Setup::new(&params, spec, keys, verifier);
    let (mut times, mut proof_bytes) = (vec![], 0);
    for _ in 0..runs.max(1) {
        let (taken, bundle) = time(|| setup.prove());
        times.push(taken);
        proof_bytes = bundle.proof_bytes();
    }
    let memory = machine::peak_memory().ok_or("the system does not say what the process held at its peak")?;
    let (genesis, _) = time(|| setup.prove_genesis());
    let row = |what: &str, unit: &str, estimated: f64, measured: f64| {
        println!(
            "| `{preset}` | {what} | {estimated:.2} {unit} | {measured:.2} {unit} | {:.2} |",
            estimated / measured
        );
    };
    row("proving a step", "s", estimate.seconds, seconds(median(times)));
    row("a genesis proof", "s", estimate.genesis_seconds, seconds(genesis));
    row("peak memory", "MiB", estimate.peak_memory / f64::from(1 << 20), memory as f64 / f64::from(1 << 20));
    row("proofs", "B", estimate.proof_bytes as f64, proof_bytes as f64);
    row("verifying keys", "B", estimate.key_bytes as f64, key_bytes as f64);
    Ok(())
}
