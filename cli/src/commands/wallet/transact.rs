//! Signing a transaction and handing it to a node.

use super::nonce::Nonces;
use super::wait;
use crate::answers;
use crate::commands::chain::{Devnet, describe};
use crate::default_key;
use crate::error::CliError;
use crate::format::table;
use crate::node_link::{NodeError, NodeLink};
use crate::passphrase::{PassphraseArgs, Purpose};
use crate::ui::{Output, Ui};
use ::chain::address::SecretKey;
use ::chain::amount::Amount;
use ::chain::transaction::{Action, Body, Transaction};
use serde_json::json;
use std::path::PathBuf;

/// What every transaction needs.
#[derive(clap::Args)]
pub struct Signing {
    #[command(flatten)]
    devnet: Devnet,
    /// The sender's key file [default: the default key]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Fee in coins, for the block's producer
    #[arg(long, value_name = "COINS", default_value = "0")]
    fee: Amount,
    /// The number of the transaction among the sender's, from 0 [default: the next after those executed and pending]
    #[arg(long)]
    nonce: Option<u64>,
    /// Replace the pending transaction with the same nonce; the fee must be a tenth higher
    #[arg(long, requires = "nonce")]
    replace: bool,
    /// Wait until the transaction is in a block
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// What a transaction is to be.
pub struct Order {
    /// What it does.
    pub action: Action,
    /// For the block's producer.
    pub fee: Amount,
    /// Its nonce, unless it is the next.
    pub nonce: Option<u64>,
    /// Whether it takes the place of a waiting one.
    pub replace: bool,
    /// Whether to wait until it is in a block.
    pub wait: bool,
}

/// Runs a command that makes a transaction.
pub fn run(args: Signing, action: Action, ui: &Ui) -> Result<Output, CliError> {
    let (path, file) = default_key::read(args.key.as_deref())?;
    let link = args.devnet.link()?;
    let Signing { fee, nonce, replace, wait, .. } = args;
    // What cannot be is said before a passphrase is asked for.
    link.require_running()?;
    Nonces::of(&link, &file.address())?.choose(nonce, replace)?;
    let passphrase = args.passphrase.get(Purpose::Open)?;
    let key = {
        let _spinner = ui.spinner("passphrase");
        file.secret_key(&passphrase).map_err(CliError::file(&path))?
    };
    carry_out(&link, &key, Order { action, fee, nonce, replace, wait }, ui)
}

/// Signs a transaction and hands it to a running node.
pub fn carry_out(link: &NodeLink, key: &SecretKey, order: Order, ui: &Ui) -> Result<Output, CliError> {
    link.require_running()?;
    let (chain, sender) = (*link.spec().id(), key.address());
    let nonce = Nonces::of(link, &sender)?.choose(order.nonce, order.replace)?;
    let body = Body { chain, sender, nonce, fee: order.fee, action: order.action };
    let transaction = Transaction::sign(body, key)?;
    // What no node would take is not sent.
    transaction.check(&chain).map_err(|error| CliError::Usage(error.to_string()))?;
    if let Err(error) = answers::submit(link, &transaction, order.replace) {
        if matches!(error, CliError::Node(NodeError::Connection { .. } | NodeError::NotRunning(_))) {
            let id = transaction.id()?.to_string();
            ui.warn(&format!(
                "it is unknown whether the node accepted transaction {id}; check with `{}`",
                link.command(&format!("wallet history {sender}"))
            ));
        }
        return Err(error);
    }
    let mut rows = describe::transaction_rows(&transaction)?;
    let mut parts = vec![json!({ "ok": true, "waiting": !order.wait }), describe::transaction(&transaction)?];
    if order.wait {
        let (included, record) = wait::until_included(link, &transaction, ui)?;
        rows.extend(describe::place_rows(&included, &record));
        parts.push(describe::place(&included, &record));
    } else {
        let history = link.command(&format!("wallet history {sender}"));
        rows.push(("state", format!("pending; listed by: {history}")));
    }
    Ok(Output { text: table(&rows), json: describe::joined(parts) })
}
