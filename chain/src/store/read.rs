//! Reading the store: each call sees one committed state.

use super::tables::{self, AccountsAt, Nodes, at_height, by_height, by_id};
use super::{BlockTensors, Rewards, Store, StoreError};
use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::Record;
use crate::genesis::Genesis;
use crate::header::{BlockId, Header};
use crate::ledger::{self, Account, Accounts, BalanceProof, Reward};
use crate::transaction::{Location, TransactionId};
use circuits::model::file::ModelState;
use circuits::statements::codec;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, TableError};
use std::ops::Bound;

/// One committed state of the store.
pub struct View(ReadTransaction);

impl Store {
    /// The state that is committed now.
    pub fn view(&self) -> Result<View, StoreError> {
        Ok(View(self.database.begin_read()?))
    }
}

impl View {
    /// The genesis, unless the store is new.
    pub fn genesis(&self) -> Result<Option<Genesis>, StoreError> {
        let table = match self.0.open_table(tables::GENESIS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        Ok(table.get(())?.map(|row| codec::decode(row.value())).transpose()?)
    }

    /// Height of the tip.
    pub fn height(&self) -> Result<u64, StoreError> {
        let chain = self.0.open_table(tables::CHAIN)?;
        let last = chain.last()?.ok_or(StoreError::Missing("the tip"))?;
        Ok(last.0.value())
    }

    /// Identity of the chain's block of a height.
    pub fn at_height(&self, height: u64) -> Result<Option<BlockId>, StoreError> {
        at_height(&self.0.open_table(tables::CHAIN)?, height)
    }

    /// The tip's record.
    pub fn tip(&self) -> Result<Record, StoreError> {
        let id = self.at_height(self.height()?)?.ok_or(StoreError::Missing("the tip"))?;
        self.record(&id)?.ok_or(StoreError::Missing("the tip's record"))
    }

    /// Record of a block of any branch.
    pub fn record(&self, id: &BlockId) -> Result<Option<Record>, StoreError> {
        by_id(&self.0.open_table(tables::RECORDS)?, id)
    }

    /// Header of a block that must be there.
    pub fn header(&self, id: &BlockId) -> Result<Header, StoreError> {
        Ok(self.record(id)?.ok_or(StoreError::Missing("a block's record"))?.header)
    }

    /// A block of any branch; the genesis is none.
    pub fn block(&self, id: &BlockId) -> Result<Option<Block>, StoreError> {
        by_id(&self.0.open_table(tables::BLOCKS)?, id)
    }

    /// Tensors of a block of any branch.
    pub fn tensors(&self, id: &BlockId) -> Result<Option<BlockTensors>, StoreError> {
        by_id(&self.0.open_table(tables::GRADIENTS)?, id)
    }

    /// Which rule a block was found to break when it was to be executed.
    pub fn invalid(&self, id: &BlockId) -> Result<Option<String>, StoreError> {
        let table = self.0.open_table(tables::INVALID)?;
        Ok(table.get(id.as_bytes())?.map(|row| row.value().to_owned()))
    }

    /// Where the chain has a transaction.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<Location>, StoreError> {
        let table = self.0.open_table(tables::TRANSACTIONS)?;
        let location = table.get(id.as_bytes())?.map(|row| row.value());
        Ok(location.map(|(height, index)| Location { height, index }))
    }

    /// Where the chain has transactions that concern an address, the last first: those before a place, at most `limit`.
    pub fn transactions_of(
        &self,
        address: &Address,
        before: Option<Location>,
        limit: usize,
    ) -> Result<Vec<Location>, StoreError> {
        let end = match before {
            Some(Location { height, index }) => Bound::Excluded((&address.0, height, index)),
            None => Bound::Included((&address.0, u64::MAX, u32::MAX)),
        };
        let table = self.0.open_table(tables::PARTIES)?;
        let range = table.range((Bound::Included((&address.0, 0, 0)), end))?;
        let mut locations = vec![];
        for row in range.rev().take(limit) {
            let key = row?.0;
            let (_, height, index) = key.value();
            locations.push(Location { height, index });
        }
        Ok(locations)
    }

    /// The height that no reorganisation goes below, and no account can be read below.
    pub fn finalised(&self) -> Result<u64, StoreError> {
        tables::finalised(&self.0.open_table(tables::STALE)?)
    }

    /// What the chain's block of a height pays.
    pub fn rewards(&self, height: u64) -> Result<Vec<Reward>, StoreError> {
        let rewards: Option<Rewards> = by_height(&self.0.open_table(tables::REWARDS)?, height)?;
        Ok(rewards.map_or(vec![], |rewards| rewards.0))
    }

    /// An account after the chain's block of a height.
    pub fn account(&self, address: &Address, height: u64) -> Result<Account, StoreError> {
        AccountsAt { table: &self.0.open_table(tables::LEDGER)?, height }.account(address)
    }

    /// An account after the chain's block of a height, with the proof for its ledger root.
    pub fn prove_account(&self, address: &Address, height: u64) -> Result<BalanceProof, StoreError> {
        Ok(ledger::prove(&Nodes(&self.0.open_table(tables::LEDGER)?), height, address)?)
    }

    /// Works on the ledger's tree.
    pub(crate) fn with_ledger<T>(
        &self,
        work: impl FnOnce(&redb::ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&self.0.open_table(tables::LEDGER)?)
    }

    /// The model state at the last height up to `height` at which there is one.
    pub fn state_at_or_below(&self, height: u64) -> Result<(u64, ModelState), StoreError> {
        state_at_or_below(&self.0.open_table(tables::STATES)?, height)
    }
}

impl Accounts for (&View, u64) {
    type Error = StoreError;

    fn account(&self, address: &Address) -> Result<Account, StoreError> {
        self.0.account(address, self.1)
    }
}

/// See [`View::state_at_or_below`].
pub(crate) fn state_at_or_below(
    table: &impl ReadableTable<u64, &'static [u8]>,
    height: u64,
) -> Result<(u64, ModelState), StoreError> {
    let last = table.range(..=height)?.next_back().ok_or(StoreError::Missing("the model state"))??;
    Ok((last.0.value(), codec::decode(last.1.value())?))
}
