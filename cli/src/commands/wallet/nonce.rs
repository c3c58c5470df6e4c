//! Which number a transaction has among its sender's.

use crate::answers;
use crate::commands::chain::describe;
use crate::error::CliError;
use crate::node_link::NodeLink;
use ::chain::address::Address;
use ::chain::transaction::Transaction;

/// The numbers that a sender has used.
pub struct Nonces {
    /// The first that is not executed.
    executed: u64,
    /// Transactions that wait, by nonce.
    waiting: Vec<Transaction>,
}

impl Nonces {
    /// Asks a node.
    pub fn of(link: &NodeLink, sender: &Address) -> Result<Self, CliError> {
        // In this order: what a block takes in between is then counted by the account as well, not by neither.
        let mut waiting = answers::waiting(link, sender)?;
        let executed = answers::account(link, sender)?.account.nonce;
        waiting.retain(|transaction| transaction.body.sender == *sender && transaction.body.nonce >= executed);
        Ok(Nonces { executed, waiting })
    }

    /// The first that is neither executed nor waiting.
    fn next(&self) -> u64 {
        self.waiting.last().map_or(self.executed, |last| last.body.nonce.saturating_add(1))
    }

    /// The nonce of a new transaction: the next, or the given one if it can be.
    pub fn choose(&self, given: Option<u64>, replace: bool) -> Result<u64, CliError> {
        let next = self.next();
        let Some(nonce) = given else { return Ok(next) };
        let refused = |reason: String| Err(CliError::Usage(reason));
        if nonce < self.executed {
            return refused(format!("nonce {nonce} was already executed; the account's next is {next}"));
        }
        let waiting = self.waiting.iter().find(|transaction| transaction.body.nonce == nonce);
        match (waiting, replace) {
            (Some(waiting), false) => {
                let (id, what) = (waiting.id()?.to_string(), describe::sentence(waiting));
                refused(format!(
                    "transaction {id} with nonce {nonce} is already pending: {what}; --replace replaces it"
                ))
            }
            (None, true) => refused(format!(
                "no transaction with nonce {nonce} is pending to be replaced; the account's next is {next}"
            )),
            (None, false) if nonce > next => {
                refused(format!("nonce {nonce} leaves a gap: the account's next is {next}"))
            }
            _ => Ok(nonce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::chain::address::SecretKey;
    use ::chain::amount::Amount;
    use ::chain::header::ChainId;
    use ::chain::transaction::{Action, Body};

    fn waiting(nonce: u64) -> Transaction {
        let key = SecretKey::from_seed(&[1; 32]);
        let body = Body {
            chain: ChainId::from_bytes([0; 32]),
            sender: key.address(),
            nonce,
            fee: Amount::ZERO,
            action: Action::Register,
        };
        Transaction::sign(body, &key).unwrap()
    }

    /// 7.12: waiting transactions count, and none is replaced unless that is asked for.
    #[test]
    fn a_nonce_is_the_next_that_neither_waits_nor_was_executed() {
        let none = Nonces { executed: 3, waiting: vec![] };
        let two = Nonces { executed: 3, waiting: vec![waiting(3), waiting(4)] };
        assert_eq!((none.choose(None, false).unwrap(), two.choose(None, false).unwrap()), (3, 5));
        assert_eq!((none.choose(Some(3), false).unwrap(), two.choose(Some(5), false).unwrap()), (3, 5));
        assert_eq!((two.choose(Some(3), true).unwrap(), two.choose(Some(4), true).unwrap()), (3, 4));
        let refused = |nonces: &Nonces, given, replace, text: &str| match nonces.choose(Some(given), replace) {
            Err(CliError::Usage(message)) => assert!(message.contains(text), "{message}"),
            other => panic!("{other:?}"),
        };
        for replace in [false, true] {
            refused(&none, 2, replace, "nonce 2 was already executed; the account's next is 3");
            refused(&two, 2, replace, "nonce 2 was already executed; the account's next is 5");
        }
        let id = waiting(4).id().unwrap().to_string();
        refused(&two, 4, false, &format!("transaction {id} with nonce 4 is already pending: grad1"));
        refused(&two, 4, false, "registers as a contributor; --replace replaces it");
        refused(&two, 6, false, "nonce 6 leaves a gap: the account's next is 5");
        refused(&two, 5, true, "no transaction with nonce 5 is pending to be replaced; the account's next is 5");
    }
}
