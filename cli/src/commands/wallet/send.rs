//! `wallet send`: coins to someone else.

use super::transact;
use crate::error::CliError;
use crate::ui::{Output, Ui};
use ::chain::address::Address;
use ::chain::amount::Amount;
use ::chain::transaction::Action;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    signing: transact::Signing,
    /// Receiver
    #[arg(long, value_name = "ADDRESS")]
    to: Address,
    /// Coins, with up to 8 digits after the point
    #[arg(long, value_name = "COINS")]
    amount: Amount,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    transact::run(args.signing, Action::Transfer { to: args.to, amount: args.amount }, ui)
}
