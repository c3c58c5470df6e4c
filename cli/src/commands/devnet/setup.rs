//! A devnet's directory: made, or found.
//!
//! | file | what |
//! |---|---|
//! | `genesis.bin` | the genesis |
//! | `corpus.bin` | the corpus |
//! | `keys/key-0.key`… | one account for each node, and one more with coins; passphrase [`PASSPHRASE`] |
//! | `node-0.redb`… | the nodes' stores |
//! | `node.sock` | where node 0 answers while the devnet runs |
//! | `devnet.lock` | locked while the devnet runs |

use super::directory::{self, Locked};
use super::settings::{Settings, Start, max_contributions};
use crate::commands::dataset::committed;
use crate::error::{CliError, FileError};
use crate::files::{self, MAX_CORPUS, MAX_SMALL};
use crate::key_file::{Cost, KeyFile};
use crate::keys::{How, Source};
use crate::node_link::{GENESIS, NodeError};
use crate::progress::ProofBar;
use crate::ui::Ui;
use backend::curve::{CIRCUIT_VERSION, Params};
use chain::address::{Address, SecretKey};
use chain::amount::{Amount, GRAINS_PER_COIN};
use chain::chain_state::{ChainError, ChainState};
use chain::consensus::{BlockError, SemanticError};
use chain::genesis::{ChainSpec, Genesis, keys_digest};
use chain::ledger;
use chain::rules::Rules;
use chain::store::Store;
use circuits::model::{Config, Spec, State};
use circuits::segments::Variant;
use circuits::statements::dataset::Dataset;
use circuits::statements::{Corpus, GenesisProof, Layouts, StateCommitments};
use prover::step::{StepKeys, StepProver};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use verifier::StepVerifier;

/// Passphrase of the devnet's key files: their coins are worth nothing.
pub const PASSPHRASE: &str = "devnet";

/// The corpus in a devnet's directory.
const CORPUS: &str = "corpus.bin";
/// The folder of its key files.
pub const KEYS: &str = "keys";

/// How long to wait for a store that is in use.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// File name of an account's key.
pub fn key_name(account: usize) -> String {
    format!("key-{account}.key")
}

/// What all threads share.
pub struct Shared {
    /// The chain.
    pub spec: Arc<ChainSpec>,
    /// Parameters.
    pub params: Arc<Params>,
    /// Keys to verify with.
    pub verifier: StepVerifier,
    /// Keys to prove with.
    pub prover: StepKeys,
    /// The model.
    pub model: Spec,
    /// The data set.
    pub dataset: Dataset,
    /// Whom each node works for.
    pub accounts: Vec<SecretKey>,
    /// Nodes that contribute.
    pub contributing: Vec<usize>,
    /// How long the producer waits for contributions.
    pub patience: Duration,
}

/// A devnet, ready to start.
pub struct Net {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Each node's chain.
    pub chains: Vec<ChainState>,
    /// Keeps other devnets out of the directory.
    pub directory: Locked,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Makes or finds the directory, and opens the chains. What contradicts a chain that is there is refused before anything
/// else.
pub fn prepare(args: &Start, ui: &Ui) -> Result<Net, CliError> {
    let genesis_file = args.dir.join(GENESIS);
    let corpus_file = args.dir.join(CORPUS);
    let read_spec = || -> Result<ChainSpec, CliError> {
        let genesis: Genesis = files::decode(&genesis_file, MAX_SMALL)?;
        ChainSpec::new(genesis).map_err(CliError::file(&genesis_file))
    };
    let found = if directory::look(&args.dir)? { Some(read_spec()?) } else { None };
    let new = match &found {
        Some(spec) => {
            args.agree(spec, &corpus_file)?;
            None
        }
        None => {
            let config = args.config()?;
            Some((args.settings(&config, ui)?, args.new_corpus(&config, ui)?))
        }
    };
    let config = match &found {
        Some(spec) => spec.config().clone(),
        None => args.config()?,
    };
    let directory = directory::take(&args.dir)?;
    if directory.found != found.is_some() {
        return Err(CliError::Usage(format!("another devnet was just created in {}", args.dir.display())));
    }
    files::create_dir(&args.dir.join(KEYS))?;
    let count = match (&found, &new) {
        // One for each node of the genesis, and one more.
        (Some(spec), _) => spec.genesis().balances.len(),
        (None, new) => new.as_ref().map_or(0, |(settings, _)| usize::from(settings.nodes) + 1),
    };
    let accounts = accounts(&args.dir, count)?;
    let addresses: Vec<Address> = accounts.iter().map(SecretKey::address).collect();
    if let Some(spec) = &found {
        args.nodes_of(spec, &addresses)?;
    }
    let params = Arc::new(ui.params(&config)?);
    let model = Spec::new(config.clone());
    let update = match (&found, &new) {
        (Some(spec), _) => spec.genesis().optimizer.update(),
        (None, new) => new.as_ref().map(|(settings, _)| settings.optimizer.update()).unwrap_or_default(),
    };
    let named = found.as_ref().map(|spec| *spec.genesis().keys.as_bytes());
    // A new chain's keys are made: their digest will vouch for them.
    let source = if found.is_some() { Source::Cache } else { Source::Circuits };
    let how = How { variant: Variant::public(update), named, source, ..How::default() };
    let prover = ui.prover_keys(&params, &model, how)?;
    let verifier = StepVerifier::with_keys(&params, &config, prover.verifying.clone())?;
    let mut made = None;
    if let Some((settings, corpus)) = &new {
        files::write(&corpus_file, corpus, true)?;
        let dataset = committed(&params, &config, &Corpus::of_bytes(corpus), None, ui)?;
        let state = {
            let mut bar = ProofBar::genesis(ui, &prover, Layouts::new(&config).updates().len());
            let prover =
                StepProver::new(&params, &prover, &model).with_instances_per_proof(settings.instances_per_proof);
            prover.genesis(&State::init(&config, settings.seed).at_rest_of(update.optimizer()), &mut |told| {
                bar.observe(told)
            })?
        };
        let genesis = genesis(settings, &config, settings.contributors, (&verifier, &dataset, state), &accounts)?;
        files::encode(&genesis_file, &genesis, true)?;
        made = Some(dataset);
    }
    let spec = Arc::new(match found {
        Some(spec) => spec,
        None => read_spec()?,
    });
    spec.check_keys(&verifier)?;
    let refused = |error| BlockError::from(SemanticError::Genesis(Box::new(error)));
    spec.check_proof(&params, &verifier).map_err(refused)?;
    let dataset = match made {
        Some(dataset) => dataset,
        None => committed(&params, &config, &Corpus::of_bytes(&files::read(&corpus_file, MAX_CORPUS)?), None, ui)?,
    };
    if dataset.root() != spec.genesis().dataset {
        let source = FileError::Foreign("the corpus is not the one that the genesis names".into());
        return Err(CliError::File { path: corpus_file, source });
    }
    let (nodes, contributing) = args.nodes_of(&spec, &addresses)?;
    let chains = (0..nodes).map(|node| open(&args.dir, node, &spec, &params)).collect::<Result<_, _>>()?;
    let patience = Duration::from_secs(spec.rules().target_spacing);
    let shared = Shared { spec, params, verifier, prover, model, dataset, accounts, contributing, patience };
    Ok(Net { shared: Arc::new(shared), chains, directory })
}

fn open(dir: &Path, node: u16, spec: &Arc<ChainSpec>, params: &Arc<Params>) -> Result<ChainState, CliError> {
    let path = dir.join(format!("node-{node}.redb"));
    let store = Arc::new(open_store(&path)?);
    let chain = match ChainState::open(store.clone(), spec.clone(), params.clone()) {
        Err(ChainError::Empty) => ChainState::create(store, spec.clone(), params.clone(), spec.first_state()),
        chain => chain,
    };
    chain.map_err(|error| match error {
        ChainError::Store(source) => NodeError::Store { path, source }.into(),
        error => error.into(),
    })
}

/// Waits for a command that asks the stopped node; whoever has it for longer is not named by the system.
fn open_store(path: &Path) -> Result<Store, CliError> {
    let deadline = Instant::now() + STORE_PATIENCE;
    loop {
        match Store::open(path) {
            Ok(store) => return Ok(store),
            Err(error) if error.is_in_use() && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) if error.is_in_use() => {
                let holder = "a command that queries the stopped node, or another process,".to_owned();
                return Err(CliError::Locked { path: path.to_owned(), holder });
            }
            Err(source) => return Err(NodeError::Store { path: path.to_owned(), source }.into()),
        }
    }
}

fn accounts(dir: &Path, count: usize) -> Result<Vec<SecretKey>, CliError> {
    (0..count).map(|i| account(&dir.join(KEYS).join(key_name(i)))).collect()
}

fn account(path: &Path) -> Result<SecretKey, CliError> {
    if path.exists() {
        return KeyFile::read(path)?.secret_key(PASSPHRASE).map_err(CliError::file(path));
    }
    let key = SecretKey::generate()?;
    // The passphrase is known to all: nothing is gained by an expensive derivation.
    let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let file = KeyFile::of(&key, PASSPHRASE, cost).map_err(CliError::file(path))?;
    file.create(path)?;
    Ok(key)
}

fn genesis(
    args: &Settings,
    config: &Config,
    contributors: u16,
    (verifier, dataset, (proof, state)): (&StepVerifier, &Dataset, (GenesisProof, StateCommitments)),
    accounts: &[SecretKey],
) -> Result<Genesis, CliError> {
    let coins = |coins: u64| Amount::from_grains(coins * GRAINS_PER_COIN);
    let floor = args.floor;
    let mut addresses: Vec<Address> = accounts.iter().map(SecretKey::address).collect();
    let first = usize::from(args.nodes > 1);
    let mut registered = addresses[first..(first + usize::from(contributors)).min(addresses.len() - 1)].to_vec();
    registered.sort_unstable();
    addresses.sort_unstable();
    let balances = addresses.into_iter().map(|address| Ok((address, coins(1000)?)));
    Ok(Genesis {
        name: "devnet".into(),
        time: now(),
        circuits: CIRCUIT_VERSION,
        keys: keys_digest(verifier),
        config: config.to_json(),
        seed: args.seed,
        state,
        proof,
        dataset: dataset.root(),
        batch: args.batch,
        schedule: args.schedule,
        optimizer: args.optimizer.clone(),
        instances_per_proof: args.instances_per_proof,
        target: args.target,
        rules: Rules {
            max_contributions: max_contributions(contributors),
            slots: 1,
            max_proof_bytes: 64 << 20,
            stamp_bits: 12,
            target_spacing: args.seconds_per_block,
            retarget_interval: 16,
            floor,
            max_future: 7200,
            reorg_limit: 100,
            ledger: ledger::Rules {
                contribution_reward: coins(10)?,
                producer_reward: coins(5)?,
                halving_interval: 100_000,
                coinbase_maturity: 5,
                registration_bond: coins(100)?,
                registration_maturity: 10,
                max_transactions: 1000,
            },
        },
        balances: balances.collect::<Result<_, CliError>>()?,
        contributors: registered,
    })
}
