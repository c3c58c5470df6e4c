//! What a running devnet shows: a line for each block, and below them one that says what is going on.

use super::events::{Event, Seen};
use super::setup::Shared;
use crate::format::{bytes, plural, time, time_left};
use crate::ui::Ui;
use indicatif::ProgressBar;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who watches.
pub struct Watch<'a> {
    shared: Arc<Shared>,
    ui: &'a Ui,
    line: ProgressBar,
    /// Height of the last block.
    pub height: u64,
    first: u64,
    last: Option<u64>,
    begun: Instant,
    before: Instant,
    doing: String,
    warned: bool,
}

impl<'a> Watch<'a> {
    /// Watches a chain of this height grow up to the last, if there is one.
    pub fn new(shared: Arc<Shared>, height: u64, last: Option<u64>, ui: &'a Ui) -> Self {
        let now = Instant::now();
        let line = ui.bar(1, 0, "{spinner} {wide_msg}");
        let doing = waiting(0, shared.contributing.len());
        Watch { shared, ui, line, height, first: height, last, begun: now, before: now, doing, warned: false }
    }

    /// Shows what happened.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Block(seen) => {
                let predictions = self.shared.spec.predictions(seen.contributions as u32);
                let since = std::mem::replace(&mut self.before, Instant::now()).elapsed();
                let text = block_line(&seen, predictions, since);
                self.line.suspend(|| self.ui.progress(&text));
                self.height = seen.height;
                self.doing = waiting(0, self.shared.contributing.len());
            }
            Event::Contributions(ready) => self.doing = waiting(ready, self.shared.contributing.len()),
            Event::Doing(what) => self.doing = what,
            Event::Idle if self.warned => {}
            Event::Idle => {
                self.warned = true;
                let text = format!(
                    "no gradient was proven within {}: the next block may have none. A new chain with a larger \
                     --seconds-per-block gives contributors more time",
                    time(self.shared.patience)
                );
                self.line.suspend(|| self.ui.warn(&text));
            }
            Event::Complaint(text) => self.line.suspend(|| self.ui.warn(&text)),
        }
        self.tick();
    }

    /// Keeps the line below going.
    pub fn tick(&self) {
        let (made, elapsed) = (self.height.saturating_sub(self.first), self.begun.elapsed());
        let left = self.last.and_then(|last| time_left(made, last.saturating_sub(self.height), elapsed));
        self.line.set_message(status_line(self.height + 1, &self.doing, self.before.elapsed(), left));
        self.line.tick();
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

fn waiting(ready: usize, contributors: usize) -> String {
    match contributors {
        0 => "nobody contributes".to_owned(),
        _ => format!("{ready} of {} ready", plural(contributors as u64, "gradient")),
    }
}

/// What is going on: less than 80 columns, with a spinner before it.
fn status_line(height: u64, doing: &str, since: Duration, left: Option<Duration>) -> String {
    let left = left.map_or_else(String::new, |left| format!(", about {} left", time(left)));
    format!("block {height}: {doing} ({} s{left})", since.as_secs())
}

/// A line of at most 80 columns, for heights and steps below 100,000.
fn block_line(seen: &Seen, predictions: u64, since: Duration) -> String {
    let trained = match predictions {
        0 => "no gradients".to_owned(),
        // Nats a prediction, for display.
        n => {
            let loss = seen.loss as f64 / f64::from(1 << 24) / n as f64;
            format!("loss {loss:.4}  {}", plural(seen.contributions as u64, "gradient"))
        }
    };
    format!(
        "block {:>5}  step {:>5}  {trained:<24} {:>4} tx {:>9} {:>8}",
        seen.height,
        seen.step,
        seen.transactions,
        bytes(seen.bytes as u64),
        time(since)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7.22: one line at 80 columns.
    #[test]
    fn a_block_takes_one_line_of_a_terminal() {
        let seen = |height, contributions, transactions, bytes| Seen {
            height,
            step: height,
            loss: 12 << 24,
            contributions,
            transactions,
            bytes,
        };
        let short = block_line(&seen(1, 1, 0, 78_000), 16, Duration::from_millis(32_100));
        assert_eq!(short, "block     1  step     1  loss 0.7500  1 gradient     0 tx  76.2 KiB   32.1 s");
        let idle = block_line(&seen(12, 0, 2, 300), 0, Duration::from_secs(3));
        assert_eq!(idle, "block    12  step    12  no gradients                2 tx 300 bytes    3.0 s");
        let long = block_line(&seen(99_999, 64, 1000, 100 << 20), 1, Duration::from_secs(86_400));
        let (since, left) = (Duration::from_secs(9999), Some(Duration::from_secs(99_999)));
        let status = status_line(99_999, "proving the update, 64 gradients", since, left);
        assert!(status.len() <= 77, "{status}");
        assert!(long.len() <= 80 && short.len() <= 80, "{} {}", long.len(), short.len());
    }
}
