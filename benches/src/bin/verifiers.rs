//! Our verifier against halo2's: the same proofs, taking turns.
//!
//! `cargo run --release -p benches --bin verifiers -- --preset nano`

use backend::curve::Params;
use benches::machine;
use benches::setup::{filled, spec};
use benches::timing::compare;
use circuits::segments::SegmentKind;
use circuits::statements::Layouts;
use clap::Parser;
use prover::engine::prove;
use prover::step::StepKeys;
use verifier::{Batch, Oracle, verify};

/// Prints the time to verify a proof of each circuit, and those of a step in one batch, by both verifiers, and their ratios.
#[derive(Parser)]
struct Options {
    /// The model's preset
    #[arg(long, default_value = "nano", value_parser = ["nano", "micro", "mini"])]
    preset: String,
    /// Runs of each verifier
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

fn main() {
    let Options { preset, runs } = Options::parse();
    let spec = spec(&preset);
    let params = Params::new(spec.config.k());
    let keys = StepKeys::generate(&params, &spec).unwrap_or_else(|e| panic!("{e}"));
    // A verifier has no prepared bases; both forms are measured.
    let plain = Params::from(params.generators().clone());
    plain.halo2();
    let groups = Layouts::new(&spec.config).updates().len();
    println!("# {}", machine::heading());
    println!("# {preset}, medians of {runs} runs");
    println!("circuit, instances: ours, with prepared bases, halo2's; ratio");
    let mut step = vec![];
    for kind in SegmentKind::ALL {
        // As a step of batch 1 has them: proofs of up to 8 instances.
        let count = match kind {
            SegmentKind::Layer => spec.config.layers,
            SegmentKind::Head => 1,
            SegmentKind::Update => groups,
        };
        for instances in (0..count).step_by(8).map(|first| (count - first).min(8)) {
            // All full proofs of a circuit take the same.
            if step.iter().any(|(of, _, _, n)| *of == kind && *n == instances) {
                continue;
            }
            let filled = filled(&params, &keys, &spec, kind, instances);
            let proof = prove(&params, keys.of(kind), filled, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
            let oracle = Oracle::new(&plain, keys.circuits.plan(kind)).unwrap_or_else(|e| panic!("{e}"));
            step.push((kind, proof, oracle, instances));
        }
    }
    let mut total = [0.0; 3];
    for (kind, proof, oracle, instances) in &step {
        let key = keys.verifying.of(*kind);
        let ours = |params: &Params| {
            drop(verify(params, key, *instances, &proof.bytes, &proof.instances).map_err(|e| panic!("{e}")))
        };
        let times = compare(
            runs as usize,
            [&mut || ours(&plain), &mut || ours(&params), &mut || {
                oracle.verify(&plain, &proof.bytes, &proof.instances).unwrap_or_else(|e| panic!("{e}"));
            }],
        )
        .map(|time| 1e3 * time.as_secs_f64());
        println!(
            "{}, {instances}: {:.1} ms, {:.1} ms, {:.1} ms; {:.2}",
            kind.name(),
            times[0],
            times[1],
            times[2],
            times[0] / times[2]
        );
        let proofs = match kind {
            SegmentKind::Update if *instances == 8 => groups / 8,
            _ => 1,
        };
        total.iter_mut().zip(times).for_each(|(total, time)| *total += proofs as f64 * time);
    }
    println!(
        "a step's proofs one by one: {:.1} ms, {:.1} ms, {:.1} ms; {:.2}",
        total[0],
        total[1],
        total[2],
        total[0] / total[2]
    );
    let batch = compare(
        runs as usize,
        [&mut || {
            let mut batch = Batch::folding(&plain);
            for (kind, proof, _, instances) in &step {
                let key = keys.verifying.of(*kind);
                batch.add(key, *instances, &proof.bytes, &proof.instances).unwrap_or_else(|e| panic!("{e}"));
            }
            batch.finish().unwrap_or_else(|e| panic!("{e}"));
        }],
    );
    println!("one proof of each kind in one batch: {:.1} ms", 1e3 * batch[0].as_secs_f64());
}
