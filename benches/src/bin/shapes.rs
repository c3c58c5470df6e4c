//! What a step's circuits consist of and what their proofs weigh, without proving anything.
//!
//! `cargo run --release -p benches --bin shapes -- --preset nano,micro,mini`

use audit::Report;
use backend::keys::Shape;
use benches::setup::spec;
use circuits::segments::{Circuits, SegmentKind};
use circuits::statements::{Layouts, MAX_INSTANCES_PER_PROOF};
use clap::Parser;

/// Prints columns, fill, points and bytes of each circuit, and the sums over a step of batch 1.
#[derive(Parser)]
struct Options {
    /// Presets, separated by commas
    #[arg(long, default_value = "nano,micro,mini", value_delimiter = ',', value_parser = ["nano", "micro", "mini"])]
    preset: Vec<String>,
}

fn main() {
    for preset in Options::parse().preset {
        let spec = spec(&preset);
        let circuits = Circuits::new(&spec);
        let groups = Layouts::new(&spec.config).updates().len();
        let (mut cells, mut assigned, mut bytes, mut columns) = (0, 0, 0, 0);
        for (kind, count) in SegmentKind::ALL.into_iter().zip([spec.config.layers, 1, groups]) {
            let plan = circuits.plan(kind);
            let shape = Shape::of(plan).unwrap_or_else(|e| panic!("{e}"));
            let report = Report::of(plan);
            let most = MAX_INSTANCES_PER_PROOF as usize;
            let proofs = (0..count).step_by(most).map(|first| shape.proof_length((count - first).min(most)));
            let of_kind: usize = proofs.sum();
            columns += count * shape.advice;
            cells += (count * shape.advice) << shape.k;
            assigned += count * report.ops.values().sum::<usize>();
            bytes += of_kind;
            println!(
                "{preset} {kind:?}: {count} instances of {} advice columns ({} of phase 1), {} queries; {} fixed queries, {} \
                 permuted in {} products, degree {}, {} point sets; {:.1} KiB, {:.1} alone",
                shape.advice,
                shape.phase1,
                shape.advice_queries,
                shape.fixed_queries,
                shape.permuted,
                shape.permutation_products,
                shape.quotient_pieces + 1,
                shape.point_sets,
                of_kind as f64 / 1024.0,
                shape.proof_length(1) as f64 / 1024.0,
            );
            let pools = report.pools.iter().map(|(name, pool)| {
                format!("{name} {} ({:.0} %)", pool.columns, 100.0 * pool.owned as f64 / pool.cells as f64)
            });
            println!("    {}", pools.collect::<Vec<_>>().join(", "));
            println!("    {:?}", report.ops);
        }
        println!(
            "{preset}: {columns} columns, {:.2} M cells ({:.2} M assigned), {:.1} KiB",
            cells as f64 / 1e6,
            assigned as f64 / 1e6,
            bytes as f64 / 1024.0
        );
    }
}
