//! The nodes' threads.

use super::hub::Port;
use super::setup::{Net, Shared, now};
use super::workers::{self, Slot};
use crate::error::CliError;
use crate::format::hex;
use crate::ui::Ui;
use chain::Hash;
use chain::chain_state::{ChainError, ChainState};
use chain::consensus::semantic::Checker;
use chain::message::{FullBlock, FullContribution, Message, Network, PeerId};
use chain::node::{Action, Done, Limits, Node, NodeError, Template};
use chain::rpc::{Answer, Query, answer};
use chain::store::StoreError;
use circuits::codec;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often nodes tell each other their tips.
const GOSSIP: Duration = Duration::from_secs(2);

/// What a node's thread is fed with.
pub enum Input {
    /// From another node, encoded.
    Message(PeerId, Arc<Vec<u8>>),
    /// A job is done.
    Done(Box<Done>),
    /// The node's own contribution.
    Contributed(Box<FullContribution>),
    /// The node's own block.
    Mined(Box<FullBlock>),
    /// What a next block would be made of.
    Template(Sender<Result<Box<Template>, NodeError>>),
    /// A question.
    Query(Box<Query>, Sender<Answer>),
    /// Something that honest nodes do not do.
    Complaint(String),
    /// The end.
    Stop,
}

/// What node 0 tells whoever watches.
pub enum Event {
    /// Its tip moved.
    Block(Box<Seen>),
    /// Something that should not be.
    Complaint(String),
}

/// A new tip.
pub struct Seen {
    /// Height.
    pub height: u64,
    /// Identity.
    pub id: Hash,
    /// Training steps so far.
    pub step: u64,
    /// Sum of the losses, frac 24.
    pub loss: u128,
    /// Contributions.
    pub contributions: usize,
    /// Transactions.
    pub transactions: usize,
    /// Bytes of the block.
    pub bytes: usize,
}

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
    #[cfg(unix)]
    _socket: crate::node_link::ServerHandle,
}

/// Starts all threads.
pub fn start(net: Net, dir: &Path, ui: &Ui) -> Result<Running, CliError> {
    let Net { shared, chains } = net;
    let count = chains.len();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
    let inboxes = Arc::new(senders);
    let (watch, events) = channel();
    let stopping = Arc::new(AtomicBool::new(false));
    let height = chains.iter().map(|chain| chain.tip().summary.height).max().unwrap_or(0);
    // One proof at a time: several at once take as long in all, and more memory.
    let slots: Vec<Arc<Slot>> = (0..count).map(|_| Arc::new(Slot::default())).collect();
    let producer_slot = Arc::new(Slot::default());
    let mut workers = vec![workers::produce(&shared, &producer_slot, inboxes[0].clone(), &stopping)];
    let first = usize::from(count > 1);
    for node in first..(first + shared.contributors).min(count) {
        workers.push(workers::contribute(&shared, node, &slots[node], inboxes[node].clone(), &stopping));
    }
    let nodes = chains.into_iter().zip(receivers).enumerate().map(|(i, (chain, inbox))| {
        let thread = Thread {
            node: Node::new(chain, Limits::default()),
            shared: shared.clone(),
            port: Port::new(i as PeerId, inboxes.clone()),
            own: inboxes[i].clone(),
            slots: if i == 0 { vec![slots[0].clone(), producer_slot.clone()] } else { vec![slots[i].clone()] },
            watch: (i == 0).then(|| watch.clone()),
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
    ui.progress(&format!("chain {}, {count} nodes, in {}", hex(shared.spec.id()), dir.display()));
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
        #[cfg(unix)]
        _socket: socket,
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
    /// Watches until so many blocks are made and all nodes agree, or forever.
    pub fn until(&self, blocks: Option<u64>, settle: Duration, ui: &Ui) -> Result<(), CliError> {
        let last = blocks.map(|blocks| self.height + blocks);
        let mut height = self.height;
        let start = Instant::now();
        while last.is_none_or(|last| height < last) {
            match self.events.recv_timeout(Duration::from_secs(1)) {
                Ok(Event::Block(seen)) => {
                    height = seen.height;
                    ui.progress(&self.line(&seen, start.elapsed()));
                }
                Ok(Event::Complaint(text)) => ui.warn(&text),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(CliError::Stopped("node 0")),
            }
            if let Some(dead) = self.workers.iter().position(JoinHandle::is_finished) {
                return Err(CliError::Stopped(if dead == 0 { "the producer" } else { "a contributor" }));
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        self.agree(settle)
    }

    fn line(&self, seen: &Seen, elapsed: Duration) -> String {
        let predictions = self.shared.spec.predictions(seen.contributions as u32);
        let loss = match predictions {
            0 => "no gradient".to_owned(),
            n => format!("loss {:.4}", seen.loss as f64 / f64::from(1 << 24) / n as f64),
        };
        let (id, bytes) = (&hex(&seen.id)[..12], crate::format::bytes(seen.bytes as u64));
        format!(
            "block {:>4}  {id}  step {:>4}  {loss}  {} contributions, {} transactions, {bytes}  {:>6.1} s",
            seen.height,
            seen.step,
            seen.contributions,
            seen.transactions,
            elapsed.as_secs_f64()
        )
    }

    /// Waits for all nodes to have the same tip.
    fn agree(&self, settle: Duration) -> Result<(), CliError> {
        let start = Instant::now();
        loop {
            let tips: Vec<Option<Hash>> = self.inboxes.iter().map(tip).collect();
            if tips.iter().all(|tip| tip.is_some() && *tip == tips[0]) {
                return Ok(());
            }
            if start.elapsed() > settle {
                return Err(CliError::Stopped("agreement: the nodes have different tips; it"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Stops all threads; gives the nodes' chains.
    pub fn stop(self) -> (Arc<Shared>, Vec<ChainState>) {
        self.stopping.store(true, Ordering::Relaxed);
        for slot in &self.slots {
            slot.close();
        }
        for worker in self.workers {
            let _ = worker.join();
        }
        for inbox in self.inboxes.iter() {
            let _ = inbox.send(Input::Stop);
        }
        let chains = self.nodes.into_iter().filter_map(|node| node.join().ok()?.ok()).collect();
        (self.shared, chains)
    }
}

fn tip(node: &Sender<Input>) -> Option<Hash> {
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
                let (answer, actions) = self.answer(*query)?;
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

    fn answer(&mut self, query: Query) -> Result<(Answer, Vec<Action>), StoreError> {
        if let Query::Submit(transaction) = query {
            let id = transaction.id()?;
            return match self.node.transaction(transaction) {
                Ok(()) => Ok((Answer::Submitted(id), vec![Action::Broadcast(None, Message::Transaction(transaction))])),
                Err(NodeError::Store(error)) => Err(error),
                Err(error) => Ok((Answer::Refused(error.to_string()), vec![])),
            };
        }
        let mut answer = answer(self.node.chain().store(), &query)?;
        if let Answer::Status(status) = &mut answer {
            status.waiting = Some(self.node.waiting_transactions() as u64);
        }
        Ok((answer, vec![]))
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
                self.slots.iter().for_each(|slot| slot.contribution(self.node.ready_contributions()))
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

    fn seen(&self, id: &Hash) -> Result<(), StoreError> {
        let block = self.node.chain().store().view()?.block(id)?.ok_or(StoreError::Missing("a block"))?;
        let seen = Seen {
            height: block.summary.height,
            id: *id,
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
