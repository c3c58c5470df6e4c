//! Stores that are new, another chain's, in use, damaged, or simply opened again.

use crate::support::*;
use chain::chain_state::{ChainError, ChainState};
use chain::store::{Store, StoreError};
use circuits::model::State;
use std::fs;
use std::sync::Arc;

#[test]
fn only_the_state_of_the_genesis_begins_a_chain() {
    let tree = Tree::new(|_| ());
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
    let create = |state| ChainState::create(store.clone(), tree.spec.clone(), tree.params.clone(), state).map(|_| ());
    let open = |tree: &Tree| ChainState::open(store.clone(), tree.spec.clone(), tree.params.clone()).map(|_| ());
    assert!(matches!(open(&tree), Err(ChainError::Empty)));
    assert!(matches!(create(State::init(&tiny(), 2)), Err(ChainError::GenesisState)));
    let mut short = State::init(&tiny(), 1);
    short.w.layers.clear();
    assert!(matches!(create(short), Err(ChainError::Params(_))));
    // None of the refused ones has left anything.
    assert!(matches!(open(&tree), Err(ChainError::Empty)));
    create(State::init(&tiny(), 1)).unwrap();
    assert!(matches!(create(State::init(&tiny(), 1)), Err(ChainError::OtherChain)));
    open(&tree).unwrap();
    let other = Tree::new(|genesis| genesis.name = "other".into());
    assert!(matches!(open(&other), Err(ChainError::OtherChain)));
    assert!(matches!(other.node_in(store.clone()), Err(ChainError::OtherChain)));
}

#[test]
fn a_chain_goes_on_where_it_was() {
    let mut tree = Tree::new(|_| ());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut base = tree.grow(&tree.genesis(), 18, 9);
    let trained = tree.add(base.last().unwrap(), Plan { gradients: vec![(1, 3)], ..Plan::default() });
    base.push(trained);
    base.extend(tree.grow(&trained, 1, 9));
    let side = tree.grow(&base[16], 4, 10);
    let mut node = tree.node_in(Arc::new(Store::open(&path).unwrap())).unwrap();
    for id in base.iter().chain(&side) {
        tree.feed(&mut node, &[*id]);
        let (before, state) = (node.store().dump().unwrap(), node.state().clone());
        drop(node);
        let store = Arc::new(Store::open(&path).unwrap());
        node = ChainState::open(store, tree.spec.clone(), tree.params.clone()).unwrap();
        assert!(node.store().dump().unwrap() == before);
        assert!(*node.state() == state);
    }
    assert_eq!(node.tip().header.id(), side[3]);
    same_as_undisturbed(&tree, &node);
}

#[test]
fn what_is_no_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    for garbage in [&b"x"[..], b"not a database", &[0xa5; 5000], &[b"\0\0\0\0\0\0\0\0\0", &[1; 5000][..]].concat()] {
        fs::write(&path, garbage).unwrap();
        let refused = Store::open(&path).unwrap_err();
        assert!(matches!(refused, StoreError::Database(_)), "{refused:?}");
        assert!(!refused.is_in_use());
        assert_eq!(fs::read(&path).unwrap(), garbage, "what is no store is not written to");
    }
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Database(_))));
    assert!(matches!(Store::open(&dir.path().join("no/such/dir")), Err(StoreError::Database(_))));
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(Store::open(&path).unwrap());
    let made = fs::read(&path).unwrap();
    // The file has its size; the header is written without the magic; nothing else is there.
    let mut header = vec![0; made.len()];
    header[9..64].copy_from_slice(&made[9..64]);
    for interrupted in [vec![], vec![0; made.len()], header] {
        fs::write(&path, &interrupted).unwrap();
        let store = Store::open(&path).unwrap();
        assert!(store.view().unwrap().genesis().unwrap().is_none());
    }
}

#[test]
fn a_store_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    assert!(Store::open(&path).unwrap_err().is_in_use());
    drop(store);
    Store::open(&path).unwrap();
}
