//! Waiting until a transaction is in a block.

use crate::answers;
use crate::error::CliError;
use crate::interrupt;
use crate::node_link::{NodeError, NodeLink};
use crate::ui::Ui;
use ::chain::consensus::contextual::Record;
use ::chain::rpc::Included;
use ::chain::transaction::{Transaction, TransactionId};
use std::time::Duration;

/// How often the node is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often a store is tried that is in use, each time for as long as a link waits.
const LAST_QUESTIONS: usize = 5;

/// Where a transaction is.
enum Whereabouts {
    /// In a block.
    Included(Box<(Included, Record)>),
    /// It waits.
    Waiting,
    /// Neither: why.
    Gone(String),
}

/// Waits until a transaction that the node took is in a block. Ctrl-C ends the waiting only.
pub fn until_included(link: &NodeLink, transaction: &Transaction, ui: &Ui) -> Result<(Included, Record), CliError> {
    let id = transaction.id()?;
    let name = id.to_string();
    let (told, text) = (
        ui.clone(),
        format!(
            "transaction {name} is still pending; `{}` will show its block",
            link.command(&format!("chain tx {name}"))
        ),
    );
    interrupt::on_interrupt(move || interrupt::end(&told, text.clone()));
    ui.progress(&format!("transaction {name} is pending; Ctrl-C only stops waiting for it"));
    let _spinner = ui.spinner("waiting for a block");
    let mut gone = false;
    loop {
        match whereabouts(link, transaction, &id) {
            Ok(Whereabouts::Included(included)) => return Ok(*included),
            Ok(Whereabouts::Waiting) => gone = false,
            // Seen twice: a change of branches moves it from a block back to the pool between two questions.
            Ok(Whereabouts::Gone(why)) if gone => {
                return Err(CliError::NotIncluded(format!("transaction {name} {why}")));
            }
            Ok(Whereabouts::Gone(_)) => gone = true,
            Err(CliError::Node(
                error @ (NodeError::NotRunning(_) | NodeError::Connection { .. } | NodeError::InUse(_)),
            )) => {
                return without_node(link, &id, error);
            }
            Err(error) => return Err(error),
        }
        std::thread::sleep(INTERVAL);
    }
}

fn whereabouts(link: &NodeLink, transaction: &Transaction, id: &TransactionId) -> Result<Whereabouts, CliError> {
    let body = &transaction.body;
    let waiting = answers::waiting(link, &body.sender)?;
    // After the question for what waits: what a block took in between is found there.
    if let Some(included) = answers::transaction(link, *id)? {
        return Ok(Whereabouts::Included(Box::new(included)));
    }
    let same = waiting.iter().find(|other| other.body.sender == body.sender && other.body.nonce == body.nonce);
    Ok(match same.map(Transaction::id).transpose()? {
        Some(other) if other == *id => Whereabouts::Waiting,
        Some(other) => Whereabouts::Gone(format!("was replaced by transaction {other}, which is pending")),
        None if answers::account(link, &body.sender)?.account.nonce > body.nonce => Whereabouts::Gone(format!(
            "will not be in a block: another transaction with nonce {} was executed; `{}` shows it",
            body.nonce,
            link.command(&format!("wallet history {}", body.sender))
        )),
        None => Whereabouts::Gone("was dropped by the node and is in no block: it can be sent again".into()),
    })
}

/// The node went away; its store may have the transaction.
fn without_node(link: &NodeLink, id: &TransactionId, error: NodeError) -> Result<(Included, Record), CliError> {
    link.allow_stopped();
    for _ in 0..LAST_QUESTIONS {
        match answers::transaction(link, *id) {
            Ok(Some(included)) => return Ok(included),
            Ok(None) => return Err(NodeError::Gone { id: id.to_string() }.into()),
            // A devnet that ends has its store a little longer than its socket.
            Err(CliError::Node(NodeError::InUse(_))) => {}
            Err(_) => break,
        }
    }
    Err(error.into())
}
