//! The figures that tables, comparisons and plots show, each defined once.

use super::document::{Measured, Proving};
use crate::timing::middle;
use std::fmt;

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Time.
    Seconds,
    /// Memory or files.
    Bytes,
    /// A part of a whole.
    Share,
    /// A number that has none.
    Ratio,
}

/// A figure of a preset.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Of each run, sorted; none if it is not known.
    pub runs: Vec<f64>,
}

impl Figure {
    /// Of some runs, in any order.
    pub fn new(name: &'static str, unit: Unit, runs: impl IntoIterator<Item = f64>) -> Self {
        let mut runs: Vec<f64> = runs.into_iter().collect();
        runs.sort_by(f64::total_cmp);
        Figure { name, unit, runs }
    }

    /// Of the runs.
    pub fn median(&self) -> Option<f64> {
        middle(&self.runs, f64::midpoint)
    }
}

/// The median, and the spread of several runs.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(median) = self.median() else { return f.write_str("–") };
        let [median, least, most] =
            [median, self.runs[0], self.runs[self.runs.len() - 1]].map(|run| self.unit.show(run));
        f.write_str(&median)?;
        if least == most { Ok(()) } else { write!(f, " ({least} to {most})") }
    }
}

impl Unit {
    /// A number in this unit, for people.
    pub fn show(self, x: f64) -> String {
        let kibibytes = x / 1024.0;
        match self {
            Unit::Count => grouped(x),
            Unit::Seconds if x >= 1.0 => format!("{x:.1} s"),
            Unit::Seconds if x >= 0.01 => format!("{:.0} ms", 1e3 * x),
            Unit::Seconds => format!("{:.2} ms", 1e3 * x),
            Unit::Bytes if kibibytes >= 10_000.0 => format!("{:.2} GiB", kibibytes / 1_048_576.0),
            Unit::Bytes => format!("{kibibytes:.1} KiB"),
            Unit::Share => format!("{:.1} %", 100.0 * x),
            Unit::Ratio if x >= 100.0 => grouped(x),
            Unit::Ratio => format!("{x:.2}"),
        }
    }
}

/// A whole number, its digits in groups of three.
fn grouped(x: f64) -> String {
    let digits = format!("{x:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

/// All of a preset, of a machine with so many threads.
pub fn figures(of: &Measured, threads: usize) -> Vec<Figure> {
    use Unit::{Bytes, Count, Ratio, Seconds, Share};
    let processor = |run: &Proving| run.processor_seconds;
    let busy = |run: &Proving| Some(run.processor_seconds? / (run.seconds * threads as f64));
    let genesis = of.genesis.as_ref();
    let (of_step, natively) =
        (proving(of), Figure::new("the native step of batch 1, without proof", Seconds, of.native.clone()));
    let commitments = Figure::new("commitments to its columns, on one thread", Seconds, of.commitments());
    let on_processor = Figure::new("its processor time", Seconds, of.proving.iter().filter_map(processor));
    let ratio = |a: &Figure, b: &Figure| a.median().zip(b.median()).map(|(a, b)| a / b);
    vec![
        Figure::new("parameters", Count, [of.parameters as f64]),
        Figure::new("advice columns of a step", Count, [of.columns as f64]),
        Figure::new("rows of each", Count, [(of.cells / of.columns) as f64]),
        Figure::new("cells of these", Count, [of.cells as f64]),
        Figure::new("of which are owned by ops", Share, [of.assigned as f64 / of.cells as f64]),
        of_step.clone(),
        on_processor.clone(),
        Figure::new("share of all threads' time", Share, of.proving.iter().filter_map(busy)),
        commitments.clone(),
        Figure::new("their share of the processor time", Share, ratio(&commitments, &on_processor)),
        memory(of),
        Figure::new("verifying it", Seconds, of.verifying.clone()),
        proof_bytes(of),
        Figure::new("verifying keys", Bytes, [of.key_bytes as f64]),
        Figure::new("a genesis proof, once a run", Seconds, genesis.iter().flat_map(|g| g.proving.clone())),
        Figure::new("verifying the genesis proof", Seconds, genesis.iter().flat_map(|g| g.verifying.clone())),
        Figure::new("proof bytes of the genesis proof", Bytes, genesis.map(|g| g.proof_bytes as f64)),
        natively.clone(),
        Figure::new("proving over that", Ratio, ratio(&of_step, &natively)),
        Figure::new("the native step of batch 8", Seconds, of.native_of_8.clone()),
    ]
}

/// How long proving a step takes.
pub fn proving(of: &Measured) -> Figure {
    Figure::new("proving a step", Unit::Seconds, of.proving.iter().map(|run| run.seconds))
}

/// How much memory it takes.
pub fn memory(of: &Measured) -> Figure {
    Figure::new("peak memory of a process that proves", Unit::Bytes, of.peak_memory.map(|bytes| bytes as f64))
}

/// How large the proofs are.
pub fn proof_bytes(of: &Measured) -> Figure {
    Figure::new("proof bytes of a step", Unit::Bytes, [of.proof_bytes as f64])
}
