//! Contributors and the producer.

use super::nodes::Input;
use super::setup::{Shared, now};
use crate::error::CliError;
use chain::consensus::semantic::Parent;
use chain::draft::{Draft, Parts};
use chain::message::{FullBlock, FullContribution};
use chain::tensors::GradientTensors;
use chain::worker::{Proven, Worker};
use circuits::model::State;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nonces that are tried before looking whether the tip moved.
const TRIES: u64 = 1 << 14;

/// Proofs are made one at a time: several at once take as long in all, and more memory.
static PROVING: Mutex<()> = Mutex::new(());

/// What there is to work on: the newest only.
#[derive(Default)]
pub struct Slot {
    state: Mutex<Offer>,
    changed: Condvar,
}

#[derive(Default)]
struct Offer {
    work: Option<Work>,
    taken: bool,
    contributions: usize,
    closed: bool,
}

/// A tip, and the model at it.
#[derive(Clone)]
pub struct Work {
    /// The tip.
    pub parent: Parent,
    /// The model state.
    pub state: Arc<State>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Offer> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a new tip.
    pub fn put(&self, parent: Parent, state: Arc<State>) {
        let mut offer = self.lock();
        offer.work = Some(Work { parent, state });
        (offer.taken, offer.contributions) = (false, 0);
        self.changed.notify_all();
    }

    /// So many contributions are ready.
    pub fn contribution(&self, ready: usize) {
        self.lock().contributions = ready;
        self.changed.notify_all();
    }

    /// No more work.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a tip that was not taken yet.
    fn take(&self) -> Option<Work> {
        let mut offer = self.lock();
        loop {
            if offer.closed {
                return None;
            }
            if !offer.taken && offer.work.is_some() {
                offer.taken = true;
                return offer.work.clone();
            }
            offer = self.changed.wait(offer).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until so many contributions are ready, the time is up, or the tip moved.
    fn wait_for(&self, wanted: usize, until: Instant) {
        let mut offer = self.lock();
        while !offer.closed && offer.taken && offer.contributions < wanted {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(offer, left.min(Duration::from_millis(500)));
            offer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether what was taken is the newest.
    fn is_current(&self) -> bool {
        let offer = self.lock();
        offer.taken && !offer.closed
    }
}

fn worker(shared: &Shared) -> Worker<'_> {
    Worker {
        spec: &shared.spec,
        params: &shared.params,
        keys: &shared.prover,
        model: &shared.model,
        dataset: &shared.dataset,
    }
}

/// Contributes to every new tip.
pub fn contribute(
    shared: &Arc<Shared>,
    node: usize,
    slot: &Arc<Slot>,
    to: Sender<Input>,
    stopping: &Arc<AtomicBool>,
) -> JoinHandle<Result<(), CliError>> {
    let (shared, slot, stopping) = (shared.clone(), slot.clone(), stopping.clone());
    std::thread::spawn(move || {
        while let Some(work) = slot.take() {
            let _one = PROVING.lock().unwrap_or_else(PoisonError::into_inner);
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            if !slot.is_current() {
                continue;
            }
            let key = &shared.accounts[node];
            let proven = worker(&shared).contribute(&work.parent, &work.state, 0, key, &mut |_, _| {})?;
            let full = FullContribution { tensors: proven.tensors(), contribution: proven.contribution };
            if to.send(Input::Contributed(Box::new(full))).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Makes blocks.
pub fn produce(
    shared: &Arc<Shared>,
    slot: &Arc<Slot>,
    to: Sender<Input>,
    stopping: &Arc<AtomicBool>,
) -> JoinHandle<Result<(), CliError>> {
    let (shared, slot, stopping) = (shared.clone(), slot.clone(), stopping.clone());
    std::thread::spawn(move || {
        let wanted = shared.contributors.min(shared.spec.rules().max_contributions as usize);
        while slot.take().is_some() {
            slot.wait_for(wanted, Instant::now() + shared.patience);
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            if !slot.is_current() {
                continue;
            }
            let Some(block) = block(&shared, &slot, &to)? else { continue };
            if to.send(Input::Mined(Box::new(block))).is_err() {
                break;
            }
        }
        Ok(())
    })
}

fn block(shared: &Shared, slot: &Slot, node: &Sender<Input>) -> Result<Option<FullBlock>, CliError> {
    let (reply, template) = channel();
    if node.send(Input::Template(reply)).is_err() {
        return Ok(None);
    }
    let Ok(template) = template.recv() else { return Ok(None) };
    let template = template?;
    let producer = shared.accounts[0].address();
    let proven: Vec<Proven> = template
        .contributions
        .into_iter()
        .map(|verified| Proven {
            contribution: verified.offered.contribution.clone(),
            gradients: (*verified.gradients).clone(),
        })
        .collect();
    let update = if proven.is_empty() {
        None
    } else {
        let _one = PROVING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = (*template.state).clone();
        Some(worker(shared).update(&template.parent, &mut state, &proven, &producer, &mut |_, _| {})?)
    };
    let tensors: Vec<GradientTensors> = proven.iter().map(Proven::tensors).collect();
    let parts = Parts {
        contributions: proven.into_iter().map(|p| p.contribution).collect(),
        transactions: template.transactions,
        update,
        ledger: template.ledger,
        producer,
        now: now(),
    };
    let mut draft = Draft::new(&shared.spec, &template.record, &template.ancestry, parts)?;
    while slot.is_current() {
        if let Some(block) = draft.mine(TRIES) {
            return Ok(Some(FullBlock { block, tensors }));
        }
    }
    Ok(None)
}
