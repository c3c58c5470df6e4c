//! `light`: a light client, from the genesis or a checkpoint to the tip of a node's chain.

mod report;

use crate::commands::chain::{Devnet, hash};
use crate::error::AnswerError;
use crate::error::CliError;
use crate::files::{self, MAX_SMALL};
use crate::format::{bytes, time, time_left};
use crate::interrupt;
use crate::keys::How;
use crate::node_link::{NodeError, NodeLink};
use crate::ui::{Output, Ui};
use crate::whose;
use ::chain::address::Address;
use ::chain::block::Block;
use ::chain::consensus::semantic::Checker;
use ::chain::header::{BlockId, ChainId};
use ::chain::light::disk::beginning;
use ::chain::light::{
    Checkpoint, CheckpointDigest, LightClient, LightError, LightFile, Opened, Proofs, Source, SyncError, SyncReport,
    source, sync,
};
use ::chain::rpc::{Answer, Proved, Query};
use circuits::statements::codec::Encoded;
use report::{Balance, Done};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// Trusted identity of the chain [default: that of the genesis in the node's directory]
    #[arg(long, value_name = "HASH", value_parser = |text: &str| hash(text, ChainId::from_bytes))]
    genesis: Option<ChainId>,
    /// A checkpoint to start a new file from; its digest must be given too
    #[arg(long, value_name = "FILE", requires = "digest")]
    checkpoint: Option<PathBuf>,
    /// Trusted digest of the checkpoint, or of the one that the file starts from
    #[arg(long, value_name = "HASH", value_parser = |text: &str| hash(text, CheckpointDigest::from_bytes))]
    digest: Option<CheckpointDigest>,
    /// The client's file: headers, commitments and proofs
    #[arg(long, value_name = "FILE", default_value = "light.bin")]
    file: PathBuf,
    /// Verify the proofs of the blocks in the file again
    #[arg(long)]
    recheck: bool,
    /// Verify the balance of an address, or of a key file's address, by proof
    #[arg(long, value_name = "ADDRESS|FILE")]
    balance: Vec<String>,
    /// Write a checkpoint of the last finalised block, and print its digest
    #[arg(long, value_name = "FILE")]
    write_checkpoint: Option<PathBuf>,
}

/// A node, as a source of blocks.
struct Node<'a>(&'a NodeLink);

/// Why the node gives nothing.
#[derive(Debug, thiserror::Error)]
enum NodeFailed {
    /// It does not answer.
    #[error("{0}")]
    Asking(Box<CliError>),
    /// It answers another question.
    #[error("the node answers another question")]
    Other,
}

impl Node<'_> {
    fn ask(&self, query: &Query) -> Result<Answer, NodeFailed> {
        self.0.ask(query).map_err(|error| NodeFailed::Asking(Box::new(error)))
    }
}

impl Source for Node<'_> {
    type Error = NodeFailed;

    fn tip(&mut self) -> Result<(BlockId, u64), NodeFailed> {
        match self.ask(&Query::Status)? {
            Answer::Status(status) => Ok((status.tip.header.id(), status.tip.summary.height)),
            _ => Err(NodeFailed::Other),
        }
    }

    fn blocks_after(&mut self, locator: &[BlockId], limit: usize) -> Result<Vec<Block>, NodeFailed> {
        let query = Query::BlocksAfter { locator: locator.to_vec(), limit: u32::try_from(limit).unwrap_or(u32::MAX) };
        match self.ask(&query)? {
            Answer::Blocks(blocks) => Ok(blocks),
            _ => Err(NodeFailed::Other),
        }
    }

    fn account(&mut self, address: &Address) -> Result<Proved, NodeFailed> {
        match self.ask(&Query::Account(*address))? {
            Answer::Account(proved) => Ok(*proved),
            _ => Err(NodeFailed::Other),
        }
    }
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let link = args.devnet.link()?;
    let trusted = args.genesis.unwrap_or(*link.spec().id());
    if trusted != *link.spec().id() {
        return Err(NodeError::OtherChain.into());
    }
    // What is named is looked at before keys are made, which takes its time.
    let addresses = args.balance.iter().map(|text| whose::address(text)).collect::<Result<Vec<_>, _>>()?;
    let checkpoint = checkpoint(&args)?;
    if let Some(path) = &args.write_checkpoint {
        may_be_replaced(path)?;
    }
    let verified = tell_when_interrupted(&args, ui);
    let params = ui.params(link.spec().config())?;
    let variant = link.spec().variant();
    let how = How { variant, named: Some(link.spec().genesis().keys.as_bytes().to_owned()), ..How::default() };
    let keys = ui.verifier_keys(&params, link.spec().config(), how)?.verifier;
    let checker = Checker::new(link.spec(), &params, &keys).map_err(::chain::consensus::BlockError::from)?;
    let mut client = start(&args, checkpoint, checker, &trusted)?;
    let (mut file, opened, opening) = open(&args, &mut client, ui)?;
    verified.store(client.tip().height(), Ordering::Relaxed);
    let mut node = Node(&link);
    let synced = catch_up(&mut client, &mut file, &mut node, &verified, ui);
    let refused = |error| refused(&args.file, error);
    let synced = synced.map_err(refused)?;
    let mut balances = vec![];
    for address in addresses {
        let (height, account) = source::balance(&client, &mut node, &address).map_err(refused)?;
        balances.push(Balance { address, account: account.unwrap_or_default(), height });
    }
    let checkpoint = args.write_checkpoint.as_ref().map(|path| write_checkpoint(&client, path)).transpose()?;
    let path = &args.file;
    let pinned = args.digest.is_some();
    let done = Done { path, recheck: args.recheck, pinned, opened, opening, synced, balances, checkpoint };
    Ok(report::report(&client, &file, &done))
}

/// Says at Ctrl-C what is kept, and how to go on; gives the height that is verified, to be kept up to date.
fn tell_when_interrupted(args: &Args, ui: &Ui) -> Arc<AtomicU64> {
    let verified = Arc::new(AtomicU64::new(0));
    let (height, file, ui) = (verified.clone(), args.file.display().to_string(), ui.clone());
    interrupt::on_interrupt(move || {
        let kept = match height.load(Ordering::Relaxed) {
            0 => "everything verified so far".to_owned(),
            height => format!("everything verified up to height {height}"),
        };
        interrupt::end(&ui, format!("stopped; {kept} is kept in {file}; resume with: {}", interrupt::this_command()))
    });
    verified
}

/// Opens the file, and says what was dropped from it; gives the time that it took, too.
fn open(args: &Args, client: &mut LightClient<'_>, ui: &Ui) -> Result<(LightFile, Opened, Duration), CliError> {
    let proofs = if args.recheck { Proofs::Verified } else { Proofs::Trusted };
    let started = Instant::now();
    let _spinner = ui.spinner(if args.recheck { "verifying the file's blocks again" } else { "the file's blocks" });
    let (file, opened) = LightFile::open(&args.file, client, proofs).map_err(|e| CliError::light(&args.file, e))?;
    if let Some(dropped) = &opened.dropped {
        let (offset, height, fault) = (dropped.offset, dropped.height, dropped.fault);
        ui.warn(&format!(
            "{}: {} dropped from byte {offset} and height {height} on: {fault}; the blocks are fetched again",
            args.file.display(),
            bytes(dropped.bytes)
        ));
    }
    Ok((file, opened, started.elapsed()))
}

fn catch_up(
    client: &mut LightClient<'_>,
    file: &mut LightFile,
    node: &mut Node<'_>,
    verified: &AtomicU64,
    ui: &Ui,
) -> Result<SyncReport, SyncError<NodeFailed>> {
    let first = client.tip().height();
    let (_, of) = node.tip().map_err(SyncError::Source)?;
    let bar = ui.bar(of.max(first), first, "{bar:30} block {pos}/{len} ({elapsed}{msg})");
    bar.enable_steady_tick(Duration::from_millis(250));
    let started = Instant::now();
    let mut progress = |p: source::Progress| {
        verified.store(p.height, Ordering::Relaxed);
        bar.set_length(p.of);
        bar.set_position(p.height);
        if let Some(left) = time_left(p.height.saturating_sub(first), p.of.saturating_sub(p.height), started.elapsed())
        {
            bar.set_message(format!(", about {} left", time(left)));
        }
        ControlFlow::Continue(())
    };
    let synced = sync(client, file, node, &now, &mut progress);
    bar.finish_and_clear();
    synced
}

/// Whose fault it is that catching up ended early: a connection that breaks and a disk that fails are no lies of the node.
fn refused(file: &Path, error: SyncError<NodeFailed>) -> CliError {
    match error {
        SyncError::Source(NodeFailed::Asking(error)) => *error,
        SyncError::Source(NodeFailed::Other) => AnswerError::Other.into(),
        SyncError::Light(LightError::Keep(error)) => CliError::light(file, error),
        SyncError::Light(error @ LightError::Contradiction(_)) => CliError::Machine(error.to_string()),
        error => CliError::Synced(error.to_string()),
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The checkpoint that is given, or the one that the file begins at.
fn checkpoint(args: &Args) -> Result<Option<Checkpoint>, CliError> {
    match &args.checkpoint {
        Some(path) => Ok(Some(files::decode(path, MAX_SMALL)?)),
        None if args.file.exists() => {
            let beginning = beginning(&args.file).map_err(|e| CliError::light(&args.file, e))?;
            Ok(beginning.and_then(|beginning| beginning.checkpoint))
        }
        None => Ok(None),
    }
}

/// A client that starts where its file says, or where the user does.
fn start<'p>(
    args: &Args,
    checkpoint: Option<Checkpoint>,
    checker: Checker<'p>,
    trusted: &ChainId,
) -> Result<LightClient<'p>, CliError> {
    Ok(match checkpoint {
        Some(checkpoint) => {
            // What is in our own file was trusted when it was made; the report says so.
            let own = checkpoint.digest()?;
            LightClient::from_checkpoint(checker, checkpoint, &args.digest.unwrap_or(own))?
        }
        None if args.digest.is_some() => {
            let message = "--digest is for a client that starts from a checkpoint; this one starts from the genesis";
            return Err(CliError::Usage(message.into()));
        }
        None => LightClient::from_genesis(checker, trusted)?,
    })
}

/// Requires a file to be a checkpoint, or not to be there: nothing else is replaced by one.
fn may_be_replaced(path: &Path) -> Result<(), CliError> {
    let mut magic = [0; 8];
    match std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(()) if magic == Checkpoint::MAGIC => Ok(()),
        _ => Err(CliError::Usage(format!("{} exists and is not a checkpoint: it is not replaced", path.display()))),
    }
}

/// The height and digest of what was written.
fn write_checkpoint(client: &LightClient<'_>, path: &Path) -> Result<(u64, CheckpointDigest), CliError> {
    let height = client.finalised();
    let checkpoint = client.checkpoint_at(height).ok_or_else(|| CliError::NotFound("finalised block".into()))?;
    files::encode(path, &checkpoint, true)?;
    Ok((height, checkpoint.digest()?))
}
