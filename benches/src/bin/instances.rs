//! What it costs to share a proof among fewer instances: bytes, proving and verifying of one step.

use backend::parameters;
use benches::setup::{SEED, corpus, recipe, spec};
use benches::{machine, timing::time};
use circuits::model::State;
use circuits::statements::{MAX_INSTANCES_PER_PROOF, TrainingData};
use clap::Parser;
use prover::trainer::Recipe;
use prover::{ProvenRun, RunOptions, StepKeys};
use std::error::Error;
use verifier::{RunVerifier, StepVerifier};

/// Proves one step of a preset with 1, 2, 4 and 8 instances per proof, and prints a Markdown table.
#[derive(Parser)]
struct Arguments {
    /// Preset
    #[arg(long, default_value = "nano")]
    preset: String,
    /// Sequences of the step
    #[arg(long, default_value_t = 8)]
    batch: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let (spec, text) = (spec(&arguments.preset), corpus());
    let params = parameters::load(None, spec.config.k())?.params;
    let data = TrainingData::Corpus(text.clone());
    let keys = StepKeys::generate(&params, &spec)?;
    let verifier = StepVerifier::with_keys(&params, &spec.config, keys.verifying.clone())?;
    println!("{}; `{}`, batch {}, one step.\n", machine::heading(), arguments.preset, arguments.batch);
    println!("| instances per proof | proofs | proof bytes | proving | verifying |");
    println!("|---:|---:|---:|---:|---:|");
    let mut per_proof = 1;
    while per_proof <= MAX_INSTANCES_PER_PROOF {
        let Recipe { schedule, optimizer } = recipe();
        let (batch, instances_per_proof) = (arguments.batch, per_proof);
        let options = RunOptions { batch, instances_per_proof, optimizer, ..RunOptions::new(schedule) };
        let first = State::init(&spec.config, SEED);
        let mut run = ProvenRun::begin((&params, &keys, &spec), first, &data, options)?;
        let (proving, bundle) = time(|| run.step());
        let bundle = bundle?;
        let (verifying, verified) =
            time(|| RunVerifier::new(&params, &verifier, run.run(), Some(&text))?.step(&bundle)?.finish());
        let proofs = verified?.proofs;
        println!(
            "| {per_proof} | {proofs} | {:.1} KiB | {:.1} s | {:.0} ms |",
            bundle.proof_bytes() as f64 / 1024.0,
            proving.as_secs_f64(),
            verifying.as_secs_f64() * 1000.0
        );
        per_proof *= 2;
    }
    Ok(())
}
