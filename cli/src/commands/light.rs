//! `light`: a light client, from the genesis or a checkpoint to the tip of a node's chain.

use crate::commands::chain::{Devnet, hash};
use crate::error::CliError;
use crate::files::{self, MAX_SMALL};
use crate::format::{bytes, hex, plural, table, time};
use crate::node_link::{NodeError, NodeLink};
use crate::ui::{Output, Ui};
use ::chain::Hash;
use ::chain::address::Address;
use ::chain::block::Block;
use ::chain::consensus::semantic::Checker;
use ::chain::light::file::beginning;
use ::chain::light::{Checkpoint, LightClient, LightFile, Opened, Proofs, Source, SyncReport, source, sync};
use ::chain::rpc::{Answer, Proved, Query};
use serde_json::json;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use verifier::StepVerifier;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// Identity of the chain, which is trusted [default: that of the genesis in the node's directory]
    #[arg(long, value_name = "HASH", value_parser = hash)]
    genesis: Option<Hash>,
    /// A checkpoint to start a new file from; its digest must be given too
    #[arg(long, value_name = "FILE", requires = "digest")]
    checkpoint: Option<PathBuf>,
    /// Digest of the checkpoint, which is trusted
    #[arg(long, value_name = "HASH", value_parser = hash, requires = "checkpoint")]
    digest: Option<Hash>,
    /// The client's file: headers, commitments and proofs
    #[arg(long, value_name = "FILE", default_value = "light.bin")]
    file: PathBuf,
    /// Verify the proofs of the blocks in the file again
    #[arg(long)]
    recheck: bool,
    /// Check what an address has, by proof
    #[arg(long, value_name = "ADDRESS")]
    balance: Vec<Address>,
    /// Write a checkpoint of the last settled block, and print its digest
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

    fn tip(&mut self) -> Result<(Hash, u64), NodeFailed> {
        match self.ask(&Query::Status)? {
            Answer::Status(status) => Ok((status.tip.header.id(), status.tip.summary.height)),
            _ => Err(NodeFailed::Other),
        }
    }

    fn blocks_after(&mut self, locator: &[Hash], limit: usize) -> Result<Vec<Block>, NodeFailed> {
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
    let link = NodeLink::open(&args.devnet.dir)?;
    let trusted = args.genesis.unwrap_or(*link.spec().id());
    if trusted != *link.spec().id() {
        return Err(NodeError::OtherChain.into());
    }
    let params = ui.params()?;
    let keys = {
        let _spinner = ui.spinner("verifying keys");
        StepVerifier::new(&params, link.spec().config())?
    };
    let checker = Checker::new(link.spec(), &params, &keys).map_err(::chain::consensus::BlockError::from)?;
    let mut client = start(&args, checker, &trusted)?;
    let proofs = if args.recheck { Proofs::Verified } else { Proofs::Trusted };
    let (mut file, opened) =
        LightFile::open(&args.file, &mut client, proofs).map_err(|e| CliError::light(&args.file, e))?;
    if let Some(dropped) = &opened.dropped {
        let (offset, height) = (dropped.offset, dropped.height);
        ui.warn(&format!(
            "{}: {} dropped from byte {offset} on, from height {height}",
            args.file.display(),
            bytes(dropped.bytes)
        ));
    }
    let mut node = Node(&link);
    let bar =
        ui.bar(client.tip().height(), client.tip().height(), "{bar:30} block {pos}/{len} ({elapsed}, {eta} left)");
    let mut progress = |p: source::Progress| {
        bar.set_length(p.of);
        bar.set_position(p.height);
        ControlFlow::Continue(())
    };
    let synced = sync(&mut client, &mut file, &mut node, &now, &mut progress);
    bar.finish_and_clear();
    let synced = synced.map_err(CliError::synced)?;
    let mut balances = vec![];
    for address in &args.balance {
        let (height, account) = source::balance(&client, &mut node, address).map_err(CliError::synced)?;
        balances.push((*address, account.unwrap_or_default(), height));
    }
    let checkpoint = args.write_checkpoint.as_ref().map(|path| write_checkpoint(&client, path)).transpose()?;
    Ok(report(&args, &client, &file, (&opened, &synced), &balances, checkpoint))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A client that starts where its file says, or where the user does.
fn start<'p>(args: &Args, checker: Checker<'p>, trusted: &Hash) -> Result<LightClient<'p>, CliError> {
    let given = match &args.checkpoint {
        Some(path) => Some(files::decode::<Checkpoint>(path, MAX_SMALL)?),
        None if args.file.exists() => beginning(&args.file).map_err(|e| CliError::light(&args.file, e))?.checkpoint,
        None => None,
    };
    Ok(match given {
        Some(checkpoint) => {
            // What is in our own file was trusted when it was made.
            let own = checkpoint.digest()?;
            LightClient::from_checkpoint(checker, checkpoint, &args.digest.unwrap_or(own))?
        }
        None => LightClient::from_genesis(checker, trusted)?,
    })
}

/// The height and digest of what was written.
fn write_checkpoint(client: &LightClient<'_>, path: &std::path::Path) -> Result<(u64, Hash), CliError> {
    let height = client.settled();
    let checkpoint = client.checkpoint_at(height).ok_or_else(|| CliError::NotFound("settled block".into()))?;
    files::encode(path, &checkpoint, true)?;
    Ok((height, checkpoint.digest()?))
}

fn report(
    args: &Args,
    client: &LightClient<'_>,
    file: &LightFile,
    (opened, synced): (&Opened, &SyncReport),
    balances: &[(Address, ::chain::ledger::Account, u64)],
    checkpoint: Option<(u64, Hash)>,
) -> Output {
    let tip = client.tip();
    let each = |seconds: f64| if synced.blocks == 0 { 0.0 } else { seconds * 1e3 / synced.blocks as f64 };
    let verifying = Duration::from_secs_f64(synced.verifying);
    let mut rows = vec![
        ("chain", hex(client.checker().spec.id())),
        ("height", tip.height().to_string()),
        ("tip", hex(&tip.id)),
        ("training step", tip.summary.step.to_string()),
        ("work", tip.work.value().to_string()),
        ("from the file", plural(opened.report.taken, "block")),
        (
            "verified now",
            format!("{} in {}, {:.1} ms each", plural(synced.blocks, "block"), time(verifying), each(synced.verifying)),
        ),
        ("batches", format!("{} of proofs, each one multi-scalar multiplication at its end", synced.batches)),
        ("kept", format!("{} in {}, no tensors", bytes(file.bytes()), args.file.display())),
        ("the node's tip", if synced.agrees { "is this one".into() } else { "is another, of no more work".to_owned() }),
    ];
    for (address, account, height) in balances {
        rows.push(("balance", format!("{address}: {} coins, proven at height {height}", account.balance)));
    }
    if let Some((height, digest)) = &checkpoint {
        rows.push(("checkpoint", format!("of height {height}, digest {}", hex(digest))));
    }
    rows.push(("not checked", "execution of the ledger, availability of tensors".into()));
    let json = json!({
        "ok": true,
        "chain": hex(client.checker().spec.id()),
        "height": tip.height(),
        "tip": hex(&tip.id),
        "step": tip.summary.step,
        "from_file": opened.report.taken,
        "verified": synced.blocks,
        "verifying_seconds": synced.verifying,
        "fetching_seconds": synced.fetching,
        "milliseconds_per_block": each(synced.verifying),
        "batches": synced.batches,
        "file_bytes": file.bytes(),
        "file_blocks": file.blocks(),
        "agrees": synced.agrees,
        "balances": balances.iter().map(|(address, account, height)| json!({
            "address": address.to_string(),
            "grains": account.balance.grains(),
            "height": height,
        })).collect::<Vec<_>>(),
        "checkpoint": checkpoint.map(|(height, digest)| json!({ "height": height, "digest": hex(&digest) })),
        "not_checked": ["execution of the ledger", "availability of tensors"],
    });
    Output { text: table(&rows), json }
}
