//! Nodes that are killed at random moments.
//!
//! A child, this same program under a marker in its environment, opens a store and takes in the blocks of a script; it is
//! killed, and the store must then be as the undisturbed node's was at some moment of the script. Then the next child goes
//! on from there.
#![allow(clippy::unwrap_used)]

mod script;
#[path = "../support/mod.rs"]
mod support;

use chain::chain_state::{ChainError, ChainState};
use chain::header::StateDigest;
use chain::store::Store;
use script::Script;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::PARAMS;

const DIRECTORY: &str = "GRADIENTCOIN_TEST_CRASH_DIRECTORY";
const HOLD: &str = "GRADIENTCOIN_TEST_CRASH_HOLD";
const STORE: &str = "store";
const SCRIPT: &str = "script";

/// Kills.
const ROUNDS: u64 = 100;

/// What a child does; nothing in a run of the tests.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let script = Script::read(&directory.join(SCRIPT));
    let (params, path) = (PARAMS.clone(), directory.join(STORE));
    let ready = || std::io::stderr().write_all(b".").unwrap();
    if std::env::var_os(HOLD).is_some() {
        let _store = Store::open(&path).unwrap();
        ready();
        // Until the parent lets go.
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    ready();
    let store = Arc::new(Store::open(&path).unwrap());
    let mut node = match ChainState::open(store.clone(), script.spec(), params.clone()) {
        Err(ChainError::Empty) => ChainState::create(store, script.spec(), params, script.first()).unwrap(),
        node => node.unwrap(),
    };
    script.play(&mut node, |_| ());
}

fn spawn(directory: &Path, hold: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    if hold {
        command.env(HOLD, "1");
    }
    let mut child = command.spawn().unwrap();
    // Reading the script and the parameters is not what is to be killed.
    child.stderr.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

/// Waits for a child that is to come to its end.
fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Kills a child after a while; whether it was still alive.
fn kill(mut child: Child, after: Duration) -> bool {
    sleep(after);
    if child.try_wait().unwrap().is_some() {
        finish(child);
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// A few random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// What the store of an undisturbed node is like after each entry of the script; before it is made, too.
struct Moment {
    dump: [u8; 32],
    node: Option<(chain::consensus::contextual::Record, circuits::model::State)>,
}

fn moments(script: &Script) -> Vec<Moment> {
    let store = Arc::new(Store::with_backend(redb::backends::InMemoryBackend::new()).unwrap());
    let mut moments = vec![Moment { dump: script::digest(&store), node: None }];
    let mut node = ChainState::create(store, script.spec(), PARAMS.clone(), script.first()).unwrap();
    let moment = |node: &ChainState| Moment {
        dump: script::digest(node.store()),
        node: Some((node.tip().clone(), node.state().clone())),
    };
    moments.push(moment(&node));
    script.play(&mut node, |node| moments.push(moment(node)));
    assert_eq!((node.tip().summary.height, node.tip().summary.step), (33, 3));
    moments
}

/// Which of the moments a store is at, the first of those that are alike. Everything of it must be as it was then.
fn position(script: &Script, moments: &[Moment], path: &Path) -> usize {
    let store = Arc::new(Store::open(path).unwrap());
    let dump = script::digest(&store);
    let position = moments.iter().position(|moment| moment.dump == dump).expect("a store that no undisturbed node had");
    match (ChainState::open(store, script.spec(), PARAMS.clone()), &moments[position].node) {
        (Err(ChainError::Empty), None) => {}
        (Ok(node), Some((tip, state))) => {
            assert_eq!((node.tip(), node.tip().summary.ledger), (tip, tip.summary.ledger));
            assert!(node.state() == state);
            assert_eq!(node.tip().summary.state, StateDigest::of(&tip.state));
        }
        (node, _) => panic!("{:?}", node.map(|_| ()).err()),
    }
    position
}

#[test]
fn a_killed_node_goes_on_from_a_moment_that_an_undisturbed_one_also_had() {
    let script = Script::new();
    let moments = moments(&script);
    let last = moments.len() - 1;
    let fresh = || {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        script.write(&directory.path().join(SCRIPT));
        directory
    };
    // One that nobody kills, which shows how long it takes.
    let mut directory = fresh();
    let child = spawn(directory.path(), false);
    let start = Instant::now();
    finish(child);
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap();
    assert_eq!(position(&script, &moments, &directory.path().join(STORE)), last);

    let mut random = Random(0x6b69_6c6c_2d39_2121);
    directory = fresh();
    let (mut at, mut kills, mut midway, mut unborn, mut complete) = (0, 0, 0, 0, 0);
    while kills < ROUNDS {
        // Some kills hit the making of the store, or its recovery; others come after several blocks.
        let mut while_starting = || Duration::from_micros(random.below(6_000));
        let delays = match kills % 5 {
            0 => vec![while_starting()],
            1 => vec![while_starting(), while_starting()],
            _ => vec![Duration::from_micros(random.below(micros / 4 + 1))],
        };
        let alive = delays.into_iter().all(|delay| {
            let killed = kill(spawn(directory.path(), false), delay);
            kills += u64::from(killed);
            killed
        });
        let now = position(&script, &moments, &directory.path().join(STORE));
        assert!(now >= at, "a block that was taken in is gone");
        at = now;
        midway += u64::from(alive && (2..last).contains(&now));
        unborn += u64::from(alive && now < 2);
        if !alive {
            assert_eq!(now, last);
            complete += 1;
            directory = fresh();
            at = 0;
        }
    }
    finish(spawn(directory.path(), false));
    assert_eq!(position(&script, &moments, &directory.path().join(STORE)), last);
    assert!(midway >= ROUNDS / 4 && unborn > 0, "{midway} kills midway, {unborn} at the start, {complete} runs");
}

#[test]
fn a_store_that_another_process_has_open_is_in_use() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    Script::new().write(&directory.path().join(SCRIPT));
    let path = directory.path().join(STORE);
    let mut child = spawn(directory.path(), true);
    let refused = Store::open(&path).unwrap_err();
    assert!(refused.is_in_use(), "{refused}");
    drop(child.stdin.take());
    finish(child);
    Store::open(&path).unwrap();
}
