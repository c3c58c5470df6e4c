//! How far proofs are, and how long they still take.
//!
//! A prover tells few moments of a proof, and long times pass between them. So what counts is the time at which a moment
//! was told, and the share of all work that is done then: their ratio says how long all of it takes.

use crate::ui::Ui;
use backend::keys::{Item, Shape};
use circuits::segments::SegmentKind;
use circuits::statements::MAX_INSTANCES_PER_PROOF;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use prover::engine::Stage;
use prover::estimate::{OPENING, Work};
use prover::step::{StepKeys, TaskStage};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Share of a proof's time after which phase 1 is committed to, phase 2 filled, the advice columns written, the
/// permutation's products, the quotient and the evaluations written, and the opening done. Between those of layers of
/// `nano` and of `micro`, by the native engine.
const COMMITTED: f64 = 0.14;
const FILLED: f64 = 0.20;
const ADVICE: f64 = 0.42;
const PRODUCTS: f64 = 0.48;
const QUOTIENT: f64 = 0.86;
const EVALUATED: f64 = 0.88;
const OPENED: f64 = 0.97;

/// The share of a proof of so many instances that is done, and the largest that may be done before more is told.
fn share(shape: &Shape, instances: usize, stage: Stage) -> (f64, f64) {
    let ratio = |done: usize, of: usize| done as f64 / of.max(1) as f64;
    let Stage::Proving { written, of } = stage else {
        return match stage {
            Stage::Committed { done, of } if done < of => {
                (COMMITTED * ratio(done, of), COMMITTED * ratio(done + 1, of))
            }
            Stage::Committed { .. } => (COMMITTED, FILLED),
            Stage::Filled => (FILLED, ADVICE),
            _ => (1.0, 1.0),
        };
    };
    // The ends of runs of items, in bytes: advice, products with the random polynomial, quotient, evaluations, opening.
    let mut ends = [0; 5];
    let mut at = 0;
    for (i, (kind, count)) in shape.items(instances).into_iter().enumerate() {
        at += 32 * count;
        match (i, kind) {
            (0..=2, Item::Point) => ends[i] = at,
            (_, Item::Scalar) if ends[4] == 0 => ends[3] = at,
            _ => ends[4] = at,
        }
    }
    // The random polynomial is written before the quotient is computed.
    ends[1] += 32;
    ends[4] = of;
    let times = [
        (0, FILLED),
        (ends[0], ADVICE),
        (ends[1], PRODUCTS),
        (ends[2], QUOTIENT),
        (ends[3], EVALUATED),
        (ends[4], OPENED),
    ];
    let next = times.iter().position(|&(end, _)| written <= end).unwrap_or(times.len() - 1).max(1);
    let ((from, before), (to, after)) = (times[next - 1], times[next]);
    let done = before + (after - before) * ratio(written.saturating_sub(from), to - from).min(1.0);
    (done, times.iter().find(|&&(end, _)| written < end).map_or(1.0, |&(_, share)| share))
}

/// A task whose proof is under way.
#[derive(Clone, Copy, Debug)]
struct InHand {
    instances: usize,
    /// Share of the proof, as told or supposed since.
    share: f64,
    /// What it may be supposed to have reached.
    most: f64,
}

/// The proofs of one circuit.
#[derive(Clone, Debug)]
struct Part {
    part: SegmentKind,
    shape: Shape,
    /// Instances in all, and those of finished proofs.
    instances: usize,
    done: usize,
    /// Tasks in hand.
    in_hand: BTreeMap<usize, InHand>,
}

impl Part {
    /// What one instance weighs, with its part of what a proof takes whatever its columns.
    fn weight(&self) -> f64 {
        let proofs = self.instances.div_ceil(MAX_INSTANCES_PER_PROOF as usize) as f64;
        let work = Work::of(self.part);
        work.column * self.shape.advice as f64 + work.proof * proofs / self.instances.max(1) as f64
    }

    fn finished(&self) -> f64 {
        let in_hand: f64 = self.in_hand.values().map(|task| task.instances as f64 * task.share).sum();
        self.weight() * (self.done as f64 + in_hand)
    }
}

/// How far the proofs of a step are.
#[derive(Clone, Debug)]
pub struct Estimate {
    work: Vec<Part>,
    /// When something was told last, after the beginning, and the share that was done then.
    told: (Duration, f64),
}

impl Estimate {
    /// For so many instances of each circuit.
    pub fn new(parts: impl IntoIterator<Item = (SegmentKind, Shape, usize)>) -> Self {
        let work = parts.into_iter().map(|(part, shape, instances)| Part {
            part,
            shape,
            instances,
            done: 0,
            in_hand: BTreeMap::new(),
        });
        Estimate { work: work.collect(), told: (Duration::ZERO, 0.0) }
    }

    /// Notes a stage; `now` is the time since the beginning.
    pub fn observe(&mut self, TaskStage { task, segment, stage }: TaskStage, now: Duration) {
        let Some(work) = self.work.iter_mut().find(|work| work.part == segment) else { return };
        let before = work.finished();
        let known = work.in_hand.get(&task).copied();
        let instances = match stage {
            Stage::Committed { of, .. } => Some(of),
            _ => known.map(|task| task.instances),
        };
        match (stage, instances) {
            (Stage::Checked { instances }, _) => {
                work.done += instances;
                work.in_hand.remove(&task);
            }
            (_, Some(instances)) => {
                let (told, most) = share(&work.shape, instances, stage);
                let share = known.map_or(told, |task| told.max(task.share));
                work.in_hand.insert(task, InHand { instances, share, most });
            }
            _ => {}
        }
        let gained = work.finished() - before;
        self.suppose(task, gained);
        self.told = (now, self.done());
    }

    /// A task that is silent gains what another one gained, as they share the threads, up to the next moment that it tells.
    fn suppose(&mut self, teller: usize, gained: f64) {
        for work in &mut self.work {
            let weight = work.weight();
            for (_, task) in work.in_hand.iter_mut().filter(|&(&number, _)| number != teller) {
                let share = task.share + gained / (weight * task.instances.max(1) as f64);
                task.share = share.min(task.most).max(task.share);
            }
        }
    }

    /// The share of all work that is done.
    pub fn done(&self) -> f64 {
        let all: f64 = self.work.iter().map(|work| work.weight() * work.instances as f64).sum();
        // After the update's proofs, nothing is told of the opening that follows.
        let opens = self.work.iter().any(|work| work.part == SegmentKind::Update);
        let all = all + if opens { OPENING } else { 0.0 };
        self.work.iter().map(Part::finished).sum::<f64>() / all.max(1.0)
    }

    /// Time left; none where nothing is known yet.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        let (at, done) = self.told;
        (done > 0.0).then(|| {
            let all = at.div_f64(done);
            // What takes longer than it should is not over yet.
            all.saturating_sub(now).max(all.mul_f64(0.01))
        })
    }
}

/// Seconds of a duration in as few characters as will do.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s @ 0..60 => write!(f, "{s}s"),
            s @ 60..3600 => write!(f, "{}m{:02}s", s / 60, s % 60),
            s => write!(f, "{}h{:02}m", s / 3600, s / 60 % 60),
        }
    }
}

/// Shows how far the proofs of a step are.
pub struct ProofBar {
    bar: ProgressBar,
    estimate: Arc<Mutex<Estimate>>,
    start: Instant,
}

/// Units of the bar.
const UNITS: u64 = 1000;

impl ProofBar {
    /// For the proof of a first state, in so many lane groups.
    pub fn genesis(ui: &Ui, keys: &StepKeys, groups: usize) -> Self {
        let parts = [(SegmentKind::Update, keys.update.verifying.shape.clone(), groups)];
        Self::new(ui, "proving the first state".into(), Estimate::new(parts))
    }

    /// For a step of so many sequences, layers and lane groups.
    pub fn step(ui: &Ui, step: u64, keys: &StepKeys, (sequences, layers, groups): (usize, usize, usize)) -> Self {
        let parts = [
            (SegmentKind::Layer, keys.layer.verifying.shape.clone(), sequences * layers),
            (SegmentKind::Head, keys.head.verifying.shape.clone(), sequences),
            (SegmentKind::Update, keys.update.verifying.shape.clone(), groups),
        ];
        Self::new(ui, format!("proving step {step}"), Estimate::new(parts))
    }

    fn new(ui: &Ui, what: String, estimate: Estimate) -> Self {
        let (estimate, start) = (Arc::new(Mutex::new(estimate)), Instant::now());
        let seen = estimate.clone();
        let left = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let left = seen.lock().unwrap_or_else(PoisonError::into_inner).left(start.elapsed());
            // Only the line of a bar is lost.
            let _ = match left {
                Some(left) => write!(out, "{} left", Short(left)),
                None => write!(out, "…"),
            };
        };
        let since = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}", Short(start.elapsed()));
        };
        let template = "{prefix} {wide_bar} {percent:>3}% {msg:6} {since}, {left}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ui.bar_of(UNITS, style.with_key("left", left).with_key("since", since));
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(250));
        ProofBar { bar, estimate, start }
    }

    /// Notes a stage.
    pub fn observe(&mut self, told: TaskStage) {
        let mut estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        estimate.observe(told, self.start.elapsed());
        let position = (estimate.done() * UNITS as f64) as u64;
        drop(estimate);
        self.bar.set_message(told.segment.plural());
        self.bar.set_position(position);
    }
}

impl Drop for ProofBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests;
