//! A chain of three blocks, pinned: what was a valid chain stays one.
//!
//! `GRADIENTCOIN_REGENERATE=1 cargo test -p chain --test forgeries` writes it anew, which is right only when the rules or
//! the circuits were meant to change.

use super::tip::Tip;
use super::{BEGIN, NANO, PARAMS, address, grains, key, nano_proof};
use chain::block::Block;
use chain::genesis::{ChainSpec, Genesis};
use chain::tensors::GradientTensors;
use chain::transaction::{Action, Body, Transaction};
use chain::unmined::{Parts, UnminedBlock};
use chain::worker::{Proven, Worker};
use circuits::model::State;
use circuits::statements::codec::{Encoded, decode, encode};
use prover::step::StepKeys;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What the fixture holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct GoldenChain {
    pub genesis: Genesis,
    /// Blocks from height 1.
    pub blocks: Vec<Block>,
    /// Gradients of each block's contributions.
    pub tensors: Vec<Vec<GradientTensors>>,
}

impl Encoded for GoldenChain {
    const MAGIC: [u8; 8] = *b"GRADGOLD";
    const VERSION: u32 = 2;
    const NAME: &'static str = "golden chain";
}

/// The golden chain, with what follows from it.
pub struct Golden {
    pub chain: GoldenChain,
    pub spec: ChainSpec,
    /// The tips before each block, and the last one.
    pub tips: Vec<Tip>,
}

pub static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    if std::env::var_os("GRADIENTCOIN_REGENERATE").is_some() {
        fs::write(path(), encode(&regenerate()).unwrap()).unwrap();
    }
    let chain: GoldenChain = decode(&fs::read(path()).unwrap()).unwrap();
    let spec = ChainSpec::new(chain.genesis.clone()).unwrap();
    let mut tips = vec![Tip::genesis(&spec)];
    for block in &chain.blocks {
        let mut tip = tips[tips.len() - 1].clone();
        let after = block.update.as_ref().map_or(tip.record.state.clone(), |update| update.after.clone());
        tip.push(&spec, block, &after);
        tips.push(tip);
    }
    Golden { chain, spec, tips }
});

impl Golden {
    /// The block of this height.
    pub fn block(&self, height: usize) -> Block {
        self.chain.blocks[height - 1].clone()
    }

    /// The tip that the block of this height is on.
    pub fn before(&self, height: usize) -> &Tip {
        &self.tips[height - 1]
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/nano-chain.bin")
}

/// A transaction of the chain.
pub fn transaction(spec: &ChainSpec, from: u8, nonce: u64, fee: u64, action: Action) -> Transaction {
    let body = Body { chain: *spec.id(), sender: address(from), nonce, fee: grains(fee), action };
    Transaction::sign(body, &key(from)).unwrap()
}

/// A block on a tip, worked on; `state` moves on.
pub fn produce(
    worker: &Worker,
    (tip, state): (&Tip, &mut State),
    mut contributions: Vec<Proven>,
    transactions: Vec<Transaction>,
    now: u64,
) -> (Block, Vec<GradientTensors>) {
    let producer = address(9);
    contributions.sort_by_key(|proven| proven.contribution.seat);
    let update = (!contributions.is_empty())
        .then(|| worker.update(&tip.parent(), state, &contributions, &producer, &mut |_| {}).unwrap());
    let contributors: Vec<_> = contributions.iter().map(|proven| proven.contribution.seat.contributor).collect();
    let ledger = tip.execute(worker.spec, &transactions, &contributors, &producer).unwrap().root;
    let tensors = contributions.iter().map(Proven::tensors).collect();
    let contributions = contributions.into_iter().map(|proven| proven.contribution).collect();
    let parts = Parts { contributions, transactions, update, ledger, producer, now };
    let mut draft = UnminedBlock::new(worker.spec, &tip.record, &tip.ancestry(worker.spec), parts).unwrap();
    (draft.mine(u64::MAX).unwrap(), tensors)
}

fn regenerate() -> GoldenChain {
    let mut state = State::init(&NANO.model.config, 1);
    let spec = ChainSpec::new(NANO.genesis(&state, nano_proof())).unwrap();
    let keys = StepKeys::generate(&PARAMS, &NANO.model).unwrap();
    let worker = Worker { spec: &spec, params: &PARAMS, keys: &keys, model: &NANO.model, dataset: &NANO.dataset };
    let mut tip = Tip::genesis(&spec);
    let mut chain = GoldenChain { genesis: spec.genesis().clone(), blocks: vec![], tensors: vec![] };
    let pay = transaction(&spec, 4, 0, 10, Action::Transfer { to: address(5), amount: grains(20_000) });
    let register = transaction(&spec, 5, 0, 20, Action::Register);
    // Who contributes, what is transferred, and when.
    let plan = [(vec![1u8, 2], vec![], 50), (vec![], vec![pay, register], 110), (vec![3], vec![], 170)];
    for (contributors, transactions, after) in plan {
        let parent = tip.parent();
        let contribute = |i: &u8| worker.contribute(&parent, &state, 0, &key(*i), &mut |_| {}).unwrap();
        let contributions = contributors.iter().map(contribute).collect();
        let (block, tensors) = produce(&worker, (&tip, &mut state), contributions, transactions, BEGIN + after);
        let update = block.update.as_ref().map(|update| update.after.clone());
        tip.push(&spec, &block, &update.unwrap_or(tip.record.state.clone()));
        chain.blocks.push(block);
        chain.tensors.push(tensors);
    }
    chain
}
