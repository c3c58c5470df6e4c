//! Execution of a block's ledger part: a pure function of the accounts before, the rules and the block.
//!
//! First the rewards that mature with this block are credited, then the transactions are executed in order. What the
//! block itself pays is a list of rewards, credited `coinbase_maturity` blocks later.

use crate::address::Address;
use crate::amount::{Amount, AmountError};
use crate::header::ChainId;
use crate::ledger::account::Account;
use crate::ledger::rules::Rules;
use crate::transaction::{Action, Transaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;

/// Where accounts are read.
pub trait Accounts {
    /// Why reading fails.
    type Error;

    /// The account of an address, the default one if there is none.
    fn account(&self, address: &Address) -> Result<Account, Self::Error>;
}

impl Accounts for BTreeMap<Address, Account> {
    type Error = Infallible;

    fn account(&self, address: &Address) -> Result<Account, Infallible> {
        Ok(self.get(address).copied().unwrap_or_default())
    }
}

/// Coins that a block pays, to be credited when mature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// Receiver.
    pub to: Address,
    /// How much, possibly nothing.
    pub amount: Amount,
}

/// What a block does to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Accounts that change, after the block.
    pub changed: BTreeMap<Address, Account>,
    /// The same accounts, before the block: to undo it.
    pub previous: BTreeMap<Address, Account>,
    /// What the block pays: one reward for each contribution, in order, then the producer's with the fees.
    pub rewards: Vec<Reward>,
    /// Fees of all transactions.
    pub fees: Amount,
}

/// Why a block's ledger part is refused: one variant for each rule. Indices count the block's transactions from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError<E> {
    /// The accounts cannot be read.
    #[error("the accounts cannot be read: {0}")]
    Accounts(E),
    /// More transactions than a block may have.
    #[error("{found} transactions exceed the limit of {limit} per block")]
    TooManyTransactions {
        /// By the rules.
        limit: u32,
        /// In the block.
        found: usize,
    },
    /// A transaction of another chain.
    #[error("transaction {index} belongs to another chain")]
    OtherChain {
        /// The transaction.
        index: usize,
    },
    /// A transaction out of its sender's order, or executed before.
    #[error("transaction {index} has nonce {found}; its sender's next is {expected}")]
    WrongNonce {
        /// The transaction.
        index: usize,
        /// The account's.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// The sender's nonces are used up.
    #[error("transaction {index}: its sender has no nonce left")]
    LastNonce {
        /// The transaction.
        index: usize,
    },
    /// More is spent than the sender has.
    #[error("transaction {index} spends {spent} coins, but its sender has {balance}")]
    Overspend {
        /// The transaction.
        index: usize,
        /// What the sender has.
        balance: Amount,
        /// Amount, fee and bond.
        spent: Amount,
    },
    /// A registration of an account that is registered.
    #[error("transaction {index} registers an account that is already registered")]
    Registered {
        /// The transaction.
        index: usize,
    },
    /// A retirement of an account that is not registered.
    #[error("transaction {index} retires an account that is not registered")]
    NotRegistered {
        /// The transaction.
        index: usize,
    },
    /// A transaction's amounts exceed the supply.
    #[error("transaction {index}: {source}")]
    Total {
        /// The transaction.
        index: usize,
        /// How.
        source: AmountError,
    },
    /// Rewards exceed the supply, which [`Rules::check`] excludes.
    #[error("rewards: {0}")]
    Rewards(AmountError),
}

impl<E> LedgerError<E> {
    /// The broken rule, apart from a failure to read the accounts.
    pub fn rule(self) -> Result<LedgerError<Infallible>, E> {
        Ok(match self {
            LedgerError::Accounts(error) => return Err(error),
            LedgerError::TooManyTransactions { limit, found } => LedgerError::TooManyTransactions { limit, found },
            LedgerError::OtherChain { index } => LedgerError::OtherChain { index },
            LedgerError::WrongNonce { index, expected, found } => LedgerError::WrongNonce { index, expected, found },
            LedgerError::LastNonce { index } => LedgerError::LastNonce { index },
            LedgerError::Overspend { index, balance, spent } => LedgerError::Overspend { index, balance, spent },
            LedgerError::Registered { index } => LedgerError::Registered { index },
            LedgerError::NotRegistered { index } => LedgerError::NotRegistered { index },
            LedgerError::Total { index, source } => LedgerError::Total { index, source },
            LedgerError::Rewards(source) => LedgerError::Rewards(source),
        })
    }
}

/// Accounts as a block leaves them so far, over those before it.
pub(crate) struct Overlay<'a, A> {
    before: &'a A,
    touched: BTreeMap<Address, Touched>,
}

struct Touched {
    before: Account,
    now: Account,
}

impl<'a, A: Accounts> Overlay<'a, A> {
    /// Of a block that changed nothing yet.
    pub(crate) fn new(before: &'a A) -> Self {
        Overlay { before, touched: BTreeMap::new() }
    }

    /// Executes a transaction, or else leaves everything as it was.
    pub(crate) fn attempt(
        &mut self,
        rules: &Rules,
        height: u64,
        (index, transaction): (usize, &Transaction),
    ) -> Result<(), LedgerError<A::Error>> {
        let sender = transaction.body.sender;
        let receiver = match transaction.body.action {
            Action::Transfer { to, .. } => to,
            Action::Register | Action::Retire => sender,
        };
        let before = [(sender, *self.account(sender)?), (receiver, *self.account(receiver)?)];
        let executed = self.transaction(rules, height, (index, transaction));
        if executed.is_err() {
            for (address, account) in before {
                *self.account(address)? = account;
            }
        }
        executed
    }

    fn account(&mut self, address: Address) -> Result<&mut Account, LedgerError<A::Error>> {
        let touched = match self.touched.entry(address) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let before = self.before.account(&address).map_err(LedgerError::Accounts)?;
                entry.insert(Touched { before, now: before })
            }
        };
        Ok(&mut touched.now)
    }

    fn transaction(
        &mut self,
        rules: &Rules,
        height: u64,
        (index, transaction): (usize, &Transaction),
    ) -> Result<(), LedgerError<A::Error>> {
        let body = &transaction.body;
        let total = |source| LedgerError::Total { index, source };
        let sender = self.account(body.sender)?;
        if body.nonce != sender.nonce {
            return Err(LedgerError::WrongNonce { index, expected: sender.nonce, found: body.nonce });
        }
        sender.nonce = sender.nonce.checked_add(1).ok_or(LedgerError::LastNonce { index })?;

        let (balance, mut spent) = (sender.balance, body.spent().map_err(total)?);
        match body.action {
            Action::Transfer { .. } => {}
            Action::Register if sender.registered.is_some() => return Err(LedgerError::Registered { index }),
            Action::Register => {
                spent = spent.checked_add(rules.registration_bond).map_err(total)?;
                (sender.bond, sender.registered) = (rules.registration_bond, Some(height));
            }
            Action::Retire if sender.registered.is_none() => return Err(LedgerError::NotRegistered { index }),
            // The fee is taken before the bond is back.
            Action::Retire => {}
        }
        sender.balance = balance.checked_sub(spent).map_err(|_| LedgerError::Overspend { index, balance, spent })?;

        match body.action {
            Action::Transfer { to, amount } => {
                let receiver = self.account(to)?;
                receiver.balance = receiver.balance.checked_add(amount).map_err(total)?;
            }
            Action::Register => {}
            Action::Retire => {
                sender.balance = sender.balance.checked_add(sender.bond).map_err(total)?;
                (sender.bond, sender.registered) = (Amount::ZERO, None);
            }
        }
        Ok(())
    }
}

/// Executes the ledger part of the block of this height: `matured` are the rewards that mature with it, `contributors`
/// those of its contributions, in order.
///
/// Signatures and what else [`Transaction::check`] sees are checked before, where they can be checked in parallel and
/// only once; here only the chain is looked at again. That contributors are registered and matured is the caller's rule.
#[allow(clippy::too_many_arguments)]
pub fn execute<A: Accounts>(
    accounts: &A,
    rules: &Rules,
    chain: &ChainId,
    height: u64,
    matured: &[Reward],
    transactions: &[Transaction],
    contributors: &[Address],
    producer: &Address,
) -> Result<Execution, LedgerError<A::Error>> {
    let limit = rules.max_transactions;
    if u32::try_from(transactions.len()).map_or(true, |found| found > limit) {
        return Err(LedgerError::TooManyTransactions { limit, found: transactions.len() });
    }
    let mut overlay = Overlay::new(accounts);
    for reward in matured {
        let account = overlay.account(reward.to)?;
        account.balance = account.balance.checked_add(reward.amount).map_err(LedgerError::Rewards)?;
    }
    for (index, transaction) in transactions.iter().enumerate() {
        if transaction.body.chain != *chain {
            return Err(LedgerError::OtherChain { index });
        }
        overlay.transaction(rules, height, (index, transaction))?;
    }

    let fees = Amount::checked_sum(transactions.iter().map(|t| t.body.fee)).map_err(LedgerError::Rewards)?;
    let producer_amount = rules.producer_reward_at(height).checked_add(fees).map_err(LedgerError::Rewards)?;
    let amount = rules.contribution_reward_at(height);
    let rewards = contributors.iter().map(|&to| Reward { to, amount });
    let rewards = rewards.chain([Reward { to: *producer, amount: producer_amount }]).collect();

    let touched = overlay.touched.into_iter().filter(|(_, t)| t.before != t.now);
    let (previous, changed) = touched.map(|(a, t)| ((a, t.before), (a, t.now))).unzip();
    Ok(Execution { changed, previous, rewards, fees })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::testing::key;
    use crate::amount::MAX_SUPPLY;
    use crate::ledger::testing::rules;
    use crate::transaction::Body;

    const CHAIN: ChainId = ChainId::from_bytes([9; 32]);

    fn grains(grains: u64) -> Amount {
        Amount::from_grains(grains).unwrap()
    }

    fn holding(balances: [u64; 2]) -> BTreeMap<Address, Account> {
        let account = |balance| Account { balance: grains(balance), ..Account::default() };
        BTreeMap::from([(key(0).address(), account(balances[0])), (key(1).address(), account(balances[1]))])
    }

    fn signed(from: u8, nonce: u64, fee: u64, action: Action) -> Transaction {
        let body = Body { chain: CHAIN, sender: key(from).address(), nonce, fee: grains(fee), action };
        Transaction::sign(body, &key(from)).unwrap()
    }

    fn pay(from: u8, nonce: u64, to: u8, amount: u64) -> Transaction {
        signed(from, nonce, 1, Action::Transfer { to: key(to).address(), amount: grains(amount) })
    }

    fn run(
        accounts: &BTreeMap<Address, Account>,
        transactions: &[Transaction],
    ) -> Result<Execution, LedgerError<Infallible>> {
        execute(accounts, &rules(), &CHAIN, 7, &[], transactions, &[], &key(9).address())
    }

    #[test]
    fn coins_move_and_fees_go_to_the_producer() {
        let accounts = holding([100, 0]);
        let execution = run(&accounts, &[pay(0, 0, 1, 60), pay(1, 0, 0, 59)]).unwrap();
        let after = |balance| Account { balance: grains(balance), nonce: 1, ..Account::default() };
        assert_eq!(execution.changed, BTreeMap::from([(key(0).address(), after(98)), (key(1).address(), after(0))]));
        assert_eq!(execution.previous, accounts);
        assert_eq!(execution.fees, grains(2));
        assert_eq!(execution.rewards, [Reward { to: key(9).address(), amount: grains(250 + 2) }]);
    }

    #[test]
    fn a_payment_to_oneself_costs_the_fee() {
        let execution = run(&holding([100, 0]), &[pay(0, 0, 0, 99)]).unwrap();
        assert_eq!(execution.changed[&key(0).address()].balance, grains(99));
    }

    #[test]
    fn each_contribution_is_paid_and_so_is_the_producer() {
        let contributors = [key(1), key(0), key(1)].map(|k| k.address());
        let nobody = BTreeMap::new();
        let execution = execute(&nobody, &rules(), &CHAIN, 4, &[], &[], &contributors, &key(0).address()).unwrap();
        let reward = |index, amount| Reward { to: key(index).address(), amount: grains(amount) };
        assert_eq!(execution.rewards, [reward(1, 1_000), reward(0, 1_000), reward(1, 1_000), reward(0, 500)]);
        assert_eq!((execution.changed.len(), execution.fees), (0, Amount::ZERO));
    }

    #[test]
    fn matured_rewards_can_be_spent_by_the_same_block() {
        let matured = [30, 31].map(|amount| Reward { to: key(0).address(), amount: grains(amount) });
        let execution =
            execute(&BTreeMap::new(), &rules(), &CHAIN, 7, &matured, &[pay(0, 0, 1, 60)], &[], &key(9).address());
        assert_eq!(execution.unwrap().changed[&key(1).address()].balance, grains(60));
    }

    #[test]
    fn registration_locks_the_bond_and_retirement_returns_it() {
        let accounts = holding([10_003, 0]);
        let registered = run(&accounts, &[signed(0, 0, 1, Action::Register)]).unwrap().changed;
        let expected = Account { balance: grains(2), nonce: 1, bond: grains(10_000), registered: Some(7) };
        assert_eq!(registered[&key(0).address()], expected);
        let retired = run(&registered, &[signed(0, 1, 2, Action::Retire)]).unwrap().changed;
        let expected = Account { balance: grains(10_000), nonce: 2, ..Account::default() };
        assert_eq!(retired[&key(0).address()], expected);
    }

    #[test]
    fn each_rule() {
        let accounts = holding([20_000, 5]);
        let refused = |transactions: &[Transaction]| run(&accounts, transactions).unwrap_err();
        let payment = pay(0, 0, 1, 10);

        let many: Vec<_> = (0..5).map(|nonce| pay(0, nonce, 1, 1)).collect();
        assert_eq!(refused(&many), LedgerError::TooManyTransactions { limit: 4, found: 5 });
        let mut other = payment;
        other.body.chain = ChainId::from_bytes([8; 32]);
        assert_eq!(refused(&[payment, other]), LedgerError::OtherChain { index: 1 });
        assert_eq!(refused(&[payment, payment]), LedgerError::WrongNonce { index: 1, expected: 1, found: 0 });
        assert_eq!(refused(&[pay(0, 2, 1, 1)]), LedgerError::WrongNonce { index: 0, expected: 0, found: 2 });
        assert_eq!(
            refused(&[payment, pay(0, 1, 1, 19_989)]),
            LedgerError::Overspend { index: 1, balance: grains(19_989), spent: grains(19_990) }
        );
        assert_eq!(
            refused(&[signed(1, 0, 3, Action::Register)]),
            LedgerError::Overspend { index: 0, balance: grains(5), spent: grains(10_003) }
        );
        let register = |nonce| signed(0, nonce, 1, Action::Register);
        assert_eq!(refused(&[register(0), register(1)]), LedgerError::Registered { index: 1 });
        assert_eq!(refused(&[signed(1, 0, 1, Action::Retire)]), LedgerError::NotRegistered { index: 0 });
        // The bond does not pay for the fee of its own return.
        assert_eq!(
            refused(&[register(0), signed(0, 1, 10_000, Action::Retire)]),
            LedgerError::Overspend { index: 1, balance: grains(9_999), spent: grains(10_000) }
        );
        let most = MAX_SUPPLY.grains();
        assert_eq!(
            refused(&[pay(0, 0, 1, most)]),
            LedgerError::Total { index: 0, source: AmountError::AboveSupply(u128::from(most) + 1) }
        );
    }

    #[test]
    fn the_last_nonce_is_never_passed() {
        let mut accounts = holding([100, 0]);
        accounts.get_mut(&key(0).address()).unwrap().nonce = u64::MAX;
        assert_eq!(run(&accounts, &[pay(0, u64::MAX, 1, 1)]), Err(LedgerError::LastNonce { index: 0 }));
    }

    #[test]
    fn rewards_beyond_the_supply_are_refused() {
        let reward = Reward { to: key(0).address(), amount: MAX_SUPPLY };
        let execution = execute(&holding([1, 0]), &rules(), &CHAIN, 7, &[reward], &[], &[], &key(9).address());
        let above = AmountError::AboveSupply(u128::from(MAX_SUPPLY.grains()) + 1);
        assert_eq!(execution, Err(LedgerError::Rewards(above)));
    }

    #[test]
    fn an_account_that_cannot_be_read_is_an_error() {
        struct Broken;
        impl Accounts for Broken {
            type Error = &'static str;
            fn account(&self, _: &Address) -> Result<Account, &'static str> {
                Err("broken")
            }
        }
        let execution = execute(&Broken, &rules(), &CHAIN, 7, &[], &[pay(0, 0, 1, 1)], &[], &key(9).address());
        assert_eq!(execution, Err(LedgerError::Accounts("broken")));
    }
}
