//! Records when each stage of a step's proof is reached: the command's estimate of the time left is tested on such
//! records (`cli/src/progress/`).

use backend::curve::Params;
use benches::machine;
use benches::setup::{Setup, spec};
use clap::Parser;
use prover::engine::Stage;
use prover::step::{StepKeys, TaskStage};
use std::time::{Duration, Instant};
use verifier::StepVerifier;

/// Prints a line for each stage: milliseconds since the beginning, the circuit, and what was reached.
#[derive(Parser)]
struct Options {
    /// The model's preset
    #[arg(long, default_value = "nano", value_parser = ["nano", "micro", "mini"])]
    preset: String,
    /// Contributions of the step, of one sequence each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    contributions: u32,
}

fn main() {
    let options = Options::parse();
    let spec = spec(&options.preset);
    let params = Params::new(spec.config.k());
    let keys = StepKeys::generate(&params, &spec).unwrap_or_else(|e| panic!("{e}"));
    let verifier = StepVerifier::new(&params, &spec.config).unwrap_or_else(|e| panic!("{e}"));
    let setup = Setup::new(&params, spec, keys, verifier).accumulating(options.contributions);
    let (start, mut told): (Instant, Vec<(Duration, TaskStage)>) = (Instant::now(), vec![]);
    setup.prove_watched(&mut |stage| told.push((start.elapsed(), stage)));
    println!("# {}", machine::heading());
    println!("preset {}", options.preset);
    println!("contributions {}", options.contributions);
    // Many bytes are written at a time: the last moment before a pause says as much as all of them.
    let pause = Duration::from_millis(5);
    for (i, &(at, TaskStage { task, segment, stage })) in told.iter().enumerate() {
        let next = told[i + 1..].iter().find(|later| later.1.task == task);
        let same_run = next.is_some_and(|&(later, TaskStage { stage: next, .. })| {
            matches!((stage, next), (Stage::Proving { .. }, Stage::Proving { .. })) && later - at < pause
        });
        if !same_run {
            println!("{} {} {task} {}", at.as_millis(), segment.plural(), words(stage));
        }
    }
    println!("end {}", start.elapsed().as_millis());
}

fn words(stage: Stage) -> String {
    match stage {
        Stage::Committed { done, of } => format!("committed {done} {of}"),
        Stage::Filled => "filled".into(),
        Stage::Proving { written, of } => format!("proving {written} {of}"),
        Stage::Checked { instances } => format!("checked {instances}"),
    }
}
