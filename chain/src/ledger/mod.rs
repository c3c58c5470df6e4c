//! The ledger: accounts, the execution of a block's coins, and the tree that commits to all accounts.

mod account;
mod execute;
mod proof;
mod rules;
mod tree;

pub use account::Account;
pub(crate) use execute::Overlay;
pub use execute::{Accounts, Execution, LedgerError, Reward, execute};
pub use proof::{BalanceProof, ProofError, prove};
pub use rules::{Rules, RulesError, subsidy};
pub use tree::{EMPTY_ROOT, MemoryNodes, NodeBatch, NodeStore, TreeError, account, root, update, version_prefix};

#[cfg(test)]
pub(crate) use rules::testing;
#[cfg(test)]
mod tests;
