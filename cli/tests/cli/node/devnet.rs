//! A devnet's directory with a short chain, and nodes in front of it.

use super::full_node::FullNode;
use crate::common::{Answer as Outcome, cache, copy, program};
use backend::curve::{CIRCUIT_VERSION, DEFAULT_K};
use chain::address::{Address, SecretKey};
use chain::amount::Amount;
use chain::block::Block;
use chain::chain_state::{ChainState, Inserted};
use chain::consensus::contextual::{Ancestry, Record};
use chain::consensus::semantic::Checker;
use chain::contribution::Contribution;
use chain::genesis::{ChainSpec, Genesis, KeysDigest, keys_digest};
use chain::header::BlockId;
use chain::ledger;
use chain::rpc::{self, Answer, Query};
use chain::rules::Rules;
use chain::store::Store;
use chain::tensors::Complete;
use chain::transaction::{Action, Body, Transaction, TransactionId};
use chain::unmined::{Parts, UnminedBlock};
use chain::work::CompactTarget;
use circuits::model::{Config, Optimizer, Schedule, State};
use circuits::statements::dataset::DatasetRoot;
use circuits::statements::{MAX_INSTANCES_PER_PROOF, codec};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use verifier::StepVerifier;

/// Every second identity meets it.
const FLOOR: u32 = 0x207f_ffff;
const TIME: u64 = 1_760_000_000;

/// What the tests know of the chain.
pub struct Made {
    root: tempfile::TempDir,
    pub spec: ChainSpec,
    /// Identities by height.
    pub ids: Vec<BlockId>,
    /// A block of height 1 on a side branch.
    pub side: BlockId,
    /// In block 1: `rich` sends 5 coins to `poor`, for a fee of a tenth of one.
    pub transfer: TransactionId,
    pub rich: Address,
    pub poor: Address,
    /// Of `keys/key-0.key`: has 10 coins.
    pub wallet: Address,
}

/// A copy of the directory.
pub struct Devnet {
    root: tempfile::TempDir,
    pub made: &'static Made,
}

impl Devnet {
    /// A copy, with its store and keys; nobody has it open.
    pub fn new() -> Self {
        static MADE: OnceLock<Made> = OnceLock::new();
        let made = MADE.get_or_init(make);
        let root = tempfile::tempdir().unwrap();
        copy_all(&made.root.path().join("devnet"), &root.path().join("devnet"));
        Devnet { root, made }
    }

    /// Where `devnet` is.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn dir(&self) -> PathBuf {
        self.root().join("devnet")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.dir().join("node-0.redb")).unwrap()
    }

    /// Runs the program; the passphrase is the devnet's.
    pub fn run(&self, arguments: &str) -> Outcome {
        run(self.root(), arguments, "devnet")
    }

    /// What people see.
    pub fn shown(&self, arguments: &str) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
        command.current_dir(self.root()).env("GRADIENTCOIN_CACHE", cache()).env("GRADIENTCOIN_PASSPHRASE", "devnet");
        command.env("GRADIENTCOIN_KEY", self.root().join("default.key"));
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A node that says what this function says, which may ask the store.
    pub fn node(&self, answer: impl Fn(&Store, Query) -> Answer + Send + 'static) {
        let store = self.store();
        self.raw_node(move |mut stream| {
            while let Some(query) = read_frame(&mut stream) {
                let answer = answer(&store, codec::decode(&query).unwrap());
                write_frame(&mut stream, &codec::encode(&answer).unwrap());
            }
        });
    }

    /// A full node, with a mempool.
    pub fn full_node(&self) -> FullNode {
        FullNode::start(self)
    }

    /// A node that tells the truth about its store, changed a little.
    pub fn liar(&self, lie: impl Fn(&mut Answer) + Send + 'static) {
        self.node(move |store, query| {
            let mut answer = honest(store, &query);
            lie(&mut answer);
            answer
        });
    }

    /// Anything that listens.
    pub fn raw_node(&self, serve: impl Fn(UnixStream) + Send + 'static) {
        let listener = UnixListener::bind(self.dir().join("node.sock")).unwrap();
        thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    }
}

pub fn honest(store: &Store, query: &Query) -> Answer {
    rpc::answer(store, query).unwrap()
}

pub fn read_frame(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

pub fn write_frame(stream: &mut UnixStream, bytes: &[u8]) {
    // The program may have heard enough.
    let _ = stream.write_all(&[&(bytes.len() as u32).to_le_bytes(), bytes].concat());
}

/// Runs the program with a passphrase in its environment.
pub fn run(dir: &Path, arguments: &str, passphrase: &str) -> Outcome {
    let mut command = program(dir);
    command.env("GRADIENTCOIN_PASSPHRASE", passphrase).args(arguments.split_whitespace());
    Outcome::of(&command.output().unwrap())
}

pub fn coins(text: &str) -> Amount {
    text.parse().unwrap()
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    copy(&from.join("keys"), &to.join("keys"));
    for file in ["genesis.bin", "node-0.redb"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

fn genesis(
    balances: &[(Address, Amount)],
    state: &State,
    params: &backend::curve::Params,
    keys: KeysDigest,
) -> Genesis {
    let config = Config::NANO;
    let layouts = circuits::statements::Layouts::new(&config);
    let mut balances = balances.to_vec();
    balances.sort();
    Genesis {
        name: "a devnet".into(),
        time: TIME,
        circuits: CIRCUIT_VERSION,
        keys,
        config: config.to_json(),
        seed: 1,
        state: layouts.commit_state(params, state).unwrap(),
        // Of the same model.
        proof: codec::decode(include_bytes!("../../../../fixtures/golden/nano-genesis.proof")).unwrap(),
        dataset: DatasetRoot::new([7; 32], 100).unwrap(),
        batch: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: "0.5".parse().unwrap(), weight_decay: "0".parse().unwrap(), clip: None },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
        target: CompactTarget::from_bits(FLOOR).unwrap(),
        rules: Rules {
            max_proof_bytes: 1 << 20,
            max_contributions: 4,
            slots: 4,
            stamp_bits: 0,
            target_spacing: 10,
            retarget_interval: 1000,
            floor: CompactTarget::from_bits(FLOOR).unwrap(),
            max_future: 100,
            reorg_limit: 10,
            ledger: ledger::Rules {
                contribution_reward: coins("1"),
                producer_reward: coins("1"),
                halving_interval: 1000,
                coinbase_maturity: 10,
                registration_bond: coins("2"),
                registration_maturity: 5,
                max_transactions: 10,
            },
        },
        balances,
        contributors: vec![],
    }
}

/// A block on the parent, worked on. Nothing of what it says is checked.
pub fn mined(spec: &ChainSpec, parent: &Record, ancestry: &Ancestry, parts: Parts) -> Block {
    UnminedBlock::new(spec, parent, ancestry, parts).unwrap().mine(10_000).unwrap()
}

/// A block of height 1 that says that there was training, and what the record of it would be.
pub fn trained(spec: &ChainSpec, store: &Store, contributions: Vec<Contribution>) -> (Block, Record) {
    let view = store.view().unwrap();
    let parent = view.record(&spec.id().genesis()).unwrap().unwrap();
    let ancestry = Ancestry { times: vec![TIME], period: None };
    let (ledger, producer) = (parent.summary.ledger, SecretKey::from_seed(&[3; 32]).address());
    let parts = Parts { contributions, transactions: vec![], update: None, ledger, producer, now: TIME };
    let block = mined(spec, &parent, &ancestry, parts);
    let record = parent.child(&block, &parent.state);
    (block, record)
}

fn make() -> Made {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("devnet");
    fs::create_dir_all(dir.join("keys")).unwrap();
    let key = run(root.path(), "wallet keygen --out devnet/keys/key-0.key", "devnet").ok();
    let wallet: Address = key["address"].as_str().unwrap().parse().unwrap();
    let [rich_key, poor_key] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let (rich, poor) = (rich_key.address(), poor_key.address());

    let params = Arc::new(backend::parameters::load(Some(&cache()), DEFAULT_K).unwrap().params);
    let keys = StepVerifier::new(&params, &Config::NANO).unwrap();
    let state = State::init(&Config::NANO, 1);
    let genesis = genesis(&[(rich, coins("1000")), (wallet, coins("10"))], &state, &params, keys_digest(&keys));
    fs::write(dir.join("genesis.bin"), codec::encode(&genesis).unwrap()).unwrap();
    let spec = Arc::new(ChainSpec::new(genesis).unwrap());
    let store = Arc::new(Store::open(&dir.join("node-0.redb")).unwrap());
    let mut chain = ChainState::create(store, spec.clone(), params.clone(), state).unwrap();
    let checker = Checker::new(&spec, &params, &keys).unwrap();

    let signed = |nonce, fee: &str, action| {
        let body = Body { chain: *spec.id(), sender: rich, nonce, fee: coins(fee), action };
        Transaction::sign(body, &rich_key).unwrap()
    };
    let transfer = signed(0, "0.1", Action::Transfer { to: poor, amount: coins("5") });
    let register = signed(1, "0", Action::Register);
    let begin = chain.tip().clone();
    let mut ids = vec![begin.header.id()];
    let next = |chain: &mut ChainState, parent: &Record, transactions: Vec<Transaction>, late: u64| {
        let ancestry = chain.ancestry(parent).unwrap();
        let ledger = chain.ledger_root(&transactions, &[], &poor).unwrap();
        let now = parent.header.time + late;
        let parts = Parts { contributions: vec![], transactions, update: None, ledger, producer: poor, now };
        let block = Arc::new(mined(&spec, parent, &ancestry, parts));
        let admitted = chain.admit(&block, now).unwrap();
        let proven = checker.verify(&admitted, &block).unwrap();
        let complete = Complete::new(&params, &spec, proven, vec![]).unwrap();
        (block.id(), chain.insert(&complete, now).unwrap())
    };
    for transactions in [vec![transfer], vec![register], vec![]] {
        let parent = chain.tip().clone();
        let (id, inserted) = next(&mut chain, &parent, transactions, 10);
        assert!(matches!(inserted, Inserted::Moved(_)));
        ids.push(id);
    }
    let (side, inserted) = next(&mut chain, &begin, vec![], 20);
    assert_eq!(inserted, Inserted::Side);
    drop(chain);
    let spec = ChainSpec::new(spec.genesis().clone()).unwrap();
    Made { root, spec, ids, side, transfer: transfer.id().unwrap(), rich, poor, wallet }
}
