//! Prints what verifying many steps costs, amortised, and what it is made of.

use backend::curve::{Params, Point};
use benches::catch_up::{Fresh, Proven, multiples, vectors};
use benches::machine;
use benches::setup::{Setup, msm, scalars, spec};
use benches::timing::time;
use circuits::statements::codec::{decode, encode};
use clap::Parser;
use group::GroupEncoding;
use prover::step::StepKeys;
use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;
use verifier::batch::SETTLE_AT;
use verifier::{Batch, StepVerifier};

/// Verifies one proven step many times over and prints Markdown.
#[derive(Parser)]
struct Options {
    /// Steps to verify.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// The step's bundle; without it the golden step of nano, of one contribution.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Only proves a step of nano with this many contributions and writes it to `--bundle`.
    #[arg(long, requires = "bundle", value_parser = clap::value_parser!(u32).range(1..=16))]
    prove: Option<u32>,
    /// Runs of which the least is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

fn main() {
    let options = Options::parse();
    let params = Params::new(spec("nano").config.k());
    let golden = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/nano-step.bundle");
    let path = options.bundle.clone().unwrap_or_else(golden);
    if let Some(contributions) = options.prove {
        return prove(&params, contributions, &path);
    }
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let proven = Proven::new(&params, decode(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
    let points = proven.points();
    let own = points.iter().collect::<BTreeSet<_>>().len();
    many(&options, &params, &proven, own);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("threads can be made");
    pool.install(|| terms(options.runs, &params, &proven, &points, own));
}

fn prove(params: &Params, contributions: u32, path: &Path) {
    let spec = spec("nano");
    let keys = StepKeys::generate(params, &spec).expect("the model has keys");
    let verifier = StepVerifier::new(params, &spec.config).expect("the model has keys");
    let bundle = Setup::new(params, spec, keys, verifier).accumulating(contributions).prove();
    let bytes = encode(&bundle).expect("a bundle has an encoding");
    fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// The least of some runs, after one that warms up: by the clock, and in processor time, which is the clock's where the
/// system does not tell it.
fn least_of_both(runs: u16, mut f: impl FnMut()) -> (Duration, Duration) {
    f();
    let run = |_| {
        let before = machine::processor_time();
        let (clock, ()) = time(&mut f);
        let spent = machine::processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        (clock, spent.unwrap_or(clock))
    };
    let runs: Vec<_> = (0..runs).map(run).collect();
    let least = |of: fn(&(Duration, Duration)) -> Duration| runs.iter().map(of).min().unwrap_or_default();
    (least(|run| run.0), least(|run| run.1))
}

/// The same in processor time alone. The system counts it in steps of milliseconds, so short things are repeated.
fn least(runs: u16, mut f: impl FnMut()) -> Duration {
    let repeats = (Duration::from_millis(200).as_nanos() / time(&mut f).0.as_nanos().max(1)).clamp(1, 1000) as u32;
    least_of_both(runs, || (0..repeats).for_each(|_| f())).1 / repeats
}

fn many(options: &Options, params: &Params, proven: &Proven, own: usize) {
    let (steps, runs) = (options.steps as usize, options.runs);
    println!(
        "{}; least of {runs} runs.\n\nOne step of {} contributions, 2^{} rows, is verified {steps} times \
         over, as claims of its own each time. With each comes a claim over {own} fresh points, as many as the step has, so \
         that the multiplications are as large as over different steps.\n",
        machine::heading(),
        proven.bundle().contributions.len(),
        params.k(),
    );
    println!(
        "| threads | a step, amortised | processor time | a step alone | processor time | peak memory | the same, {} steps |",
        4 * steps
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let fresh = Fresh::new(params, own);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be made");
        pool.install(|| {
            let (alone, of_alone) = least_of_both(runs, || proven.verify());
            let peak = |steps| {
                let reset = machine::reset_peak_memory();
                proven.verify_many(steps, &fresh);
                let peak = machine::peak_memory().filter(|_| reset);
                peak.map_or("not known".into(), |bytes| format!("{:.1} MiB", bytes as f64 / 2f64.powi(20)))
            };
            let (few, more) = (peak(steps), peak(4 * steps));
            let (amortised, spent) = least_of_both(runs, || proven.verify_many(steps, &fresh));
            let (amortised, spent) = (shown(amortised / options.steps), shown(spent / options.steps));
            println!("| {threads} | {amortised} | {spent} | {} | {} | {few} | {more} |", shown(alone), shown(of_alone));
        });
    }
}

/// What one step is made of.
fn terms(runs: u16, params: &Params, proven: &Proven, encoded: &[[u8; 32]], own: usize) {
    let (proofs, bases, random) = (proven.proofs(), &params.generators().coefficients, scalars(params));
    let all = least(runs, || proven.check(&mut Batch::folding(params)));
    let decoding = least(runs, || {
        for point in encoded {
            black_box(Point::from_bytes(point).is_some());
        }
    });
    let instances = least(runs, || {
        for (key, n, _) in &proofs {
            // The values and the blind.
            let length = key.shape.instance_length() + 1;
            for _ in 0..*n {
                black_box(msm(&random[..length], &bases[..length]));
            }
        }
    });
    let mut total = random.clone();
    let claims = proofs.len() + 1;
    let vectors = least(runs, || {
        for _ in 0..claims {
            vectors(&mut total, random[0], random[1]);
        }
        black_box(&total);
    });
    // A settled sum: the points of all steps that go into it, and the parameters' own.
    let gathered = SETTLE_AT.div_ceil(own);
    let mut points = multiples(params, gathered * own);
    points.extend(bases);
    let many: Vec<_> = random.iter().cycle().take(points.len()).copied().collect();
    let settling = least(runs, || {
        black_box(msm(&many, &points));
    });
    let one = least(runs, || {
        black_box(msm(&random, bases));
    });

    let rest = all.saturating_sub(decoding + instances + vectors);
    let step = all + settling / gathered as u32;
    println!(
        "\nA step's work on one thread, each part measured by itself, processor time ({} proofs and an opening):\n",
        proofs.len()
    );
    println!("| part | time | share |\n|---|---:|---:|");
    let row = |what: &str, part: Duration| {
        println!("| {what} | {} | {:.0} % |", shown(part), 100.0 * part.as_secs_f64() / step.as_secs_f64());
    };
    row(&format!("decoding {} points", encoded.len()), decoding);
    row("commitments of the instance columns", instances);
    row(&format!("scalars of the parameters' points, {claims} × 2^{}", params.k()), vectors);
    row("the rest: transcript, gates, combined openings", rest);
    row(
        &format!("share of a multiplication over {} points, settled every {gathered} steps", points.len()),
        settling / gathered as u32,
    );
    row("sum", step);
    println!("\nOne multiplication over 2^{} points: {}.", params.k(), shown(one));
}

fn shown(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
