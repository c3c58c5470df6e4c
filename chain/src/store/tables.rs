//! The tables, and rows in and out of them.

use super::StoreError;
use crate::header::BlockId;
use crate::ledger::{self, Account, Accounts, NodeStore};
use circuits::statements::codec::{self, Encoded};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

/// A table by identity.
pub type ById = TableDefinition<'static, &'static [u8; 32], &'static [u8]>;
/// A table by height.
pub type ByHeight = TableDefinition<'static, u64, &'static [u8]>;

/// Blocks, of every branch.
pub const BLOCKS: ById = TableDefinition::new("blocks");
/// What the rules need to know of blocks, of every branch.
pub const RECORDS: ById = TableDefinition::new("records");
/// Tensors of the blocks' contributions, of every branch.
pub const GRADIENTS: ById = TableDefinition::new("gradients");
/// Blocks that were found to break a rule only when they were to be executed, and the rule.
pub const INVALID: TableDefinition<'static, &'static [u8; 32], &'static str> = TableDefinition::new("invalid");
/// The chain: identities by height.
pub const CHAIN: TableDefinition<'static, u64, &'static [u8; 32]> = TableDefinition::new("chain");
/// What the chain's blocks pay.
pub const REWARDS: ByHeight = TableDefinition::new("rewards");
/// Rows of the ledger's tree.
pub const LEDGER: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("ledger");
/// Rows that a height made stale.
pub const STALE: ByHeight = TableDefinition::new("stale");
/// Model states at some heights of the chain, the tip's among them.
pub const STATES: ByHeight = TableDefinition::new("states");
/// Where the chain's transactions are: height, and number in the block.
pub const TRANSACTIONS: TableDefinition<'static, &'static [u8; 32], (u64, u32)> = TableDefinition::new("transactions");
/// The places of the chain's transactions, by whom they concern.
pub const PARTIES: TableDefinition<'static, (&'static [u8; 32], u64, u32), ()> = TableDefinition::new("parties");
/// The genesis.
pub const GENESIS: TableDefinition<'static, (), &'static [u8]> = TableDefinition::new("genesis");

/// All tables, open for writing.
pub struct Tables<'txn> {
    pub blocks: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub records: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub gradients: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub invalid: Table<'txn, &'static [u8; 32], &'static str>,
    pub chain: Table<'txn, u64, &'static [u8; 32]>,
    pub rewards: Table<'txn, u64, &'static [u8]>,
    pub ledger: Table<'txn, &'static [u8], &'static [u8]>,
    pub stale: Table<'txn, u64, &'static [u8]>,
    pub states: Table<'txn, u64, &'static [u8]>,
    pub transactions: Table<'txn, &'static [u8; 32], (u64, u32)>,
    pub parties: Table<'txn, (&'static [u8; 32], u64, u32), ()>,
    pub genesis: Table<'txn, (), &'static [u8]>,
}

impl<'txn> Tables<'txn> {
    pub fn open(txn: &'txn WriteTransaction) -> Result<Self, StoreError> {
        Ok(Tables {
            blocks: txn.open_table(BLOCKS)?,
            records: txn.open_table(RECORDS)?,
            gradients: txn.open_table(GRADIENTS)?,
            invalid: txn.open_table(INVALID)?,
            chain: txn.open_table(CHAIN)?,
            rewards: txn.open_table(REWARDS)?,
            ledger: txn.open_table(LEDGER)?,
            stale: txn.open_table(STALE)?,
            states: txn.open_table(STATES)?,
            transactions: txn.open_table(TRANSACTIONS)?,
            parties: txn.open_table(PARTIES)?,
            genesis: txn.open_table(GENESIS)?,
        })
    }
}

/// Decodes a row that must be there.
pub fn required<T: Encoded>(row: Option<T>, what: &'static str) -> Result<T, StoreError> {
    row.ok_or(StoreError::Missing(what))
}

/// Reads the row of an identity.
pub fn by_id<T: Encoded>(
    table: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
    id: &BlockId,
) -> Result<Option<T>, StoreError> {
    Ok(table.get(id.as_bytes())?.map(|row| codec::decode(row.value())).transpose()?)
}

/// Reads the row of a height.
pub fn by_height<T: Encoded>(
    table: &impl ReadableTable<u64, &'static [u8]>,
    height: u64,
) -> Result<Option<T>, StoreError> {
    Ok(table.get(height)?.map(|row| codec::decode(row.value())).transpose()?)
}

/// Reads which block the chain has at a height.
pub fn at_height(
    table: &impl ReadableTable<u64, &'static [u8; 32]>,
    height: u64,
) -> Result<Option<BlockId>, StoreError> {
    Ok(table.get(height)?.map(|row| BlockId::from_bytes(*row.value())))
}

/// The height that no reorganisation goes below: what deeper ones need was dropped. It never falls, even where a branch
/// of more work has fewer blocks. Stale rows are kept of the heights above it, each of which has a list of them.
pub fn finalised(stale: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, StoreError> {
    let first = stale.first()?.map(|row| row.0.value());
    Ok(first.ok_or(StoreError::Missing("the list of stale rows"))?.saturating_sub(1))
}

/// The ledger's tree, in its table.
pub struct Nodes<'a, T>(pub &'a T);

impl<T: ReadableTable<&'static [u8], &'static [u8]>> NodeStore for Nodes<'_, T> {
    type Error = redb::StorageError;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, redb::StorageError> {
        Ok(self.0.get(key)?.map(|row| row.value().to_vec()))
    }
}

/// The accounts after the block of a height.
pub struct AccountsAt<'a, T> {
    pub table: &'a T,
    pub height: u64,
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Accounts for AccountsAt<'_, T> {
    type Error = StoreError;

    fn account(&self, address: &crate::address::Address) -> Result<Account, StoreError> {
        Ok(ledger::account(&Nodes(self.table), self.height, address)?.unwrap_or_default())
    }
}
