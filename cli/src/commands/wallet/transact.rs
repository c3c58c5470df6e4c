//! Signing a transaction and handing it to a node.

use crate::answers;
use crate::commands::chain::{Devnet, describe};
use crate::error::CliError;
use crate::format::table;
use crate::key_file::KeyFile;
use crate::node_link::NodeLink;
use crate::passphrase::{PassphraseArgs, Purpose};
use crate::ui::{Output, Ui};
use ::chain::amount::Amount;
use ::chain::transaction::{Action, Body, Transaction};
use serde_json::json;
use std::path::PathBuf;

/// What every transaction needs.
#[derive(clap::Args)]
pub struct Signing {
    #[command(flatten)]
    devnet: Devnet,
    /// The sender's key file
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Coins for the block's producer
    #[arg(long, value_name = "COINS", default_value = "0")]
    fee: Amount,
    /// The transaction's number among the sender's, from 0 [default: the next after the executed ones]
    #[arg(long)]
    nonce: Option<u64>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs a command that makes a transaction.
pub fn run(args: Signing, action: Action, ui: &Ui) -> Result<Output, CliError> {
    let file = KeyFile::read(&args.key)?;
    let link = NodeLink::open(&args.devnet.dir)?;
    // Before a passphrase is asked for.
    link.require_running()?;
    let (chain, sender) = (*link.spec().id(), file.address());
    let nonce = match args.nonce {
        Some(nonce) => nonce,
        None => answers::account(&link, &sender)?.account.nonce,
    };
    // Someone at the terminal may take longer than a node waits.
    drop(link);
    let body = Body { chain, sender, nonce, fee: args.fee, action };
    let passphrase = args.passphrase.get(Purpose::Open)?;
    let key = {
        let _spinner = ui.spinner("passphrase");
        file.secret_key(&passphrase).map_err(CliError::file(&args.key))?
    };
    let transaction = Transaction::sign(body, &key)?;
    // What no node would take is not sent.
    transaction.check(&chain).map_err(|error| CliError::Usage(error.to_string()))?;
    let link = NodeLink::open(&args.devnet.dir)?;
    link.require_running()?;
    answers::submit(&link, &transaction)?;
    let rows = describe::transaction_rows(&transaction)?;
    let json = describe::joined([json!({ "ok": true }), describe::transaction(&transaction)?]);
    Ok(Output { text: table(&rows), json })
}
