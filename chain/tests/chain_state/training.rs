//! The model along the chain.

use crate::support::*;
use chain::chain_state::Inserted;
use chain::header::{BlockId, StateDigest};

/// Adds blocks, some of them with gradients.
fn grow(tree: &mut Tree, from: BlockId, producer: u8, trains: &[u8]) -> Vec<BlockId> {
    let mut at = from;
    let add = |(seed, &count): (u64, &u8)| {
        let gradients = (1..=count).map(|who| (who, u64::from(producer) * 100 + seed)).collect();
        at = tree.add(&at, Plan { gradients, producer, ..Plan::default() });
        at
    };
    (0..).zip(trains).map(add).collect()
}

#[test]
fn the_model_follows_reorganisations() {
    let mut tree = Tree::new(|_| ());
    let base = tree.grow(&tree.genesis(), 12, 9);
    let trained = grow(&mut tree, base[11], 9, &[1]);
    // Height 13 on; the snapshot is at 16, on both branches.
    let a = grow(&mut tree, trained[0], 10, &[0, 2, 0, 1, 0]);
    let b = grow(&mut tree, trained[0], 11, &[1, 0, 0, 0, 1, 0]);
    let a_again = grow(&mut tree, a[4], 12, &[0, 1]);
    let mut node = tree.undisturbed(&a[4]);
    assert_eq!(node.tip().summary.step, 3);
    for id in &b[..5] {
        assert_eq!(tree.insert(&mut node, id).unwrap(), Inserted::Side);
    }
    tree.feed(&mut node, &b[5..]);
    assert_eq!((node.tip().header.id(), node.tip().summary.step), (b[5], 3));
    same_as_undisturbed(&tree, &node);
    tree.feed(&mut node, &a_again);
    assert_eq!((node.tip().header.id(), node.tip().summary.step), (a_again[1], 4));
    same_as_undisturbed(&tree, &node);
}

#[test]
fn the_model_of_the_store_is_what_the_record_commits_to() {
    let mut tree = Tree::new(|_| ());
    let genesis = tree.genesis();
    let ids = grow(&mut tree, genesis, 9, &[1, 0, 2, 0]);
    let mut node = tree.node();
    for id in &ids {
        tree.feed(&mut node, &[*id]);
        let (config, state) = node.model().open().unwrap();
        assert_eq!(config, *tree.spec.config());
        let commitments = tree.spec.layouts().commit_state(&PARAMS, &state).unwrap();
        assert_eq!(commitments, *node.commitments());
        assert_eq!(StateDigest::of(&commitments), node.tip().summary.state);
        let (at, file) = node.store().view().unwrap().state_at_or_below(node.tip().summary.height).unwrap();
        assert_eq!((at, file.step), (node.tip().summary.height, node.tip().summary.step));
        assert!(file == node.model());
    }
}
