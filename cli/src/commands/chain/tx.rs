//! `chain tx`: one transaction, and where it is.

use super::{Devnet, describe, hash};
use crate::answers;
use crate::error::CliError;
use crate::format::{hex, table};
use crate::node_link::NodeLink;
use crate::ui::Output;
use ::chain::Hash;
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// The transaction's identity
    #[arg(value_name = "ID", value_parser = hash)]
    id: Hash,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let link = NodeLink::open(&args.devnet.dir)?;
    let found = answers::transaction(&link, args.id)?;
    let (included, record) = found.ok_or_else(|| CliError::NotFound(format!("transaction {}", hex(&args.id))))?;
    let tip = answers::status(&link)?.tip.summary.height;
    // The block itself counts.
    let confirmations = tip.saturating_sub(included.height).saturating_add(1);
    let mut rows = describe::transaction_rows(&included.transaction)?;
    rows.push(("block", format!("{} at height {}, number {}", hex(&included.block), included.height, included.index)));
    rows.push(("time", crate::format::utc(record.header.time)));
    rows.push(("confirmations", confirmations.to_string()));
    let place = json!({
        "ok": true,
        "block": hex(&included.block),
        "height": included.height,
        "index": included.index,
        "time": record.header.time,
        "confirmations": confirmations,
    });
    let json = describe::joined([describe::transaction(&included.transaction)?, place]);
    Ok(Output { text: table(&rows), json })
}
