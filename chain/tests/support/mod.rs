//! Trees of blocks over a tiny model, each block with what a node must hold once it is the tip.
//!
//! What is expected is computed from the accounts in a map and the model in memory, block by block: without the store, and
//! without ever taking a block back.
#![allow(dead_code, clippy::unwrap_used)]

pub mod disk;

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, Params};
use chain::address::{Address, SecretKey, Signature};
use chain::amount::Amount;
use chain::block::Update;
use chain::chain_state::{ChainError, ChainState, Inserted};
use chain::consensus::contextual::{Ancestry, Record};
use chain::consensus::semantic::Proven;
use chain::contribution::{Contribution, Seat, encode_points};
use chain::genesis::{ChainSpec, Genesis, KeysDigest};
use chain::header::{BlockId, LedgerRoot};
use chain::ledger::{self, Account, MemoryNodes, Reward};
use chain::rules::Rules;
use chain::store::Store;
use chain::store::testing::Dump;
use chain::tensors::{Complete, GradientTensors};
use chain::transaction::{Action, Body, Transaction};
use chain::unmined::{Parts, UnminedBlock};
use chain::work::CompactTarget;
use circuits::arithmetic::fixed::Saturations;
use circuits::arithmetic::tensor::Matrix;
use circuits::model::{Config, Gradients, Optimizer, Schedule, SquareSum, State};
use circuits::statements::dataset::{DatasetRoot, MerkleProof};
use circuits::statements::{self, GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF};
use redb::backends::InMemoryBackend;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// About two tries a block.
pub const EASY: u32 = 0x207f_ffff;
/// When the chains of these tests begin.
pub const BEGIN: u64 = 1_700_000_000;
/// The clock of all nodes.
pub const NOW: u64 = BEGIN + 100_000;
/// Seconds between blocks, unless a plan says otherwise.
pub const SPACING: u64 = 10;
/// Blocks that can be taken back, unless a test says otherwise.
pub const LIMIT: u64 = 6;

/// Parameters of all tests.
pub static PARAMS: LazyLock<Arc<Params>> = LazyLock::new(|| {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Arc::new(backend::parameters::load(Some(cache), DEFAULT_K).unwrap().params)
});

/// One layer, few cells.
pub fn tiny() -> Config {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    config.check().unwrap();
    config
}

pub fn grains(grains: u64) -> Amount {
    Amount::from_grains(grains).unwrap()
}

/// Keys 1 and 2 contribute from the beginning, 3 and 4 have coins, 9 produces blocks.
pub fn key(i: u8) -> SecretKey {
    SecretKey::from_seed(&[i; 32])
}

pub fn address(i: u8) -> Address {
    key(i).address()
}

/// Rules of a few blocks, with small numbers.
pub fn rules() -> Rules {
    Rules {
        max_contributions: 3,
        slots: 2,
        max_proof_bytes: 1 << 20,
        stamp_bits: 2,
        target_spacing: SPACING,
        retarget_interval: 1 << 16,
        floor: CompactTarget::from_bits(EASY).unwrap(),
        max_future: 120,
        reorg_limit: LIMIT,
        ledger: ledger::Rules {
            contribution_reward: grains(1_000),
            producer_reward: grains(500),
            halving_interval: 5,
            coinbase_maturity: 3,
            registration_bond: grains(10_000),
            registration_maturity: 2,
            max_transactions: 8,
        },
    }
}

/// A genesis of these tests.
pub fn genesis(config: &Config, params: &Params, state: &State) -> Genesis {
    let mut contributors: Vec<Address> = (1..=2).map(address).collect();
    contributors.sort();
    let mut balances: Vec<_> = (1..=4).map(|i| (address(i), grains(50_000))).collect();
    balances.sort();
    Genesis {
        name: "tree".into(),
        time: BEGIN,
        circuits: CIRCUIT_VERSION,
        keys: KeysDigest::from_bytes([0; 32]),
        config: config.to_json(),
        seed: 1,
        state: Layouts::new(config).commit_state(params, state).unwrap(),
        proof: GenesisProof::default(),
        dataset: DatasetRoot::new([5; 32], 100).unwrap(),
        batch: 1,
        schedule: Schedule::constant(&"0.05".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd {
            momentum: "0.9".parse().unwrap(),
            weight_decay: "0.01".parse().unwrap(),
            clip: None,
        },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
        target: CompactTarget::from_bits(EASY).unwrap(),
        rules: rules(),
        balances,
        contributors,
    }
}

/// What a block is to be.
#[derive(Clone)]
pub struct Plan {
    pub transactions: Vec<Transaction>,
    /// Contributions of made-up gradients: the contributor's key, and a seed. None of them is proven.
    pub gradients: Vec<(u8, u64)>,
    /// The producer's key: it tells siblings apart.
    pub producer: u8,
    /// Seconds after the parent.
    pub seconds: u64,
    /// Named instead of the executed root.
    pub root: Option<LedgerRoot>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { transactions: vec![], gradients: vec![], producer: 9, seconds: SPACING, root: None }
    }
}

/// A block, and what holds where it is the tip.
#[derive(Clone)]
pub struct Built {
    /// None of the genesis.
    pub complete: Option<Complete>,
    pub record: Record,
    pub accounts: BTreeMap<Address, Account>,
    /// By height.
    pub rewards: Vec<Vec<Reward>>,
    pub state: State,
}

/// A tree of blocks.
pub struct Tree {
    pub spec: Arc<ChainSpec>,
    pub params: Arc<Params>,
    pub blocks: HashMap<BlockId, Built>,
}

/// Root of some accounts, in a tree that never had others.
fn root(accounts: &BTreeMap<Address, Account>) -> LedgerRoot {
    ledger::update(&MemoryNodes::default(), 0, accounts).unwrap().0
}

/// Gradients that nobody computed.
pub fn made_up(config: &Config, seed: u64) -> Gradients {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Gradients::build(config, |spec| {
        let draw = |_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            i128::from(x >> 28) - (1 << 35)
        };
        Matrix::new(spec.rows, spec.cols, (0..spec.rows * spec.cols).map(draw).collect()).unwrap()
    })
}

impl Tree {
    /// A tree of the genesis alone, whose rules may be changed.
    pub fn new(change: impl FnOnce(&mut Genesis)) -> Self {
        let (config, params) = (tiny(), PARAMS.clone());
        let state = State::init(&config, 1);
        let mut genesis = genesis(&config, &params, &state);
        change(&mut genesis);
        Self::of(ChainSpec::new(genesis).unwrap(), params, state)
    }

    /// A tree of a chain's genesis.
    pub fn of(spec: ChainSpec, params: Arc<Params>, state: State) -> Self {
        let accounts = spec.genesis().accounts();
        let record = Record {
            header: spec.header().unwrap(),
            summary: spec.summary(root(&accounts)).unwrap(),
            work: Default::default(),
            state: spec.genesis().state.clone(),
        };
        let built = Built { complete: None, record, accounts, rewards: vec![vec![]], state };
        let blocks = HashMap::from([(spec.id().genesis(), built)]);
        Tree { spec: Arc::new(spec), params, blocks }
    }

    pub fn genesis(&self) -> BlockId {
        self.spec.id().genesis()
    }

    pub fn height(&self, id: &BlockId) -> u64 {
        self.blocks[id].record.summary.height
    }

    pub fn parent(&self, id: &BlockId) -> BlockId {
        self.blocks[id].record.header.parent
    }

    pub fn complete(&self, id: &BlockId) -> &Complete {
        self.blocks[id].complete.as_ref().unwrap()
    }

    /// Blocks from the one after the genesis to this one.
    pub fn path(&self, tip: &BlockId) -> Vec<BlockId> {
        let mut path: Vec<BlockId> = std::iter::successors(Some(*tip), |id| Some(self.parent(id)))
            .take_while(|id| *id != self.genesis())
            .collect();
        path.reverse();
        path
    }

    /// A transaction of a key's next nonce where this block is the tip, with a fee of one grain.
    pub fn signed(&self, at: &BlockId, from: u8, action: Action) -> Transaction {
        let nonce = self.blocks[at].accounts.get(&address(from)).map_or(0, |account| account.nonce);
        self.sign(from, nonce, action)
    }

    pub fn sign(&self, from: u8, nonce: u64, action: Action) -> Transaction {
        let body = Body { chain: *self.spec.id(), sender: address(from), nonce, fee: grains(1), action };
        Transaction::sign(body, &key(from)).unwrap()
    }

    pub fn pay(&self, at: &BlockId, from: u8, to: u8, amount: u64) -> Transaction {
        self.signed(at, from, Action::Transfer { to: address(to), amount: grains(amount) })
    }

    fn contribution(&self, parent: &BlockId, slot: u32, (who, seed): (u8, u64)) -> (Contribution, Gradients) {
        let gradients = made_up(self.spec.config(), seed);
        let commitments = self.spec.layouts().commit_gradients(&self.params, &gradients).unwrap();
        let batch = self.spec.genesis().batch as usize;
        let mut contribution = Contribution {
            seat: Seat { parent: *parent, contributor: address(who), slot },
            gradient: encode_points(&commitments),
            proofs: statements::Contribution { losses: vec![seed; batch], layers: vec![], heads: vec![] },
            leaves: vec![MerkleProof(vec![]); batch],
            tensors: GradientTensors::new(&gradients).digest().unwrap(),
            stamp: 0,
            signature: Signature([0; 64]),
        };
        contribution.sign(self.spec.id(), self.spec.rules().stamp_bits, &key(who)).unwrap();
        (contribution, gradients)
    }

    /// Adds a block on a parent; gives its identity.
    pub fn add(&mut self, parent: &BlockId, plan: Plan) -> BlockId {
        let mut contributions: Vec<_> = plan.gradients.iter().map(|&g| self.contribution(parent, 0, g)).collect();
        contributions.sort_by_key(|(c, _)| c.seat);
        let mut state = self.blocks[parent].state.clone();
        let update = (!contributions.is_empty()).then(|| {
            let step = self.blocks[parent].record.summary.step;
            let hyper = self.spec.hyper(step, contributions.len() as u32, SquareSum::ZERO).unwrap();
            let mut sum = Gradients::zeros(self.spec.config());
            contributions.iter().for_each(|(_, gradients)| sum.add(gradients));
            state.update(&hyper, &sum, &mut Saturations::default()).unwrap();
            let after = self.spec.layouts().commit_state(&self.params, &state).unwrap();
            Update { squares: vec![], after, proofs: vec![], canonical: vec![] }
        });
        let tensors = contributions.iter().map(|(_, gradients)| GradientTensors::new(gradients)).collect();
        let contributions = contributions.into_iter().map(|(c, _)| c).collect();
        self.finish(parent, plan, (contributions, update), tensors, state)
    }

    /// Adds a block of contributions and update, which lead to this state.
    pub fn finish(
        &mut self,
        parent: &BlockId,
        plan: Plan,
        (contributions, update): (Vec<Contribution>, Option<Update>),
        tensors: Vec<GradientTensors>,
        state: State,
    ) -> BlockId {
        let spec = self.spec.clone();
        let before = &self.blocks[parent];
        let height = before.record.summary.height + 1;
        let maturity = spec.rules().ledger.coinbase_maturity;
        let matured = height.checked_sub(maturity).map_or(&[][..], |height| &before.rewards[height as usize]);
        let contributors: Vec<Address> = contributions.iter().map(|c| c.seat.contributor).collect();
        let (rules, producer) = (&spec.rules().ledger, address(plan.producer));
        let executed = ledger::execute(
            &before.accounts,
            rules,
            spec.id(),
            height,
            matured,
            &plan.transactions,
            &contributors,
            &producer,
        );
        let mut accounts = before.accounts.clone();
        let mut rewards = before.rewards.clone();
        // Where a transaction is refused, whatever root is named is wrong.
        if let Ok(execution) = executed {
            accounts.extend(execution.changed);
            accounts.retain(|_, account| *account != Account::default());
            rewards.push(execution.rewards);
        } else {
            rewards.push(vec![]);
        }
        let ancestry =
            Ancestry::of(spec.rules(), &before.record, |id| -> Result<_, ()> { Ok(self.blocks[id].record.header) })
                .unwrap();
        let parts = Parts {
            contributions,
            transactions: plan.transactions,
            update,
            ledger: plan.root.unwrap_or_else(|| root(&accounts)),
            producer,
            now: before.record.header.time + plan.seconds,
        };
        let mut draft = UnminedBlock::new(&spec, &before.record, &ancestry, parts).unwrap();
        let block = Arc::new(draft.mine(1 << 32).unwrap());
        let after = block.update.as_ref().map_or(before.record.state.clone(), |update| update.after.clone());
        let record = before.record.child(&block, &after);
        let proven = match Proven::idle(&spec, &before.record.parent(), &block).unwrap() {
            Some(proven) => proven,
            None => Proven::unverified(block.clone(), Arc::new(after)),
        };
        let complete = Some(Complete::unverified(proven, tensors));
        self.blocks.insert(block.id(), Built { complete, record, accounts, rewards, state });
        block.id()
    }

    /// Adds so many blocks without content; gives their identities.
    pub fn grow(&mut self, from: &BlockId, count: u64, producer: u8) -> Vec<BlockId> {
        let mut at = *from;
        let add = |_| {
            at = self.add(&at, Plan { producer, ..Plan::default() });
            at
        };
        (0..count).map(add).collect()
    }

    /// A node of the genesis alone.
    pub fn node(&self) -> ChainState {
        self.node_in(Arc::new(Store::with_backend(InMemoryBackend::new()).unwrap())).unwrap()
    }

    pub fn node_in(&self, store: Arc<Store>) -> Result<ChainState, ChainError> {
        let first = self.blocks[&self.genesis()].state.clone();
        ChainState::create(store, self.spec.clone(), self.params.clone(), first)
    }

    /// A node that never saw another branch.
    pub fn undisturbed(&self, tip: &BlockId) -> ChainState {
        let mut node = self.node();
        self.feed(&mut node, &self.path(tip));
        node
    }

    pub fn insert(&self, node: &mut ChainState, id: &BlockId) -> Result<Inserted, ChainError> {
        node.insert(self.complete(id), NOW)
    }

    /// Inserts blocks of which none is refused.
    pub fn feed(&self, node: &mut ChainState, ids: &[BlockId]) {
        ids.iter().for_each(|id| drop(self.insert(node, id).unwrap()));
    }

    /// Requires all that a node says of its tip to be what is expected there.
    #[track_caller]
    pub fn check(&self, node: &ChainState) {
        let id = node.tip().header.id();
        let built = &self.blocks[&id];
        let height = built.record.summary.height;
        assert_eq!(*node.tip(), built.record);
        assert!(*node.state() == built.state, "the model at height {height}");
        let view = node.store().view().unwrap();
        assert_eq!(view.tip().unwrap(), built.record);
        for i in 1..=40 {
            let expected = built.accounts.get(&address(i)).copied().unwrap_or_default();
            assert_eq!(node.account(&address(i)).unwrap(), expected, "key {i}");
        }
        for (height, rewards) in (0..).zip(&built.rewards) {
            assert_eq!(view.rewards(height).unwrap(), *rewards, "rewards of height {height}");
        }
        assert_eq!(view.rewards(height + 1).unwrap(), []);
        let mut path = vec![self.genesis()];
        path.extend(self.path(&id));
        for (height, id) in (0..).zip(&path) {
            assert_eq!(view.at_height(height).unwrap(), Some(*id));
        }
        assert_eq!(view.at_height(height + 1).unwrap(), None);
        self.check_supply(built);
    }

    /// What there is, and what is to be credited, is what the genesis gave and the blocks issued.
    #[track_caller]
    fn check_supply(&self, built: &Built) {
        let rules = &self.spec.rules().ledger;
        let height = built.record.summary.height;
        let held: u64 = built.accounts.values().map(|a| a.balance.grains() + a.bond.grains()).sum();
        let immature = built.rewards.iter().rev().take(rules.coinbase_maturity as usize).flatten();
        let owed: u64 = immature.map(|reward| reward.amount.grains()).sum();
        let first: u64 = self.spec.genesis().balances.iter().map(|(_, amount)| amount.grains()).sum();
        let mut issued = first;
        for id in self.path(&built.record.header.id()) {
            let block = self.complete(&id).proven().block().clone();
            let count = block.contributions.len() as u32;
            issued += ledger::subsidy(rules, block.summary.height, count).unwrap().grains();
        }
        assert_eq!(held + owed, issued, "the supply at height {height}");
    }
}

/// What of a store must be as if the node had never seen another branch: all but the blocks of side branches.
pub fn of_the_chain(mut dump: Dump) -> Dump {
    for table in ["blocks", "records", "gradients", "invalid"] {
        dump.remove(table);
    }
    dump
}

/// Requires a node's store to be that of a node that never saw another branch.
#[track_caller]
pub fn same_as_undisturbed(tree: &Tree, node: &ChainState) {
    tree.check(node);
    let other = tree.undisturbed(&node.tip().header.id());
    let (found, expected) = (node.store().dump().unwrap(), other.store().dump().unwrap());
    for (table, rows) in &expected {
        let holds_side_branches = ["blocks", "records", "gradients"].contains(table);
        if holds_side_branches {
            assert!(rows.iter().all(|(key, row)| found[table].get(key) == Some(row)), "{table}");
        } else if *table != "invalid" {
            assert!(found[table] == *rows, "{table}");
        }
    }
}
