//! A chain of a tiny model, and branches of it that are cheap to mine.

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, Params};
use backend::parameters;
use chain::address::{Address, SecretKey};
use chain::amount::Amount;
use chain::block::{Block, Update};
use chain::consensus::contextual::{Ancestry, Record};
use chain::consensus::semantic::Checker;
use chain::contribution::Contribution;
use chain::genesis::{ChainSpec, Genesis, keys_digest};
use chain::header::{BlockId, Header, LedgerRoot};
use chain::ledger;
use chain::light::{Checkpoint, FileError, Keep, LightClient};
use chain::rules::Rules;
use chain::unmined::{Parts, UnminedBlock};
use chain::work::CompactTarget;
use circuits::model::{Config, Optimizer, Schedule, Spec, State, Token};
use circuits::statements::dataset::Dataset;
use circuits::statements::{GenesisProof, MAX_INSTANCES_PER_PROOF, codec};
use prover::step::commit_state;
use std::convert::Infallible;
use std::sync::LazyLock;
use verifier::StepVerifier;

/// Seconds between blocks.
pub const SPACING: u64 = 10;
/// Blocks between changes of the target.
pub const INTERVAL: u64 = 12;
/// Time of the genesis, seconds since 1970.
pub const BEGIN: u64 = 1_700_000_000;
/// A clock that no block is ahead of.
pub const NOW: u64 = 2 * BEGIN;

pub static PARAMS: LazyLock<Params> = LazyLock::new(|| parameters::load(None, DEFAULT_K).unwrap().params);
pub static MODEL: LazyLock<Spec> = LazyLock::new(|| Spec::new(config()));
pub static KEYS: LazyLock<StepVerifier> = LazyLock::new(|| StepVerifier::new(&PARAMS, &MODEL.config).unwrap());
pub static STATE: LazyLock<State> = LazyLock::new(|| State::init(&MODEL.config, 1));
pub static DATASET: LazyLock<Dataset> = LazyLock::new(|| {
    let corpus: Vec<Token> = (0..200u32).map(|i| (i * i / 3 % 8) as Token).collect();
    Dataset::new(&PARAMS, MODEL.config.context, &corpus).unwrap()
});
static GENESIS: LazyLock<Genesis> = LazyLock::new(genesis);
/// The chain of most tests.
pub static SPEC: LazyLock<ChainSpec> = LazyLock::new(|| spec(|_| ()));

/// One layer, few cells.
fn config() -> Config {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    config.check().unwrap();
    config
}

pub fn contributor() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn genesis() -> Genesis {
    let grains = |grains| Amount::from_grains(grains).unwrap();
    // Every second hash is work enough.
    let floor = CompactTarget::from_bits(0x207f_ffff).unwrap();
    let rules = Rules {
        max_contributions: 4,
        slots: 2,
        max_proof_bytes: 1 << 20,
        stamp_bits: 2,
        target_spacing: SPACING,
        retarget_interval: INTERVAL,
        floor,
        max_future: 100,
        reorg_limit: 20,
        ledger: ledger::Rules {
            contribution_reward: grains(1_000),
            producer_reward: grains(500),
            halving_interval: 1_000,
            coinbase_maturity: 3,
            registration_bond: grains(10_000),
            registration_maturity: 2,
            max_transactions: 4,
        },
    };
    Genesis {
        name: "light".into(),
        time: BEGIN,
        circuits: CIRCUIT_VERSION,
        keys: keys_digest(&KEYS),
        config: MODEL.config.to_json(),
        seed: 1,
        state: commit_state(&PARAMS, &MODEL, &STATE).unwrap(),
        proof: GenesisProof::default(),
        dataset: DATASET.root(),
        batch: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: "0.9".parse().unwrap(), weight_decay: "0".parse().unwrap(), clip: None },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
        target: floor,
        rules,
        balances: vec![(contributor().address(), grains(5))],
        contributors: vec![contributor().address()],
    }
}

/// The chain with changes to its genesis.
pub fn spec(change: impl FnOnce(&mut Genesis)) -> ChainSpec {
    let mut genesis = GENESIS.clone();
    change(&mut genesis);
    ChainSpec::new(genesis).unwrap()
}

pub fn checker(spec: &ChainSpec) -> Checker<'_> {
    Checker::unproven(spec, &PARAMS, &KEYS).unwrap()
}

pub fn client(spec: &ChainSpec) -> LightClient<'_> {
    LightClient::from_genesis(checker(spec), spec.id()).unwrap()
}

/// Blocks on each other, from the genesis on.
#[derive(Clone)]
pub struct Branch<'a> {
    pub spec: &'a ChainSpec,
    /// By height.
    pub records: Vec<Record>,
    /// From height 1 on.
    pub blocks: Vec<Block>,
    /// Seconds between its blocks.
    pub spacing: u64,
}

impl<'a> Branch<'a> {
    pub fn new(spec: &'a ChainSpec) -> Self {
        let genesis = Checkpoint::genesis(spec).unwrap();
        Branch { spec, records: vec![genesis.record], blocks: vec![], spacing: SPACING }
    }

    pub fn tip(&self) -> &Record {
        self.records.last().unwrap()
    }

    pub fn id(&self) -> BlockId {
        self.tip().header.id()
    }

    pub fn header(&self, id: &BlockId) -> Option<Header> {
        self.records.iter().rev().map(|record| record.header).find(|header| header.id() == *id)
    }

    pub fn ancestry(&self) -> Ancestry {
        let header = |id: &BlockId| Ok::<_, Infallible>(self.header(id).unwrap());
        let Ok(ancestry) = Ancestry::of(self.spec.rules(), self.tip(), header);
        ancestry
    }

    /// A block's parts; the tag makes it another block than its siblings.
    pub fn parts(&self, tag: u8) -> Parts {
        Parts {
            contributions: vec![],
            transactions: vec![],
            update: None,
            ledger: LedgerRoot::from_bytes([tag; 32]),
            producer: Address([tag; 32]),
            now: self.tip().header.time + self.spacing,
        }
    }

    /// Mines a block of these parts on the tip.
    pub fn mine(&self, parts: Parts) -> Block {
        UnminedBlock::new(self.spec, self.tip(), &self.ancestry(), parts).unwrap().mine(u64::MAX).unwrap()
    }

    pub fn push(&mut self, block: Block) {
        let after = block.update.as_ref().map_or(&self.tip().state, |update| &update.after).clone();
        self.records.push(self.tip().child(&block, &after));
        self.blocks.push(block);
    }

    /// Mines so many blocks without contributions.
    pub fn grow(mut self, count: usize, tag: u8) -> Self {
        for _ in 0..count {
            let block = self.mine(self.parts(tag));
            self.push(block);
        }
        self
    }

    /// Mines a block that trains.
    pub fn train(&self, contributions: Vec<Contribution>, update: Update) -> Block {
        self.mine(Parts { contributions, update: Some(update), ..self.parts(1) })
    }

    /// The branch up to a height.
    pub fn up_to(&self, height: usize) -> Self {
        let mut cut = self.clone();
        cut.records.truncate(height + 1);
        cut.blocks.truncate(height);
        cut
    }

    /// Blocks above a height.
    pub fn above(&self, height: usize) -> Vec<Block> {
        self.blocks[height..].to_vec()
    }

    pub fn checkpoint(&self, height: usize) -> Checkpoint {
        let count = Checkpoint::headers_before(self.spec.rules(), height as u64) as usize;
        let ancestors = self.records[height - count..height].iter().rev().map(|record| record.header).collect();
        Checkpoint { record: self.records[height].clone(), ancestors }
    }
}

/// Alters a block as its contributor and its producer together could: signed and worked on anew.
pub fn remined(spec: &ChainSpec, mut block: Block, change: impl FnOnce(&mut Block)) -> Block {
    change(&mut block);
    for contribution in &mut block.contributions {
        contribution.sign(spec.id(), spec.rules().stamp_bits, &contributor()).unwrap();
    }
    let digests = block.digests(spec.id()).unwrap();
    (block.summary.contributions, block.summary.transactions) = (digests.contributions, digests.transactions);
    block.summary.proofs = digests.proofs;
    block.header.body = block.summary.digest().unwrap();
    UnminedBlock { block }.mine(u64::MAX).unwrap()
}

/// Keeps encoded blocks as a file would, and can fail.
#[derive(Default)]
pub struct Kept {
    pub blocks: Vec<Vec<u8>>,
    pub full: bool,
    /// Times that it was written to.
    pub writes: usize,
}

impl Keep for Kept {
    fn replace(&mut self, above: u64, blocks: &[&[u8]]) -> Result<(), FileError> {
        if self.full {
            return Err(FileError::Broken);
        }
        assert!(above as usize <= self.blocks.len());
        self.blocks.truncate(above as usize);
        self.blocks.extend(blocks.iter().map(|bytes| bytes.to_vec()));
        self.writes += 1;
        Ok(())
    }
}

impl Kept {
    pub fn ids(&self) -> Vec<BlockId> {
        self.blocks.iter().map(|bytes| codec::decode::<Block>(bytes).unwrap().id()).collect()
    }
}

/// Identities of the client's chain above its first block.
pub fn ids(client: &LightClient<'_>) -> Vec<BlockId> {
    let (first, last) = (client.first().height(), client.tip().height());
    (first + 1..=last).map(|height| client.at(height).unwrap().id).collect()
}

pub fn ids_of(blocks: &[Block]) -> Vec<BlockId> {
    blocks.iter().map(Block::id).collect()
}
