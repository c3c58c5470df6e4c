//! Where a light client's blocks and balance proofs come from. A source is not trusted: it can withhold, not forge.

use super::client::{Keep, Report, Switch, WINDOW};
use super::{LightClient, LightError};
use crate::address::Address;
use crate::block::Block;
use crate::header::BlockId;
use crate::ledger::Account;
use crate::rpc::Proved;
use std::ops::ControlFlow;
use std::time::Duration;

/// Somebody who has the blocks: a node.
pub trait Source {
    /// Why it does not answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Identity and height of its tip.
    fn tip(&mut self) -> Result<(BlockId, u64), Self::Error>;

    /// At most `limit` blocks of its chain that follow on the first of these identities that is on it; none at its tip.
    fn blocks_after(&mut self, locator: &[BlockId], limit: usize) -> Result<Vec<Block>, Self::Error>;

    /// An account with its proof, as of a block that is named.
    fn account(&mut self, address: &Address) -> Result<Proved, Self::Error>;
}

/// Why catching up ended early, or a balance is not known. What was verified before is kept.
#[derive(Debug, thiserror::Error)]
pub enum SyncError<E> {
    /// The source does not answer.
    #[error("the block source: {0}")]
    Source(E),
    /// The source's blocks are refused.
    #[error(transparent)]
    Light(#[from] LightError),
    /// The source gives more blocks than it was asked for.
    #[error("the source returned {found} blocks; {limit} were requested")]
    TooMany {
        /// Blocks given.
        found: usize,
        /// Blocks asked for.
        limit: usize,
    },
    /// The source gives known blocks again and again.
    #[error("the source returns only known blocks, up to height {height}")]
    Stalled {
        /// Height of the last.
        height: u64,
    },
    /// A balance is proven for a block that is not on the chain, or not at that height.
    #[error("the balance is for a block that is not on the chain at height {height}")]
    OffChain {
        /// The height that the source names.
        height: u64,
    },
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

/// How far catching up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Height of the client's tip.
    pub height: u64,
    /// Height that the source says it has.
    pub of: u64,
    /// Blocks verified so far.
    pub blocks: u64,
}

/// What catching up did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncReport {
    /// Blocks that were verified and taken.
    pub blocks: u64,
    /// Their bytes, encoded.
    pub bytes: u64,
    /// Batches of proofs that ended in a multi-scalar multiplication.
    pub batches: u64,
    /// Proofs that were verified.
    pub proofs: u64,
    /// The last change of branches, if there was one.
    pub switch: Option<Switch>,
    /// Seconds of waiting for the source. For display only, as the next.
    pub fetching: f64,
    /// Seconds of verifying and writing.
    pub verifying: f64,
    /// Whether the client's tip is the one that the source named at the end; if not, the source's has no more work.
    pub agrees: bool,
}

/// Fetches and verifies all blocks that the source has, a window at a time. `clock` gives the time since 1970; `progress` is
/// told after each window, and may stop it.
pub fn sync<S: Source>(
    client: &mut LightClient<'_>,
    keep: &mut dyn Keep,
    source: &mut S,
    clock: &dyn Fn() -> Duration,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<SyncReport, SyncError<S::Error>> {
    // The caller's clock serves for all: not every target has one. It may be put back.
    let since = |started: Duration| clock().saturating_sub(started).as_secs_f64();
    let mut report = SyncReport::default();
    let started = clock();
    let (_, of) = source.tip().map_err(SyncError::Source)?;
    report.fetching += since(started);
    // The last block that the source gave: it may be on a side branch, where the client's locator does not lead.
    let mut last: Option<(BlockId, u64)> = None;
    loop {
        let locator: Vec<BlockId> = last.iter().map(|(id, _)| *id).chain(client.locator()).collect();
        let started = clock();
        let blocks = source.blocks_after(&locator, WINDOW).map_err(SyncError::Source)?;
        report.fetching += since(started);
        if blocks.len() > WINDOW {
            return Err(SyncError::TooMany { found: blocks.len(), limit: WINDOW });
        }
        let Some(end) = blocks.last().map(|block| (block.id(), block.summary.height)) else { break };
        let started = clock();
        let Report { taken, bytes, batches, proofs, switch, .. } = client.extend(blocks, started.as_secs(), keep)?;
        report.verifying += since(started);
        if taken == 0 && last.is_some_and(|(_, height)| end.1 <= height) {
            return Err(SyncError::Stalled { height: end.1 });
        }
        last = Some(end);
        report.blocks += taken;
        report.bytes += bytes;
        report.batches += batches;
        report.proofs += proofs;
        report.switch = switch.or(report.switch);
        let height = client.tip().height();
        if progress(Progress { height, of: of.max(height), blocks: report.blocks }).is_break() {
            return Err(SyncError::Stopped);
        }
    }
    let (tip, _) = source.tip().map_err(SyncError::Source)?;
    report.agrees = tip == client.tip().id;
    Ok(report)
}

/// The account of an address, with the height of the verified block that says so.
pub fn balance<S: Source>(
    client: &LightClient<'_>,
    source: &mut S,
    address: &Address,
) -> Result<(u64, Option<Account>), SyncError<S::Error>> {
    let Proved { proof, block, height, .. } = source.account(address).map_err(SyncError::Source)?;
    if client.at(height).is_none_or(|known| known.id != block) {
        return Err(SyncError::OffChain { height });
    }
    Ok((height, client.balance(height, address, &proof)?))
}
