//! 7.14: connections that break: made again, and no lie of the node.

use super::devnet::{Devnet, honest, read_frame, write_frame};
use chain::address::SecretKey;
use chain::rpc::{Answer, Query};
use circuits::statements::codec;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A node that answers one question a connection, then hangs up; or, every second time, in the midst of the answer.
fn faltering(devnet: &Devnet, midst: bool) -> Arc<AtomicUsize> {
    let (store, connections) = (devnet.store(), Arc::new(AtomicUsize::new(0)));
    let counted = connections.clone();
    devnet.raw_node(move |mut stream| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let Some(query) = read_frame(&mut stream) else { return };
        let answer = codec::encode(&honest(&store, &codec::decode(&query).unwrap())).unwrap();
        if midst && number.is_multiple_of(2) {
            let begun = [&(answer.len() as u32).to_le_bytes(), &answer[..answer.len() / 2]].concat();
            let _ = stream.write_all(&begun);
        } else {
            write_frame(&mut stream, &answer);
        }
    });
    connections
}

#[test]
fn a_node_that_hangs_up_is_asked_again() {
    for midst in [false, true] {
        for (command, questions) in [("chain status", 2), ("wallet balance devnet/keys/key-0.key", 2), ("light", 3)] {
            let devnet = Devnet::new();
            let expected = devnet.run(command).ok();
            let _ = std::fs::remove_file(devnet.root().join("light.bin"));
            let connections = faltering(&devnet, midst);
            let mut found = devnet.run(command).ok();
            // A store is none that runs, and times are others.
            for changed in ["running", "fetching_seconds", "verifying_seconds", "milliseconds_per_block"] {
                if let Some(value) = found.get_mut(changed) {
                    *value = expected[changed].clone();
                }
            }
            assert_eq!(found, expected, "{command}");
            assert!(connections.load(Ordering::Relaxed) >= questions, "{command}");
        }
    }
}

#[test]
fn a_node_that_hangs_up_for_ever_is_no_liar() {
    let devnet = Devnet::new();
    devnet.raw_node(drop);
    let to = SecretKey::from_seed(&[9; 32]).address();
    let send = format!("wallet send --key devnet/keys/key-0.key --to {to} --amount 1");
    for command in ["chain status", "chain block 1", "light", "generate --chain devnet --tokens 1", &send] {
        devnet.run(command).refused_as("node", "the other side closed the connection");
    }
    // In the midst of catching up.
    let devnet = Devnet::new();
    let store = devnet.store();
    devnet.raw_node(move |mut stream| {
        while let Some(query) = read_frame(&mut stream) {
            let query: Query = codec::decode(&query).unwrap();
            if matches!(query, Query::BlocksAfter { .. }) {
                return;
            }
            write_frame(&mut stream, &codec::encode(&honest(&store, &query)).unwrap());
        }
    });
    devnet.run("light").refused_as("node", "the other side closed the connection");
}

/// What was handed over before a break is handed over again, and happens once.
#[test]
fn a_transaction_that_is_handed_over_twice_is_no_failure() {
    let devnet = Devnet::new();
    // In another directory's socket: in front of the full node stands one that hangs up.
    let behind = Devnet::new();
    let node = Arc::new(Mutex::new(behind.full_node()));
    let submitted = Arc::new(AtomicUsize::new(0));
    let (served, counted) = (node.clone(), submitted.clone());
    devnet.raw_node(move |mut stream| {
        while let Some(query) = read_frame(&mut stream) {
            let query: Query = codec::decode(&query).unwrap();
            let answer = served.lock().unwrap().answer(&query);
            if matches!(query, Query::Submit(_)) && counted.fetch_add(1, Ordering::Relaxed) == 0 {
                return;
            }
            write_frame(&mut stream, &codec::encode(&answer).unwrap());
        }
    });
    let to = SecretKey::from_seed(&[9; 32]).address();
    let sent = devnet.run(&format!("wallet send --key devnet/keys/key-0.key --to {to} --amount 1")).ok();
    assert_eq!((submitted.load(Ordering::Relaxed), node.lock().unwrap().waiting()), (2, 1));
    let Answer::Waiting(waiting) = node.lock().unwrap().answer(&Query::Waiting(devnet.made.wallet)) else { panic!() };
    assert_eq!(sent["id"], waiting[0].id().unwrap().to_string());
}

/// It may have been taken, and its sender is told so.
#[test]
fn whether_a_transaction_was_taken_may_not_be_known() {
    let devnet = Devnet::new();
    let store = devnet.store();
    devnet.raw_node(move |mut stream| {
        while let Some(query) = read_frame(&mut stream) {
            match codec::decode(&query).unwrap() {
                Query::Submit(_) => return,
                query => write_frame(&mut stream, &codec::encode(&honest(&store, &query)).unwrap()),
            }
        }
    });
    let to = SecretKey::from_seed(&[9; 32]).address();
    let answer = devnet.run(&format!("wallet send --key devnet/keys/key-0.key --to {to} --amount 1"));
    let told = format!("; check with `gradientcoin wallet history {}`", devnet.made.wallet);
    assert!(answer.stderr.contains(&told), "{}", answer.stderr);
    answer.refused_as("node", "the other side closed the connection");
}
