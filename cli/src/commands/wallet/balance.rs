//! `wallet balance`: what an address has, with proof.

use crate::answers;
use crate::commands::chain::Devnet;
use crate::error::CliError;
use crate::format::table;
use crate::ui::Output;
use crate::whose;
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// An address, or a key file [default: the default key]
    #[arg(value_name = "ADDRESS|FILE")]
    whose: Option<String>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let address = whose::address_or_default(args.whose.as_deref())?;
    let link = args.devnet.link()?;
    let proven = answers::account(&link, &address)?;
    let (account, record) = (&proven.account, &proven.record);
    let height = record.summary.height;
    let (block, ledger) = (record.header.id().to_string(), record.summary.ledger.to_string());

    let maturity = link.spec().rules().ledger.registration_maturity;
    let next = height.saturating_add(1);
    let registered = match account.registered {
        None => "no".to_owned(),
        Some(0) => "in the genesis".to_owned(),
        Some(at) if account.matured(next, maturity) => format!("at height {at}"),
        Some(at) => format!("at height {at}; contributes from height {} on", at.saturating_add(maturity)),
    };
    let mut rows = vec![("address", address.to_string()), ("balance", format!("{} coins", account.balance))];
    if !proven.exists {
        rows.push(("account", "none: proven absent".into()));
    }
    rows.extend([
        ("bond", format!("{} coins", account.bond)),
        ("nonce", account.nonce.to_string()),
        ("contributor", registered),
        ("checked", format!("by a path to the ledger root {ledger}")),
        ("", format!("of block {block} at height {height}")),
        ("not checked", "that this block is the chain's last".into()),
    ]);
    let json = json!({
        "ok": true,
        "address": address.to_string(),
        "exists": proven.exists,
        "balance": account.balance.to_string(),
        "grains": account.balance.grains(),
        "bond": account.bond.to_string(),
        "nonce": account.nonce,
        "registered": account.registered,
        "matured": account.matured(next, maturity),
        "block": block,
        "height": height,
        "ledger": ledger,
        "checked": ["the account by its path to the ledger root", "the ledger root by the block's header", "the header's work"],
        "not_checked": ["that the block is the chain's last"],
    });
    Ok(Output { text: table(&rows), json })
}
