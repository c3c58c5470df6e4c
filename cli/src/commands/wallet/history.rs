//! `wallet history`: the transactions of an address, those that wait first.

use crate::answers;
use crate::commands::chain::{Devnet, describe};
use crate::error::CliError;
use crate::format::{table, utc};
use crate::ui::Output;
use crate::whose;
use ::chain::address::Address;
use ::chain::transaction::{Action, Transaction};
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// An address, or a key file [default: the default key]
    #[arg(value_name = "ADDRESS|FILE")]
    whose: Option<String>,
    /// Maximum number of transactions
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let address = whose::address_or_default(args.whose.as_deref())?;
    let link = args.devnet.link()?;
    let limit = args.limit as usize;
    // What is executed in between is listed twice rather than not at all; see below.
    let mut waiting = answers::waiting(&link, &address)?;
    let mut history = answers::history(&link, &address, limit)?;
    waiting.retain(|transaction| history.iter().all(|(included, _)| included.transaction != *transaction));
    // The newest first.
    waiting.reverse();
    waiting.truncate(limit);
    history.truncate(limit - waiting.len());

    let mut rows = vec![("address", address.to_string())];
    let mut list = vec![];
    for transaction in &waiting {
        rows.push(("pending", sentence(&address, transaction)));
        rows.push(("", format!("transaction {}", transaction.id()?)));
        let place = json!({ "direction": direction(&address, transaction), "waiting": true });
        list.push(describe::joined([describe::transaction(transaction)?, place]));
    }
    let heights: Vec<String> = history.iter().map(|(included, _)| format!("height {}", included.height)).collect();
    for ((included, record), height) in history.iter().zip(&heights) {
        let transaction = &included.transaction;
        rows.push((height, sentence(&address, transaction)));
        rows.push(("", format!("transaction {}", transaction.id()?)));
        rows.push(("", utc(record.header.time)));
        let place = json!({ "direction": direction(&address, transaction), "waiting": false });
        let parts = [describe::transaction(transaction)?, place, describe::place(included, record)];
        list.push(describe::joined(parts));
    }
    if list.is_empty() {
        rows.push(("transactions", "none".into()));
    }
    rows.push(("checked", "signatures, and the blocks that they are in".into()));
    rows.push(("not checked", "that none is missing".into()));
    let json = json!({
        "ok": true,
        "address": address.to_string(),
        "transactions": list,
        "checked": ["signatures", "digests and work of the blocks that the transactions are in", "their places there"],
        "not_checked": ["that none is missing", "that the blocks are on the chain with the most work"],
    });
    Ok(Output { text: table(&rows), json })
}

/// `sent`, `received` or, of what moves no coins between two, `own`.
fn direction(address: &Address, transaction: &Transaction) -> &'static str {
    match transaction.body.action {
        Action::Transfer { to, .. } if transaction.body.sender == *address && to != *address => "sent",
        Action::Transfer { .. } if transaction.body.sender != *address => "received",
        _ => "own",
    }
}

/// What a transaction does for the address.
fn sentence(address: &Address, transaction: &Transaction) -> String {
    let body = &transaction.body;
    let (nonce, fee) = (body.nonce, body.fee);
    match body.action {
        Action::Transfer { amount, .. } if body.sender != *address => {
            format!("receives {amount} coins from {}", body.sender)
        }
        Action::Transfer { to, amount } => format!("sends {amount} coins to {to}, fee {fee}, nonce {nonce}"),
        Action::Register => format!("registers as a contributor, fee {fee}, nonce {nonce}"),
        Action::Retire => format!("retires as a contributor, fee {fee}, nonce {nonce}"),
    }
}
