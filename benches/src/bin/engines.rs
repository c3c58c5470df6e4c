//! The native engine against the stock one: the same plan and witness, taking turns.

use backend::curve::Params;
use benches::machine;
use benches::setup::{filled, spec};
use benches::timing::{median, time};
use circuits::segments::SegmentKind;
use clap::{Parser, ValueEnum};
use prover::engine::{Cancel, Engine, Halo2, Native, ProofInstance, Watch};
use prover::key::ProverKey;
use prover::step::StepKeys;
use std::time::{Duration, Instant};

/// Prints wall and processor time of both engines for proofs of one segment, their ratios, and how soon a proof ends that is
/// stopped.
#[derive(Parser)]
struct Options {
    /// The model's preset
    #[arg(long, default_value = "nano", value_parser = ["nano", "micro", "mini"])]
    preset: String,
    /// The circuit
    #[arg(long, default_value = "layer")]
    segment: Segment,
    /// Instances in the proof
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    instances: u32,
    /// Runs of each engine
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The native engine alone
    #[arg(long)]
    native: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Segment {
    Layer,
    Head,
    Update,
}

/// How long a proof goes on that is stopped after some seconds.
fn stop(params: &Params, key: &ProverKey, mut instances: Vec<ProofInstance>, after: f64) -> Duration {
    let cancel = Cancel::default();
    let stopping = cancel.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs_f64(after));
        stopping.cancel();
        Instant::now()
    });
    let watch = &mut Watch { progress: &mut |_| {}, cancel: &cancel };
    let result = Native.prove(params, key, &mut instances, watch).map(drop);
    let end = Instant::now();
    // A proof may end before it is stopped.
    let since = stopper.join().map_or(Duration::ZERO, |stopped| end.saturating_duration_since(stopped));
    if result.is_ok() { Duration::ZERO } else { since }
}

fn main() {
    let options = Options::parse();
    let segment = match options.segment {
        Segment::Layer => SegmentKind::Layer,
        Segment::Head => SegmentKind::Head,
        Segment::Update => SegmentKind::Update,
    };
    let spec = spec(&options.preset);
    let params = Params::new(spec.config.k());
    let keys = StepKeys::generate(&params, &spec).unwrap_or_else(|e| panic!("{e}"));
    let instances = filled(&params, &keys, &spec, segment, options.instances as usize);
    let prove = |engine: &dyn Engine, mut instances: Vec<ProofInstance>| {
        let watch = &mut Watch { progress: &mut |_| {}, cancel: &Cancel::default() };
        let (before, key) = (machine::processor_time(), keys.of(segment));
        let (wall, proof) = time(|| engine.prove(&params, key, &mut instances, watch));
        proof.unwrap_or_else(|e| panic!("{e}"));
        let processor = machine::processor_time().zip(before).map(|(after, before)| after - before);
        (wall, processor.unwrap_or_default())
    };
    // What is made once for a circuit is made now.
    prove(&Native, instances.clone());
    let (mut native, mut stock) = (vec![], vec![]);
    if !options.native {
        prove(&Halo2, instances.clone());
    }
    for _ in 0..options.runs {
        native.push(prove(&Native, instances.clone()));
        if !options.native {
            stock.push(prove(&Halo2, instances.clone()));
        }
    }
    println!("# {}", machine::heading());
    println!(
        "# {} {}, {} instances, {} runs each, medians",
        options.preset,
        segment.name(),
        options.instances,
        options.runs
    );
    let medians = |times: &[(Duration, Duration)]| {
        (
            median(times.iter().map(|t| t.0).collect()).as_secs_f64(),
            median(times.iter().map(|t| t.1).collect()).as_secs_f64(),
        )
    };
    let print = |name: &str, (wall, processor): (f64, f64)| {
        println!("{name:8} {wall:7.3} s wall {processor:7.3} s processor, {:.2} cores busy", processor / wall);
    };
    let native = medians(&native);
    print("native", native);
    let stopped: Vec<Duration> = (1..8)
        .map(|eighth| stop(&params, keys.of(segment), instances.clone(), native.0 * f64::from(eighth) / 8.0))
        .collect();
    let longest = stopped.iter().max().map_or(0.0, Duration::as_secs_f64);
    println!("native   stopped at each eighth of its time, it ends within {:.0} ms", longest * 1e3);
    if !options.native {
        let stock = medians(&stock);
        print("stock", stock);
        println!("ratio    {:7.2}        {:7.2}", stock.0 / native.0, stock.1 / native.1);
    }
}
