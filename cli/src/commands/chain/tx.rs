//! `chain tx`: one transaction, and where it is.

use super::{Devnet, describe, hash};
use crate::answers;
use crate::error::CliError;
use crate::format::table;
use crate::ui::Output;
use ::chain::transaction::TransactionId;
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// The transaction's identity
    #[arg(value_name = "ID", value_parser = |text: &str| hash(text, TransactionId::from_bytes))]
    id: TransactionId,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let link = args.devnet.link()?;
    let found = answers::transaction(&link, args.id)?;
    let none = || format!("transaction {}; `gradientcoin wallet history` lists pending ones", args.id);
    let (included, record) = found.ok_or_else(|| CliError::NotFound(none()))?;
    let tip = answers::status(&link)?.tip.summary.height;
    // The block itself counts.
    let confirmations = tip.saturating_sub(included.height).saturating_add(1);
    let mut rows = describe::transaction_rows(&included.transaction)?;
    rows.extend(describe::place_rows(&included, &record));
    rows.push(("confirmations", confirmations.to_string()));
    let json = describe::joined([
        json!({ "ok": true, "confirmations": confirmations }),
        describe::transaction(&included.transaction)?,
        describe::place(&included, &record),
    ]);
    Ok(Output { text: table(&rows), json })
}
