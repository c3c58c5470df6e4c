//! The nodes' threads.

use super::directory::Locked;
use super::events::{Event, Input, Seen};
use super::hub::Port;
use super::setup::{KEYS, Net, PASSPHRASE, Shared, now};
use super::watch::Watch;
use super::workers::{self, Slot};
use crate::error::CliError;
use crate::format::plural;
use crate::ui::Ui;
use chain::chain_state::{ChainError, ChainState};
use chain::consensus::semantic::Checker;
use chain::header::BlockId;
use chain::message::{Message, Network, PeerId};
use chain::node::{Action, Limits, Node};
use chain::rpc::{Answer, Query};
use chain::store::StoreError;
use circuits::statements::codec;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often nodes tell each other their tips.
const GOSSIP: Duration = Duration::from_secs(2);

/// How often the watch is kept going.
const TICK: Duration = Duration::from_millis(200);

/// A devnet that runs.
pub struct Running {
    shared: Arc<Shared>,
    inboxes: Arc<Vec<Sender<Input>>>,
    slots: Vec<Arc<Slot>>,
    nodes: Vec<JoinHandle<Result<ChainState, StoreError>>>,
    workers: Vec<JoinHandle<Result<(), CliError>>>,
    events: Receiver<Event>,
    stopping: Arc<AtomicBool>,
    height: u64,
    /// Height of the last block that is to be made.
    last: Option<u64>,
    /// Until all stores are closed.
    _directory: Locked,
    #[cfg(unix)]
    socket: crate::node_link::ServerHandle,
}

/// Starts all threads, which make so many blocks.
pub fn start(net: Net, dir: &Path, blocks: Option<u64>, ui: &Ui) -> Result<Running, CliError> {
    let Net { shared, chains, directory } = net;
    let count = chains.len();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
    let inboxes = Arc::new(senders);
    let (watch, events) = channel();
    let stopping = Arc::new(AtomicBool::new(false));
    let height = chains.iter().map(|chain| chain.tip().summary.height).max().unwrap_or(0);
    let last = blocks.map(|blocks| height.saturating_add(blocks));
    // One proof at a time: several at once take as long in all, and more memory.
    let slots: Vec<Arc<Slot>> = (0..count).map(|_| Arc::new(Slot::default())).collect();
    let producer_slot = Arc::new(Slot::default());
    let mut workers =
        vec![workers::produce(&shared, &producer_slot, inboxes[0].clone(), watch.clone(), (last, &stopping))];
    for &node in &shared.contributing {
        workers.push(workers::contribute(&shared, node, &slots[node], inboxes[node].clone(), (last, &stopping)));
    }
    let nodes = chains.into_iter().zip(receivers).enumerate().map(|(i, (chain, inbox))| {
        let thread = Thread {
            node: Node::new(chain, Limits::default()),
            shared: shared.clone(),
            port: Port::new(i as PeerId, inboxes.clone()),
            own: inboxes[i].clone(),
            slots: if i == 0 { vec![slots[0].clone(), producer_slot.clone()] } else { vec![slots[i].clone()] },
            watch: (i == 0).then(|| watch.clone()),
            waiting: 0,
        };
        std::thread::spawn(move || thread.run(&inbox))
    });
    let nodes = nodes.collect();
    #[cfg(unix)]
    let socket = {
        let asked = inboxes[0].clone();
        let path = dir.join(crate::node_link::SOCKET);
        crate::node_link::serve(&path, move |query| ask(&asked, query)).map_err(CliError::io("listen on", &path))?
    };
    ui.progress(&format!("chain {}", shared.spec.id()));
    let (running, keys) = (plural(count as u64, "node"), dir.join(KEYS));
    ui.progress(&format!("{running} in {}; keys in {}, passphrase `{PASSPHRASE}`", dir.display(), keys.display()));
    ui.progress("Ctrl-C stops it; no completed work is lost");
    let mut all = slots;
    all.push(producer_slot);
    Ok(Running {
        shared,
        inboxes,
        slots: all,
        nodes,
        workers,
        events,
        stopping,
        height,
        last,
        _directory: directory,
        #[cfg(unix)]
        socket,
    })
}

fn ask(node: &Sender<Input>, query: Query) -> Answer {
    let (reply, answer) = channel();
    let stopped = || Answer::Refused("the node is stopping".into());
    if node.send(Input::Query(Box::new(query), reply)).is_err() {
        return stopped();
    }
    answer.recv().unwrap_or_else(|_| stopped())
}

impl Running {
    /// Height at the start.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Watches until the last block is made and all nodes agree, or until it is to stop.
    pub fn watch(&mut self, settle: Duration, stop: &AtomicBool, ui: &Ui) -> Result<(), CliError> {
        let last = self.last;
        let mut watch = Watch::new(self.shared.clone(), self.height, last, ui);
        while last.is_none_or(|last| watch.height < last) && !stop.load(Ordering::Relaxed) {
            match self.events.recv_timeout(TICK) {
                Ok(event) => watch.event(event),
                Err(RecvTimeoutError::Timeout) => watch.tick(),
                // All of its senders ended; why is seen below.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            }
            self.require_nodes()?;
            self.require_workers()?;
        }
        drop(watch);
        self.stopping.store(true, Ordering::Relaxed);
        // Whoever presses Ctrl-C does not wait for that.
        if stop.load(Ordering::Relaxed) { Ok(()) } else { self.agree(settle) }
    }

    /// Requires the workers to run: none ends by itself but for a fault, which is told.
    fn require_workers(&mut self) -> Result<(), CliError> {
        let Some(i) = self.workers.iter().position(JoinHandle::is_finished) else { return Ok(()) };
        // The producer's is the first.
        let node = i.checked_sub(1).and_then(|i| self.shared.contributing.get(i));
        let what = node.map_or_else(|| "the producer".to_owned(), |node| format!("node {node}'s contributor"));
        let ended = self.workers.remove(i).join();
        Err(stopped(what, ended.map(|ended| ended.err().map(|error| error.to_string()))))
    }

    /// The same of the nodes.
    fn require_nodes(&mut self) -> Result<(), CliError> {
        let Some(i) = self.nodes.iter().position(JoinHandle::is_finished) else { return Ok(()) };
        let ended = self.nodes.remove(i).join();
        Err(stopped(format!("node {i}"), ended.map(|ended| ended.err().map(|error| error.to_string()))))
    }

    /// Waits for all nodes to have the same tip.
    fn agree(&mut self, settle: Duration) -> Result<(), CliError> {
        let start = Instant::now();
        loop {
            let tips: Vec<Option<BlockId>> = self.inboxes.iter().map(tip).collect();
            if tips.iter().all(|tip| tip.is_some() && *tip == tips[0]) {
                return Ok(());
            }
            self.require_nodes()?;
            if start.elapsed() > settle {
                return Err(CliError::Disagree(settle.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Transactions that wait at node 0. They are kept in memory alone.
    pub fn waiting(&self) -> u64 {
        match ask(&self.inboxes[0], Query::Status) {
            Answer::Status(status) => status.waiting.unwrap_or(0),
            _ => 0,
        }
    }

    /// Stops the nodes; gives their chains. Proofs in the making are not waited for: they end with the process, and are
    /// of no block.
    pub fn stop(self) -> Vec<ChainState> {
        // Nobody is left without an answer.
        #[cfg(unix)]
        drop(self.socket);
        self.stopping.store(true, Ordering::Relaxed);
        for slot in &self.slots {
            slot.close();
        }
        for inbox in self.inboxes.iter() {
            let _ = inbox.send(Input::Stop);
        }
        self.nodes.into_iter().filter_map(|node| node.join().ok()?.ok()).collect()
    }
}

/// Why a thread ended that should not have.
fn stopped(what: String, ended: std::thread::Result<Option<String>>) -> CliError {
    let why = match ended {
        Ok(Some(error)) => error,
        Ok(None) => "it has nothing more to do".to_owned(),
        Err(panic) => {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            format!("it panicked, which is a bug: {}", text.unwrap_or("the reason is unknown"))
        }
    };
    CliError::Stopped { what, why }
}

fn tip(node: &Sender<Input>) -> Option<BlockId> {
    match ask(node, Query::Status) {
        Answer::Status(status) => Some(status.tip.header.id()),
        _ => None,
    }
}

struct Thread {
    node: Node,
    shared: Arc<Shared>,
    port: Port,
    own: Sender<Input>,
    slots: Vec<Arc<Slot>>,
    watch: Option<Sender<Event>>,
    /// Transactions that waited when it was looked at last.
    waiting: usize,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Input>) -> Result<ChainState, StoreError> {
        self.offer_work();
        let mut gossip = Instant::now() + GOSSIP;
        loop {
            // However much arrives, the tip is told: blocks that were not taken in the first time are asked for again.
            if Instant::now() >= gossip {
                gossip = Instant::now() + GOSSIP;
                self.act(Action::Broadcast(None, self.node.greeting()))?;
            }
            let actions = match inbox.recv_timeout(gossip.saturating_duration_since(Instant::now())) {
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(self.node.into_chain()),
                Ok(input) => self.take(input)?,
                Err(RecvTimeoutError::Timeout) => vec![],
            };
            for action in actions {
                self.act(action)?;
            }
            let waiting = self.node.waiting_transactions();
            if std::mem::replace(&mut self.waiting, waiting) != waiting {
                self.slots.iter().for_each(|slot| slot.transactions());
            }
        }
    }

    fn take(&mut self, input: Input) -> Result<Vec<Action>, StoreError> {
        match input {
            Input::Message(from, bytes) => match codec::decode::<Message>(&bytes) {
                Ok(message) => self.node.handle(from, message, now()),
                Err(error) => Ok(vec![Action::Misbehaved(from, error.to_string())]),
            },
            Input::Done(done) => self.node.done(*done, now()),
            Input::Contributed(full) => self.node.contribution(None, *full),
            Input::Mined(full) => self.node.block(None, *full, now()),
            Input::Template(reply) => {
                let producer = self.shared.accounts[0].address();
                let _ = reply.send(self.node.template(&producer).map(Box::new));
                Ok(vec![])
            }
            Input::Query(query, reply) => {
                let (answer, actions) = self.node.answer(&query)?;
                let _ = reply.send(answer);
                Ok(actions)
            }
            Input::Complaint(text) => {
                if let Some(watch) = &self.watch {
                    let _ = watch.send(Event::Complaint(text));
                }
                Ok(vec![])
            }
            Input::Stop => Ok(vec![]),
        }
    }

    fn act(&mut self, action: Action) -> Result<(), StoreError> {
        match action {
            Action::Send(to, message) => self.port.send(to, &message),
            Action::Broadcast(except, message) => self.port.broadcast(except, &message),
            Action::Misbehaved(peer, reason) => self.port.misbehaved(peer, &reason),
            Action::Run(job) => {
                let (shared, own) = (self.shared.clone(), self.own.clone());
                rayon::spawn(move || {
                    // The keys were compared with the chain's at the start.
                    if let Ok(checker) = Checker::new(&shared.spec, &shared.params, &shared.verifier) {
                        let _ = own.send(Input::Done(Box::new(job.run(&checker))));
                    }
                });
            }
            Action::TipMoved(switch) => {
                self.offer_work();
                if self.watch.is_some() {
                    for id in &switch.connected {
                        self.seen(id)?;
                    }
                }
            }
            Action::Contribution => {
                let ready = self.node.ready_contributions();
                self.slots.iter().for_each(|slot| slot.contribution(ready));
                if let Some(watch) = &self.watch {
                    let _ = watch.send(Event::Contributions(ready));
                }
            }
        }
        Ok(())
    }

    /// Tells the workers what there is to work on.
    fn offer_work(&self) {
        let chain = self.node.chain();
        let state = Arc::new(chain.state().clone());
        for slot in &self.slots {
            slot.put(chain.parent(), state.clone());
        }
    }

    fn seen(&self, id: &BlockId) -> Result<(), StoreError> {
        let block = self.node.chain().store().view()?.block(id)?.ok_or(StoreError::Missing("a block"))?;
        let seen = Seen {
            height: block.summary.height,
            step: block.summary.step,
            loss: block.loss(),
            contributions: block.contributions.len(),
            transactions: block.transactions.len(),
            bytes: codec::encode(&block)?.len(),
        };
        if let Some(watch) = &self.watch {
            let _ = watch.send(Event::Block(Box::new(seen)));
        }
        Ok(())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        ChainError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7.18: why, too.
    #[test]
    fn a_thread_that_ended_is_told_with_its_reason() {
        let told = |body: fn() -> Option<String>| {
            let ended = std::thread::spawn(body).join();
            stopped("node 0".into(), ended).to_string()
        };
        assert_eq!(told(|| Some("the store: no room".into())), "node 0 stopped: the store: no room");
        assert_eq!(told(|| None), "node 0 stopped: it has nothing more to do");
        assert_eq!(told(|| panic!("at {}", 7)), "node 0 stopped: it panicked, which is a bug: at 7");
        assert_eq!(told(|| panic!("text")), "node 0 stopped: it panicked, which is a bug: text");
    }
}
