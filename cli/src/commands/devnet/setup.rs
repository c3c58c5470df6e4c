//! A devnet's directory: made, or found.
//!
//! | file | what |
//! |---|---|
//! | `genesis.bin` | the genesis |
//! | `corpus.bin` | the corpus |
//! | `keys/key-0.key`… | one account for each node, and one more with coins; passphrase [`PASSPHRASE`] |
//! | `node-0.redb`… | the nodes' stores |
//! | `node.sock` | where node 0 answers while the devnet runs |

use super::Args;
use crate::error::{CliError, FileError};
use crate::files::{self, MAX_CORPUS, MAX_SMALL};
use crate::key_file::{Cost, KeyFile};
use crate::ui::Ui;
use chain::address::{Address, SecretKey};
use chain::amount::{Amount, GRAINS_PER_COIN};
use chain::chain_state::{ChainError, ChainState};
use chain::dataset::Dataset;
use chain::genesis::{ChainSpec, Genesis, keys_digest};
use chain::ledger;
use chain::rules::Rules;
use chain::store::Store;
use chain::work::CompactTarget;
use circuits::curve::{CIRCUIT_VERSION, Params};
use circuits::decimal::Decimal;
use circuits::model::{Config, Schedule, Spec, State};
use circuits::statement::{GenesisProof, StateCommitments};
use prover::step::{StepKeys, StepProver};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use verifier::StepVerifier;

/// Passphrase of the devnet's key files: their coins are worth nothing.
pub const PASSPHRASE: &str = "devnet";

/// Easiest target: about 2^16 tries, a fraction of a second.
const FLOOR: u32 = 0x1f00_ffff;

const STORIES: &[u8] = include_bytes!("../../../../fixtures/corpus/stories.txt");

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
    /// Nodes that contribute: 1 to this, or 0 if it is alone.
    pub contributors: usize,
    /// How long the producer waits for contributions.
    pub patience: std::time::Duration,
}

/// A devnet, ready to start.
pub struct Net {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Each node's chain.
    pub chains: Vec<ChainState>,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Makes or finds the directory, and opens the chains.
pub fn prepare(args: &Args, contributors: u16, ui: &Ui) -> Result<Net, CliError> {
    let genesis_file = args.dir.join("genesis.bin");
    let params = Arc::new(ui.params()?);
    let found = genesis_file.exists();
    files::create_dir(&args.dir.join("keys"))?;
    let accounts = accounts(&args.dir, usize::from(args.nodes) + 1)?;
    let corpus_file = args.dir.join("corpus.bin");
    let config = if found {
        let genesis: Genesis = files::decode(&genesis_file, MAX_SMALL)?;
        Config::from_json(&genesis.config).map_err(CliError::file(&genesis_file))?
    } else {
        Config::preset(&args.preset).map_err(|e| CliError::Usage(e.to_string()))?
    };
    let (verifier, prover) = {
        let _spinner = ui.spinner("keys");
        let model = Spec::new(config.clone());
        (StepVerifier::new(&params, &config)?, StepKeys::generate(&params, &model)?)
    };
    if !found {
        let corpus = match &args.corpus {
            Some(file) => files::read(file, MAX_CORPUS)?,
            None => STORIES.to_vec(),
        };
        files::write(&corpus_file, &corpus, true)?;
        let dataset = Dataset::new(&params, config.context, &corpus)?;
        let state = {
            let _spinner = ui.spinner("proof of the first state");
            let model = Spec::new(config.clone());
            let prover = StepProver { params: &params, keys: &prover, spec: &model };
            prover.genesis(&State::init(&config, args.seed), &mut |_, _| {})?
        };
        let genesis = genesis(args, &config, contributors, (&verifier, &dataset, state), &accounts)?;
        files::encode(&genesis_file, &genesis, true)?;
    }
    let genesis: Genesis = files::decode(&genesis_file, MAX_SMALL)?;
    let spec = Arc::new(ChainSpec::new(genesis)?);
    spec.check_keys(&verifier)?;
    spec.check_proof(&params, &verifier)?;
    let corpus = files::read(&corpus_file, MAX_CORPUS)?;
    let dataset = Dataset::new(&params, config.context, &corpus)?;
    if dataset.root() != spec.genesis().dataset {
        let source = FileError::Foreign("the corpus is not the one that the genesis names".into());
        return Err(CliError::File { path: corpus_file, source });
    }
    let chains = (0..args.nodes).map(|node| open(&args.dir, node, &spec, &params)).collect::<Result<_, _>>()?;
    let shared = Shared {
        spec,
        params,
        verifier,
        prover,
        model: Spec::new(config),
        dataset,
        accounts,
        contributors: contributors.into(),
        patience: std::time::Duration::from_secs(args.seconds_per_block),
    };
    Ok(Net { shared: Arc::new(shared), chains })
}

fn open(dir: &Path, node: u16, spec: &Arc<ChainSpec>, params: &Arc<Params>) -> Result<ChainState, CliError> {
    let store = Arc::new(Store::open(&dir.join(format!("node-{node}.redb"))).map_err(ChainError::from)?);
    match ChainState::open(store.clone(), spec.clone(), params.clone()) {
        Err(ChainError::Empty) => {
            let state = State::init(spec.config(), spec.genesis().seed);
            Ok(ChainState::create(store, spec.clone(), params.clone(), state)?)
        }
        chain => Ok(chain?),
    }
}

fn accounts(dir: &Path, count: usize) -> Result<Vec<SecretKey>, CliError> {
    (0..count).map(|i| account(&dir.join("keys").join(format!("key-{i}.key")))).collect()
}

fn account(path: &Path) -> Result<SecretKey, CliError> {
    if path.exists() {
        let file: KeyFile = files::decode(path, MAX_SMALL)?;
        return file.secret_key(PASSPHRASE).map_err(CliError::file(path));
    }
    let key = SecretKey::generate()?;
    // The passphrase is known to all: nothing is gained by a dear derivation.
    let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let file = KeyFile::of(&key, PASSPHRASE, cost).map_err(CliError::file(path))?;
    file.create(path)?;
    Ok(key)
}

fn genesis(
    args: &Args,
    config: &Config,
    contributors: u16,
    (verifier, dataset, (proof, state)): (&StepVerifier, &Dataset, (GenesisProof, StateCommitments)),
    accounts: &[SecretKey],
) -> Result<Genesis, CliError> {
    let coins = |coins: u64| Amount::from_grains(coins * GRAINS_PER_COIN);
    let floor = CompactTarget::from_bits(FLOOR)?;
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
        schedule: Schedule::constant(&args.lr).map_err(|e| CliError::Usage(e.to_string()))?,
        momentum: args.momentum,
        weight_decay: Decimal::ZERO,
        target: floor,
        rules: Rules {
            max_contributions: u32::from(contributors).max(4),
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
