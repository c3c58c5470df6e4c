//! What a running node answers: what its store says, and what waits in its pools.

use super::{Action, Node, NodeError};
use crate::address::Address;
use crate::message::Message;
use crate::rpc::{self, Answer, MAX_WAITING, Query};
use crate::store::StoreError;
use crate::transaction::{Transaction, TransactionId};

impl Node {
    /// Answers a question. An error means that the node has to stop; what the asker does wrong is an answer.
    pub fn answer(&mut self, query: &Query) -> Result<(Answer, Vec<Action>), StoreError> {
        match query {
            Query::Submit(transaction) => self.submitted(transaction, false),
            Query::Replace(transaction) => self.submitted(transaction, true),
            Query::Waiting(address) => Ok((Answer::Waiting(self.waiting_of(address)), vec![])),
            query => {
                let mut answer = rpc::answer(self.chain.store(), query)?;
                if let Answer::Status(status) = &mut answer {
                    status.waiting = Some(self.waiting_transactions() as u64);
                }
                Ok((answer, vec![]))
            }
        }
    }

    fn submitted(&mut self, transaction: &Transaction, replaces: bool) -> Result<(Answer, Vec<Action>), StoreError> {
        let id = transaction.id()?;
        // Whoever was cut off before the answer asks again.
        if self.mempool.get(&id).is_some() || self.chain.store().view()?.transaction(&id)?.is_some() {
            return Ok((Answer::Submitted(id), vec![]));
        }
        match self.take_submitted(transaction, replaces) {
            Ok(()) => Ok((Answer::Submitted(id), vec![Action::Broadcast(None, Message::Transaction(*transaction))])),
            Err(NodeError::Store(error)) => Err(error),
            Err(error) => Ok((Answer::Refused(error.to_string()), vec![])),
        }
    }

    fn take_submitted(&mut self, transaction: &Transaction, replaces: bool) -> Result<(), NodeError> {
        let nonce = transaction.body.nonce;
        let held = self.mempool.of(&transaction.body.sender).find(|held| held.body.nonce == nonce);
        if let Some(held) = held.filter(|_| !replaces) {
            let waiting: TransactionId = held.id().map_err(StoreError::from)?;
            return Err(NodeError::NonceWaits { nonce, waiting });
        }
        self.transaction(*transaction)
    }

    fn waiting_of(&self, address: &Address) -> Vec<Transaction> {
        let received = self.mempool.iter().filter(|transaction| {
            transaction.body.sender != *address && transaction.body.parties().any(|party| party == *address)
        });
        self.mempool.of(address).chain(received).take(MAX_WAITING).copied().collect()
    }
}
