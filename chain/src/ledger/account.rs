//! An account.

use crate::amount::Amount;
use circuits::statements::codec::Encoded;
use serde::{Deserialize, Serialize};

/// What the ledger holds of an address; an address that was never named has the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Coins that can be spent.
    pub balance: Amount,
    /// Transactions executed so far.
    pub nonce: u64,
    /// Coins locked since the registration.
    pub bond: Amount,
    /// Height of the block with the registration, if the account is a contributor's.
    pub registered: Option<u64>,
}

impl Encoded for Account {
    const MAGIC: [u8; 8] = *b"GRADACCT";
    const VERSION: u32 = 1;
    const NAME: &'static str = "account";
}

impl Account {
    /// Whether it may contribute to a block of this height: registered at least `maturity` blocks before, so that no key
    /// is chosen for the batch it would get; or in the genesis, before any block's hash was known.
    pub fn matured(&self, height: u64, maturity: u64) -> bool {
        match self.registered {
            Some(0) => true,
            Some(registered) => registered.checked_add(maturity).is_some_and(|from| from <= height),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matures_so_many_blocks_after_the_registration() {
        let account = Account { registered: Some(10), ..Account::default() };
        assert_eq!([10, 14, 15, 16].map(|height| account.matured(height, 5)), [false, false, true, true]);
        assert!(!account.matured(u64::MAX, u64::MAX));
        assert!(Account { registered: Some(0), ..account }.matured(1, 5));
        assert!(!Account::default().matured(u64::MAX, 0));
    }
}
