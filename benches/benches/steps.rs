//! Keys, proving, verifying and native training of each preset.
//!
//! `GRADIENTCOIN_BENCH_PRESETS=nano,micro` chooses the presets; the larger ones take long.
#![allow(missing_docs)]

use backend::curve::{DEFAULT_K, Params};
use benches::setup::{Setup, batch, corpus, msm, presets, scalars, spec, trainer};
use criterion::{Criterion, criterion_group, criterion_main};
use prover::step::StepKeys;
use std::time::Duration;
use verifier::StepVerifier;

fn steps(c: &mut Criterion) {
    let params = Params::new(DEFAULT_K);
    for preset in presets() {
        let spec = spec(&preset);
        let mut group = c.benchmark_group(&preset);
        group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
        let (mut trainer, sequences) = (trainer(&spec), batch(&spec, &corpus(), 8, 0));
        group.bench_function("native step, batch 8", |b| b.iter(|| trainer.step(&sequences).expect("a step")));
        let generate = || StepKeys::generate(&params, &spec).expect("the model has keys");
        group.bench_function("prover's keys", |b| b.iter(generate));
        let generate_verifier = || StepVerifier::new(&params, &spec.config).expect("the model has keys");
        group.bench_function("verifier's keys", |b| b.iter(generate_verifier));
        let (keys, verifier) = (generate(), generate_verifier());
        let setup = Setup::new(&params, spec, keys, verifier);
        group.bench_function("proving a step, batch 1", |b| b.iter(|| setup.prove()));
        let bundle = setup.prove();
        group.bench_function("verifying a step", |b| b.iter(|| setup.verify(&bundle)));
    }
    let (scalars, bases) = (scalars(&params), params.generators().coefficients.clone());
    c.bench_function("multi-scalar multiplication of 2^k", |b| b.iter(|| msm(&scalars, &bases)));
}

criterion_group!(all, steps);
criterion_main!(all);
