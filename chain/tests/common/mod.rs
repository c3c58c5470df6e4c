//! What the tests of blocks share: a pinned chain of `nano`, the ledger beside it, and what a cheater does to a block to
//! make it look right again.
#![allow(dead_code, clippy::unwrap_used)]

pub mod golden;
pub mod tip;

use backend::curve::{CIRCUIT_VERSION, DEFAULT_K, Params};
use chain::address::{Address, SecretKey, SignatureError};
use chain::amount::Amount;
use chain::block::Block;
use chain::consensus::SemanticError;
use chain::consensus::semantic::{self, Checker};
use chain::contribution::{Contribution, leading_zeros};
use chain::genesis::{ChainSpec, Genesis, KeysDigest, keys_digest};
use chain::header::{
    BlockId, BodyDigest, ChainId, ContributionsDigest, LedgerRoot, ProofsDigest, StateDigest, TransactionsDigest,
};
use chain::ledger;
use chain::rules::Rules;
use chain::work::{CompactTarget, meets};
use circuits::model::{Config, Optimizer, Schedule, Spec, State, Token, tokens_of_bytes};
use circuits::statements::codec::decode;
use circuits::statements::dataset::Dataset;
use circuits::statements::{GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF};
use std::sync::LazyLock;
use verifier::StepVerifier;

/// The corpus of the fixtures.
pub const TEXT: &[u8] = include_bytes!("../../../fixtures/corpus/stories.txt");

/// About 2^10 tries a block: instant, and still refused where nobody tried.
pub const EASY: u32 = 0x1f40_0000;

/// When the chains of these tests begin.
pub const BEGIN: u64 = 1_700_000_000;

/// Parameters of all tests.
pub static PARAMS: LazyLock<Params> = LazyLock::new(|| Params::new(DEFAULT_K));

/// A model with its verifying keys and a data set.
pub struct Setting {
    pub model: Spec,
    pub dataset: Dataset,
    pub keys: StepVerifier,
}

/// The pinned proof that `nano`'s first state of seed 1 is in range.
pub fn nano_proof() -> GenesisProof {
    decode(include_bytes!("../../../fixtures/golden/nano-genesis.proof")).unwrap()
}

/// `nano` and the corpus.
pub static NANO: LazyLock<Setting> = LazyLock::new(|| Setting::new(Config::NANO, &tokens_of_bytes(TEXT)));

impl Setting {
    pub fn new(config: Config, corpus: &[Token]) -> Self {
        let dataset = Dataset::new(&PARAMS, config.context, corpus).unwrap();
        let keys = StepVerifier::new(&PARAMS, &config).unwrap();
        Setting { model: Spec::new(config), dataset, keys }
    }

    /// A genesis that begins with this state, of which this is the proof.
    pub fn genesis(&self, state: &State, proof: GenesisProof) -> Genesis {
        let config = &self.model.config;
        let mut contributors: Vec<Address> = (1..=3).map(address).collect();
        contributors.sort();
        let mut balances = vec![(address(1), grains(20_000)), (address(4), grains(100_000)), (address(5), grains(500))];
        balances.sort();
        Genesis {
            name: "golden".into(),
            time: BEGIN,
            circuits: CIRCUIT_VERSION,
            keys: keys_digest(&self.keys),
            config: config.to_json(),
            seed: 1,
            state: Layouts::new(config).commit_state(&PARAMS, state).unwrap(),
            proof,
            dataset: self.dataset.root(),
            batch: 1,
            schedule: Schedule::cosine(&"0.05".parse().unwrap(), 100, 10, &"0.1".parse().unwrap()).unwrap(),
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

    pub fn checker<'a>(&'a self, spec: &'a ChainSpec) -> Checker<'a> {
        Checker::new(spec, &PARAMS, &self.keys).unwrap()
    }
}

/// Rules of a few blocks, with small numbers.
fn rules() -> Rules {
    Rules {
        max_contributions: 4,
        slots: 2,
        max_proof_bytes: 1 << 20,
        stamp_bits: 8,
        target_spacing: 60,
        retarget_interval: 3,
        floor: CompactTarget::from_bits(EASY).unwrap(),
        max_future: 120,
        reorg_limit: 10,
        ledger: ledger::Rules {
            contribution_reward: grains(1_000),
            producer_reward: grains(500),
            halving_interval: 100,
            coinbase_maturity: 2,
            registration_bond: grains(10_000),
            registration_maturity: 2,
            max_transactions: 4,
        },
    }
}

pub fn grains(grains: u64) -> Amount {
    Amount::from_grains(grains).unwrap()
}

/// Keys 1 to 3 contribute from the beginning, 4 and 5 have coins, 9 produces blocks.
pub fn key(i: u8) -> SecretKey {
    SecretKey::from_seed(&[i; 32])
}

pub fn address(i: u8) -> Address {
    key(i).address()
}

/// Keys that a cheater tries, none of them one of [`key`].
pub fn tried_keys() -> impl Iterator<Item = SecretKey> {
    (0u64..).map(|i| {
        let mut seed = [0xff; 32];
        seed[..8].copy_from_slice(&i.to_le_bytes());
        SecretKey::from_seed(&seed)
    })
}

/// Finds a nonce for the header as it is.
pub fn mine(block: &mut Block) {
    let target = block.header.target.target();
    while !meets(block.id().as_bytes(), target) {
        block.header.nonce = block.header.nonce.wrapping_add(1);
    }
}

/// Makes the header name the summary, and works on it.
pub fn mine_summary(block: &mut Block) {
    block.header.body = block.summary.digest().unwrap();
    mine(block);
}

/// Makes summary and header name the content, and works on it: all that takes neither another's key nor a proof.
pub fn mine_content(spec: &ChainSpec, block: &mut Block) {
    let digests = block.digests(spec.id()).unwrap();
    let summary = &mut block.summary;
    (summary.contributions, summary.transactions, summary.proofs) =
        (digests.contributions, digests.transactions, digests.proofs);
    if let Some(update) = &block.update {
        summary.state = StateDigest::of(&update.after);
    }
    mine_summary(block);
}

/// Seals a contribution anew under the key that its seat names.
pub fn sign(spec: &ChainSpec, c: &mut Contribution, key: &SecretKey) {
    c.seat.contributor = key.address();
    c.sign(spec.id(), spec.rules().stamp_bits, key).unwrap();
}

/// What the contributor does who altered a contribution: seals it anew.
pub fn resign(spec: &ChainSpec, c: &mut Contribution) {
    let key = key_of(&c.seat.contributor);
    sign(spec, c, &key);
}

/// What anyone can do who altered a contribution: finds a stamp. The signature takes the contributor's key.
pub fn restamp(spec: &ChainSpec, c: &mut Contribution) {
    let (id, needed) = (c.id(spec.id()), spec.rules().stamp_bits);
    c.stamp = (0..).find(|&stamp| leading_zeros(&Contribution::stamp_digest(&id, stamp)) >= needed).unwrap();
}

/// Requires that without the contributor's key the altered contribution is refused by its seal: by the stamp where its
/// identity is another and nobody looked for one, and by the signature once the stamp is right.
pub fn assert_unsealed(spec: &ChainSpec, altered: &Contribution) {
    let error = semantic::seal(spec, 0, altered).unwrap_err();
    assert!(matches!(error, SemanticError::Stamp { .. } | SemanticError::Signature { .. }), "{error:?}");
    let mut stamped = altered.clone();
    restamp(spec, &mut stamped);
    let error = semantic::seal(spec, 0, &stamped).unwrap_err();
    assert!(matches!(error, SemanticError::Signature { source: SignatureError::Invalid, .. }), "{error:?}");
}

/// The key, among [`key`], of an address.
pub fn key_of(address: &Address) -> SecretKey {
    (1..10).map(key).find(|key| key.address() == *address).unwrap()
}

/// A hash of any type.
pub trait Altered {
    /// With a byte that differs in these bits.
    fn altered(&self, by: u8) -> Self;
}

macro_rules! hashes {
    ($($hash:ty),*) => {$(
        impl Altered for $hash {
            fn altered(&self, by: u8) -> Self {
                let mut bytes = *self.as_bytes();
                bytes[7] ^= by;
                Self::from_bytes(bytes)
            }
        }
    )*};
}
hashes!(BlockId, ChainId, BodyDigest, StateDigest, ContributionsDigest, TransactionsDigest, LedgerRoot, ProofsDigest);
hashes!(KeysDigest);

/// A hash that differs in one bit.
pub fn flipped<T: Altered>(hash: T) -> T {
    hash.altered(1)
}
