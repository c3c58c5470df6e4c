//! Transactions that wait for a block.
//!
//! Of each sender the pool holds transactions of consecutive nonces, from the account's next one on, that the account can
//! make with what it has: coins that others, or a retirement, may bring do not count. So nothing waits that could not be
//! executed once its turn comes, and only the last transaction of a sender can give way to another's.

use super::recent::Recent;
use crate::address::Address;
use crate::amount::{Amount, Coins};
use crate::header::ChainId;
use crate::ledger::{Account, Accounts, LedgerError, Overlay, Rules};
use crate::transaction::{Action, Transaction, TransactionError, TransactionId};
use circuits::statements::codec::{self, CodecError};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// What a pool holds at most. A transaction has at most [`crate::transaction::MAX_BYTES`], so numbers bound the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions, at least 1.
    pub transactions: usize,
    /// Transactions of one sender, at least 1.
    pub per_sender: usize,
    /// Least fee.
    pub min_fee: Amount,
    /// Invalid transactions that are remembered, so that they are not checked again.
    pub refused: usize,
}

/// What became of a transaction that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Added.
    Added,
    /// Added in place of the sender's own of the same nonce.
    Replaced(Transaction),
    /// Added, and this one, which paid less, gave way.
    Evicted(Transaction),
}

/// Why an account cannot make a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A registration of an account that is registered then.
    #[error("it registers an account that is already registered")]
    Registered,
    /// A retirement of an account that is not registered then.
    #[error("it retires an account that is not registered")]
    NotRegistered,
    /// The balance does not cover what waits.
    #[error("with those pending before it, it spends {} coins; the account has {balance}", Coins(*spent))]
    Overspend {
        /// What the account has.
        balance: Amount,
        /// Amounts, fees and bonds, in grains, up to and with this transaction.
        spent: u128,
    },
}

/// Why a transaction is not admitted: one variant for each rule, in the order in which they are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MempoolError<E> {
    /// It has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// It waits already.
    #[error("the transaction is already known")]
    Known,
    /// It was found invalid before.
    #[error("the transaction was rejected before")]
    Refused,
    /// Of another chain.
    #[error("the transaction belongs to another chain")]
    OtherChain,
    /// It pays too little.
    #[error("a fee of {found} coins is below the minimum of {least}")]
    Fee {
        /// Least fee.
        least: Amount,
        /// Its fee.
        found: Amount,
    },
    /// The accounts cannot be read.
    #[error("the accounts cannot be read: {0}")]
    Accounts(E),
    /// Its nonce was executed already.
    #[error("nonce {found} is already used; the sender's next is {expected}")]
    NonceUsed {
        /// The account's.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// Transactions before it are missing.
    #[error("nonce {found} leaves a gap: the next is {expected}")]
    NonceGap {
        /// The first that is missing.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// The sender's nonces are used up.
    #[error("the transaction's sender has no nonce left")]
    LastNonce,
    /// Its sender has as many waiting as one may have.
    #[error("the sender already has {limit} pending transactions")]
    SenderFull {
        /// By the limits.
        limit: usize,
    },
    /// It pays too little to replace the sender's own of the same nonce: a tenth more, rounded up, and at least a grain.
    #[error(
        "a fee of {} coins is too low to replace the pending transaction with the same nonce; {} would suffice",
        Coins((*found).into()), Coins((*least).into())
    )]
    Replacement {
        /// Least fee that would, in grains.
        least: u64,
        /// Its fee, in grains.
        found: u64,
    },
    /// With it, the sender could not make this one of its transactions.
    #[error("the sender's transaction {nonce}: {obstacle}")]
    Obstacle {
        /// Of the new transaction, or of a later one that waits.
        nonce: u64,
        /// Why.
        obstacle: Obstacle,
    },
    /// The pool is full of what pays at least as much.
    #[error("the pool is full{}", .least.map(|least| format!("; a fee above {least} coins would suffice")).unwrap_or_default())]
    Full {
        /// The fee that a newcomer must exceed, if any transaction can give way.
        least: Option<Amount>,
    },
    /// The transaction is invalid by itself.
    #[error(transparent)]
    Invalid(TransactionError),
}

/// Order in which transactions give way: the lowest fee first, among equals the highest identity.
type Rank = (Amount, Reverse<TransactionId>, Address);

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: TransactionId,
    transaction: Transaction,
}

impl Entry {
    fn rank(&self) -> Rank {
        (self.transaction.body.fee, Reverse(self.id), self.transaction.body.sender)
    }
}

/// Transactions that wait for a block.
#[derive(Clone, Debug)]
pub struct Mempool {
    chain: ChainId,
    rules: Rules,
    limits: Limits,
    /// By sender, of consecutive nonces, never empty.
    senders: BTreeMap<Address, VecDeque<Entry>>,
    ids: BTreeMap<TransactionId, Address>,
    /// The last of each sender.
    lasts: BTreeSet<Rank>,
    /// Digests of whole transactions: an identity is not of the signature, so a forger could make one look invalid.
    refused: Recent<[u8; 32]>,
}

impl Mempool {
    /// An empty pool of a chain.
    pub fn new(chain: ChainId, rules: Rules, limits: Limits) -> Self {
        let refused = Recent::new(limits.refused);
        let (senders, ids, lasts) = Default::default();
        Mempool { chain, rules, limits, senders, ids, lasts, refused }
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The transaction of an identity.
    pub fn get(&self, id: &TransactionId) -> Option<&Transaction> {
        let queue = self.senders.get(self.ids.get(id)?)?;
        queue.iter().find(|entry| entry.id == *id).map(|entry| &entry.transaction)
    }

    /// The transactions of a sender, ascending by nonce.
    pub fn of(&self, sender: &Address) -> impl Iterator<Item = &Transaction> {
        self.senders.get(sender).into_iter().flatten().map(|entry| &entry.transaction)
    }

    /// All transactions: by sender, then nonce.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction> {
        self.senders.values().flatten().map(|entry| &entry.transaction)
    }

    /// Admits a transaction; `accounts` are those of the tip.
    pub fn insert<A: Accounts>(
        &mut self,
        accounts: &A,
        transaction: Transaction,
    ) -> Result<Inserted, MempoolError<A::Error>> {
        self.admit(accounts, transaction, false)
    }

    fn admit<A: Accounts>(
        &mut self,
        accounts: &A,
        transaction: Transaction,
        checked: bool,
    ) -> Result<Inserted, MempoolError<A::Error>> {
        let entry = Entry { id: transaction.id()?, transaction };
        if self.ids.contains_key(&entry.id) {
            return Err(MempoolError::Known);
        }
        let whole = codec::digest(b"gradcoin-pooltx", &codec::encode(&transaction)?);
        if self.refused.contains(&whole) {
            return Err(MempoolError::Refused);
        }
        let body = &transaction.body;
        if body.chain != self.chain {
            return Err(MempoolError::OtherChain);
        }
        let (least, found) = (self.limits.min_fee, body.fee);
        if found < least {
            return Err(MempoolError::Fee { least, found });
        }
        let account = accounts.account(&body.sender).map_err(MempoolError::Accounts)?;
        self.settle(&body.sender, &account);
        let mut queue = self.senders.get(&body.sender).cloned().unwrap_or_default();
        let replaced = self.place(&account, &mut queue, entry)?;
        if let Some((at, obstacle)) = obstacle(&self.rules, &account, &queue) {
            return Err(MempoolError::Obstacle { nonce: account.nonce.saturating_add(at as u64), obstacle });
        }
        let evicted = match replaced {
            None if self.len() >= self.limits.transactions => Some(self.weakest(&transaction)?),
            _ => None,
        };
        if !checked && let Err(error) = transaction.check(&self.chain) {
            self.refused.insert(whole);
            return Err(MempoolError::Invalid(error));
        }
        self.set(&body.sender, queue);
        let evicted = evicted.and_then(|sender| self.pop(&sender));
        Ok(match (replaced, evicted) {
            (Some(replaced), _) => Inserted::Replaced(replaced.transaction),
            (None, Some(evicted)) => Inserted::Evicted(evicted.transaction),
            (None, None) => Inserted::Added,
        })
    }

    /// Puts a transaction in its place among its sender's; gives the one that was there.
    fn place<E>(
        &self,
        account: &Account,
        queue: &mut VecDeque<Entry>,
        entry: Entry,
    ) -> Result<Option<Entry>, MempoolError<E>> {
        let (found, fee) = (entry.transaction.body.nonce, entry.transaction.body.fee.grains());
        let used = MempoolError::NonceUsed { expected: account.nonce, found };
        let at = found.checked_sub(account.nonce).ok_or(used)?;
        if at > queue.len() as u64 {
            // No overflow: `found` is beyond this sum.
            return Err(MempoolError::NonceGap { expected: account.nonce + queue.len() as u64, found });
        }
        if found == u64::MAX {
            return Err(MempoolError::LastNonce);
        }
        if let Some(held) = queue.get_mut(at as usize) {
            let old = held.transaction.body.fee.grains();
            let least = old + old.div_ceil(10).max(1);
            if fee < least {
                return Err(MempoolError::Replacement { least, found: fee });
            }
            return Ok(Some(std::mem::replace(held, entry)));
        }
        let limit = self.limits.per_sender;
        if queue.len() >= limit {
            return Err(MempoolError::SenderFull { limit });
        }
        queue.push_back(entry);
        Ok(None)
    }

    /// The sender whose last transaction gives way to a newcomer of another.
    fn weakest<E>(&self, newcomer: &Transaction) -> Result<Address, MempoolError<E>> {
        // Before its sender's own last one it would leave a gap.
        let weakest = self.lasts.iter().find(|(_, _, sender)| *sender != newcomer.body.sender);
        match weakest {
            Some((fee, _, sender)) if *fee < newcomer.body.fee => Ok(*sender),
            other => Err(MempoolError::Full { least: other.map(|(fee, _, _)| *fee) }),
        }
    }

    /// Sets a sender's transactions.
    fn set(&mut self, sender: &Address, queue: VecDeque<Entry>) {
        if let Some(old) = self.senders.remove(sender) {
            for entry in &old {
                self.ids.remove(&entry.id);
                self.lasts.remove(&entry.rank());
            }
        }
        if let Some(last) = queue.back() {
            self.lasts.insert(last.rank());
            self.ids.extend(queue.iter().map(|entry| (entry.id, *sender)));
            self.senders.insert(*sender, queue);
        }
    }

    fn pop(&mut self, sender: &Address) -> Option<Entry> {
        let mut queue = self.senders.get(sender)?.clone();
        let last = queue.pop_back();
        self.set(sender, queue);
        last
    }

    /// Drops what an account has executed, and what it can no longer make.
    fn settle(&mut self, sender: &Address, account: &Account) {
        let Some(old) = self.senders.get(sender) else { return };
        let mut queue: VecDeque<Entry> =
            old.iter().filter(|entry| entry.transaction.body.nonce >= account.nonce).copied().collect();
        if queue.front().is_some_and(|first| first.transaction.body.nonce != account.nonce) {
            queue.clear();
        }
        if let Some((at, _)) = obstacle(&self.rules, account, &queue) {
            queue.truncate(at);
        }
        if queue.len() != old.len() {
            self.set(sender, queue);
        }
    }

    /// The pool's own lists agree, and no bound is exceeded.
    #[cfg(test)]
    pub(super) fn audit(&self) {
        let lasts: BTreeSet<Rank> = self.senders.values().map(|queue| queue.back().unwrap().rank()).collect();
        assert_eq!(lasts, self.lasts);
        let ids = self.senders.values().flatten().map(|entry| (entry.id, entry.transaction.body.sender));
        assert_eq!(ids.collect::<BTreeMap<_, _>>(), self.ids);
        assert_eq!(self.iter().count(), self.len());
        assert!(self.len() <= self.limits.transactions);
        assert!(self.senders.values().all(|queue| queue.len() <= self.limits.per_sender));
    }

    /// What the block of this height should hold: the best by fee, as far as nonces allow, at most `limit` and what the
    /// rules allow. They execute on `accounts`, in this order.
    pub fn select<A: Accounts>(&self, accounts: &A, height: u64, limit: usize) -> Result<Vec<Transaction>, A::Error> {
        let limit = limit.min(usize::try_from(self.rules.max_transactions).unwrap_or(usize::MAX));
        let head = |queue: &VecDeque<Entry>, at: usize| {
            queue
                .get(at)
                .map(|entry| (entry.transaction.body.fee, Reverse(entry.id), entry.transaction.body.sender, at))
        };
        let mut heads: BinaryHeap<_> = self.senders.values().filter_map(|queue| head(queue, 0)).collect();
        let mut overlay = Overlay::new(accounts);
        let mut selected = vec![];
        while selected.len() < limit
            && let Some((_, _, sender, at)) = heads.pop()
        {
            let Some((queue, entry)) = self.senders.get(&sender).and_then(|queue| Some((queue, queue.get(at)?))) else {
                continue;
            };
            match overlay.attempt(&self.rules, height, (selected.len(), &entry.transaction)) {
                Ok(()) => selected.push(entry.transaction),
                Err(LedgerError::Accounts(error)) => return Err(error),
                // Its sender's later ones cannot be executed either.
                Err(_) => continue,
            }
            heads.extend(head(queue, at + 1));
        }
        Ok(selected)
    }

    /// Follows the tip, whose accounts are given: drops what is executed, and what can no longer be.
    pub fn apply<A: Accounts>(&mut self, accounts: &A) -> Result<(), A::Error> {
        let senders: Vec<Address> = self.senders.keys().copied().collect();
        for sender in senders {
            let account = accounts.account(&sender)?;
            self.settle(&sender, &account);
        }
        Ok(())
    }

    /// Follows the tip over to another branch: takes back the transactions of blocks that were disconnected, whose
    /// signatures were checked with the blocks, as far as the accounts of the new tip and the limits allow. If reading the
    /// accounts fails, the pool is as it was.
    pub fn restore<A: Accounts>(&mut self, accounts: &A, removed: &[Transaction]) -> Result<(), A::Error> {
        let mut fresh = Mempool::new(self.chain, self.rules, self.limits);
        let mut all: Vec<&Transaction> = removed.iter().chain(self.iter()).collect();
        // No sender's later transaction before its earlier one; of the same nonce, the block's first.
        all.sort_by_key(|transaction| transaction.body.nonce);
        for transaction in all {
            if let Err(MempoolError::Accounts(error)) = fresh.admit(accounts, *transaction, true) {
                return Err(error);
            }
        }
        fresh.refused = self.refused.clone();
        *self = fresh;
        Ok(())
    }
}

/// The first of an account's transactions that it cannot make with what it has.
fn obstacle(rules: &Rules, account: &Account, queue: &VecDeque<Entry>) -> Option<(usize, Obstacle)> {
    let (balance, mut spent, mut registered) = (account.balance, 0u128, account.registered.is_some());
    for (at, entry) in queue.iter().enumerate() {
        let body = &entry.transaction.body;
        spent += u128::from(body.fee.grains());
        match body.action {
            Action::Transfer { amount, .. } => spent += u128::from(amount.grains()),
            Action::Register if registered => return Some((at, Obstacle::Registered)),
            Action::Register => spent += u128::from(rules.registration_bond.grains()),
            Action::Retire if !registered => return Some((at, Obstacle::NotRegistered)),
            Action::Retire => {}
        }
        registered = match body.action {
            Action::Transfer { .. } => registered,
            Action::Register => true,
            Action::Retire => false,
        };
        if spent > u128::from(balance.grains()) {
            return Some((at, Obstacle::Overspend { balance, spent }));
        }
    }
    None
}
