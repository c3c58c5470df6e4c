//! `wallet send`: coins to someone else.

use super::transact;
use crate::error::CliError;
use crate::ui::{Output, Ui};
use crate::whose;
use ::chain::amount::Amount;
use ::chain::transaction::Action;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    signing: transact::Signing,
    /// Recipient: an address, or a key file
    #[arg(long, value_name = "ADDRESS|FILE")]
    to: String,
    /// Coins, with up to 8 digits after the point
    #[arg(long, value_name = "COINS")]
    amount: Amount,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let to = whose::address(&args.to)?;
    transact::run(args.signing, Action::Transfer { to, amount: args.amount }, ui)
}
