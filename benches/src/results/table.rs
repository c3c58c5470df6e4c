//! Results as Markdown.

use super::document::{Measured, Results};
use super::figures::{Figure, Unit, figures};
use std::fmt::Write;

/// The table of the README, and one of each preset's ops.
pub fn table(results: &Results) -> String {
    let presets = &results.presets;
    let mut text = format!("{}; medians and spread of the runs; {}.\n\n", results.setting, results.date);
    let names: Vec<String> = presets.iter().map(|of| format!("`{}`", of.preset)).collect();
    let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---:|".repeat(names.len()));
    let columns: Vec<Vec<Figure>> = presets.iter().map(|of| figures(of, results.machine.threads)).collect();
    for row in 0..columns.first().map_or(0, Vec::len) {
        let shown: Vec<String> = columns.iter().map(|column| column[row].to_string()).collect();
        let _ = writeln!(text, "| {} | {} |", columns[0][row].name, shown.join(" | "));
    }
    let commit = results.commit.as_ref().map_or("unknown".into(), ToString::to_string);
    for (name, value) in [("machine", results.machine.to_string()), ("commit", commit)] {
        let same = " the same |".repeat(names.len().saturating_sub(1));
        let _ = writeln!(text, "| {name} | {value} |{same}");
    }
    presets.iter().for_each(|of| ops(&mut text, of));
    text
}

/// What each op has of a step.
fn ops(text: &mut String, of: &Measured) {
    let all = Figure::new("all", Unit::Seconds, of.commitments()).median().unwrap_or(f64::NAN);
    let _ = writeln!(
        text,
        "\n`{}` by op. The time of the commitment to each column, on one thread, is shared among the ops on it by their cells.\n\n\
         | op | cells | of all | commitments | of all |\n|---|---:|---:|---:|---:|",
        of.preset
    );
    let owned: usize = of.ops.values().map(|op| op.cells).sum();
    let rows = of.ops.iter().map(|(name, op)| (name.as_str(), op.cells, op.commit_seconds.clone()));
    for (name, cells, runs) in rows.chain([("no op: zeros and blinding", of.cells.saturating_sub(owned), vec![])]) {
        let share = Unit::Share.show(cells as f64 / of.cells as f64);
        let commitments = Figure::new("commitments", Unit::Seconds, runs);
        let of_all = commitments.median().map_or("–".into(), |seconds| Unit::Share.show(seconds / all));
        let _ = writeln!(text, "| {name} | {} | {share} | {commitments} | {of_all} |", Unit::Count.show(cells as f64));
    }
}

/// What figures are, over those of earlier results: medians over medians.
pub fn ratios(now: &Results, then: &Results) -> String {
    let commit = |of: &Results| of.commit.as_ref().map_or("unknown".into(), ToString::to_string);
    let mut text = format!("Ratios of commit {} to {} ({}).\n", commit(now), commit(then), then.date);
    if now.machine != then.machine {
        text.push_str("They are of different machines or builds: times and memory say little.\n");
    }
    if now.setting != then.setting {
        text.push_str("They are of different settings.\n");
    }
    for of in &now.presets {
        let Some(before) = then.presets.iter().find(|before| before.preset == of.preset) else { continue };
        let _ = writeln!(text, "\n| `{}` | now | then | ratio |\n|---|---:|---:|---:|", of.preset);
        let pairs = figures(of, now.machine.threads).into_iter().zip(figures(before, then.machine.threads));
        for (now, then) in pairs {
            if let Some((a, b)) = now.median().zip(then.median()) {
                let _ = writeln!(text, "| {} | {now} | {then} | {:.3} |", now.name, a / b);
            }
        }
    }
    text
}
