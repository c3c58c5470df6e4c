//! Balance proofs: that an address has an account, or has none, under a ledger root.

use crate::address::Address;
use crate::header::LedgerRoot;
use crate::ledger::account::Account;
use crate::ledger::tree::{NodeStore, Row, TreeError, child_row, descend, key_hash, tree_error};
use circuits::statements::codec::{self, CodecError, Encoded};
use jmt::proof::SparseMerkleProof;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, RootHash};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;

/// What an address has under a root, and the path that shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceProof {
    /// The account, if there is one.
    pub account: Option<Account>,
    path: SparseMerkleProof<Sha256>,
}

impl Encoded for BalanceProof {
    const MAGIC: [u8; 8] = *b"GRADBALP";
    const VERSION: u32 = 1;
    const NAME: &'static str = "balance proof";
}

/// Why a balance proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More bytes than any proof has.
    #[error("the balance proof has {found} bytes; the maximum is {max}", max = BalanceProof::MAX_BYTES)]
    TooLong {
        /// How many.
        found: usize,
    },
    /// The bytes are refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The path does not lead from what is claimed to the root.
    #[error("the balance proof is invalid: {0}")]
    Path(String),
}

impl BalanceProof {
    /// Most bytes: 256 siblings of 65 bytes, and less than 256 bytes beside them.
    pub const MAX_BYTES: usize = 256 * 65 + 256;

    /// Decodes a proof of bounded length.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ProofError::TooLong { found: bytes.len() });
        }
        Ok(codec::decode(bytes)?)
    }

    /// The account of the address under the root, if the proof holds; `None` is shown too, not assumed.
    pub fn verify(&self, root: &LedgerRoot, address: &Address) -> Result<Option<Account>, ProofError> {
        let value = self.account.map(|account| codec::encode(&account)).transpose()?;
        self.path
            .verify(RootHash(*root.as_bytes()), key_hash(address), value)
            .map_err(|reason| ProofError::Path(reason.to_string()))?;
        Ok(self.account)
    }
}

/// Proves what an address has at a version.
pub fn prove<S: NodeStore>(store: &S, version: u64, address: &Address) -> Result<BalanceProof, TreeError<S::Error>> {
    let key = key_hash(address);
    let path = Path::read(store, version, key)?;
    let (_, proof) = JellyfishMerkleTree::<_, Sha256>::new(&path).get_with_proof(key, version).map_err(tree_error)?;
    Ok(BalanceProof { account: path.account(key), path: proof })
}

/// The rows that a proof is made of, read beforehand: where a read fails, the tree would panic.
struct Path(BTreeMap<NodeKey, Row>);

impl Path {
    /// Reads the rows on the path to a key, and their children.
    fn read<S: NodeStore>(store: &S, version: u64, key: KeyHash) -> Result<Self, TreeError<S::Error>> {
        let mut rows = BTreeMap::new();
        for (at, row) in descend(store, version, key)? {
            if let Node::Internal(node) = &row.node {
                for (nibble, child) in node.children_sorted() {
                    let path = at.nibble_path().nibbles().chain([nibble]).collect();
                    let child_key = NodeKey::new(child.version, path);
                    let child = child_row(store, &child_key)?;
                    rows.insert(child_key, child);
                }
            }
            rows.insert(at, row);
        }
        Ok(Path(rows))
    }

    fn account(&self, key: KeyHash) -> Option<Account> {
        self.0.values().find_map(|row| row.account_of(key))
    }
}

impl TreeReader for Path {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.0.get(key).map(|row| row.node.clone()))
    }

    fn get_value_option(&self, _: u64, key: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.account(key).map(|account| codec::encode(&account)).transpose()?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("no tree is restored from its leaves")
    }
}
