//! The store: one `redb` database. Every change of the chain is one transaction, a reorganisation of any depth
//! included, committed in two phases: a crash at whatever moment leaves a chain that an undisturbed node also had.

mod file;
mod read;
mod rows;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;

pub use read::View;
pub(crate) use read::state_at_or_below;
pub use rows::BlockTensors;
pub(crate) use rows::{Rewards, StaleKeys};
pub(crate) use tables::{AccountsAt, Nodes, Tables, at_height, by_height, by_id, finalised, required};

use crate::ledger::TreeError;
use circuits::model::file::ModelFileError;
use circuits::statements::codec::CodecError;
use file::StoreFile;
use redb::{Database, Durability, StorageBackend, WriteTransaction};
use std::path::Path;

/// Why the store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database fails: input and output, a full disk, another process that has it open.
    #[error("the store: {0}")]
    Database(Box<redb::Error>),
    /// A row that others refer to is not there.
    #[error("the store is damaged: {0} is missing")]
    Missing(&'static str),
    /// A row does not decode.
    #[error("the store is damaged: {0}")]
    Codec(#[from] CodecError),
    /// A model state is malformed.
    #[error("the store is damaged: {0}")]
    Model(#[from] ModelFileError),
    /// The ledger's tree is damaged.
    #[error("{0}")]
    Tree(Box<TreeError<redb::StorageError>>),
}

macro_rules! database_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                StoreError::Database(Box::new(error.into()))
            }
        }
    )*};
}
database_errors!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

impl From<TreeError<redb::StorageError>> for StoreError {
    fn from(error: TreeError<redb::StorageError>) -> Self {
        match error {
            TreeError::Store(error) => error.into(),
            error => StoreError::Tree(Box::new(error)),
        }
    }
}

impl StoreError {
    /// Whether another process has the store open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, StoreError::Database(error) if matches!(**error, redb::Error::DatabaseAlreadyOpen))
    }
}

/// The store.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens a file, or makes it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with_backend(file::open(path)?)
    }

    /// Opens over a backend: memory, or one that fails in tests.
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        Ok(Store { database: Database::builder().create_with_backend(StoreFile { backend })? })
    }

    /// Runs a change as one transaction: all of it is there afterwards, or nothing.
    pub(crate) fn change<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.begin()?;
        let result = {
            let mut tables = Tables::open(&txn)?;
            change(&mut tables)
        };
        match result {
            Ok(value) => {
                txn.commit().map_err(StoreError::from)?;
                Ok(value)
            }
            Err(error) => {
                // If that fails too, what failed first is what is to be told.
                let _ = txn.abort();
                Err(error)
            }
        }
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut txn = self.database.begin_write()?;
        txn.set_two_phase_commit(true);
        txn.set_durability(Durability::Immediate)?;
        Ok(txn)
    }
}
