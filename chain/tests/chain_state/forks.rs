//! Reorganisations, and how deep they go.

use crate::support::*;
use chain::chain_state::{ChainError, Inserted, Switch};
use chain::header::BlockId;
use chain::transaction::Action;

/// Adds blocks with a payment each, which the branch's producer tells from those of other branches.
fn paying(tree: &mut Tree, from: BlockId, count: u64, producer: u8) -> Vec<BlockId> {
    let mut at = from;
    let add = |i: u64| {
        let transactions = vec![tree.pay(&at, 3, 4, 10 + i), tree.pay(&at, 4, producer, 5)];
        at = tree.add(&at, Plan { transactions, producer, ..Plan::default() });
        at
    };
    (0..count).map(add).collect()
}

fn moved(disconnected: &[BlockId], connected: &[BlockId]) -> Inserted {
    let disconnected = disconnected.iter().rev().copied().collect();
    Inserted::Moved(Switch { disconnected, connected: connected.to_vec() })
}

#[test]
fn blocks_extend_the_tip() {
    let mut tree = Tree::new(|_| ());
    let mut node = tree.node();
    tree.check(&node);
    // Past two halvings and the maturity of their rewards; the producer spends what has matured.
    let mut at = tree.genesis();
    for height in 1..=14 {
        let mut transactions = vec![tree.pay(&at, 3, 4, 7)];
        if height > 4 {
            transactions.push(tree.pay(&at, 9, 3, 100));
        }
        at = tree.add(&at, Plan { transactions, ..Plan::default() });
        assert_eq!(tree.insert(&mut node, &at).unwrap(), moved(&[], &[at]));
        tree.check(&node);
    }
    let subsidies: Vec<u64> = tree.blocks[&at].rewards.iter().skip(1).map(|r| r[0].amount.grains()).collect();
    assert_eq!(subsidies, [501, 501, 501, 501, 252, 252, 252, 252, 252, 127, 127, 127, 127, 127]);
}

#[test]
fn rewards_are_spent_when_they_are_mature_and_not_before() {
    let mut tree = Tree::new(|_| ());
    let early = tree.grow(&tree.genesis(), 2, 9);
    let premature = tree.pay(&early[1], 9, 3, 100);
    let refused = tree.add(&early[1], Plan { transactions: vec![premature], ..Plan::default() });
    let late = tree.grow(&early[1], 1, 9);
    let mature = tree.pay(&late[0], 9, 3, 100);
    let spent = tree.add(&late[0], Plan { transactions: vec![mature], ..Plan::default() });
    let mut node = tree.undisturbed(&early[1]);
    assert!(matches!(tree.insert(&mut node, &refused), Err(ChainError::Block(_))));
    tree.feed(&mut node, &[late[0], spent]);
    tree.check(&node);
}

#[test]
fn of_branches_of_equal_work_the_first_seen_stays() {
    let mut tree = Tree::new(|_| ());
    let genesis = tree.genesis();
    let (a, b) = (paying(&mut tree, genesis, 2, 10), paying(&mut tree, genesis, 3, 11));
    let mut node = tree.undisturbed(&a[1]);
    for id in &b[..2] {
        assert_eq!(tree.insert(&mut node, id).unwrap(), Inserted::Side);
    }
    assert_eq!(node.tip().header.id(), a[1]);
    same_as_undisturbed(&tree, &node);
    assert_eq!(tree.insert(&mut node, &b[2]).unwrap(), moved(&a, &b));
    same_as_undisturbed(&tree, &node);
}

#[test]
fn reorganisations_of_every_depth_leave_no_trace_of_what_was_before() {
    // The forks lie on both sides of the snapshot at height 16.
    for depth in 1..=LIMIT {
        let mut tree = Tree::new(|_| ());
        let genesis = tree.genesis();
        let base = paying(&mut tree, genesis, 14, 9);
        let old = paying(&mut tree, base[13], depth, 10);
        let new = paying(&mut tree, base[13], depth + 1, 11);
        let again = paying(&mut tree, old[depth as usize - 1], 2, 10);
        let mut node = tree.undisturbed(old.last().unwrap());
        for id in &new[..depth as usize] {
            assert_eq!(tree.insert(&mut node, id).unwrap(), Inserted::Side);
        }
        assert_eq!(tree.insert(&mut node, new.last().unwrap()).unwrap(), moved(&old, &new));
        same_as_undisturbed(&tree, &node);
        // And back, where that is not too deep.
        assert_eq!(tree.height(&again[1]), 14 + depth + 2);
        if depth < LIMIT {
            assert_eq!(tree.insert(&mut node, &again[0]).unwrap(), Inserted::Side);
            let back: Vec<BlockId> = old.iter().chain(&again).copied().collect();
            assert_eq!(tree.insert(&mut node, &again[1]).unwrap(), moved(&new, &back));
            same_as_undisturbed(&tree, &node);
        } else {
            let refused = tree.insert(&mut node, &again[0]);
            assert!(matches!(refused, Err(ChainError::TooDeep { finalised: 15 })), "{refused:?}");
        }
    }
}

#[test]
fn no_branch_below_what_is_finalised_is_taken() {
    let mut tree = Tree::new(|_| ());
    let base = tree.grow(&tree.genesis(), 3, 9);
    let main = tree.grow(&base[2], LIMIT + 1, 10);
    // One forks off at height 3, where the tip may still go back to when it is at height 3 + LIMIT, one below.
    let (at, below) = (tree.grow(&base[2], LIMIT + 2, 11), tree.grow(&base[1], 2, 12));
    let mut node = tree.undisturbed(&main[LIMIT as usize - 1]);
    assert_eq!(node.store().view().unwrap().finalised().unwrap(), 3);
    assert_eq!(tree.insert(&mut node, &at[0]).unwrap(), Inserted::Side);
    let before = node.store().dump().unwrap();
    let refused = node.admit(tree.complete(&below[0]).proven().block(), NOW);
    assert!(matches!(refused, Err(ChainError::TooDeep { finalised: 3 })), "{refused:?}");
    assert!(matches!(tree.insert(&mut node, &below[0]), Err(ChainError::TooDeep { finalised: 3 })));
    assert!(matches!(tree.insert(&mut node, &below[1]), Err(ChainError::UnknownParent(id)) if id == below[0]));
    assert!(node.store().dump().unwrap() == before);

    // The branch that was in time is not any more once the chain has grown, though its blocks are known.
    tree.feed(&mut node, &at[1..LIMIT as usize]);
    tree.feed(&mut node, &main[LIMIT as usize..]);
    let before = node.store().dump().unwrap();
    assert!(matches!(tree.insert(&mut node, &at[LIMIT as usize]), Err(ChainError::TooDeep { finalised: 4 })));
    assert!(node.store().dump().unwrap() == before);
    same_as_undisturbed(&tree, &node);
}

#[test]
fn what_was_finalised_stays_finalised_where_a_branch_of_more_work_has_fewer_blocks() {
    let mut tree = Tree::new(|genesis| genesis.rules.retarget_interval = 2);
    let slow = |producer| Plan { producer, seconds: 40, ..Plan::default() };
    let fast = |producer| Plan { producer, seconds: 1, ..Plan::default() };
    let grow = |tree: &mut Tree, from: BlockId, count: u64, plan: Plan| -> Vec<BlockId> {
        let mut at = from;
        let add = |_| {
            at = tree.add(&at, plan.clone());
            at
        };
        (0..count).map(add).collect()
    };
    let genesis = tree.genesis();
    // Near the genesis the windows of the medians are short, and the target follows soon.
    let base = grow(&mut tree, genesis, 2, slow(9));
    let long = grow(&mut tree, base[1], LIMIT, slow(10));
    let short = grow(&mut tree, base[1], 4, fast(11));
    let deep = grow(&mut tree, base[0], 7, fast(12));
    let other = grow(&mut tree, base[1], 5, fast(13));
    let mut node = tree.undisturbed(&long[5]);
    tree.feed(&mut node, &short);
    assert_eq!((node.tip().header.id(), node.tip().summary.height), (short[3], 6));
    tree.check(&node);
    // What a reorganisation to height 1 would need is gone, though height 1 is no more than the limit below the tip.
    assert!(matches!(tree.insert(&mut node, &deep[0]), Err(ChainError::TooDeep { finalised: 2 })));
    let view = node.store().view().unwrap();
    for height in view.finalised().unwrap()..=6 {
        let root = view.record(&view.at_height(height).unwrap().unwrap()).unwrap().unwrap().summary.ledger;
        assert!(view.prove_account(&address(3), height).unwrap().verify(&root, &address(3)).unwrap().is_some());
    }
    drop(view);
    tree.feed(&mut node, &other);
    assert_eq!(node.tip().header.id(), other[4]);
    tree.check(&node);
}

#[test]
fn registrations_come_and_go_with_their_branches() {
    let mut tree = Tree::new(|_| ());
    let base = tree.grow(&tree.genesis(), 2, 9);
    let register = tree.signed(&base[1], 3, Action::Register);
    let with = tree.add(&base[1], Plan { transactions: vec![register], producer: 10, ..Plan::default() });
    let without = tree.grow(&base[1], 2, 11);
    let then = tree.add(&without[1], Plan { transactions: vec![register], producer: 11, ..Plan::default() });
    let mut node = tree.undisturbed(&with);
    assert_eq!(node.account(&address(3)).unwrap().registered, Some(3));
    tree.feed(&mut node, &without);
    assert_eq!(node.account(&address(3)).unwrap().registered, None);
    assert_eq!(node.store().view().unwrap().transaction(&register.id().unwrap()).unwrap(), None);
    same_as_undisturbed(&tree, &node);
    tree.feed(&mut node, &[then]);
    assert_eq!(node.account(&address(3)).unwrap().registered, Some(5));
    same_as_undisturbed(&tree, &node);
}
