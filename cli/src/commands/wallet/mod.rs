//! `wallet`: keys, balances, transactions.

mod address;
mod balance;
mod history;
mod keygen;
mod nonce;
mod send;
pub mod transact;
mod wait;

use crate::error::CliError;
use crate::ui::{Output, Ui};
use ::chain::transaction::Action;
use clap::Subcommand;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Subcommand)]
enum What {
    /// Create a key, in a file protected by a passphrase
    Keygen(keygen::Args),
    /// Show a key file's address; needs no passphrase
    Address(address::Args),
    /// Show the balance of an address, checked against the ledger root of a block
    Balance(balance::Args),
    /// List the transactions of an address, pending ones first
    History(history::Args),
    /// Send coins; needs a running node
    Send(send::Args),
    /// Register as a contributor: locks the bond; needs a running node
    Register(transact::Signing),
    /// Retire as a contributor: returns the bond; needs a running node
    Retire(transact::Signing),
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    match args.what {
        What::Keygen(args) => keygen::run(args, ui),
        What::Address(args) => address::run(args),
        What::Balance(args) => balance::run(args),
        What::History(args) => history::run(args),
        What::Send(args) => send::run(args, ui),
        What::Register(args) => transact::run(args, Action::Register, ui),
        What::Retire(args) => transact::run(args, Action::Retire, ui),
    }
}
