//! Measures a preset, in a process of its own: what it held at its peak is what proving takes.

use super::document::{Genesis, Measured, Proving};
use crate::machine::{peak_memory, processor_time};
use crate::ops;
use crate::ready::to_prove;
use crate::setup::{Setup, batch, corpus, spec, trainer};
use crate::timing::{seconds, time, turns};
use backend::curve::Params;
use circuits::model::Spec;
use circuits::segments::Variant;
use circuits::statements::{Extent, StepSize};
use prover::step::StepKeys;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;
use verifier::StepVerifier;
use verifier::keys::file_name;

/// Runs at least of what takes less than a second.
const SHORT_RUNS: usize = 5;
/// Sequences of the larger native step.
const NATIVE_BATCH: usize = 8;

/// What is measured, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Name of the preset.
    pub preset: &'a str,
    /// Runs of proving.
    pub runs: usize,
    /// Whether the genesis proof is measured as well.
    pub genesis: bool,
}

/// What a step is proven with, brought about by `cache`.
fn ready(preset: &str, cache: &Path) -> Result<(Params, Spec, StepKeys, StepVerifier), Box<dyn Error>> {
    let spec = spec(preset);
    let (params, keys) = to_prove(cache, &spec)?;
    let verifier = StepVerifier::with_keys(&params, &spec.config, keys.verifying.clone())?;
    Ok((params, spec, keys, verifier))
}

/// Proves a step and does nothing else, for a profiler.
pub fn prove_only(preset: &str, cache: &Path) -> Result<(), Box<dyn Error>> {
    let (params, spec, keys, verifier) = ready(preset, cache)?;
    drop(Setup::new(&params, spec, keys, verifier).prove());
    Ok(())
}

/// Measures all of it; keys and bases are read from `cache`. Says what it is about to do.
pub fn measure(wanted: Wanted<'_>, cache: &Path, say: &mut dyn FnMut(String)) -> Result<Measured, Box<dyn Error>> {
    let Wanted { preset, runs, genesis } = wanted;
    say("reading keys".into());
    let (params, spec, keys, verifier) = ready(preset, cache)?;
    let key_bytes = fs::metadata(cache.join(file_name(Variant::default(), &spec.config)))?.len();
    let size = StepSize::of(&spec.config, &keys.circuits, Extent::default())?;
    let mut measured = Measured::unmeasured(preset, spec.config.parameters(), &size, key_bytes);
    let setup = Setup::new(&params, spec, keys, verifier);

    let mut bundle = None;
    for run in 1..=runs {
        say(format!("proving a step, run {run} of {runs}"));
        let before = processor_time();
        let (taken, proven) = time(|| setup.prove());
        let processor = processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        measured.proving.push(Proving { seconds: seconds(taken), processor_seconds: processor.map(seconds) });
        bundle = Some(proven);
    }
    measured.peak_memory = peak_memory();
    let bundle = bundle.ok_or("a step is proven once at least")?;
    measured.proof_bytes = bundle.proof_bytes();

    let short = runs.max(SHORT_RUNS);
    say("verifying the step".into());
    let [verifying] = turns(short, [&mut || setup.verify(&bundle)]);
    measured.verifying = each(verifying);
    if genesis {
        say("a genesis proof".into());
        measured.genesis = Some(of_genesis(&setup, runs, short));
    }

    say("taking native steps".into());
    let text = corpus();
    let native = |sequences| {
        let (mut trainer, batch) = (trainer(setup.spec()), batch(setup.spec(), &text, sequences, 0));
        let [times] = turns(short, [&mut || _ = trainer.step(&batch).expect("a step")]);
        each(times)
    };
    measured.native = native(1);
    measured.native_of_8 = native(NATIVE_BATCH);

    say("committing to columns, by op".into());
    measured.ops = ops::of_step(&params, setup.keys(), setup.spec(), &size, runs);
    Ok(measured)
}

fn of_genesis(setup: &Setup<'_>, runs: usize, short: usize) -> Genesis {
    let (mut proving, mut proof) = (vec![], None);
    for _ in 0..runs {
        let (time, proven) = time(|| setup.prove_genesis());
        proving.push(time);
        proof = Some(proven);
    }
    let proof = proof.expect("there is a run");
    let [verifying] = turns(short, [&mut || setup.verify_genesis(&proof)]);
    Genesis { proving: each(proving), verifying: each(verifying), proof_bytes: proof.proof_bytes() }
}

fn each(times: Vec<Duration>) -> Vec<f64> {
    times.into_iter().map(seconds).collect()
}
