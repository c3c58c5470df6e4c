//! The authenticated map from addresses to accounts: a Jellyfish Merkle tree with SHA-256, one version for each height.
//!
//! The store sees rows of bytes. Keys begin with the version, big-endian, so that forgetting what came after a fork is
//! the deletion of a range; a leaf's row holds its account, so that there is nothing else to forget.

use crate::address::Address;
use crate::header::LedgerRoot;
use crate::ledger::account::Account;
use circuits::statements::codec::{self, CodecError, Encoded};
use jmt::storage::{LeafNode, NibblePath, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::{Debug, Display};
use std::ops::Bound;

/// Root of the map without accounts.
pub const EMPTY_ROOT: LedgerRoot = LedgerRoot::from_bytes(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// Where the tree's rows are.
pub trait NodeStore {
    /// Why reading fails.
    type Error: Debug + Display + Send + Sync + 'static;

    /// The row of a key, if there is one.
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// What a version changes in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeBatch {
    /// Keys and rows to insert; all keys begin with the version's [`version_prefix`].
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of rows that neither this version nor a later one reads: to be deleted once no reorganisation can go below
    /// this version, or never.
    pub stale: Vec<Vec<u8>>,
}

/// Why the tree cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The store fails.
    #[error("the ledger's tree store: {0}")]
    Store(E),
    /// The store does not have this version.
    #[error("the ledger's tree has no version {version}")]
    NoVersion {
        /// The version.
        version: u64,
    },
    /// The store has this version already, possibly of another fork.
    #[error("the ledger's tree already has version {version}")]
    VersionExists {
        /// The version.
        version: u64,
    },
    /// A row that others refer to is not there, or contradicts them.
    #[error("the ledger's tree is corrupt: {0}")]
    Corrupt(String),
    /// A row is malformed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// The node.
    pub node: Node,
    /// A leaf's account.
    account: Option<Account>,
}

impl Encoded for Row {
    const MAGIC: [u8; 8] = *b"GRADNODE";
    const VERSION: u32 = 1;
    const NAME: &'static str = "node of the ledger's tree";
}

/// What the keys of all rows of a version begin with.
pub fn version_prefix(version: u64) -> [u8; 8] {
    version.to_be_bytes()
}

/// Version, number of nibbles, nibbles.
fn row_key(key: &NodeKey) -> Vec<u8> {
    let nibbles: Vec<u8> = key.nibble_path().nibbles().map(u8::from).collect();
    let packed = nibbles.chunks(2).map(|pair| (pair[0] << 4) | pair.get(1).copied().unwrap_or(0));
    version_prefix(key.version()).into_iter().chain([nibbles.len() as u8]).chain(packed).collect()
}

fn root_key(version: u64) -> NodeKey {
    NodeKey::new(version, [].into_iter().collect())
}

/// Where an address is in the tree.
pub(super) fn key_hash(address: &Address) -> KeyHash {
    KeyHash(codec::digest(b"gradcoin-account", &address.0))
}

fn row<S: NodeStore>(store: &S, key: &NodeKey) -> Result<Option<Row>, TreeError<S::Error>> {
    let bytes = store.node(&row_key(key)).map_err(TreeError::Store)?;
    Ok(bytes.map(|bytes| codec::decode(&bytes)).transpose()?)
}

pub(super) fn child_row<S: NodeStore>(store: &S, key: &NodeKey) -> Result<Row, TreeError<S::Error>> {
    row(store, key)?.ok_or_else(|| TreeError::Corrupt(format!("{key:?} is missing")))
}

/// Rows from the root towards a key.
pub(super) fn descend<S: NodeStore>(
    store: &S,
    version: u64,
    key: KeyHash,
) -> Result<Vec<(NodeKey, Row)>, TreeError<S::Error>> {
    let mut at = root_key(version);
    let mut found = row(store, &at)?.ok_or(TreeError::NoVersion { version })?;
    let mut path = vec![];
    let mut rows = vec![];
    for byte in key.0 {
        for nibble in [byte >> 4, byte & 15] {
            let child = match &found.node {
                Node::Internal(node) => {
                    node.children_sorted().find(|(n, _)| u8::from(*n) == nibble).map(|(n, child)| (n, child.version))
                }
                Node::Leaf(_) | Node::Null => None,
            };
            rows.push((at, found));
            let Some((nibble, version)) = child else { return Ok(rows) };
            path.push(nibble);
            at = NodeKey::new(version, path.iter().copied().collect::<NibblePath>());
            found = child_row(store, &at)?;
        }
    }
    rows.push((at, found));
    Ok(rows)
}

fn account_at<S: NodeStore>(store: &S, version: u64, key: KeyHash) -> Result<Option<Account>, TreeError<S::Error>> {
    let rows = descend(store, version, key)?;
    Ok(rows.last().and_then(|(_, row)| row.account_of(key)))
}

impl Row {
    /// The account, if this is the key's leaf.
    pub fn account_of(&self, key: KeyHash) -> Option<Account> {
        match &self.node {
            Node::Leaf(leaf) if leaf.key_hash() == key => self.account,
            _ => None,
        }
    }
}

/// The account of an address at a version.
pub fn account<S: NodeStore>(
    store: &S,
    version: u64,
    address: &Address,
) -> Result<Option<Account>, TreeError<S::Error>> {
    account_at(store, version, key_hash(address))
}

/// The root of a version.
pub fn root<S: NodeStore>(store: &S, version: u64) -> Result<LedgerRoot, TreeError<S::Error>> {
    let reader = Reader(store);
    let root = JellyfishMerkleTree::<_, Sha256>::new(&reader).get_root_hash_option(version).map_err(tree_error)?;
    Ok(LedgerRoot::from_bytes(root.ok_or(TreeError::NoVersion { version })?.0))
}

/// The root and the rows of a version: those of the version before, with these accounts changed. Version 0 begins with
/// nothing. Nothing is written. An account that equals the default is taken out of the map.
///
/// After a reorganisation the rows of versions above the fork must be gone.
pub fn update<S: NodeStore>(
    store: &S,
    version: u64,
    changed: &BTreeMap<Address, Account>,
) -> Result<(LedgerRoot, NodeBatch), TreeError<S::Error>> {
    let before = version.checked_sub(1);
    if let Some(version) = before
        && row(store, &root_key(version))?.is_none()
    {
        // The tree would take it for an empty one.
        return Err(TreeError::NoVersion { version });
    }
    if row(store, &root_key(version))?.is_some() {
        return Err(TreeError::VersionExists { version });
    }
    let kept = |account: &Account| (*account != Account::default()).then_some(*account);
    let accounts: BTreeMap<KeyHash, Option<Account>> = changed.iter().map(|(a, b)| (key_hash(a), kept(b))).collect();
    let values: Vec<_> = accounts
        .iter()
        .map(|(&key, account)| Ok((key, account.map(|a| codec::encode(&a)).transpose()?)))
        .collect::<Result<_, CodecError>>()?;

    let reader = Reader(store);
    let (root, batch) =
        JellyfishMerkleTree::<_, Sha256>::new(&reader).put_value_set(values, version).map_err(tree_error)?;

    let mut nodes = vec![];
    for (key, node) in batch.node_batch.nodes() {
        let account = match node {
            Node::Leaf(leaf) => match (accounts.get(&leaf.key_hash()), before) {
                (Some(account), _) => *account,
                // A leaf that only moves.
                (None, Some(version)) => account_at(store, version, leaf.key_hash())?,
                (None, None) => None,
            },
            Node::Internal(_) | Node::Null => None,
        };
        nodes.push((row_key(key), codec::encode(&Row { node: node.clone(), account })?));
    }
    let stale = batch.stale_node_index_batch.iter().map(|index| row_key(&index.node_key)).collect();
    Ok((LedgerRoot::from_bytes(root.0), NodeBatch { nodes, stale }))
}

/// Lets the tree read a store.
struct Reader<'a, S>(&'a S);

impl<S: NodeStore> TreeReader for Reader<'_, S> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(row(self.0, key).map_err(anyhow::Error::new)?.map(|row| row.node))
    }

    fn get_value_option(&self, max_version: u64, key: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        let account = account_at(self.0, max_version, key).map_err(anyhow::Error::new)?;
        Ok(account.map(|account| codec::encode(&account)).transpose()?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("no tree is restored from its leaves")
    }
}

/// The error that the reader gave, out of the tree's.
pub(super) fn tree_error<E: Debug + Display + Send + Sync + 'static>(error: anyhow::Error) -> TreeError<E> {
    error.downcast().unwrap_or_else(|error| TreeError::Corrupt(error.to_string()))
}

/// Rows in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryNodes {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl NodeStore for MemoryNodes {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.rows.get(key).cloned())
    }
}

impl MemoryNodes {
    /// Inserts a version's rows.
    pub fn insert(&mut self, batch: NodeBatch) {
        self.rows.extend(batch.nodes);
    }

    /// Deletes the rows of all versions above this one.
    pub fn forget_above(&mut self, version: u64) {
        if let Some(next) = version.checked_add(1) {
            self.rows.split_off(&version_prefix(next)[..]);
        }
    }

    /// Deletes rows that a version made stale; versions before it can no longer be read.
    pub fn prune(&mut self, stale: &[Vec<u8>]) {
        for key in stale {
            self.rows.remove(key);
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows of versions from this one on.
    pub fn rows_from(&self, version: u64) -> impl Iterator<Item = (&[u8], &[u8])> {
        let from = version_prefix(version).to_vec();
        self.rows.range((Bound::Included(from), Bound::Unbounded)).map(|(k, v)| (k.as_slice(), v.as_slice()))
    }
}
