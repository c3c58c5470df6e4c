//! `devnet faucet`: coins for whoever has none.

use super::setup::{KEYS, PASSPHRASE};
use crate::commands::chain::Devnet;
use crate::commands::wallet::transact::{self, Order};
use crate::error::CliError;
use crate::key_file::KeyFile;
use crate::node_link::NodeLink;
use crate::ui::{Output, Ui};
use crate::whose;
use chain::amount::Amount;
use chain::transaction::Action;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// Recipient: an address, or a key file [default: the default key]
    #[arg(value_name = "ADDRESS|FILE")]
    whose: Option<String>,
    /// Coins; the default suffices for a contributor's bond
    #[arg(long, value_name = "COINS", default_value = "200")]
    amount: Amount,
    /// Wait until the coins are in a block
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let to = whose::address_or_default(args.whose.as_deref())?;
    let link = args.devnet.link()?;
    link.require_running()?;
    let (path, file) = funded(&link, &args.devnet.dir.join(KEYS))?;
    let key = file.secret_key(PASSPHRASE).map_err(CliError::file(&path))?;
    let action = Action::Transfer { to, amount: args.amount };
    transact::carry_out(
        &link,
        &key,
        Order { action, fee: Amount::ZERO, nonce: None, replace: false, wait: args.wait },
        ui,
    )
}

/// The last of the devnet's keys that has coins in the genesis and contributes nothing: no node works for it.
fn funded(link: &NodeLink, keys: &Path) -> Result<(PathBuf, KeyFile), CliError> {
    let genesis = link.spec().genesis();
    let mut last: Option<(u64, PathBuf, KeyFile)> = None;
    for entry in fs::read_dir(keys).map_err(CliError::io("list", keys))? {
        let path = entry.map_err(CliError::io("list", keys))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("key-").and_then(|name| name.strip_suffix(".key")?.parse::<u64>().ok());
        let Some(number) = number.filter(|number| last.as_ref().is_none_or(|(last, ..)| number > last)) else {
            continue;
        };
        let file = KeyFile::read(&path)?;
        let address = file.address();
        let has_coins = genesis.balances.iter().any(|(holder, amount)| *holder == address && !amount.is_zero());
        if has_coins && !genesis.contributors.contains(&address) {
            last = Some((number, path, file));
        }
    }
    last.map(|(_, path, file)| (path, file))
        .ok_or_else(|| CliError::NotFound(format!("funded key in {}", keys.display())))
}
