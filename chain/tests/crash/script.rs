//! Blocks in the order in which a node sees them, in a file.

use crate::support::{NOW, Plan, Tree, tiny};
use chain::block::Block;
use chain::chain_state::{ChainError, ChainState};
use chain::consensus::semantic::Proven;
use chain::genesis::{ChainSpec, Genesis};
use chain::header::{BlockId, LedgerRoot};
use chain::store::{BlockTensors, Store};
use chain::tensors::Complete;
use circuits::model::State;
use circuits::statements::StateCommitments;
use circuits::statements::codec::{self, Encoded};
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub struct Script {
    genesis: Genesis,
    blocks: Vec<Complete>,
}

/// Adds blocks with a payment each, some of them with gradients.
fn grow(tree: &mut Tree, from: &BlockId, producer: u8, gradients: &[u64]) -> Vec<BlockId> {
    let mut at = *from;
    let add = |&seed: &u64| {
        let transactions = vec![tree.pay(&at, 3, 4, 1 + u64::from(producer)), tree.pay(&at, 4, producer, 5)];
        let gradients = if seed == 0 { vec![] } else { vec![(1, seed), (2, seed + 1)] };
        at = tree.add(&at, Plan { transactions, gradients, producer, ..Plan::default() });
        at
    };
    gradients.iter().map(add).collect()
}

impl Script {
    /// Three branches that overtake one another, by reorganisations of depth 4 and 5 past the snapshot at height 16, with
    /// a branch that turns out to be invalid.
    pub fn new() -> Self {
        let mut tree = Tree::new(|_| ());
        let genesis = tree.genesis();
        let base = grow(&mut tree, &genesis, 9, &[0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let fork = base[12];
        let a = grow(&mut tree, &fork, 10, &[0, 21, 0, 0]);
        let b = grow(&mut tree, &fork, 11, &[31, 0, 0, 0, 0]);
        let bad = tree.add(&b[4], Plan { root: Some(LedgerRoot::from_bytes([1; 32])), ..Plan::default() });
        let on_bad = grow(&mut tree, &bad, 12, &[0, 0]);
        let a_again = grow(&mut tree, &a[3], 13, &[0, 41]);
        let end = grow(&mut tree, &a_again[1], 9, &[0; 14]);
        let order = [&base[..], &a, &b, &[bad], &on_bad[..1], &a_again, &end];
        let blocks = order.iter().copied().flatten().map(|id| tree.complete(id).clone()).collect();
        Script { genesis: tree.spec.genesis().clone(), blocks }
    }

    pub fn spec(&self) -> Arc<ChainSpec> {
        Arc::new(ChainSpec::new(self.genesis.clone()).unwrap())
    }

    pub fn first(&self) -> State {
        State::init(&tiny(), self.genesis.seed)
    }

    /// Gives a node all blocks, in order; those that it has had before change nothing.
    pub fn play(&self, node: &mut ChainState, mut then: impl FnMut(&ChainState)) {
        for complete in &self.blocks {
            match node.insert(complete, NOW) {
                Ok(_) | Err(ChainError::Known | ChainError::Block(_) | ChainError::Invalid(_)) => then(node),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn write(&self, path: &Path) {
        let mut parts = vec![codec::encode(&self.genesis).unwrap()];
        for complete in &self.blocks {
            parts.push(codec::encode(&**complete.proven().block()).unwrap());
            parts.push(codec::encode(&**complete.proven().after()).unwrap());
            parts.push(codec::encode(&BlockTensors(complete.tensors().to_vec())).unwrap());
        }
        let bytes: Vec<u8> =
            parts.iter().flat_map(|part| [&(part.len() as u64).to_le_bytes()[..], part].concat()).collect();
        fs::write(path, bytes).unwrap();
    }

    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let genesis = part(&mut rest);
        let mut blocks = vec![];
        while !rest.is_empty() {
            let (block, after): (Block, StateCommitments) = (part(&mut rest), part(&mut rest));
            let tensors: BlockTensors = part(&mut rest);
            blocks.push(Complete::unverified(Proven::unverified(Arc::new(block), Arc::new(after)), tensors.0));
        }
        Script { genesis, blocks }
    }
}

fn part<T: Encoded>(rest: &mut &[u8]) -> T {
    let (len, after) = rest.split_first_chunk().unwrap();
    let (part, after) = after.split_at(u64::from_le_bytes(*len) as usize);
    *rest = after;
    codec::decode(part).unwrap()
}

/// Digest of all rows of a store.
pub fn digest(store: &Store) -> [u8; 32] {
    let mut bytes = vec![];
    for (table, rows) in store.dump().unwrap() {
        for part in [table.as_bytes()].into_iter().chain(rows.iter().flat_map(|(key, row)| [&key[..], &row[..]])) {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        bytes.extend(u64::MAX.to_le_bytes());
    }
    codec::digest(b"store", &bytes)
}
