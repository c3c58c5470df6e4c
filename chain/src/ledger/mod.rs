//! The ledger: accounts, the execution of a block's coins, and the tree that commits to all accounts.

mod account;
mod execute;
mod rules;

pub use account::Account;
pub use execute::{Accounts, Execution, LedgerError, Reward, execute};
pub use rules::{Rules, RulesError, subsidy};

#[cfg(test)]
pub(crate) use rules::testing;
