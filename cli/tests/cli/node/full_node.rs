//! A full node in front of a devnet's directory, which makes blocks when it is told to.

use super::devnet::{Devnet, read_frame, write_frame};
use crate::common::cache;
use backend::curve::{DEFAULT_K, Params};
use chain::address::SecretKey;
use chain::chain_state::ChainState;
use chain::consensus::semantic::Checker;
use chain::node::{Limits, Node};
use chain::rpc::Query;
use chain::tensors::Complete;
use chain::transaction::Transaction;
use chain::unmined::{Parts, UnminedBlock};
use circuits::model::Config;
use circuits::statements::codec;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use verifier::StepVerifier;

static PARAMS: LazyLock<Arc<Params>> =
    LazyLock::new(|| Arc::new(backend::parameters::load(Some(&cache()), DEFAULT_K).unwrap().params));
static KEYS: LazyLock<StepVerifier> = LazyLock::new(|| StepVerifier::new(&PARAMS, &Config::NANO).unwrap());

/// None once it is stopped: its store is closed, and connections are hung up on.
type Shared = Arc<Mutex<Option<Node>>>;

pub struct FullNode {
    node: Shared,
    socket: PathBuf,
}

impl FullNode {
    pub fn start(devnet: &Devnet) -> Self {
        let (store, spec) = (Arc::new(devnet.store()), Arc::new(devnet.made.spec.clone()));
        let chain = ChainState::open(store, spec, PARAMS.clone()).unwrap();
        let node: Shared = Arc::new(Mutex::new(Some(Node::new(chain, Limits::default()))));
        let socket = devnet.dir().join("node.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let served = node.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, node) = (stream.unwrap(), served.clone());
                thread::spawn(move || {
                    while let Some(query) = read_frame(&mut stream) {
                        let query: Query = codec::decode(&query).unwrap();
                        let mut node = node.lock().unwrap();
                        let Some(node) = node.as_mut() else { return };
                        write_frame(&mut stream, &codec::encode(&node.answer(&query).unwrap().0).unwrap());
                    }
                });
            }
        });
        FullNode { node, socket }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Node) -> T) -> T {
        work(self.node.lock().unwrap().as_mut().unwrap())
    }

    pub fn answer(&self, query: &Query) -> chain::rpc::Answer {
        self.with(|node| node.answer(query).unwrap().0)
    }

    /// How many transactions wait.
    pub fn waiting(&self) -> usize {
        self.with(|node| node.waiting_transactions())
    }

    /// Waits until so many transactions wait.
    pub fn until_waiting(&self, count: usize) {
        for _ in 0..600 {
            if self.waiting() == count {
                return;
            }
            thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{} transactions wait", self.waiting());
    }

    /// Makes a block of what waits, or of other transactions; gives its height.
    pub fn mine(&self, transactions: Option<Vec<Transaction>>) -> u64 {
        self.with(|node| {
            let producer = SecretKey::from_seed(&[77; 32]).address();
            let template = node.template(&producer).unwrap();
            let transactions = transactions.unwrap_or(template.transactions);
            let ledger = node.chain().ledger_root(&transactions, &[], &producer).unwrap();
            let now = template.record.header.time + 10;
            let parts = Parts { contributions: vec![], transactions, update: None, ledger, producer, now };
            let spec = node.chain().spec().clone();
            let mut draft = UnminedBlock::new(&spec, &template.record, &template.ancestry, parts).unwrap();
            let block = Arc::new(draft.mine(1 << 20).unwrap());
            let proven = Checker::new(&spec, &PARAMS, &KEYS).unwrap().verify(&template.parent, &block).unwrap();
            let complete = Complete::new(&PARAMS, &spec, proven, vec![]).unwrap();
            node.insert(None, &complete, now).unwrap();
            node.chain().tip().summary.height
        })
    }

    /// Forgets all that waits, as a node does that is started again.
    pub fn forget(&self) {
        let mut node = self.node.lock().unwrap();
        let chain = node.take().unwrap().into_chain();
        *node = Some(Node::new(chain, Limits::default()));
    }

    /// Takes the socket away, then closes the store.
    pub fn stop(&self) {
        fs::remove_file(&self.socket).unwrap();
        drop(self.node.lock().unwrap().take());
    }
}
