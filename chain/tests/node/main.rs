//! Nodes without input and output, over a network that is a queue: what arrives, in whatever order, ends in one chain.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use chain::chain_state::ChainState;
use chain::consensus::semantic::Checker;
use chain::header::{BlockId, StateDigest};
use chain::ledger::Reward;
use chain::message::{FullBlock, FullContribution, Message, PeerId};
use chain::node::{Action, Job, Limits, Node};
use chain::rpc::{Answer, MAX_WAITING, Query};
use chain::store::Store;
use chain::transaction::{Action as Act, Transaction};
use chain::unmined::{Parts, UnminedBlock};
use circuits::model::State;
use common::golden::{GOLDEN, transaction};
use common::{NANO, PARAMS, address, grains};
use redb::backends::InMemoryBackend;
use std::collections::VecDeque;
use std::sync::Arc;

/// Later than all blocks of these tests.
const NOW: u64 = common::BEGIN + 1_000_000;

/// What a node's driver does, for some nodes.
struct Net {
    nodes: Vec<Node>,
    mail: VecDeque<(usize, PeerId, Message)>,
    /// Jobs that were run, by node: blocks and contributions.
    jobs: Vec<(usize, usize)>,
    complaints: Vec<(PeerId, String)>,
}

fn node() -> Node {
    let store = Arc::new(Store::with_backend(InMemoryBackend::new()).unwrap());
    let spec = Arc::new(GOLDEN.spec.clone());
    let state = State::init(spec.config(), spec.genesis().seed);
    let chain = ChainState::create(store, spec, Arc::new(PARAMS.clone()), state).unwrap();
    Node::new(chain, Limits::default())
}

fn golden(height: usize) -> FullBlock {
    FullBlock { block: GOLDEN.block(height), tensors: GOLDEN.chain.tensors[height - 1].clone() }
}

impl Net {
    fn new(nodes: usize) -> Self {
        let nodes: Vec<Node> = (0..nodes).map(|_| node()).collect();
        let jobs = vec![(0, 0); nodes.len()];
        Net { nodes, mail: VecDeque::new(), jobs, complaints: vec![] }
    }

    /// Does what a node asks for, and all that follows from it.
    fn settle(&mut self, node: usize, actions: Vec<Action>) {
        self.act(node, actions);
        while let Some((to, from, message)) = self.mail.pop_front() {
            // Whoever brought the first block is no node of this net.
            let Some(receiver) = self.nodes.get_mut(to) else { continue };
            let actions = receiver.handle(from, message, NOW).unwrap();
            self.act(to, actions);
        }
    }

    fn act(&mut self, node: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(to, message) => self.mail.push_back((to as usize, node as PeerId, message)),
                Action::Broadcast(except, message) => {
                    let peers = (0..self.nodes.len()).filter(|&peer| peer != node && Some(peer as PeerId) != except);
                    self.mail.extend(peers.map(|peer| (peer, node as PeerId, message.clone())));
                }
                Action::Run(job) => {
                    match *job {
                        Job::Block { .. } => self.jobs[node].0 += 1,
                        Job::Contribution { .. } => self.jobs[node].1 += 1,
                    }
                    let checker = Checker::new(&GOLDEN.spec, &PARAMS, &NANO.keys).unwrap();
                    let actions = self.nodes[node].done(job.run(&checker), NOW).unwrap();
                    self.act(node, actions);
                }
                Action::Misbehaved(peer, reason) => self.complaints.push((peer, reason)),
                Action::TipMoved(_) | Action::Contribution => {}
            }
        }
    }

    fn block(&mut self, node: usize, block: FullBlock) {
        let actions = self.nodes[node].block(Some(9), block, NOW).unwrap();
        self.settle(node, actions);
    }

    fn tip(&self, node: usize) -> BlockId {
        self.nodes[node].chain().tip().header.id()
    }

    fn height(&self, node: usize) -> u64 {
        self.nodes[node].chain().tip().summary.height
    }

    /// A block without contributions, of all that the node's mempool has.
    fn idle(&self, node: usize, producer: u8) -> FullBlock {
        let template = self.nodes[node].template(&address(producer)).unwrap();
        assert!(template.contributions.is_empty());
        let parts = Parts {
            contributions: vec![],
            transactions: template.transactions,
            update: None,
            ledger: template.ledger,
            producer: address(producer),
            now: template.record.header.time + 60,
        };
        let mut draft = UnminedBlock::new(&GOLDEN.spec, &template.record, &template.ancestry, parts).unwrap();
        FullBlock { block: draft.mine(1 << 40).unwrap(), tensors: vec![] }
    }
}

#[test]
fn contributions_go_round_once_and_are_what_a_block_is_made_of() {
    let mut net = Net::new(3);
    let full = golden(1);
    for (contribution, tensors) in full.block.contributions.iter().zip(&full.tensors) {
        let (contribution, tensors) = (contribution.clone(), tensors.clone());
        let actions = net.nodes[1].contribution(Some(9), FullContribution { contribution, tensors }).unwrap();
        net.settle(1, actions);
    }
    assert_eq!(net.jobs, [(0, 2); 3]);
    let template = net.nodes[0].template(&address(7)).unwrap();
    let offered: Vec<_> = template.contributions.iter().map(|c| c.offered.contribution.clone()).collect();
    assert_eq!(offered, full.block.contributions);
    // The template's ledger pays for them.
    let contributors: Vec<_> = offered.iter().map(|c| c.seat.contributor).collect();
    let root = net.nodes[0].chain().ledger_root(&template.transactions, &contributors, &address(7)).unwrap();
    assert_eq!(template.ledger, root);

    net.block(2, full);
    assert!((0..3).all(|node| net.height(node) == 1 && net.nodes[node].ready_contributions() == 0));
    assert_eq!(net.jobs, [(1, 2); 3]);
    let paid: Vec<Reward> = net.nodes[0].chain().store().view().unwrap().rewards(1).unwrap();
    assert_eq!(paid.iter().map(|reward| reward.to).take(2).collect::<Vec<_>>(), contributors);
    // To the old tip: late, and nobody's fault.
    let late = golden(1);
    let (contribution, tensors) = (late.block.contributions[0].clone(), late.tensors[0].clone());
    let actions = net.nodes[0].contribution(Some(1), FullContribution { contribution, tensors }).unwrap();
    net.settle(0, actions);
    assert_eq!((net.jobs[0], net.complaints.as_slice()), ((1, 2), &[][..]));
}

#[test]
fn children_wait_for_their_parents() {
    let mut net = Net::new(1);
    for height in [3, 2, 1] {
        net.block(0, golden(height));
    }
    assert_eq!((net.height(0), net.tip(0)), (3, GOLDEN.block(3).id()));
    assert_eq!((net.jobs[0].0, net.complaints.as_slice()), (3, &[][..]));
    // The model is the one that the proofs lead to.
    let state = net.nodes[0].chain().state();
    let committed = GOLDEN.spec.layouts().commit_state(&PARAMS, state).unwrap();
    assert_eq!(StateDigest::of(&committed), GOLDEN.block(3).summary.state);
}

#[test]
fn a_node_that_is_behind_catches_up() {
    let mut net = Net::new(1);
    for height in 1..=3 {
        net.block(0, golden(height));
    }
    for _ in 0..40 {
        let block = net.idle(0, 7);
        net.block(0, block);
    }
    net.nodes.push(node());
    net.jobs = vec![(0, 0); 2];
    let greeting = net.nodes[0].greeting();
    net.mail.push_back((1, 0, greeting));
    net.settle(0, vec![]);
    // What was on its way while others were verified is asked for at the next greeting.
    for _ in 0..5 {
        let greeting = net.nodes[0].greeting();
        net.mail.push_back((1, 0, greeting));
        net.settle(0, vec![]);
    }
    assert_eq!((net.height(1), net.tip(1)), (43, net.tip(0)));
    assert_eq!(net.jobs[1].0, 43);
    assert_eq!(net.nodes[0].chain().state(), net.nodes[1].chain().state());
}

#[test]
fn altered_copies_are_refused_and_poison_nothing() {
    let mut net = Net::new(1);
    let mut tensors = golden(1);
    tensors.tensors.swap(0, 1);
    net.block(0, tensors);
    let mut missing = golden(1);
    missing.tensors.pop();
    net.block(0, missing);
    let mut proof = golden(1);
    proof.block.contributions[0].proofs.heads[0][100] ^= 1;
    net.block(0, proof.clone());
    assert_eq!((net.complaints.len(), net.height(0)), (3, 0), "{:?}", net.complaints);
    // With new work on the altered proof it is another block, refused by what it says itself.
    common::mine_content(&GOLDEN.spec, &mut proof.block);
    net.block(0, proof);
    assert_eq!((net.complaints.len(), net.height(0)), (4, 0), "{:?}", net.complaints);
    net.block(0, golden(1));
    assert_eq!((net.complaints.len(), net.height(0)), (4, 1), "{:?}", net.complaints);
}

#[test]
fn transactions_of_a_branch_that_is_left_wait_again() {
    let mut net = Net::new(2);
    let pay = transaction(&GOLDEN.spec, 4, 0, 5, Act::Transfer { to: address(8), amount: grains(100) });
    let mut other = Net::new(1);
    for producer in [7, 7] {
        let block = other.idle(0, producer);
        other.block(0, block);
    }
    net.nodes[0].transaction(pay).unwrap();
    let block = net.idle(0, 6);
    assert_eq!(block.block.transactions, [pay]);
    net.block(0, block);
    assert!(net.height(0) == 1 && net.height(1) == 1 && net.nodes[0].waiting_transactions() == 0);
    // The other branch has more work.
    let view = other.nodes[0].chain().store().view().unwrap();
    for height in 1..=2 {
        let id = view.at_height(height).unwrap().unwrap();
        let block = view.block(&id).unwrap().unwrap();
        net.block(0, FullBlock { block, tensors: vec![] });
    }
    assert_eq!((net.tip(0), net.tip(1)), (other.tip(0), other.tip(0)));
    assert_eq!((net.nodes[0].waiting_transactions(), net.nodes[1].waiting_transactions()), (1, 1));
    assert_eq!(net.nodes[0].template(&address(7)).unwrap().transactions, [pay]);
    assert_eq!(net.complaints, []);
}

fn pay(from: u8, nonce: u64, fee: u64, to: u8) -> Transaction {
    transaction(&GOLDEN.spec, from, nonce, fee, Act::Transfer { to: address(to), amount: grains(100) })
}

/// What a node answers, and how many messages follow from it.
fn asked(node: &mut Node, query: Query) -> (Answer, usize) {
    let (answer, actions) = node.answer(&query).unwrap();
    (answer, actions.len())
}

/// 7.12: nothing takes another's place unawares, and nothing is lost by asking twice.
#[test]
fn transactions_are_submitted_once_and_replaced_only_on_purpose() {
    let mut net = Net::new(1);
    let node = &mut net.nodes[0];
    let (first, second) = (pay(4, 0, 10, 8), pay(4, 1, 10, 8));
    let taken = |transaction: &Transaction| Answer::Submitted(transaction.id().unwrap());
    assert_eq!(asked(node, Query::Submit(first)), (taken(&first), 1));
    // The answer did not arrive: asked again, it is passed on no second time.
    assert_eq!(asked(node, Query::Submit(first)), (taken(&first), 0));
    assert_eq!(asked(node, Query::Replace(first)), (taken(&first), 0));
    assert_eq!(asked(node, Query::Submit(second)), (taken(&second), 1));

    let other = pay(4, 1, 500, 7);
    let Answer::Refused(reason) = asked(node, Query::Submit(other)).0 else { panic!() };
    let waiting = second.id().unwrap();
    assert_eq!(reason, format!("nonce 1 belongs to pending transaction {waiting}; only a replacement may use it"));
    let Answer::Refused(reason) = asked(node, Query::Replace(pay(4, 1, 10, 7))).0 else { panic!() };
    let fee = "a fee of 0.0000001 coins is too low to replace the pending transaction with the same nonce; 0.00000011 would suffice";
    assert_eq!(reason, fee);
    assert_eq!(asked(node, Query::Waiting(address(4))).0, Answer::Waiting(vec![first, second]));
    assert_eq!(asked(node, Query::Replace(other)), (taken(&other), 1));
    assert_eq!(asked(node, Query::Waiting(address(4))).0, Answer::Waiting(vec![first, other]));

    // In a block: it is known still.
    let block = net.idle(0, 7);
    net.block(0, block);
    let node = &mut net.nodes[0];
    assert_eq!(node.waiting_transactions(), 0);
    assert_eq!(asked(node, Query::Submit(first)), (taken(&first), 0));
    let Answer::Refused(reason) = asked(node, Query::Submit(second)).0 else { panic!() };
    assert_eq!(reason, "nonce 1 is already used; the sender's next is 2");
}

/// 7.12, 7.13: what waits is told to whom it concerns, their own first, and not without bound.
#[test]
fn what_waits_is_told_to_whom_it_concerns() {
    let mut limits = Limits::default();
    assert!(limits.mempool.per_sender < MAX_WAITING, "a sender's own are always all there");
    limits.mempool.per_sender = MAX_WAITING + 1;
    let mut node = Node::new(node().into_chain(), limits);
    let own: Vec<Transaction> = (0..=MAX_WAITING as u64).map(|nonce| small(4, nonce, 8)).collect();
    let received = [small(1, 0, 4), small(5, 0, 4)];
    for transaction in own.iter().take(3).chain(&received) {
        assert!(matches!(asked(&mut node, Query::Submit(*transaction)).0, Answer::Submitted(_)));
    }
    let Answer::Waiting(waiting) = asked(&mut node, Query::Waiting(address(4))).0 else { panic!() };
    assert_eq!(waiting[..3], own[..3]);
    assert!(waiting.len() == 5 && received.iter().all(|transaction| waiting[3..].contains(transaction)));
    assert_eq!(asked(&mut node, Query::Waiting(address(5))).0, Answer::Waiting(vec![received[1]]));
    assert_eq!(asked(&mut node, Query::Waiting(address(200))).0, Answer::Waiting(vec![]));
    let Answer::Status(status) = asked(&mut node, Query::Status).0 else { panic!() };
    assert_eq!(status.waiting, Some(5));
    for transaction in &own[3..] {
        assert!(matches!(asked(&mut node, Query::Submit(*transaction)).0, Answer::Submitted(_)));
    }
    assert_eq!(asked(&mut node, Query::Waiting(address(4))).0, Answer::Waiting(own[..MAX_WAITING].to_vec()));
}

fn small(from: u8, nonce: u64, to: u8) -> Transaction {
    transaction(&GOLDEN.spec, from, nonce, 0, Act::Transfer { to: address(to), amount: grains(1) })
}
