//! `devnet`: a whole network in one process, to try everything on one machine.
//!
//! | thread | what |
//! |---|---|
//! | one per node | a [`chain::node::Node`], fed with messages, results of jobs and questions |
//! | one per contributor | gradients and their proofs for each new tip |
//! | one, the producer's | waits for contributions, proves the update, works on the header |
//! | rayon's | jobs: verifying what arrives |

mod hub;
mod nodes;
mod report;
mod setup;
mod workers;

use crate::error::CliError;
use crate::ui::{Output, Ui};
use circuits::decimal::Decimal;
use std::path::PathBuf;
use std::time::Duration;

/// Where a devnet is unless told otherwise.
pub const DEFAULT_DIR: &str = "devnet";

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory of the devnet; a chain that is there is gone on with
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
    /// Nodes: the first produces, the next ones contribute, the others follow
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: u16,
    /// Nodes that contribute [default: all but the first]
    #[arg(long, value_name = "N")]
    contributors: Option<u16>,
    /// Blocks to make before stopping [default: until interrupted]
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Seconds that a block should take: how long the producer waits for contributions
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86400))]
    seconds_per_block: u64,
    /// Model of a new chain
    #[arg(long, default_value = "nano", value_parser = ["nano", "micro", "mini"])]
    preset: String,
    /// Corpus of a new chain; its bytes are the tokens [default: a small one of stories]
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Sequences of a contribution, in a new chain
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Learning rate of a new chain
    #[arg(long, default_value = "0.1")]
    lr: Decimal,
    /// Momentum of a new chain, below 1
    #[arg(long, default_value = "0.9")]
    momentum: Decimal,
    /// Seed of a new chain's first weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How long nodes may take to agree once the last block is made.
const SETTLE: Duration = Duration::from_secs(120);

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let contributors = args.contributors.unwrap_or(args.nodes.saturating_sub(1).max(1));
    if contributors > args.nodes {
        let message = format!("{contributors} of {} nodes cannot contribute", args.nodes);
        return Err(CliError::Usage(message));
    }
    let net = setup::prepare(&args, contributors, ui)?;
    let running = nodes::start(net, &args.dir, ui)?;
    let outcome = running.until(args.blocks, SETTLE, ui);
    let (net, ends) = running.stop();
    outcome?;
    report::report(&net, &ends, &args.dir)
}
