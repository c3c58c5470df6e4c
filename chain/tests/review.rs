//! What strangers may try on a node, without a proof and with little work.
#![allow(clippy::unwrap_used)]

mod support;

use chain::block::Block;
use chain::chain_state::ChainState;
use chain::consensus::BlockError;
use chain::consensus::{SemanticError, StructuralError};
use chain::header::BlockId;
use chain::message::{FullBlock, FullContribution, Message};
use chain::node::{Action, Done, Job, Limits, Node};
use chain::tensors::GradientTensors;
use chain::work::meets;
use support::{NOW, Plan, Tree, key};

fn full(tree: &Tree, id: &BlockId) -> FullBlock {
    let complete = tree.complete(id);
    FullBlock { block: (**complete.proven().block()).clone(), tensors: complete.tensors().to_vec() }
}

fn node(chain: ChainState) -> Node {
    Node::new(chain, Limits::default())
}

fn send(node: &mut Node, from: u64, block: FullBlock) -> Vec<Action> {
    node.handle(from, Message::Blocks(vec![block]), NOW).unwrap()
}

fn blamed(actions: &[Action]) -> Vec<u64> {
    actions.iter().filter_map(|a| if let Action::Misbehaved(peer, _) = a { Some(*peer) } else { None }).collect()
}

fn jobs(actions: Vec<Action>) -> Vec<Job> {
    actions.into_iter().filter_map(|a| if let Action::Run(job) = a { Some(*job) } else { None }).collect()
}

fn mine(block: &mut Block) {
    let target = block.header.target.target();
    while !meets(block.id().as_bytes(), target) {
        block.header.nonce += 1;
    }
}

/// A block with a gradient on the genesis, and one without on it.
fn two() -> (Tree, BlockId, BlockId) {
    let mut tree = Tree::new(|_| {});
    let first = tree.add(&tree.genesis(), Plan { gradients: vec![(1, 7)], ..Plan::default() });
    let second = tree.add(&first, Plan { gradients: vec![(2, 8)], ..Plan::default() });
    (tree, first, second)
}

#[test]
fn altered_tensors_do_not_stand_in_the_way_of_the_true_ones() {
    let (tree, first, _) = two();
    let mut node = node(tree.node());
    let honest = full(&tree, &first);
    let mut other = honest.clone();
    other.tensors[0].0[0][0] += 1;
    let more = FullBlock { tensors: vec![honest.tensors[0].clone(); 2], ..honest.clone() };
    let long = FullBlock { tensors: vec![GradientTensors(vec![vec![0; 1 << 20]])], ..honest.clone() };
    for forged in [other, more, long, FullBlock { tensors: vec![], ..honest.clone() }] {
        let actions = send(&mut node, 1, forged);
        assert_eq!(blamed(&actions), [1]);
        assert!(jobs(actions).is_empty());
    }
    assert_eq!(jobs(send(&mut node, 2, honest)).len(), 1);
}

#[test]
fn what_waits_for_its_parent_is_what_its_header_names() {
    let (tree, first, second) = two();
    let mut node = node(tree.node());
    let honest = full(&tree, &second);
    let mut altered = honest.clone();
    altered.block.contributions[0].proofs.losses[0] += 1;
    let mut swapped = honest.clone();
    swapped.tensors[0].0[0][0] += 1;
    for forged in [altered, swapped] {
        assert_eq!(blamed(&send(&mut node, 1, forged)), [1]);
    }
    // The parent is asked for once.
    let asked = |actions: &[Action]| matches!(actions, [Action::Send(2, Message::GetBlocks { .. })]);
    assert!(asked(&send(&mut node, 2, honest.clone())));
    assert!(send(&mut node, 2, honest).is_empty());
    // With the parent comes its child.
    let actions = node.insert(Some(2), tree.complete(&first), NOW).unwrap();
    assert!(blamed(&actions).is_empty());
    assert_eq!(jobs(actions).len(), 1);
}

#[test]
fn cheap_orphans_do_not_drive_out_what_comes_later() {
    let mut tree = Tree::new(|_| {});
    let chain = tree.grow(&tree.genesis(), 3, 9);
    let mut node = node(tree.node());
    for i in 0..64u8 {
        let mut orphan = full(&tree, &chain[0]);
        // No such block has work in its identity.
        let mut parent = [0xff; 32];
        parent[0] -= i;
        orphan.block.header.parent = BlockId::from_bytes(parent);
        mine(&mut orphan.block);
        assert!(blamed(&send(&mut node, 1, orphan)).is_empty());
    }
    for id in &chain[1..] {
        assert!(blamed(&send(&mut node, 2, full(&tree, id))).is_empty());
    }
    let mut to_do = jobs(node.insert(Some(2), tree.complete(&chain[0]), NOW).unwrap());
    assert_eq!(to_do.len(), 1, "the second block was driven out");
    let Some(Job::Block { block, .. }) = to_do.pop() else { panic!() };
    assert_eq!(block.id(), chain[1]);
    let actions = node.insert(Some(2), tree.complete(&chain[1]), NOW).unwrap();
    assert_eq!(jobs(actions).len(), 1, "the third block was driven out");
}

#[test]
fn a_refused_block_is_not_verified_again() {
    let (tree, first, second) = two();
    let mut node = node(tree.node());
    assert_eq!(jobs(send(&mut node, 1, full(&tree, &first))).len(), 1);
    assert!(send(&mut node, 1, full(&tree, &second)).is_empty());
    let verdict = Err(BlockError::Semantic(SemanticError::After));
    let actions = node.done(Done::Block { from: Some(1), id: first, verdict }, NOW).unwrap();
    assert_eq!(blamed(&actions), [1]);
    let again = send(&mut node, 3, full(&tree, &first));
    assert_eq!(blamed(&again), [3]);
    assert!(jobs(again).is_empty());
}

#[test]
fn a_clock_that_is_ahead_is_nobodys_fault() {
    let mut tree = Tree::new(|_| {});
    let seconds = NOW + tree.spec.rules().max_future + 5 - tree.spec.genesis().time;
    let ahead = tree.add(&tree.genesis(), Plan { seconds, ..Plan::default() });
    let mut node = node(tree.node());
    assert!(send(&mut node, 1, full(&tree, &ahead)).is_empty());
    let later = node.handle(1, Message::Blocks(vec![full(&tree, &ahead)]), NOW + 5).unwrap();
    assert_eq!(jobs(later).len(), 1);
}

#[test]
fn a_contributor_who_equivocates_puts_no_blame_on_whoever_passes_on() {
    let (tree, first, _) = two();
    let mut node = node(tree.node());
    let honest = full(&tree, &first);
    let (contribution, tensors) = (honest.block.contributions[0].clone(), honest.tensors[0].clone());
    let offer = |node: &mut Node, from, loss| {
        let mut contribution = contribution.clone();
        contribution.proofs.losses[0] = loss;
        contribution.sign(tree.spec.id(), tree.spec.rules().stamp_bits, &key(1)).unwrap();
        let full = FullContribution { contribution, tensors: tensors.clone() };
        node.handle(from, Message::Contribution(Box::new(full)), NOW).unwrap()
    };
    for loss in 0..4 {
        assert_eq!(jobs(offer(&mut node, 1, loss)).len(), 1);
    }
    assert!(offer(&mut node, 2, 4).is_empty());
}

#[test]
fn a_header_of_other_content_is_refused_before_its_parent_is_looked_for() {
    let mut tree = Tree::new(|_| {});
    let ids = tree.grow(&tree.genesis(), 2, 9);
    let node = tree.node();
    let mut block = full(&tree, &ids[1]).block;
    block.summary.step += 1;
    let refused = node.admit(&block, NOW);
    assert!(matches!(
        refused,
        Err(chain::chain_state::ChainError::Block(BlockError::Structural(StructuralError::Summary)))
    ));
}
