//! Disks that fail, and power that fails.

use crate::support::disk::Disk;
use crate::support::*;
use chain::chain_state::{ChainError, ChainState};
use chain::header::{BlockId, LedgerRoot};
use chain::store::Store;
use chain::store::testing::Dump;
use chain::tensors::Complete;
use std::sync::Arc;

/// Begins a chain, or goes on with it and takes a block in.
fn change(tree: &Tree, disk: &Disk, block: Option<&Complete>) -> Result<(), ChainError> {
    let store = Arc::new(Store::with_backend(disk.clone())?);
    match block {
        None => tree.node_in(store).map(|_| ()),
        Some(block) => {
            let mut node = ChainState::open(store, tree.spec.clone(), tree.params.clone())?;
            node.insert(block, NOW).map(|_| ())
        }
    }
}

fn dump(bytes: Vec<u8>) -> Dump {
    Store::with_backend(Disk::new(bytes, None)).unwrap().dump().unwrap()
}

/// Fails the disk after every number of writes and syncs of a change; gives the bytes after the change that succeeded.
fn sweep(tree: &Tree, before: Vec<u8>, block: Option<&Complete>) -> Vec<u8> {
    let whole = Disk::new(before.clone(), None);
    let outcome = change(tree, &whole, block);
    let refused = matches!(outcome, Err(ChainError::Block(_)));
    assert!(refused || outcome.is_ok(), "{outcome:?}");
    let moments = [dump(before.clone()), dump(whole.written())];
    assert!(moments[0] != moments[1]);

    let mut random = 0x6469_736b_u64;
    let mut failed = 0;
    for left in 0..whole.done() {
        let disk = Disk::new(before.clone(), Some(left));
        let outcome = change(tree, &disk, block);
        let done = match &outcome {
            Ok(()) => true,
            Err(ChainError::Block(_)) if refused => true,
            Err(ChainError::Store(_)) => {
                failed += 1;
                false
            }
            Err(error) => panic!("{error}"),
        };
        let mut coin = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 63 == 1
        };
        // What was not synced is there, or not, or some of it.
        let left_behind = [
            disk.written(),
            disk.after_power_failure(|| false),
            disk.after_power_failure(&mut coin),
            disk.after_power_failure(&mut coin),
        ];
        for bytes in left_behind {
            let found = dump(bytes);
            let moment = moments.iter().position(|moment| *moment == found);
            // What was said to be done is there.
            assert!(moment.is_some_and(|moment| moment == 1 || !done), "after {left} writes: {moment:?}");
        }
    }
    assert!(failed > 5, "{failed} of {} failures were noticed", whole.done());
    whole.written()
}

#[test]
fn a_failing_disk_leaves_the_chain_before_the_block_or_after_it() {
    let mut tree = Tree::new(|genesis| genesis.rules.reorg_limit = 2);
    let genesis = tree.genesis();
    let pay = |tree: &mut Tree, at: BlockId, producer, gradients: Vec<(u8, u64)>| {
        let transactions = vec![tree.pay(&at, 3, 4, 1), tree.pay(&at, 4, producer, 1)];
        tree.add(&at, Plan { transactions, gradients, producer, ..Plan::default() })
    };
    let mut base = vec![genesis];
    for _ in 0..4 {
        let block = pay(&mut tree, base[base.len() - 1], 9, vec![]);
        base.push(block);
    }
    let a = pay(&mut tree, base[4], 10, vec![(1, 5)]);
    let b = pay(&mut tree, base[4], 11, vec![]);
    let b_on = pay(&mut tree, b, 11, vec![]);
    let bad = tree.add(&b_on, Plan { root: Some(LedgerRoot::from_bytes([3; 32])), ..Plan::default() });
    let mut bytes = sweep(&tree, vec![], None);
    for id in base[1..].iter().chain(&[a, b, b_on, bad]) {
        bytes = sweep(&tree, bytes, Some(tree.complete(id)));
    }
    let store = Arc::new(Store::with_backend(Disk::new(bytes, None)).unwrap());
    let node = ChainState::open(store, tree.spec.clone(), tree.params.clone()).unwrap();
    assert_eq!(node.tip().header.id(), b_on);
    same_as_undisturbed(&tree, &node);
}

#[test]
fn a_node_whose_disk_failed_says_so_and_stays_where_it_was() {
    let mut tree = Tree::new(|_| ());
    let blocks = tree.grow(&tree.genesis(), 3, 9);
    let disk = Disk::default();
    let mut node = tree.node_in(Arc::new(Store::with_backend(disk.clone()).unwrap())).unwrap();
    tree.feed(&mut node, &blocks[..1]);
    disk.fail_after(2);
    for _ in 0..3 {
        assert!(matches!(tree.insert(&mut node, &blocks[1]), Err(ChainError::Store(_))));
        assert_eq!(node.tip().header.id(), blocks[0]);
    }
    drop(node);
    let store = Arc::new(Store::with_backend(Disk::new(disk.written(), None)).unwrap());
    let mut node = ChainState::open(store, tree.spec.clone(), tree.params.clone()).unwrap();
    assert_eq!(node.tip().header.id(), blocks[0]);
    tree.feed(&mut node, &blocks[1..]);
    same_as_undisturbed(&tree, &node);
}
