//! A range-checked cell here against one of halo2's own lookup argument, proven by halo2.

use backend::curve::{DEFAULT_K, Params};
use benches::lanes::{Lanes, ROWS};
use benches::machine;
use benches::stock::Stock;
use benches::timing::compare;
use clap::Parser;
use std::time::Duration;

/// Full limb columns of the range-check circuit: a multiple of 3, as a helper serves three.
const LIMBS: usize = 63;
/// Columns of the stock circuit.
const STOCK: usize = 64;
/// Columns of a small circuit of each kind: what costs the same whatever the number of cells shows there.
const FEW: usize = 3;

/// Prints what a cell costs by both, and the ratio, as a Markdown table.
#[derive(Parser)]
struct Options {
    /// Runs of which the median is taken
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

fn main() {
    let runs = usize::from(Options::parse().runs);
    let params = Params::new(DEFAULT_K);
    println!("# {}; medians of {runs} runs", machine::heading());
    let (ours, stock) = (Lanes::limbs(&params, LIMBS), Stock::<STOCK>::new(&params));
    let (few_ours, few_stock) = (Lanes::limbs(&params, FEW), Stock::<FEW>::new(&params));
    let [of_ours, of_stock, of_few_ours, of_few_stock] = compare(
        runs,
        [&mut || drop(ours.prove()), &mut || drop(stock.prove()), &mut || drop(few_ours.prove()), &mut || {
            drop(few_stock.prove())
        }],
    );
    let cell = |duration: Duration, columns: usize| 1e6 * duration.as_secs_f64() / (columns * ROWS) as f64;
    let report = |what: &str, ours: f64, stock: f64| {
        println!("| {what} | {ours:.2} µs | {stock:.2} µs | {:.2} |", ours / stock);
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
