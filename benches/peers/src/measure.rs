//! What a step costs here.

use crate::data::{Float, draw};
use crate::proof::{Prover, verify_step};
use crate::shape::Mlp;
use crate::step::Values;
use backend::curve::Params;
use benches::machine::{peak_memory, processor_time};
use benches::results::{Proving, System};
use benches::timing::{seconds, time, turns};
use prover::engine::Native;
use std::error::Error;

/// Verifications at least: each takes milliseconds.
const SHORT_RUNS: usize = 9;

/// Measures the step of a seed's data, proven `runs` times. In a process that has done nothing else: what it held at its peak is what
/// parameters, keys and proofs take.
pub fn ours(mlp: &Mlp, seed: u64, runs: usize) -> Result<System, Box<dyn Error>> {
    let inputs = draw(mlp, seed);
    let (setup, made) = time(|| {
        let params = Params::new(mlp.shape.k());
        params.bases();
        Prover::new(&params, *mlp).map(|prover| (params, prover))
    });
    let (params, prover) = made?;
    let (mut proving, mut proven) = (vec![], None);
    for _ in 0..runs.max(1) {
        let before = processor_time();
        let (taken, step) = time(|| prover.prove(&params, &Native, inputs.clone()));
        let processor = processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        proving.push(Proving { seconds: seconds(taken), processor_seconds: processor.map(seconds) });
        proven = Some(step?);
    }
    let memory = peak_memory();
    let proven = proven.ok_or("a step is proven once at least")?;
    let keys = prover.key_bytes()?;
    // A verifier has no prepared bases.
    let (plain, key) = (Params::from(params.generators().clone()), &prover.key.verifying);
    let mut accepted = true;
    let [verifying] = turns(runs.max(SHORT_RUNS), [&mut || accepted &= verify_step(&plain, key, &proven).is_ok()]);
    if !accepted {
        return Err("an honest step was refused".into());
    }
    let values = Values::of(mlp, inputs.clone())?;
    Ok(System {
        version: None,
        rows_log2: mlp.shape.k(),
        setup: seconds(setup),
        proving,
        verifying: verifying.into_iter().map(seconds).collect(),
        proof_bytes: proven.bytes.len() as u64,
        key_bytes: keys.verifying + keys.proving,
        verifying_key_bytes: keys.verifying,
        peak_memory: memory,
        distance: Float::of(mlp, &inputs).distance(mlp, &values),
    })
}
