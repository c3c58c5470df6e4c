//! The genesis: everything that a chain's blocks have in common. Its hash is the chain's identity.

use crate::address::Address;
use crate::amount::{Amount, AmountError};
use crate::block::digests;
use crate::hash::hashes;
use crate::header::{BlockId, BodyDigest, ChainId, Header, LedgerRoot, StateDigest, Summary};
use crate::ledger::Account;
use crate::rules::{Rules, RulesError};
use crate::transaction::MAX_BYTES;
use crate::work::CompactTarget;
use backend::curve::{CIRCUIT_VERSION, Params};
use backend::ports::PortError;
use circuits::model::{Config, ConfigError, Hyper, Optimizer, Pace, Rates, Schedule, SquareSum, State, tensors};
use circuits::ops::hyper::HyperError;
use circuits::segments::Variant;
use circuits::statements::codec::{self, CodecError, Encoded, LIMIT};
use circuits::statements::dataset::DatasetRoot;
use circuits::statements::{GenesisProof, Layouts, MAX_PREDICTIONS, RunError, StateCommitments, check_instances};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use verifier::{StepError, StepVerifier};

/// Longest name.
pub const MAX_NAME: usize = 64;

/// Bytes that a full block may have beside tensors, proofs and transactions: commitments and headers.
const BESIDE: u64 = 32 << 20;

hashes! {
    /// Digest of the verifying keys of a model's circuits.
    KeysDigest;
}

/// What a chain begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// For people.
    #[serde(deserialize_with = "codec::text")]
    pub name: String,
    /// Seconds since 1970.
    pub time: u64,
    /// Version of the circuits.
    pub circuits: u32,
    /// Digest of the circuits' verifying keys: [`keys_digest`]. Keys from a cache are believed if it is theirs.
    pub keys: KeysDigest,
    /// Canonical JSON of the model's configuration.
    #[serde(deserialize_with = "codec::text")]
    pub config: String,
    /// Seed of the first weights.
    pub seed: u64,
    /// Commitments of the first model state.
    pub state: StateCommitments,
    /// Shows that this state is in range and canonically committed: whoever has no tensors cannot see it otherwise.
    pub proof: GenesisProof,
    /// The data set.
    pub dataset: DatasetRoot,
    /// B: sequences of a contribution.
    pub batch: u32,
    /// Learning rate by training step.
    pub schedule: Schedule,
    /// How the state moves.
    pub optimizer: Optimizer,
    /// Most instances of one circuit that share a proof.
    pub instances_per_proof: u32,
    /// Target of the first blocks.
    pub target: CompactTarget,
    /// Consensus parameters.
    pub rules: Rules,
    /// First balances, by address, ascending.
    pub balances: Vec<(Address, Amount)>,
    /// Contributors from the beginning, ascending. Their keys were chosen before any block's hash was known, so they
    /// need not mature.
    pub contributors: Vec<Address>,
}

impl Encoded for Genesis {
    const MAGIC: [u8; 8] = *b"GRADGENE";
    // 2: with a genesis proof; 3: optimizers by name, instances per proof, named slots; 4: the digest of keys is that of
    // their file; 5: clipping.
    const VERSION: u32 = 5;
    const NAME: &'static str = "genesis";
}

/// A genesis that no chain can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The name is empty, too long or not printable.
    #[error("the chain's name must be 1 to {MAX_NAME} printable characters")]
    Name,
    /// Of circuits that this program does not have.
    #[error("the chain uses circuit version {0}; this program has {CIRCUIT_VERSION}")]
    Circuits(u32),
    /// The keys of this program's circuits are not the chain's.
    #[error("the verifying keys are not those that the genesis names")]
    Keys,
    /// The configuration is refused.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The configuration's text is not its canonical form.
    #[error("the configuration is not in canonical form")]
    ConfigText,
    /// The state is not one of the configuration.
    #[error("state: {0}")]
    State(#[from] RunError),
    /// A commitment of the state is no point.
    #[error("state: {0}")]
    Points(#[from] PortError),
    /// No sequences, or more predictions than the update's circuit can add up.
    #[error("a block has {0} predictions; it must have 1 to {MAX_PREDICTIONS}")]
    Predictions(u64),
    /// A full block could not be read.
    #[error(
        "a block with its tensors may have {0} bytes, too many to decode: allow fewer contributions or transactions"
    )]
    Size(u64),
    /// The schedule's numbers contradict each other.
    #[error("the learning rate schedule is inconsistent")]
    Schedule,
    /// The optimizer's integers are out of range.
    #[error("optimizer: {0}")]
    Hyper(#[from] HyperError),
    /// The consensus parameters are refused.
    #[error("rules: {0}")]
    Rules(#[from] RulesError),
    /// The first target is easier than the floor.
    #[error("the first target is easier than the floor")]
    Target,
    /// Addresses are not ascending.
    #[error("the {0} are not in ascending order, or not distinct")]
    Order(&'static str),
    /// The balances exceed the supply.
    #[error("balances: {0}")]
    Balances(#[from] AmountError),
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Digest of a model's verifying keys.
pub fn keys_digest(keys: &StepVerifier) -> KeysDigest {
    KeysDigest(*keys.digest())
}

impl Genesis {
    /// Accounts of the first ledger.
    pub fn accounts(&self) -> BTreeMap<Address, Account> {
        let mut accounts: BTreeMap<Address, Account> = BTreeMap::new();
        for (address, balance) in &self.balances {
            accounts.entry(*address).or_default().balance = *balance;
        }
        for address in &self.contributors {
            accounts.entry(*address).or_default().registered = Some(0);
        }
        accounts
    }
}

/// A genesis that was checked, and what follows from it.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    genesis: Genesis,
    id: ChainId,
    config: Config,
    layouts: Layouts,
    /// Digest of the keys under which the genesis proof was found valid: it is verified once.
    proven: OnceLock<KeysDigest>,
}

impl ChainSpec {
    /// Checks all of a genesis but its proof, which takes keys: [`Self::check_proof`].
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        let name = &genesis.name;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(GenesisError::Name);
        }
        if genesis.circuits != CIRCUIT_VERSION {
            return Err(GenesisError::Circuits(genesis.circuits));
        }
        let config = Config::from_json(&genesis.config)?;
        if config.to_json() != genesis.config {
            return Err(GenesisError::ConfigText);
        }
        genesis.state.check(&config, genesis.optimizer.kind())?;
        genesis.state.points()?;
        check_instances(genesis.instances_per_proof)?;
        if !genesis.schedule.is_sound() {
            return Err(GenesisError::Schedule);
        }
        ascending("balances", genesis.balances.iter().map(|(address, _)| address))?;
        ascending("contributors", genesis.contributors.iter())?;
        genesis.rules.check(Amount::checked_sum(genesis.balances.iter().map(|(_, amount)| *amount))?)?;
        if genesis.target.target() > genesis.rules.floor.target() {
            return Err(GenesisError::Target);
        }
        let id = ChainId::of(header(&genesis)?.id());
        let spec = ChainSpec { layouts: Layouts::new(&config), genesis, id, config, proven: OnceLock::new() };
        let most = spec.predictions(spec.genesis.rules.max_contributions);
        if most == 0 || most > MAX_PREDICTIONS {
            return Err(GenesisError::Predictions(most));
        }
        spec.check_rates()?;
        spec.check_size()?;
        Ok(spec)
    }

    /// A block with its tensors must fit what is ever decoded, or no node could read it from its own store.
    fn check_size(&self) -> Result<(), GenesisError> {
        let rules = &self.genesis.rules;
        let entries: u64 = tensors(&self.config).iter().map(|spec| (spec.rows * spec.cols) as u64).sum();
        let tensors = (entries * size_of::<i128>() as u64).saturating_mul(rules.max_contributions.into());
        let transactions = MAX_BYTES as u64 * u64::from(rules.ledger.max_transactions);
        let most = tensors.saturating_add(rules.max_proof_bytes).saturating_add(2 * transactions);
        if most > LIMIT as u64 - BESIDE { Err(GenesisError::Size(most)) } else { Ok(()) }
    }

    /// No step of the schedule, with however few contributions, may ask for a rate that the update cannot express:
    /// it would halt the chain.
    fn check_rates(&self) -> Result<(), GenesisError> {
        let ((peak, _), none) = (self.genesis.schedule.peak(), SquareSum::ZERO);
        self.hyper_at((Rates::constant(peak), 0), 1, none)?;
        self.hyper_at((Rates::constant(0), 0), 1, none)?;
        self.hyper_at((Rates::constant(peak), 0), self.genesis.rules.max_contributions, none)?;
        Ok(())
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Consensus parameters.
    pub fn rules(&self) -> &Rules {
        &self.genesis.rules
    }

    /// Identity of the chain.
    pub fn id(&self) -> &ChainId {
        &self.id
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Layouts of the model's ports.
    pub fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// The genesis block's header: nobody worked on it.
    pub fn header(&self) -> Result<Header, CodecError> {
        header(&self.genesis)
    }

    /// The genesis block's summary; `ledger` is the root of [`Genesis::accounts`].
    pub fn summary(&self, ledger: LedgerRoot) -> Result<Summary, CodecError> {
        let empty = digests(&self.id, &[], &[], &None)?;
        Ok(Summary::new((0, 0), (StateDigest::of(&self.genesis.state), ledger), Address([0; 32]), empty))
    }

    /// Requires the keys to be those that the genesis names.
    pub fn check_keys(&self, keys: &StepVerifier) -> Result<(), GenesisError> {
        if keys_digest(keys) == self.genesis.keys { Ok(()) } else { Err(GenesisError::Keys) }
    }

    /// Verifies the genesis proof, unless it was verified before under these keys.
    pub fn check_proof(&self, params: &Params, keys: &StepVerifier) -> Result<(), StepError> {
        let digest = keys_digest(keys);
        if self.proven.get() != Some(&digest) {
            keys.verify_genesis(params, &self.genesis.state, &self.genesis.proof)?;
            let _ = self.proven.set(digest);
        }
        Ok(())
    }

    /// Predictions of a block of so many contributions.
    pub fn predictions(&self, contributions: u32) -> u64 {
        let sequences = u64::from(self.genesis.batch).saturating_mul(u64::from(contributions));
        sequences.saturating_mul(self.config.context as u64)
    }

    /// The integers of the update of training step `step`, from 0, by so many contributions with a gradient of this sum of squares.
    pub fn hyper(&self, step: u64, contributions: u32, squares: SquareSum) -> Result<Hyper, HyperError> {
        self.hyper_at((self.genesis.schedule.rates_at(step), step), contributions, squares)
    }

    fn hyper_at(
        &self,
        (rates, step): (Rates, u64),
        contributions: u32,
        squares: SquareSum,
    ) -> Result<Hyper, HyperError> {
        let predictions = self.predictions(contributions);
        self.genesis.optimizer.hyper(Pace { rates, step: step.saturating_add(1), predictions, squares })
    }

    /// The first model state, drawn from the seed.
    pub fn first_state(&self) -> State {
        State::init(&self.config, self.genesis.seed).at_rest_of(self.genesis.optimizer.kind())
    }

    /// The circuits of its proofs.
    pub fn variant(&self) -> Variant {
        Variant::public(self.genesis.optimizer.update())
    }
}

fn header(genesis: &Genesis) -> Result<Header, CodecError> {
    let body = BodyDigest::from_bytes(codec::digest(b"gradcoin-genesis", &codec::encode(genesis)?));
    Ok(Header { body, parent: BlockId::from_bytes([0; 32]), time: genesis.time, target: genesis.target, nonce: 0 })
}

fn ascending<'a>(what: &'static str, mut addresses: impl Iterator<Item = &'a Address>) -> Result<(), GenesisError> {
    let mut last: Option<&Address> = None;
    if addresses.all(|address| last.replace(address).is_none_or(|before| before < address)) {
        Ok(())
    } else {
        Err(GenesisError::Order(what))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::address::testing::key;
    use crate::ledger;
    use circuits::arithmetic::decimal::Decimal;
    use circuits::model::OptimizerKind;
    use circuits::statements::{MAX_INSTANCES_PER_PROOF, SegmentState};

    /// Contributors of [`genesis`] are the first so many of [`key`].
    pub const CONTRIBUTORS: u8 = 3;

    /// A genesis of the smallest model; state, keys and data set are of no one's making, so nothing can be proven on it.
    pub fn genesis() -> Genesis {
        let config = Config::NANO;
        let layouts = Layouts::new(&config);
        // Zeros encode the point at infinity.
        let segment = |segment| {
            let port = vec![[0; 32]; layouts.of(segment).columns()];
            SegmentState {
                w: port.clone(),
                slots: OptimizerKind::Sgd.slots().iter().map(|&slot| (slot, port.clone())).collect(),
            }
        };
        let mut contributors: Vec<Address> = (0..CONTRIBUTORS).map(|index| key(index).address()).collect();
        contributors.sort();
        let floor = CompactTarget::from_bits(0x207f_ffff).unwrap();
        Genesis {
            name: "test".into(),
            time: 1_000_000,
            circuits: CIRCUIT_VERSION,
            keys: KeysDigest([1; 32]),
            config: config.to_json(),
            seed: 0,
            state: StateCommitments { segments: (0..layouts.segments()).map(segment).collect() },
            proof: GenesisProof::default(),
            dataset: DatasetRoot::new([2; 32], 100).unwrap(),
            batch: 2,
            schedule: Schedule::constant(&"0.01".parse().unwrap()).unwrap(),
            optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: Decimal::ZERO, clip: None },
            instances_per_proof: MAX_INSTANCES_PER_PROOF,
            target: floor,
            rules: Rules {
                max_contributions: 4,
                slots: 2,
                max_proof_bytes: 1 << 20,
                stamp_bits: 4,
                target_spacing: 60,
                retarget_interval: 10,
                floor,
                max_future: 600,
                reorg_limit: 20,
                ledger: ledger::testing::rules(),
            },
            balances: contributors.iter().map(|&address| (address, Amount::from_grains(1_000_000).unwrap())).collect(),
            contributors,
        }
    }

    /// The chain of [`genesis`].
    pub fn spec() -> ChainSpec {
        ChainSpec::new(genesis()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};

    #[test]
    fn the_genesis_for_tests_is_sound() {
        let spec = spec();
        assert_eq!(spec.predictions(1), 32);
        let refused = |change: fn(&mut Genesis)| {
            let mut genesis = genesis();
            change(&mut genesis);
            ChainSpec::new(genesis).unwrap_err()
        };
        assert_eq!(refused(|g| g.name.clear()), GenesisError::Name);
        assert_eq!(refused(|g| g.circuits += 1), GenesisError::Circuits(CIRCUIT_VERSION + 1));
        assert_eq!(refused(|g| g.config.push(' ')), GenesisError::ConfigText);
        assert_eq!(refused(|g| g.batch = 0), GenesisError::Predictions(0));
        assert!(matches!(refused(|g| g.rules.ledger.max_transactions = 1 << 30), GenesisError::Size(_)));
        assert_eq!(refused(|g| g.contributors.reverse()), GenesisError::Order("contributors"));
        assert!(matches!(refused(|g| drop(g.state.segments.pop())), GenesisError::State(RunError::Shape { .. })));
    }
}
