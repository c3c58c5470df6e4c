//! Questions about a chain that has forked.

use crate::support::*;
use chain::header::BlockId;
use chain::rpc::{Answer, BlockRef, MAX_BLOCKS, MAX_TRANSACTIONS, Query, answer, fork_height, locator};
use chain::store::{Store, StoreError};
use chain::transaction::{Action, Location};
use redb::backends::InMemoryBackend;

fn blocks(node: &chain::chain_state::ChainState, locator: Vec<BlockId>, limit: u32) -> Vec<BlockId> {
    match answer(node.store(), &Query::BlocksAfter { locator, limit }).unwrap() {
        Answer::Blocks(blocks) => blocks.iter().map(|block| block.id()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn peers_on_other_branches_find_the_fork() {
    let mut tree = Tree::new(|genesis| genesis.rules.reorg_limit = 100);
    let genesis = tree.genesis();
    let base = tree.grow(&genesis, 40, 9);
    let (a, b) = (tree.grow(&base[39], 30, 10), tree.grow(&base[39], 32, 11));
    let mut ours = tree.undisturbed(&b[31]);
    let theirs = tree.undisturbed(&a[29]);
    let stranger = tree.node();

    let ids = locator(&theirs.store().view().unwrap()).unwrap();
    let heights: Vec<u64> = ids.iter().map(|id| tree.height(id)).collect();
    // Ten one after the other, then gaps of 2, 4, 8, …, and the genesis.
    let expected = [70, 69, 68, 67, 66, 65, 64, 63, 62, 61, 59, 55, 47, 31, 0];
    assert_eq!(heights, expected);
    assert!(
        ids.iter()
            .zip(&heights)
            .all(|(id, &height)| theirs.store().view().unwrap().at_height(height).unwrap() == Some(*id))
    );

    // The first block in common that the locator names.
    let view = ours.store().view().unwrap();
    assert_eq!(fork_height(&view, &ids).unwrap(), 31);
    drop(view);
    let path = tree.path(&b[31]);
    assert_eq!(blocks(&ours, ids.clone(), 5), path[31..36]);
    assert_eq!(blocks(&ours, ids.clone(), MAX_BLOCKS), path[31..]);
    // That we know their branch too, as a side branch, changes nothing.
    tree.feed(&mut ours, &a);
    assert_eq!(blocks(&ours, ids, 1), path[31..32]);

    // At most so many, whatever is asked for; from the genesis if nothing is known, nothing at the tip.
    for unknown in
        [vec![], vec![BlockId::from_bytes([9; 32])], vec![a[3]], locator(&stranger.store().view().unwrap()).unwrap()]
    {
        assert_eq!(blocks(&ours, unknown, u32::MAX), path[..MAX_BLOCKS as usize]);
    }
    assert_eq!(blocks(&ours, vec![b[31]], 5), [] as [BlockId; 0]);
    assert_eq!(blocks(&ours, vec![b[30], b[31]], 5), [b[31]]);
    assert_eq!(blocks(&ours, vec![base[0]], 0), [] as [BlockId; 0]);
    assert_eq!(blocks(&stranger, vec![a[0], genesis], 5), [] as [BlockId; 0]);
}

#[test]
fn locators_of_short_chains_end_with_the_genesis() {
    let mut tree = Tree::new(|_| ());
    let mut node = tree.node();
    let mut at = tree.genesis();
    for height in 0..=14u64 {
        let view = node.store().view().unwrap();
        let heights: Vec<u64> = locator(&view).unwrap().iter().map(|id| tree.height(id)).collect();
        assert!(heights.is_sorted_by(|a, b| a > b), "{heights:?}");
        assert_eq!((heights[0], heights.last()), (height, Some(&0)));
        assert!(heights.len() <= 13);
        drop(view);
        at = tree.grow(&at, 1, 9)[0];
        tree.feed(&mut node, &[at]);
    }
}

#[test]
fn answers_are_about_the_chain() {
    let mut tree = Tree::new(|_| ());
    let (genesis, base) = (tree.genesis(), tree.grow(&tree.genesis(), 1, 9));
    let (first, second) = (tree.pay(&base[0], 3, 4, 5), tree.pay(&base[0], 4, 3, 6));
    let a = tree.add(&base[0], Plan { transactions: vec![first, second], producer: 10, ..Plan::default() });
    let b = tree.add(&base[0], Plan { transactions: vec![second], producer: 11, ..Plan::default() });
    let b = [b, tree.grow(&b, 1, 11)[0]];
    let mut node = tree.undisturbed(&a);
    let included = |node: &chain::chain_state::ChainState, id| match answer(node.store(), &Query::Transaction(id))
        .unwrap()
    {
        Answer::Transaction(found) => found.map(|found| (found.transaction, found.block, found.height, found.index)),
        other => panic!("{other:?}"),
    };
    let ids = [first, second].map(|transaction| transaction.id().unwrap());
    assert_eq!(ids.map(|id| included(&node, id)), [Some((first, a, 2, 0)), Some((second, a, 2, 1))]);
    tree.feed(&mut node, &b);
    assert_eq!(ids.map(|id| included(&node, id)), [None, Some((second, b[0], 2, 0))]);

    let on_chain = |which| match answer(node.store(), &Query::Block(which)).unwrap() {
        Answer::Block(found) => found.map(|f| (f.record.header.id(), f.block.map(|block| block.id()), f.on_chain)),
        other => panic!("{other:?}"),
    };
    assert_eq!(on_chain(BlockRef::Tip), Some((b[1], Some(b[1]), true)));
    assert_eq!(on_chain(BlockRef::Height(0)), Some((genesis, None, true)));
    assert_eq!(on_chain(BlockRef::Height(2)), Some((b[0], Some(b[0]), true)));
    assert_eq!(on_chain(BlockRef::Height(4)), None);
    assert_eq!(on_chain(BlockRef::Id(a)), Some((a, Some(a), false)));
    assert_eq!(on_chain(BlockRef::Id(BlockId::from_bytes([1; 32]))), None);

    let Answer::Account(proved) = answer(node.store(), &Query::Account(address(4))).unwrap() else { panic!() };
    assert_eq!((proved.account, proved.block, proved.height), (tree.blocks[&b[1]].accounts[&address(4)], b[1], 3));
    let found = proved.proof.verify(&node.tip().summary.ledger, &address(4)).unwrap();
    assert_eq!(found, Some(proved.account));
    let Answer::Model(model) = answer(node.store(), &Query::Model).unwrap() else { panic!() };
    assert!(model.state == node.model() && model.record == *node.tip());
    let Answer::Status(status) = answer(node.store(), &Query::Status).unwrap() else { panic!() };
    assert_eq!((status.chain, status.tip, status.waiting), (*tree.spec.id(), node.tip().clone(), None));
    assert!(matches!(answer(node.store(), &Query::Submit(first)).unwrap(), Answer::Refused(_)));

    let empty = Store::with_backend(InMemoryBackend::new()).unwrap();
    assert!(matches!(answer(&empty, &Query::Status), Err(StoreError::Missing("the genesis"))));
}

/// Heights and numbers, the last first.
fn history(
    node: &chain::chain_state::ChainState,
    of: u8,
    before: Option<(u64, u32)>,
    limit: u32,
) -> Vec<(u64, u32, chain::transaction::Transaction)> {
    let before = before.map(|(height, index)| Location { height, index });
    match answer(node.store(), &Query::History { address: address(of), before, limit }).unwrap() {
        Answer::History(history) => history
            .into_iter()
            .map(|found| {
                assert_eq!(node.store().view().unwrap().at_height(found.height).unwrap(), Some(found.block));
                (found.height, found.index, found.transaction)
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// 7.13: one's transactions, of the chain as it is.
#[test]
fn histories_are_of_the_chain_the_last_first() {
    let mut tree = Tree::new(|genesis| genesis.rules.ledger.max_transactions = 100);
    let base = tree.grow(&tree.genesis(), 1, 9);
    let (first, second) = (tree.pay(&base[0], 3, 4, 5), tree.pay(&base[0], 4, 3, 6));
    let a = tree.add(&base[0], Plan { transactions: vec![first, second], producer: 10, ..Plan::default() });
    let own = tree.pay(&a, 3, 3, 1);
    let a = [a, tree.add(&a, Plan { transactions: vec![own], ..Plan::default() })];
    let b = tree.add(&base[0], Plan { transactions: vec![second], producer: 11, ..Plan::default() });
    let b = [&[b][..], &tree.grow(&b, 2, 11)].concat();
    let mut node = tree.undisturbed(&a[1]);
    let all = [(3, 0, own), (2, 1, second), (2, 0, first)];
    // Paid to oneself, and listed once.
    assert_eq!(history(&node, 3, None, 9), all);
    assert_eq!(history(&node, 4, None, 9), all[1..]);
    assert_eq!(history(&node, 9, None, 9), []);
    // Page by page.
    assert_eq!(history(&node, 3, None, 2), all[..2]);
    assert_eq!(history(&node, 3, Some((2, 1)), 2), all[2..]);
    assert_eq!(history(&node, 3, Some((2, 0)), 2), []);
    assert_eq!(history(&node, 3, None, 0), []);
    // What left the chain left the list.
    tree.feed(&mut node, &b);
    assert_eq!(node.tip().header.id(), b[2]);
    assert_eq!(history(&node, 3, None, 9), [(2, 0, second)]);

    // Bounded, whatever is asked for.
    let many = (0..70).map(|nonce| {
        let to = if nonce % 2 == 0 { 3 } else { 4 };
        tree.sign(1, nonce, Action::Transfer { to: address(to), amount: grains(1) })
    });
    let transactions = many.collect();
    let full = tree.add(&b[2], Plan { transactions, ..Plan::default() });
    tree.feed(&mut node, &[full]);
    let found = history(&node, 1, None, u32::MAX);
    assert_eq!((found.len(), found[0].1, found[63].1), (MAX_TRANSACTIONS as usize, 69, 6));
    assert_eq!(history(&node, 1, Some((5, 6)), u32::MAX).len(), 6);
    // A node that does not run takes nothing, and nothing waits in it.
    let answered = |query| answer(node.store(), &query).unwrap();
    assert!(matches!(answered(Query::Replace(first)), Answer::Refused(_)));
    assert_eq!(answered(Query::Waiting(address(3))), Answer::Waiting(vec![]));
}
