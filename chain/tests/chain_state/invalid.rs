//! Blocks that turn out to break a rule only when they are executed.

use crate::support::*;
use chain::chain_state::{ChainError, Inserted};
use chain::consensus::{BlockError, ContextualError};
use chain::header::{BlockId, LedgerRoot};
use chain::ledger::LedgerError;
use chain::transaction::Action;

/// How a block breaks a rule, and the error.
type Case = (fn(&Tree, &BlockId) -> Plan, fn(&BlockError) -> bool);

const CASES: [Case; 6] = [
    (
        |_, _| Plan { root: Some(LedgerRoot::from_bytes([7; 32])), ..Plan::default() },
        |error| matches!(error, BlockError::Contextual(ContextualError::LedgerRoot { found, .. }) if *found == LedgerRoot::from_bytes([7; 32])),
    ),
    (
        |tree, at| Plan { transactions: vec![tree.pay(at, 4, 3, 5), tree.pay(at, 3, 4, 60_000)], ..Plan::default() },
        |error| matches!(error, BlockError::Ledger(LedgerError::Overspend { index: 1, .. })),
    ),
    (
        |tree, _| {
            let action = Action::Transfer { to: address(4), amount: grains(1) };
            Plan { transactions: vec![tree.sign(3, 77, action)], ..Plan::default() }
        },
        |error| matches!(error, BlockError::Ledger(LedgerError::WrongNonce { index: 0, found: 77, .. })),
    ),
    (
        |tree, at| Plan { transactions: vec![tree.signed(at, 1, Action::Register)], ..Plan::default() },
        |error| matches!(error, BlockError::Ledger(LedgerError::Registered { index: 0 })),
    ),
    (
        |_, _| Plan { gradients: vec![(1, 1), (3, 2)], ..Plan::default() },
        |error| {
            matches!(error, BlockError::Contextual(ContextualError::NotRegistered { contributor, .. })
                if *contributor == address(3))
        },
    ),
    (
        // Key 4 registers in the first block of the branch.
        |_, _| Plan { gradients: vec![(4, 1)], ..Plan::default() },
        |error| {
            matches!(
                error,
                BlockError::Contextual(
                    ContextualError::NotRegistered { index: 0, .. } | ContextualError::Immature { index: 0, .. }
                )
            )
        },
    ),
];

#[test]
fn a_branch_with_an_invalid_block_changes_nothing() {
    for (plan, expected) in CASES {
        // The first, second or third block of the branch is the invalid one.
        for position in 0..3 {
            let mut tree = Tree::new(|genesis| genesis.rules.ledger.registration_maturity = 3);
            let base = tree.grow(&tree.genesis(), 2, 9);
            let main = tree.grow(&base[1], 4, 10);
            let mut branch = vec![];
            let mut at = base[1];
            for i in 0..5 {
                let register = vec![tree.signed(&base[1], 4, Action::Register)];
                let transactions = if i == 0 && position > 0 { register } else { vec![] };
                let honest = Plan { transactions, ..Plan::default() };
                let plan = if i == position { plan(&tree, &at) } else { honest };
                at = tree.add(&at, Plan { producer: 11, ..plan });
                branch.push(at);
            }
            let bad = branch[position];
            let side = tree.grow(&bad, 1, 12);
            let on_side = tree.grow(&side[0], 1, 12);
            let fresh = tree.grow(&bad, 1, 13);
            let other = tree.grow(&base[1], 5, 14);

            let mut node = tree.undisturbed(&main[3]);
            // Known, and not executed, up to the one that would overtake.
            for id in branch[..4].iter().chain(&side) {
                assert_eq!(tree.insert(&mut node, id).unwrap(), Inserted::Side);
            }
            let before = node.store().dump().unwrap();
            match tree.insert(&mut node, &branch[4]) {
                Err(ChainError::Block(error)) => assert!(expected(&error), "{error}"),
                other => panic!("{other:?}"),
            }
            let mut after = node.store().dump().unwrap();
            let invalid = std::mem::take(after.get_mut("invalid").unwrap());
            assert!(after.get("blocks") == before.get("blocks"));
            after.insert("invalid", Default::default());
            assert!(after == before);
            let expected: std::collections::BTreeSet<Vec<u8>> =
                branch[position..].iter().map(|id| id.as_bytes().to_vec()).collect();
            assert_eq!(invalid.into_keys().collect::<std::collections::BTreeSet<_>>(), expected);
            same_as_undisturbed(&tree, &node);

            // It is remembered, and so is all that builds on it, directly or not.
            for id in branch[position..].iter().chain(&fresh).chain(&on_side) {
                let refused = tree.insert(&mut node, id);
                assert!(matches!(refused, Err(ChainError::Invalid(_))), "{refused:?}");
            }
            // What comes before it is not.
            for id in &branch[..position] {
                assert!(matches!(tree.insert(&mut node, id), Err(ChainError::Known)));
            }
            // Other branches are still taken.
            tree.feed(&mut node, &other);
            assert_eq!(node.tip().header.id(), other[4]);
            same_as_undisturbed(&tree, &node);
        }
    }
}

#[test]
fn an_invalid_block_on_the_tip_changes_nothing() {
    for (plan, expected) in CASES {
        let mut tree = Tree::new(|_| ());
        let base = tree.grow(&tree.genesis(), 2, 9);
        let bad = plan(&tree, &base[1]);
        let bad = tree.add(&base[1], bad);
        let good = tree.grow(&base[1], 1, 10);
        let mut node = tree.undisturbed(&base[1]);
        let before = of_the_chain(node.store().dump().unwrap());
        match tree.insert(&mut node, &bad) {
            Err(ChainError::Block(error)) => assert!(expected(&error), "{error}"),
            other => panic!("{other:?}"),
        }
        assert!(of_the_chain(node.store().dump().unwrap()) == before);
        assert!(node.store().view().unwrap().record(&bad).unwrap().is_none());
        assert!(matches!(tree.insert(&mut node, &bad), Err(ChainError::Invalid(_))));
        tree.feed(&mut node, &good);
        same_as_undisturbed(&tree, &node);
    }
}

#[test]
fn a_model_that_does_not_lead_to_the_stated_commitments_is_refused() {
    let mut tree = Tree::new(|_| ());
    let honest = tree.add(&tree.genesis(), Plan { gradients: vec![(1, 1)], ..Plan::default() });
    let other = tree.add(&tree.genesis(), Plan { gradients: vec![(1, 2)], ..Plan::default() });
    let (proven, tensors) = (tree.complete(&honest).proven().clone(), tree.complete(&other).tensors().to_vec());
    let forged = chain::tensors::Complete::unverified(proven.clone(), tensors.clone());
    let mut node = tree.node();
    assert!(matches!(node.insert(&forged, NOW), Err(ChainError::Block(BlockError::Model))));
    // Nothing unverified is needed to see it: the constructor for everyone refuses the tensors.
    let refused = chain::tensors::Complete::new(&PARAMS, &tree.spec, proven.clone(), tensors);
    assert_eq!(refused.unwrap_err(), chain::tensors::TensorError::Digest { index: 0 });
    let refused = chain::tensors::Complete::new(&PARAMS, &tree.spec, proven, vec![]);
    assert_eq!(refused.unwrap_err(), chain::tensors::TensorError::Count { expected: 1, found: 0 });
}

#[test]
fn blocks_that_are_known_unknown_or_early() {
    let mut tree = Tree::new(|_| ());
    let base = tree.grow(&tree.genesis(), 2, 9);
    let side = tree.grow(&tree.genesis(), 1, 10);
    let early = tree.add(&base[1], Plan { seconds: 500, ..Plan::default() });
    let mut node = tree.node();
    assert!(matches!(tree.insert(&mut node, &base[1]), Err(ChainError::UnknownParent(id)) if id == base[0]));
    tree.feed(&mut node, &[base[0], side[0], base[1]]);
    for id in [base[0], side[0], base[1]] {
        assert!(matches!(tree.insert(&mut node, &id), Err(ChainError::Known)));
    }
    // Too new for the clock, and valid once the clock has moved on.
    let time = tree.blocks[&early].record.header.time;
    let before = node.store().dump().unwrap();
    match node.insert(tree.complete(&early), time - 121) {
        Err(ChainError::Block(error)) => assert!(error.is_temporary(), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(node.store().dump().unwrap() == before);
    node.insert(tree.complete(&early), time - 120).unwrap();
    same_as_undisturbed(&tree, &node);
}
