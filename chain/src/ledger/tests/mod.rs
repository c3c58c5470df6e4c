//! Tests of the ledger's parts together.

mod forks;
mod proofs;
mod supply;

use crate::address::Address;
use crate::amount::Amount;
use crate::header::LedgerRoot;
use crate::ledger::{Account, MemoryNodes, update};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Map = BTreeMap<Address, Account>;

fn grains(grains: u64) -> Amount {
    Amount::from_grains(grains).unwrap()
}

/// The `index`-th of some addresses, of which nobody has the key.
fn address(index: u8) -> Address {
    Address([index; 32])
}

/// Sets accounts in a map without default ones.
fn set(map: &mut Map, changed: &Map) {
    map.extend(changed);
    map.retain(|_, account| *account != Account::default());
}

/// Adds a version to a tree.
fn push(nodes: &mut MemoryNodes, version: u64, changed: &Map) -> LedgerRoot {
    let (root, batch) = update(nodes, version, changed).unwrap();
    nodes.insert(batch);
    root
}

/// Changes of an account: one in three empties it.
fn account() -> impl Strategy<Value = Account> {
    let some = (0u64..3, 0u64..3, proptest::option::of(0u64..3)).prop_map(|(balance, nonce, registered)| Account {
        balance: grains(balance),
        nonce,
        bond: Amount::ZERO,
        registered,
    });
    prop_oneof![1 => Just(Account::default()), 2 => some]
}

/// What a version changes.
fn changes() -> impl Strategy<Value = Map> {
    proptest::collection::btree_map((0u8..40).prop_map(address), account(), 0..12)
}

/// What each of some versions changes.
fn history() -> impl Strategy<Value = Vec<Map>> {
    proptest::collection::vec(changes(), 1..8)
}
