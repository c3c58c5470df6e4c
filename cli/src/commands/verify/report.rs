//! What was verified, on what condition, and what was not looked at.

use crate::error::{CliError, Rejection};
use crate::format::{bytes, hex, plural, time};
use crate::held_out::HeldOut;
use crate::keys::Vouched;
use crate::ui::Output;
use circuits::model::{Config, LossError, public_loss};
use circuits::statements::{Disclosure, Run, RunData, StateCommitments, model_digest};
use serde_json::{Value, json};
use std::time::Duration;
use verifier::{KeysDigest, RunRefused, VerifiedRun};

/// Steps shown at the beginning and at the end of a long list.
const SHOWN: usize = 10;

/// What was asked for, and compared: a comparison that fails is no report.
pub struct Asked {
    /// A run's directory, not a lone bundle.
    pub whole: bool,
    /// The model of `--genesis`.
    pub genesis: Option<String>,
    /// The model of `--before`.
    pub before: Option<String>,
    /// The last bundle of `--after`.
    pub after: Option<String>,
    /// The model of `--end`.
    pub end: Option<String>,
    /// `--steps`.
    pub steps: Option<u64>,
    /// The directory of `--revealed`.
    pub revealed: Option<String>,
    /// The file of `--includes`.
    pub includes: Option<String>,
    /// `--dataset`.
    pub dataset: bool,
    /// `--held-out`, with a corpus.
    pub held_out: Option<HeldOut>,
    /// Digest of what made tokens of the corpus, if its bytes are not the tokens.
    pub tokenizer: Option<String>,
    /// Whether that is the file of `--tokenizer`.
    pub own_tokenizer: bool,
    /// What vouches for the keys.
    pub vouched: Vouched,
    /// Their digest.
    pub keys_digest: KeysDigest,
    /// Whether halo2's verifier was asked as well.
    pub halo2: bool,
}

/// Text and JSON; an error that carries them if the verdict is conditional.
pub fn report(
    verified: &VerifiedRun,
    (run, config): (&Run, &Config),
    asked: &Asked,
    elapsed: Duration,
) -> Result<Output, CliError> {
    let first = verified.steps.first().map_or(0, |step| step.step);
    let condition = (!verified.basis.is_some()).then(|| format!("the state before step {first} is in range"));
    let (checked, not_checked) = (checked(verified, run, asked, first), not_checked(verified, run, asked, first));
    let digest = |state: &StateCommitments| hex(&model_digest(config, &state.digest()));
    let (genesis, before, after) = (digest(&run.genesis), digest(&verified.before), digest(&verified.after));
    let id = run.id().map_err(|e| Rejection::Run(RunRefused::Run(e)))?;

    let steps = plural(verified.steps.len() as u64, "step");
    let proof_bytes: u64 = verified.steps.iter().map(|s| s.proof_bytes).sum();
    let proofs = plural(verified.proofs as u64, "proof");
    let verdict = match &condition {
        None => "valid".to_owned(),
        Some(condition) => format!("valid on condition that {condition}"),
    };
    let mut text = table_of_steps(verified, run);
    text += &format!("{verdict}: {steps}, {proofs}, {}, in {}", bytes(proof_bytes), time(elapsed));
    text += &format!("\nrun            {}", hex(&id));
    text += &format!("\ngenesis model  {genesis}");
    if !asked.whole && first > 0 {
        text += &format!("\nmodel before   {before}");
    }
    text += &format!("\nmodel after    {after}");
    for (title, items) in [("checked", &checked), ("not checked", &not_checked)] {
        if !items.is_empty() {
            text += &format!("\n{title}:");
            items.iter().for_each(|item| text += &format!("\n  - {item}"));
        }
    }
    let json = json!({
        "ok": condition.is_none(),
        "verdict": if condition.is_none() { "valid" } else { "conditional" },
        "condition": condition,
        "run": hex(&id),
        "whole_run": asked.whole,
        "steps": steps_of(verified)?,
        "proofs": verified.proofs,
        "proof_bytes": proof_bytes,
        "keys": asked.vouched.name(),
        "keys_digest": hex(&asked.keys_digest),
        "engine": if asked.halo2 { "halo2" } else { "native" },
        "seconds": elapsed.as_secs_f64(),
        "genesis_model_digest": genesis,
        "before_model_digest": before,
        "model_digest": after,
        "first_state": {
            "genesis_proof": verified.basis.genesis_proof,
            "tensors": verified.basis.tensors,
            "step_before": verified.basis.step_before,
        },
        "dataset": match &run.data {
            RunData::Corpus(_) => None,
            RunData::Dataset(root) => Some(root.to_string()),
        },
        "dataset_compared": asked.dataset,
        "kind": run.disclosure.privacy().name(),
        "revealed_compared": asked.revealed.is_some(),
        "includes_compared": asked.includes.is_some(),
        "corpus_compared": verified.corpus,
        "tokenizer": asked.tokenizer,
        "held_out_compared": asked.held_out.is_some(),
        "genesis_compared": asked.genesis.is_some(),
        "end_compared": asked.end.is_some(),
        "checked": checked,
        "not_checked": not_checked,
    });
    let output = Output { text, json };
    if condition.is_none() { Ok(output) } else { Err(CliError::Conditional(Box::new(output))) }
}

/// `step 3`, or `steps 3 to 7`.
fn span(first: u64, last: u64) -> String {
    if first == last { format!("step {first}") } else { format!("steps {first} to {last}") }
}

fn checked(verified: &VerifiedRun, run: &Run, asked: &Asked, first: u64) -> Vec<String> {
    let last = first + (verified.steps.len() as u64).saturating_sub(1);
    let what = match run.disclosure {
        Disclosure::Public => "every gradient, the update by their sum, the loss",
        Disclosure::Private { .. } if verified.steps.iter().all(|step| step.loss.is_none()) => {
            "every gradient and the update by their sum; no loss is disclosed at these steps"
        }
        Disclosure::Private { .. } => "every gradient, the update by their sum, the losses that are shown",
    };
    let mut checked = vec![format!("{}: {what}", span(first, last))];
    if let Some(clip) = run.optimizer.clip() {
        let clip = crate::training_args::plain(clip);
        checked.push(format!(
            "gradients are clipped to a norm of {clip}, by the sums of their squares, which each step says"
        ));
    }
    let state = format!("the state before step {first}");
    if verified.basis.genesis_proof {
        let committed = if run.disclosure == Disclosure::Public { " and canonically committed" } else { "" };
        checked.push(format!("{state} is in range{committed}: by the genesis proof"));
    }
    if let Some(model) = asked.genesis.as_ref().filter(|_| first == 0) {
        checked.push(format!("{state} is in range, and the run begins with {model}: configuration and tensors"));
    }
    if let Some(model) = &asked.before {
        checked.push(format!("{state} is in range, and is that of {model}: configuration and tensors"));
    }
    if let Some(bundle) = &asked.after {
        let shown = if verified.basis.step_before { " is in range: steps up to" } else { ": the update of" };
        let leads = if verified.basis.step_before { "lead" } else { "leads" };
        checked.push(format!("{state}{shown} {bundle} {leads} to it"));
    }
    if let Some(model) = asked.genesis.as_ref().filter(|_| first > 0) {
        checked.push(format!("the run names {model} as its first model"));
    }
    match asked.vouched {
        Vouched::Pinned => checked.push("the keys are those that this program knows for the preset".into()),
        Vouched::Named => checked.push("the keys are those that the genesis names".into()),
        Vouched::Made => checked.push("the keys were made from the circuits".into()),
        Vouched::Fresh { cached } => {
            let same = if cached { "; those in the cache are the same" } else { "" };
            checked.push(format!("the keys were made from the circuits by halo2{same}"));
        }
        Vouched::Cache => {}
    }
    if asked.halo2 {
        checked.push("halo2's own verifier accepts each proof of a circuit, under keys that it made".into());
    }
    match &run.data {
        RunData::Corpus(_) if verified.corpus => {
            let tokens = asked.tokenizer.as_ref().map_or(String::new(), |digest| {
                format!(", in tokens of the tokenizer {digest}, which stand for exactly its text")
            });
            checked.push(format!("each batch is the one that the seed assigns from the corpus{tokens}"));
        }
        RunData::Corpus(_) => {}
        RunData::Dataset(root) => {
            let (sequences, also) = (root.leaves(), if verified.corpus { ", which is that of the corpus" } else { "" });
            let root = hex(root.hash());
            checked.push(format!(
                "each batch is the one that the seed assigns from the data set {root} of {sequences} sequences{also}"
            ));
        }
    }
    if let Some(held_out) = asked.held_out.filter(|_| verified.corpus) {
        checked.push(format!("no batch is from the end of the corpus that is held out, {held_out}"));
    }
    if let Some(model) = &asked.end {
        checked.push(format!("the last step leads to {model}: configuration and tensors"));
    }
    if let Some(model) = &asked.revealed {
        checked.push(format!("the last step leads to the model revealed in {model}"));
    }
    if let Some(file) = &asked.includes {
        checked.push(format!("the data set has the sequence revealed in {file}"));
    }
    if let Some(steps) = asked.steps {
        checked.push(format!("the run has {}", plural(steps, "proven step")));
    }
    checked
}

fn not_checked(verified: &VerifiedRun, run: &Run, asked: &Asked, first: u64) -> Vec<String> {
    let mut not = vec![];
    if !verified.basis.is_some() {
        let private = run.disclosure != Disclosure::Public;
        let how = match (first, &asked.after) {
            (0, _) if private => "--genesis-proof",
            (1, _) if private => "--after with --genesis-proof",
            (_, Some(_)) if private => "--after once more, for the step before that",
            (_, None) if private => "--after, twice",
            (0, _) => "--genesis-proof or --genesis",
            (1, _) => "--after with --genesis-proof or --genesis, or --before",
            (_, Some(_)) => "--after once more, for the step before that, or --before",
            (_, None) => "--after, twice, or --before",
        };
        not.push(format!("that the state before step {first} is in range ({how} shows it)"));
    }
    if first > 0 {
        let verified = if first == 1 { "it is not verified" } else { "they are not verified" };
        not.push(format!("{}: {verified}", span(0, first - 1)));
    }
    if asked.vouched == Vouched::Cache {
        not.push("the keys, which are from the cache (--fresh-keys makes them from the circuits and compares)".into());
    }
    if run.disclosure != Disclosure::Public {
        let end = if asked.revealed.is_some() { "" } else { ", to which it leads" };
        not.push(format!("which model the run begins with{end}, and what its sequences are: they are hidden"));
    }
    if asked.genesis.is_none() && run.disclosure == Disclosure::Public {
        not.push("which model the run begins with (--genesis compares it)".into());
    }
    match run.data {
        RunData::Corpus(_) if !verified.corpus => {
            not.push("whether the batches are those that the seed assigns (--corpus compares them)".into());
        }
        RunData::Dataset(_) if !verified.corpus && !asked.dataset => {
            not.push(
                "which data set the run is on (--dataset compares its root".to_owned()
                    + if run.disclosure == Disclosure::Public { ", --corpus the data)" } else { ")" },
            );
        }
        _ => {}
    }
    if verified.corpus && asked.tokenizer.is_some() && !asked.own_tokenizer {
        not.push(
            "the tokenizer, which came with the run: how it cuts the text is its own (--tokenizer names yours)".into(),
        );
    }
    let losses = verified.steps.iter().any(|step| step.loss.is_none() && run.disclosure.loss_of(step.step).is_some());
    if losses {
        not.push("a sum of losses that begins before these steps".into());
    }
    if asked.whole && asked.end.is_none() && asked.revealed.is_none() && asked.steps.is_none() {
        let end = if run.disclosure == Disclosure::Public { "--end" } else { "--revealed" };
        not.push(format!("whether the run has more steps than these (--steps or {end} checks this)"));
    }
    not
}

fn table_of_steps(verified: &VerifiedRun, run: &Run) -> String {
    let mut text = String::new();
    for (i, step) in verified.steps.iter().enumerate() {
        if i < SHOWN || i + SHOWN >= verified.steps.len() {
            let over = match run.disclosure.loss_of(step.step) {
                Some(steps) if steps > 1 => format!(" over {}", span(step.step + 1 - steps, step.step)),
                _ => String::new(),
            };
            let loss = step.mean_loss().map_or_else(|| "not disclosed".to_owned(), |loss| format!("{loss:.4}"));
            text += &format!(
                "step {:>4}  loss {loss}{}\n",
                step.step,
                if step.loss.is_some() { over } else { String::new() }
            );
        } else if i == SHOWN {
            text += &format!("… {} more …\n", verified.steps.len() - 2 * SHOWN);
        }
    }
    text
}

fn steps_of(verified: &VerifiedRun) -> Result<Vec<Value>, LossError> {
    let step = |s: &verifier::run::StepSummary| {
        Ok(json!({
            "step": s.step,
            "loss": s.mean_loss(),
            "loss_sum": s.loss.map(public_loss).transpose()?,
            "predictions": s.predictions,
            "proof_bytes": s.proof_bytes,
        }))
    };
    verified.steps.iter().map(step).collect()
}
