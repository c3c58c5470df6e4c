//! `demo`: three proven steps, verified as a stranger would, and forgeries rejected.

use crate::error::{CliError, FileError, Rejection};
use crate::files::{self, MAX_SMALL};
use crate::format::{bytes, hex, plural, time};
use crate::keys::How;
use crate::progress::ProofBar;
use crate::run_dir::RunDir;
use crate::ui::{Output, Ui};
use backend::curve::Params;
use circuits::model::{Config, Schedule, Spec, State};
use circuits::statements::{Bundle, Corpus, GenesisProof, Layouts, TrainingData, model_digest};
use prover::{ProvenRun, RunOptions};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;
use verifier::{RunVerifier, StepVerifier};

/// Short stories; the demo needs no file and no network.
const TEXT: &[u8] = include_bytes!("../../../fixtures/corpus/stories.txt");
const STEPS: u64 = 3;
/// Chosen so that the loss falls at each of the few steps, though each has another batch.
const LEARNING_RATE: &str = "0.5";
const INIT_SEED: u64 = 1;
const BATCH_SEED: u64 = 0;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: Args, ui: &Ui) -> Result<Output, CliError> {
    let start = Instant::now();
    let temporary = std::env::temp_dir();
    let temporary = tempfile::tempdir_in(&temporary).map_err(CliError::io("create", &temporary))?;
    let dir = RunDir::new(temporary.path());
    let params = ui.params(&Config::NANO)?;
    let spec = Spec::new(Config::NANO);
    ui.say(&format!(
        "A transformer of {} learns from {} of stories; every step is proven, then verified from files.",
        plural(spec.config.parameters() as u64, "parameter"),
        bytes(TEXT.len() as u64)
    ));

    let prover_keys = ui.prover_keys(&params, &spec, How::default())?;
    let verifier_keys = ui.verifier_keys(&params, &spec.config, How::default())?.verifier;
    let stranger = Stranger { params: &params, keys: &verifier_keys, dir: &dir, corpus: Corpus::of_bytes(TEXT) };
    let rate = LEARNING_RATE.parse().map_err(|_| CliError::Usage(format!("{LEARNING_RATE} is not a number")))?;
    let schedule = Schedule::constant(&rate).map_err(|e| CliError::Usage(e.to_string()))?;
    let options = RunOptions { seed: BATCH_SEED, ..RunOptions::new(schedule) };
    let (first, data) = (State::init(&spec.config, INIT_SEED), TrainingData::Corpus(Corpus::of_bytes(TEXT)));
    let mut run = ProvenRun::begin((&params, &prover_keys, &spec), first, &data, options)?;
    dir.write_run(run.run())?;
    let groups = Layouts::new(&spec.config).updates().len();
    {
        let mut bar = ProofBar::genesis(ui, &prover_keys, groups);
        let proof = run.genesis_proof_told(&mut |told| bar.observe(told))?;
        dir.write_genesis_proof(&proof)?;
    }

    ui.say(&format!("\n{:>4}  {:>7}  {:>9}  {:>9}  {:>10}", "step", "loss", "proving", "verifying", "proofs"));
    let mut rows = vec![];
    for step in 0..STEPS {
        let proving = Instant::now();
        let mut bar = ProofBar::step(ui, step, &prover_keys, (1, spec.config.layers, groups));
        let bundle = run.step_told(&mut |told| bar.observe(told))?;
        drop(bar);
        let proving = proving.elapsed();
        dir.write_bundle(&bundle)?;
        drop(bundle);
        let (loss, proof_bytes, verifying) = stranger.step(step)?;
        ui.say(&format!(
            "{step:>4}  {loss:>7.4}  {:>9}  {:>9}  {:>10}",
            time(proving),
            time(verifying),
            bytes(proof_bytes)
        ));
        rows.push(json!({
            "step": step,
            "loss": loss,
            "proving_seconds": proving.as_secs_f64(),
            "verifying_seconds": verifying.as_secs_f64(),
            "proof_bytes": proof_bytes,
        }));
    }

    let chain = Instant::now();
    let digest = stranger.chain()?;
    ui.say(&format!("\nThe whole run, in one multi-scalar multiplication: accepted in {}.", time(chain.elapsed())));
    let forgeries = forgeries(&stranger, &dir)?;
    let mut text = format!("Model after {}: {digest}\n\nThe same files, tampered with:", plural(STEPS, "step"));
    for (what, why) in &forgeries {
        text += &format!("\n  {what}\n    {why}");
    }
    text += &format!("\n\nTotal: {}.", time(start.elapsed()));
    let rejected: Vec<Value> = forgeries.iter().map(|(what, why)| json!({ "artifact": what, "reason": why })).collect();
    let json = json!({
        "ok": true,
        "steps": rows,
        "model_digest": digest,
        "rejected": rejected,
        "seconds": start.elapsed().as_secs_f64(),
    });
    Ok(Output { text, json })
}

/// Someone with the files, the corpus and the public parameters, and nothing else.
struct Stranger<'a> {
    params: &'a Params,
    keys: &'a StepVerifier,
    dir: &'a RunDir,
    corpus: Corpus,
}

impl Stranger<'_> {
    fn bundle(&self, step: u64) -> Result<Bundle, CliError> {
        let bundles = self.dir.bundles()?;
        match bundles.iter().find(|(number, _)| *number == step) {
            Some((_, file)) => RunDir::read_bundle(file),
            None => Err(CliError::file(self.dir.path())(FileError::Foreign("a bundle is missing".into()))),
        }
    }

    /// Loss, bytes and time of a step.
    fn step(&self, step: u64) -> Result<(f64, u64, std::time::Duration), CliError> {
        let bundle = self.bundle(step)?;
        let start = Instant::now();
        let at = (&bundle.run, bundle.step, &bundle.before);
        let verified = RunVerifier::starting_at(self.params, self.keys, at, Some(&self.corpus))
            .and_then(|verifier| verifier.step(&bundle)?.finish())
            .map_err(Rejection::from)?;
        let summary = verified.steps.first().ok_or(Rejection::Run(verifier::RunRefused::Empty))?;
        Ok((summary.mean_loss().unwrap_or_default(), summary.proof_bytes, start.elapsed()))
    }

    /// Digest of the model at the end of the chain, which begins with a state that is shown to be in range.
    fn chain(&self) -> Result<String, CliError> {
        let run = self.dir.run()?;
        let proof: GenesisProof = files::decode(&self.dir.genesis_proof_file(), MAX_SMALL)?;
        let mut verifier = RunVerifier::new(self.params, self.keys, &run, Some(&self.corpus))
            .and_then(|verifier| verifier.genesis_proof(&proof))
            .map_err(Rejection::from)?;
        for (_, file) in self.dir.bundles()? {
            verifier = verifier.step(&RunDir::read_bundle(&file)?).map_err(Rejection::from)?;
        }
        let after = verifier.finish().map_err(Rejection::from)?.after;
        Ok(hex(&model_digest(self.keys.config(), &after.digest())))
    }
}

/// What is tampered with, and why it is rejected. The files are left tampered with.
fn forgeries(stranger: &Stranger<'_>, dir: &RunDir) -> Result<Vec<(&'static str, String)>, CliError> {
    let rejected = |result: Result<String, CliError>| match result {
        Err(error @ CliError::Rejected(_)) => Ok(error.to_string()),
        Err(other) => Err(other),
        Ok(_) => Err(CliError::Accepted),
    };
    let honest = stranger.bundle(1)?;
    let mut forgeries = vec![];

    let mut bundle = honest.clone();
    if let Some(loss) = bundle.contributions.first_mut().and_then(|c| c.losses.first_mut()) {
        *loss -= 1;
    }
    dir.write_bundle(&bundle)?;
    forgeries.push(("step 1 claims a loss that is smaller by 2^-24", rejected(stranger.chain())?));

    let mut bundle = honest.clone();
    if let Some(byte) = bundle.updates.first_mut().and_then(|proof| {
        // The low byte of the last evaluation but one: well formed, wrong.
        let at = proof.len().checked_sub(64)?;
        proof.get_mut(at)
    }) {
        *byte ^= 1;
    }
    dir.write_bundle(&bundle)?;
    forgeries.push(("one bit of step 1's update proof is flipped", rejected(stranger.chain())?));

    let (_, file): (u64, PathBuf) = dir.bundles()?.swap_remove(1);
    files::remove(&file)?;
    forgeries.push(("step 1 is dropped", rejected(stranger.chain())?));
    Ok(forgeries)
}
