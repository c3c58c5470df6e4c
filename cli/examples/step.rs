//! Scratch timing of a proven step.
use circuits::{curve::*, model::*, statement::*};
use prover::{params, step::*};
use std::time::Instant;
fn main() {
    let preset = std::env::args().nth(1).unwrap_or("nano".into());
    let batch: usize = std::env::args().nth(2).map_or(1, |x| x.parse().unwrap());
    let t = Instant::now();
    let p = params::load(Some(std::path::Path::new("/tmp/gc-cache")), DEFAULT_K).unwrap().params;
    println!("params {:?}", t.elapsed());
    let spec = Spec::new(Config::preset(&preset).unwrap());
    let t = Instant::now();
    let keys = StepKeys::generate(&p, &spec).unwrap();
    println!("keys {:?}", t.elapsed());
    let mut state = State::init(&spec.config, 1);
    let t = Instant::now();
    let genesis = commit_state(&p, &spec, &state).unwrap();
    println!("commit {:?}", t.elapsed());
    let run = Run {
        circuits: CIRCUIT_VERSION,
        config: spec.config.to_json(),
        genesis: genesis.clone(),
        seed: 1,
        batch: batch as u32,
        accumulate: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        momentum: "0.9".parse().unwrap(),
        weight_decay: "0".parse().unwrap(),
    };
    run.check().unwrap();
    let corpus = std::fs::read("fixtures/corpus/stories.txt").unwrap();
    let prover = StepProver { params: &p, keys: &keys, spec: &spec, run: &run };
    let t = Instant::now();
    let verifier = verifier::StepVerifier::new(&p, &spec.config).unwrap();
    println!("verifier keys {:?}", t.elapsed());
    let mut before = genesis;
    for step in 0..2 {
        let batches =
            vec![draw_batch(&corpus, spec.config.context, batch, Draw { seed: 1, step, contribution: 0 }).unwrap()];
        let t = Instant::now();
        let mut last = Instant::now();
        let mut done = None;
        let (bundle, after) = prover
            .step(step, &before, &mut state, &batches, &mut |part, stage| {
                if !matches!(stage, prover::proof::Stage::Proving { .. }) {
                    println!("   {part:?} {stage:?} {:?}", last.elapsed());
                    last = Instant::now();
                }
                done = Some(part);
            })
            .unwrap();
        println!("step {:?}", t.elapsed());
        let sizes: Vec<usize> = bundle
            .contributions
            .iter()
            .flat_map(|c| c.layers.iter().chain(&c.heads))
            .chain(&bundle.updates)
            .map(Vec::len)
            .collect();
        println!("proof bytes {sizes:?} total {}", sizes.iter().sum::<usize>());
        let t = Instant::now();
        let v = verifier.verify(&p, (&run, step, &before), &bundle, Some(&batches)).unwrap();
        println!(
            "verify {:?} loss {}",
            t.elapsed(),
            v.loss as f64 / (1 << 24) as f64 / (batch * spec.config.context) as f64
        );
        assert_eq!(v.after, after);
        assert_eq!(after, commit_state(&p, &spec, &state).unwrap());
        before = after;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
