//! What a run says at its end.

use super::session::Session;
use super::watch::held_out_summary;
use crate::format::{bytes, peak_memory_kib, plural, time};
use crate::run_dir::{LogLine, RunDir};
use crate::ui::Output;
use serde_json::json;
use std::time::Duration;

/// Steps whose mean loss the summary gives.
const WINDOW: usize = 25;

/// The run after its last step.
pub fn summary(session: &Session, dir: &RunDir, resumed_at: u64, elapsed: Duration) -> Output {
    let lines = &session.lines;
    let mean =
        |lines: &[LogLine]| (!lines.is_empty()).then(|| lines.iter().map(|l| l.loss).sum::<f64>() / lines.len() as f64);
    let last = mean(&lines[lines.len().saturating_sub(WINDOW)..]);
    let saturated: u64 = lines.iter().map(|l| l.saturated).sum();
    let taken = session.trainer.step - resumed_at.min(session.trainer.step);
    let peak = peak_memory_kib();
    let proof_bytes: Option<u64> = session.settings.prove.then(|| lines.iter().filter_map(|l| l.proof_bytes).sum());

    let mut text = format!("{}: {} completed", dir.path().display(), plural(session.trainer.step, "step"));
    if resumed_at > 0 {
        text += &format!(", {taken} of them now");
    }
    text += &format!(", in {}", time(elapsed));
    if let (Some(first), Some(last)) = (lines.first(), last) {
        let window = lines.len().min(WINDOW) as u64;
        text += &format!("\nloss {:.4} initially, {last:.4} over the last {}", first.loss, plural(window, "step"));
    }
    let (held_out_text, held_out) = held_out_summary(session);
    text += &held_out_text;
    text += &match saturated {
        0 => "\nno value reached the end of its range".to_owned(),
        n => format!("\n{} reached the end of their range; log.jsonl lists the steps", plural(n, "value")),
    };
    if let Some(total) = proof_bytes {
        text += &format!("\n{} of proofs", bytes(total));
    }
    if let Some(peak) = peak {
        text += &format!("\npeak memory {}", bytes(peak * 1024));
    }
    let json = json!({
        "ok": true,
        "run": dir.path().display().to_string(),
        "id": crate::format::hex(&session.id),
        "steps": session.trainer.step,
        "resumed_at": resumed_at,
        "proven": session.settings.prove,
        "first_loss": lines.first().map(|l| l.loss),
        "last_loss": lines.last().map(|l| l.loss),
        "last_mean_loss": last,
        "held_out": held_out,
        "saturated": saturated,
        "seconds": elapsed.as_secs_f64(),
        "proving_seconds": session.settings.prove.then(|| lines.iter().filter_map(|l| l.proving_seconds).sum::<f64>()),
        "proof_bytes": proof_bytes,
        "peak_memory_kib": peak,
    });
    Output { text, json }
}
