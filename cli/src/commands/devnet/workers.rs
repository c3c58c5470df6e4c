//! Contributors and the producer.

use super::events::{Event, Input};
use super::setup::{Shared, now};
use crate::error::CliError;
use crate::format::plural;
use chain::block::Update;
use chain::consensus::semantic::Parent;
use chain::contribution::ContributionId;
use chain::header::BlockId;
use chain::message::{FullBlock, FullContribution};
use chain::node::Template;
use chain::tensors::GradientTensors;
use chain::unmined::{Parts, UnminedBlock};
use chain::worker::{Proven, Worker};
use circuits::model::State;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nonces that are tried before looking whether the tip moved, or there is more to put into the block.
const TRIES: u64 = 1 << 14;

/// How long a block in the making stays as it is, whatever comes: nobody keeps the producer from mining.
const KEPT: Duration = Duration::from_secs(1);

/// How old the time of a block in the making may be.
const REFRESH: Duration = Duration::from_secs(10);

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
    /// Counts what came that a block in the making could hold.
    news: u64,
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
        let mut offer = self.lock();
        offer.contributions = ready;
        offer.news += 1;
        self.changed.notify_all();
    }

    /// Other transactions wait.
    pub fn transactions(&self) {
        self.lock().news += 1;
    }

    fn news(&self) -> u64 {
        self.lock().news
    }

    /// No more work.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a tip that was not taken yet, below the last height: nothing is built on that or above.
    fn take(&self, last: Option<u64>) -> Option<Work> {
        let mut offer = self.lock();
        loop {
            if offer.closed {
                return None;
            }
            let is_below = |work: &&Work| last.is_none_or(|last| work.parent.height < last);
            if !offer.taken
                && let Some(work) = offer.work.as_ref().filter(is_below).cloned()
            {
                offer.taken = true;
                return Some(work);
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

/// Contributes to every new tip below the last height.
pub fn contribute(
    shared: &Arc<Shared>,
    node: usize,
    slot: &Arc<Slot>,
    to: Sender<Input>,
    (last, stopping): (Option<u64>, &Arc<AtomicBool>),
) -> JoinHandle<Result<(), CliError>> {
    let (shared, slot, stopping) = (shared.clone(), slot.clone(), stopping.clone());
    std::thread::spawn(move || {
        while let Some(work) = slot.take(last) {
            let _one = PROVING.lock().unwrap_or_else(PoisonError::into_inner);
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            if !slot.is_current() {
                continue;
            }
            let key = &shared.accounts[node];
            let proven = worker(&shared).contribute(&work.parent, &work.state, 0, key, &mut |_| {})?;
            let full = FullContribution { tensors: proven.tensors(), contribution: proven.contribution };
            if to.send(Input::Contributed(Box::new(full))).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Makes blocks up to the last height: waits for contributions for as long as the spacing, then works on what there is, and changes over to more
/// when it comes.
pub fn produce(
    shared: &Arc<Shared>,
    slot: &Arc<Slot>,
    to: Sender<Input>,
    watch: Sender<Event>,
    (last, stopping): (Option<u64>, &Arc<AtomicBool>),
) -> JoinHandle<Result<(), CliError>> {
    let (shared, slot, stopping) = (shared.clone(), slot.clone(), stopping.clone());
    std::thread::spawn(move || {
        let wanted = shared.contributing.len().min(shared.spec.rules().max_contributions as usize);
        let producer = Producer { shared: &shared, slot: &slot, node: &to, watch: &watch, wanted };
        while slot.take(last).is_some() {
            slot.wait_for(wanted, Instant::now() + shared.patience);
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            if !slot.is_current() {
                continue;
            }
            let Some(block) = producer.block()? else { continue };
            if to.send(Input::Mined(Box::new(block))).is_err() {
                break;
            }
        }
        Ok(())
    })
}

struct Producer<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
    node: &'a Sender<Input>,
    watch: &'a Sender<Event>,
    wanted: usize,
}

/// Contributions with the update that they make.
struct Trained {
    parent: BlockId,
    contributions: Vec<ContributionId>,
    proven: Vec<Proven>,
    update: Update,
}

impl Producer<'_> {
    /// A block on the tip; none if the tip moves first, or the node stops.
    fn block(&self) -> Result<Option<FullBlock>, CliError> {
        let mut trained: Option<Trained> = None;
        while self.slot.is_current() {
            let news = self.slot.news();
            let Some(template) = self.template()? else { return Ok(None) };
            let chain = self.shared.spec.id();
            let ids: Vec<ContributionId> =
                template.contributions.iter().map(|c| c.offered.contribution.id(chain)).collect();
            trained = trained.filter(|made| made.parent == template.parent.id && made.contributions == ids);
            if trained.is_none() && !ids.is_empty() {
                trained = self.train(&template, ids, news)?;
                // Proving took its time: others' transactions may have come.
                continue;
            }
            let made = trained.as_ref().map_or(0, |trained| trained.proven.len());
            self.tell(match made {
                0 => "mining, no gradients".to_owned(),
                _ => format!("mining, {}", plural(made as u64, "gradient")),
            });
            if made == 0 && self.wanted > 0 {
                let _ = self.watch.send(Event::Idle);
            }
            let mut draft = self.draft(template, trained.as_ref())?;
            let begun = Instant::now();
            let kept = || if self.slot.news() == news { REFRESH } else { KEPT };
            while self.slot.is_current() && begun.elapsed() < kept() {
                if let Some(block) = draft.mine(TRIES) {
                    let tensors = trained.iter().flat_map(|trained| trained.proven.iter().map(Proven::tensors));
                    let tensors: Vec<GradientTensors> = tensors.collect();
                    return Ok(Some(FullBlock { block, tensors }));
                }
            }
        }
        Ok(None)
    }

    fn tell(&self, what: String) {
        let _ = self.watch.send(Event::Doing(what));
    }

    fn template(&self) -> Result<Option<Box<Template>>, CliError> {
        let (reply, template) = channel();
        if self.node.send(Input::Template(reply)).is_err() {
            return Ok(None);
        }
        let Ok(template) = template.recv() else { return Ok(None) };
        Ok(Some(template?))
    }

    /// Proves the update; none if more came while others were proving.
    fn train(&self, template: &Template, ids: Vec<ContributionId>, news: u64) -> Result<Option<Trained>, CliError> {
        let _one = PROVING.lock().unwrap_or_else(PoisonError::into_inner);
        if self.slot.news() != news {
            return Ok(None);
        }
        let proven: Vec<Proven> = template
            .contributions
            .iter()
            .map(|verified| Proven {
                contribution: verified.offered.contribution.clone(),
                gradients: (*verified.gradients).clone(),
            })
            .collect();
        self.tell(format!("proving the update, {}", plural(proven.len() as u64, "gradient")));
        let producer = self.shared.accounts[0].address();
        let mut state = (*template.state).clone();
        let update = worker(self.shared).update(&template.parent, &mut state, &proven, &producer, &mut |_| {})?;
        Ok(Some(Trained { parent: template.parent.id, contributions: ids, proven, update }))
    }

    fn draft(&self, template: Box<Template>, trained: Option<&Trained>) -> Result<UnminedBlock, CliError> {
        let contributions = trained.iter().flat_map(|trained| trained.proven.iter().map(|p| p.contribution.clone()));
        let parts = Parts {
            contributions: contributions.collect(),
            transactions: template.transactions,
            update: trained.map(|trained| trained.update.clone()),
            ledger: template.ledger,
            producer: self.shared.accounts[0].address(),
            now: now(),
        };
        Ok(UnminedBlock::new(&self.shared.spec, &template.record, &template.ancestry, parts)?)
    }
}
