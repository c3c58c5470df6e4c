//! All rows of a store, for tests that compare stores.

use super::{Store, StoreError, tables};
use redb::{Key, ReadableDatabase, ReadableTable, TableDefinition, TableError, Value};
use std::collections::BTreeMap;

/// Rows of a table, as bytes.
pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// All rows, by table.
pub type Dump = BTreeMap<&'static str, Rows>;

impl Store {
    /// All rows that are committed now; a table that was never made has none.
    pub fn dump(&self) -> Result<Dump, StoreError> {
        let txn = self.database.begin_read()?;
        Ok(Dump::from([
            ("blocks", rows(&txn, tables::BLOCKS)?),
            ("records", rows(&txn, tables::RECORDS)?),
            ("gradients", rows(&txn, tables::GRADIENTS)?),
            ("invalid", rows(&txn, tables::INVALID)?),
            ("chain", rows(&txn, tables::CHAIN)?),
            ("rewards", rows(&txn, tables::REWARDS)?),
            ("ledger", rows(&txn, tables::LEDGER)?),
            ("stale", rows(&txn, tables::STALE)?),
            ("states", rows(&txn, tables::STATES)?),
            ("transactions", rows(&txn, tables::TRANSACTIONS)?),
            ("parties", rows(&txn, tables::PARTIES)?),
            ("genesis", rows(&txn, tables::GENESIS)?),
        ]))
    }
}

fn rows<K: Key, V: Value>(
    txn: &redb::ReadTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<Rows, StoreError> {
    let table = match txn.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Rows::new()),
        table => table?,
    };
    let mut rows = Rows::new();
    for row in table.iter()? {
        let (key, value) = row?;
        let key = K::as_bytes(&key.value()).as_ref().to_vec();
        rows.insert(key, V::as_bytes(&value.value()).as_ref().to_vec());
    }
    Ok(rows)
}
