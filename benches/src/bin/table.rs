//! Prints the table of the project's README: what a proven step costs.

use backend::curve::{DEFAULT_K, Params};
use benches::lanes::{Lanes, ROWS};
use benches::setup::{Setup, batch, corpus, msm, scalars, spec, trainer};
use benches::stock::Stock;
use benches::timing::{compare, median, repeat, time};
use benches::{
    machine,
    ops::{self, Costs},
};
use clap::Parser;
use prover::step::StepKeys;
use std::hint::black_box;
use std::time::Duration;
use verifier::StepVerifier;

/// Full limb columns of the range-check circuit: a multiple of 3, as a helper serves three.
const LIMBS: usize = 63;
/// Columns of the stock circuit.
const STOCK: usize = 64;
/// Columns of a small circuit of each kind: what costs the same whatever the number of cells shows there.
const FEW: usize = 3;
/// Sequences of a native step.
const NATIVE_BATCH: usize = 8;

/// Measures a proven step and prints Markdown.
#[derive(Parser)]
struct Options {
    /// Presets, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "nano,micro", value_parser = ["nano", "micro", "mini"])]
    preset: Vec<String>,
    /// Runs of which the median is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Also what each op costs: its cells by kind, times the measured cost of a cell of that kind.
    #[arg(long)]
    ops: bool,
    /// Only compare range-checked cells with the stock lookup.
    #[arg(long, conflicts_with_all = ["preset", "ops"])]
    range: bool,
}

/// A row of the table: its name, then a value for each preset.
type Row = (&'static str, Vec<String>);

fn main() {
    let options = Options::parse();
    let runs = usize::from(options.runs);
    let params = Params::new(DEFAULT_K);
    let commit = machine::commit().map_or(String::new(), |commit| format!(", commit {commit}"));
    println!("{}{commit}; medians of {runs} runs, 2^{DEFAULT_K} rows, batch 1, momentum on.\n", machine::description());

    if options.range {
        return range(&params, runs);
    }
    let mut rows: Vec<Row> = vec![];
    for preset in &options.preset {
        let cells = measure(&params, preset, runs);
        if rows.is_empty() {
            rows = cells.into_iter().map(|(name, value)| (name, vec![value])).collect();
        } else {
            rows.iter_mut().zip(cells).for_each(|((_, values), (_, value))| values.push(value));
        }
    }
    println!("| | {} |\n|---|{}", options.preset.join(" | "), "---:|".repeat(options.preset.len()));
    for (name, values) in rows {
        println!("| {name} | {} |", values.join(" | "));
    }
    range(&params, runs);
    if options.ops {
        ops_of(&params, &options.preset, runs);
    }
}

fn measure(params: &Params, preset: &str, runs: usize) -> Vec<(&'static str, String)> {
    let spec = spec(preset);
    let corpus = corpus();

    let mut trainer = trainer(&spec);
    let sequences = batch(&spec, &corpus, NATIVE_BATCH, 0);
    let native = repeat(runs.max(5), || trainer.step(&sequences).expect("a step"));

    let (proving_keys, keys) = time(|| StepKeys::generate(params, &spec).expect("the model has keys"));
    let (verifying_keys, verifier) = time(|| StepVerifier::new(params, &spec.config).expect("the model has keys"));
    let setup = Setup::new(params, spec, keys, verifier);

    let reset = machine::reset_peak_memory();
    let proofs: Vec<_> = (0..runs).map(|_| time(|| setup.prove())).collect();
    let peak = machine::peak_memory().filter(|_| reset);
    let bundle = proofs[0].1.clone();
    let proving = median(proofs.into_iter().map(|(duration, _)| duration).collect());

    let (proving_genesis, genesis) = time(|| setup.prove_genesis());
    let (scalars, bases) = (scalars(params), params.generators().coefficients.clone());
    let [verifying, verifying_genesis, one_msm] = compare(
        runs.max(5),
        [&mut || setup.verify(&bundle), &mut || setup.verify_genesis(&genesis), &mut || {
            black_box(msm(&scalars, &bases));
        }],
    );
    vec![
        ("proving a step, keys loaded", shown(proving)),
        (
            "peak memory while proving",
            peak.map_or("not known".into(), |p| format!("{:.2} GiB", p as f64 / 2f64.powi(30))),
        ),
        ("verifying a step, keys loaded", shown(verifying)),
        ("the same, in multi-scalar multiplications of 2^k", format!("{:.1}", ratio(verifying, one_msm))),
        ("proof bytes of a step", format!("{:.1} KiB", bundle.proof_bytes() as f64 / 1024.0)),
        ("a genesis proof, once a run", shown(proving_genesis)),
        ("verifying it", shown(verifying_genesis)),
        ("proof bytes of it", format!("{:.1} KiB", genesis.proof_bytes() as f64 / 1024.0)),
        ("making the prover's keys", shown(proving_keys)),
        ("making the verifier's keys", shown(verifying_keys)),
        ("the same step natively, batch 8", shown(native)),
    ]
}

fn range(params: &Params, runs: usize) {
    let (ours, stock) = (Lanes::limbs(params, LIMBS), Stock::<STOCK>::new(params));
    let (few_ours, few_stock) = (Lanes::limbs(params, FEW), Stock::<FEW>::new(params));
    let [of_ours, of_stock, of_few_ours, of_few_stock] = compare(
        runs,
        [&mut || drop(ours.prove()), &mut || drop(stock.prove()), &mut || drop(few_ours.prove()), &mut || {
            drop(few_stock.prove())
        }],
    );
    let cell = |duration: Duration, columns: usize| duration.div_f64((columns * ROWS) as f64);
    let report = |what: &str, ours: Duration, stock: Duration| {
        println!("| {what} | {:.2} µs | {:.2} µs | {:.2} |", micros(ours), micros(stock), ratio(ours, stock));
    };
    println!(
        "\nRange-checked cells, {LIMBS} full columns here (12 bits; both passes and the prover's own check included) and \
         {STOCK} with the stock lookup (11 bits), one instance each:\n\n| | here | stock | ratio |\n|---|---:|---:|---:|"
    );
    report("a cell, the whole proof divided by its cells", cell(of_ours, LIMBS), cell(of_stock, STOCK));
    report(
        &format!("a further cell, beyond {FEW} columns"),
        cell(of_ours.saturating_sub(of_few_ours), LIMBS - FEW),
        cell(of_stock.saturating_sub(of_few_stock), STOCK - FEW),
    );
}

fn ops_of(params: &Params, presets: &[String], runs: usize) {
    let costs = Costs::measure(params, runs);
    println!("\nA cell of a full column costs, by kind:");
    for (lane, cost) in &costs.cells {
        println!("- {}: {:.2} µs", lane.name(), micros(*cost));
    }
    println!("\nWhat a step's cells come to at these costs (the evaluation of gates is not in it):\n");
    println!("| op | {} |\n|---|{}", presets.join(" | "), "---:|".repeat(presets.len()));
    let specs: Vec<_> = presets.iter().map(|preset| spec(preset)).collect();
    let proofs = specs.iter().map(|spec| shown(costs.proof * ops::proofs_of_step(spec) as u32));
    println!("| each proof, whatever is in it | {} |", proofs.collect::<Vec<_>>().join(" | "));
    let steps: Vec<_> = specs.iter().map(ops::of_step).collect();
    for op in steps[0].keys() {
        let values = steps.iter().map(|step| step.get(op).map_or("–".into(), |cells| shown(costs.of(cells))));
        println!("| {op} | {} |", values.collect::<Vec<_>>().join(" | "));
    }
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

fn shown(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.01 => format!("{:.0} ms", s * 1e3),
        s => format!("{:.2} ms", s * 1e3),
    }
}
