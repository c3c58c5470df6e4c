//! `chain`: what a node's chain holds.

mod block;
pub mod describe;
mod status;
mod tx;

use crate::error::CliError;
use crate::node_link::{DEFAULT_DIR, NodeLink};
use crate::ui::{Output, Ui};
use clap::Subcommand;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to show.
#[derive(Subcommand)]
enum What {
    /// Show the chain's status
    Status(status::Args),
    /// Show a block
    Block(block::Args),
    /// Show a transaction and its block
    Tx(tx::Args),
}

/// Where the node is.
#[derive(clap::Args)]
pub struct Devnet {
    /// Directory of the devnet, running or not
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub dir: PathBuf,
}

impl Devnet {
    /// A way to its node.
    pub fn link(&self) -> Result<NodeLink, CliError> {
        NodeLink::open(&self.dir, "--dir")
    }
}

/// Runs the command.
pub fn run(args: Args, _: &Ui) -> Result<Output, CliError> {
    match args.what {
        What::Status(args) => status::run(args),
        What::Block(args) => block::run(args),
        What::Tx(args) => tx::run(args),
    }
}

/// Reads an identity: 64 hexadecimal digits.
pub fn hash<T>(text: &str, from_bytes: fn([u8; 32]) -> T) -> Result<T, String> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
    let bytes: Option<Vec<u8>> =
        digits.map(|d| d.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect());
    let hash = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
    hash.map(from_bytes).ok_or_else(|| "an identity has 64 hexadecimal digits".to_owned())
}
