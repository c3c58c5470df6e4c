//! `devnet`: a whole network in one process, to try everything on one machine.
//!
//! | thread | what |
//! |---|---|
//! | one per node | a [`chain::node::Node`], fed with messages, results of jobs and questions |
//! | one per contributor | gradients and their proofs for each new tip |
//! | one, the producer's | waits for contributions, proves the update, works on the header |
//! | rayon's | jobs: verifying what arrives |

mod directory;
mod events;
mod faucet;
mod hub;
mod nodes;
mod pace;
mod report;
mod settings;
mod setup;
mod watch;
mod workers;

use crate::error::CliError;
use crate::format::plural;
use crate::interrupt;
use crate::ui::{Output, Ui};
use clap::Subcommand;
use settings::Start;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Arguments.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    start: Start,
}

/// What else to do with a devnet.
#[derive(Subcommand)]
enum What {
    /// Send coins to an address, from a devnet key that no node uses; needs a running node
    Faucet(faucet::Args),
}

/// How long nodes may take to agree once the last block is made.
const SETTLE: Duration = Duration::from_secs(120);

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    match args.what {
        Some(What::Faucet(args)) => faucet::run(args, ui),
        None => start(&args.start, ui),
    }
}

fn start(args: &Start, ui: &Ui) -> Result<Output, CliError> {
    let stop = interruptible(ui);
    let net = setup::prepare(args, ui)?;
    let shared = net.shared.clone();
    stop.in_order.store(true, Ordering::Relaxed);
    let mut running = nodes::start(net, &args.dir, args.blocks, ui)?;
    let begun = running.height();
    let outcome = running.watch(SETTLE, &stop.asked, ui);
    let waiting = running.waiting();
    let chains = running.stop();
    if waiting > 0 {
        ui.warn(&format!("{} in no block dropped: send again what is to happen", plural(waiting, "transaction")));
    }
    let made = chains.first().map_or(begun, |chain| chain.tip().summary.height).saturating_sub(begun);
    // What was made is there, whatever ended it.
    let left = args.blocks.map(|blocks| blocks.saturating_sub(made));
    let go_on = args.go_on(left.filter(|&left| left > 0));
    if let Err(error) = outcome {
        ui.progress(&format!("{made} blocks were produced and are kept; resume with: {go_on}"));
        return Err(error);
    }
    let report = report::report(&shared, &chains, &args.dir, &go_on)?;
    if stop.asked.load(Ordering::Relaxed) && left.is_some_and(|left| left > 0) {
        ui.say(&report.text);
        return Err(CliError::Interrupted(format!("stopped after {made} blocks; resume with: {go_on}")));
    }
    Ok(report)
}

/// What Ctrl-C does.
#[derive(Default)]
struct Stop {
    /// Whether the devnet runs, and is to be stopped in order.
    in_order: AtomicBool,
    /// Set by the first Ctrl-C then.
    asked: AtomicBool,
}

/// Before the devnet runs, and a second time, Ctrl-C ends the process at once, which loses nothing but what is in the making.
fn interruptible(ui: &Ui) -> Arc<Stop> {
    let stop = Arc::new(Stop::default());
    let (told, ui) = (stop.clone(), ui.clone());
    interrupt::on_interrupt(move || {
        if !told.in_order.load(Ordering::Relaxed) || told.asked.swap(true, Ordering::Relaxed) {
            interrupt::end(&ui, format!("stopped immediately; resume with: {}", interrupt::this_command()));
        }
    });
    stop
}
