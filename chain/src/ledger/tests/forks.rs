//! The tree's versions: what their roots commit to, and how they are forgotten.

use super::*;
use crate::ledger::{BalanceProof, EMPTY_ROOT, NodeStore, TreeError, account as account_at, prove, root};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_root_commits_to_the_accounts_whatever_their_history(history in history()) {
        let (mut nodes, mut map, mut maps) = (MemoryNodes::default(), Map::new(), vec![]);
        for (version, changed) in history.iter().enumerate() {
            let found = push(&mut nodes, version as u64, changed);
            set(&mut map, changed);
            prop_assert_eq!(found, push(&mut MemoryNodes::default(), 0, &map));
            prop_assert_eq!(found == EMPTY_ROOT, map.is_empty());
            maps.push((found, map.clone()));
        }
        // Every version can still be read.
        for (version, (expected, map)) in maps.iter().enumerate() {
            prop_assert_eq!(root(&nodes, version as u64), Ok(*expected));
            for index in 0..40 {
                let found = account_at(&nodes, version as u64, &address(index)).unwrap();
                prop_assert_eq!(found, map.get(&address(index)).copied());
            }
        }
    }

    #[test]
    fn a_detour_leaves_no_trace(common in history(), detour in history(), after in history()) {
        let mut direct = MemoryNodes::default();
        for (version, changed) in common.iter().enumerate() {
            push(&mut direct, version as u64, changed);
        }
        let mut other = direct.clone();
        let fork = common.len() as u64 - 1;
        for (version, changed) in (fork + 1..).zip(&detour) {
            push(&mut other, version, changed);
        }
        prop_assert!(other.rows_from(fork + 1).next().is_some());
        other.forget_above(fork);
        prop_assert_eq!(&other, &direct);
        for (version, changed) in (fork + 1..).zip(&after) {
            prop_assert_eq!(push(&mut other, version, changed), push(&mut direct, version, changed));
        }
        prop_assert_eq!(other, direct);
    }

    #[test]
    fn stale_rows_are_not_read_again(history in history(), after in changes()) {
        let (mut kept, mut pruned, mut map) = (MemoryNodes::default(), MemoryNodes::default(), Map::new());
        for (version, changed) in (0..).zip(history.iter().chain([&after])) {
            push(&mut kept, version, changed);
            let (_, batch) = update(&pruned, version, changed).unwrap();
            pruned.insert(batch.clone());
            pruned.prune(&batch.stale);
            set(&mut map, changed);
            prop_assert_eq!(root(&pruned, version), root(&kept, version));
            for index in 0..40 {
                let proof = prove(&pruned, version, &address(index));
                prop_assert_eq!(&proof, &prove(&kept, version, &address(index)));
                prop_assert_eq!(proof.map(|proof| proof.account), Ok(map.get(&address(index)).copied()));
            }
        }
        prop_assert!(pruned.len() <= kept.len());
    }
}

fn one(index: u8) -> Map {
    Map::from([(address(index), Account { balance: grains(7), ..Account::default() })])
}

#[test]
fn versions_follow_one_another() {
    let mut nodes = MemoryNodes::default();
    assert_eq!(update(&nodes, 1, &one(1)), Err(TreeError::NoVersion { version: 0 }));
    assert_eq!(root(&nodes, 0), Err(TreeError::NoVersion { version: 0 }));
    assert_eq!(prove(&nodes, 0, &address(1)), Err(TreeError::NoVersion { version: 0 }));
    push(&mut nodes, 0, &one(1));
    assert_eq!(update(&nodes, 0, &one(2)), Err(TreeError::VersionExists { version: 0 }));
    assert_eq!(update(&nodes, 2, &one(2)), Err(TreeError::NoVersion { version: 1 }));
    assert_eq!(push(&mut nodes, 1, &Map::new()), root(&nodes, 0).unwrap());
}

#[test]
fn rows_of_a_version_are_a_range() {
    let mut nodes = MemoryNodes::default();
    for version in 0..300 {
        push(&mut nodes, version, &one(version as u8));
    }
    let before = nodes.clone();
    nodes.forget_above(u64::MAX);
    assert_eq!(nodes, before);
    nodes.forget_above(255);
    assert_eq!(nodes.rows_from(256).count(), 0);
    assert_eq!(root(&nodes, 255), root(&before, 255));
    assert_eq!(root(&nodes, 256), Err(TreeError::NoVersion { version: 256 }));
}

/// Fails at one read, or finds nothing or garbage there.
struct Faulty<'a> {
    nodes: &'a MemoryNodes,
    at: std::cell::Cell<usize>,
    row: Result<Option<Vec<u8>>, &'static str>,
}

impl NodeStore for Faulty<'_> {
    type Error = &'static str;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        let left = self.at.get();
        self.at.set(left.wrapping_sub(1));
        if left == 0 { self.row.clone() } else { self.nodes.node(key).map_err(|e| match e {}) }
    }
}

#[test]
fn a_store_that_fails_is_an_error_wherever_it_fails() {
    let mut nodes = MemoryNodes::default();
    let all: Map = (0..40).flat_map(one).collect();
    push(&mut nodes, 0, &all);
    // Accounts with neighbours: removing one moves another's leaf.
    let gone: Map = (0..20).map(|index| (address(index), Account::default())).collect();
    let (mut failed, mut missing, mut garbage) = (0, 0, 0);
    for at in 0.. {
        let faulty = |row| Faulty { nodes: &nodes, at: at.into(), row };
        let results = |row: Result<Option<Vec<u8>>, &'static str>| {
            let updated = update(&faulty(row.clone()), 1, &gone).map(|_| ());
            let proven = prove(&faulty(row), 0, &address(3)).map(|_: BalanceProof| ());
            [updated, proven]
        };
        let errors = results(Err("broken"));
        if errors == [Ok(()), Ok(())] {
            break;
        }
        for result in errors.into_iter().filter(Result::is_err) {
            assert_eq!(result, Err(TreeError::Store("broken")));
            failed += 1;
        }
        for result in results(Ok(Some(vec![1, 2, 3]))).into_iter().filter(Result::is_err) {
            garbage += usize::from(matches!(result, Err(TreeError::Codec(_)) | Err(TreeError::VersionExists { .. })));
        }
        missing += results(Ok(None))
            .iter()
            .filter(|r| matches!(r, Err(TreeError::Corrupt(_) | TreeError::NoVersion { version: 0 })))
            .count();
    }
    assert!(failed > 40 && garbage == failed && missing > 10, "{failed} {garbage} {missing}");
}
