//! Blocks in, verdicts out.

use super::branches::{Branches, Fresh, Known};
use super::{Checkpoint, CheckpointDigest, CheckpointError, FileError, LightError, window};
use crate::address::Address;
use crate::block::Block;
use crate::consensus::contextual::{self, Ancestry};
use crate::consensus::semantic::{Checker, Parent};
use crate::consensus::{BlockError, structural};
use crate::header::{BlockId, ChainId};
use crate::ledger::{Account, BalanceProof};
use circuits::statements::codec;
use rayon::prelude::*;
use std::sync::Arc;

/// Most blocks whose proofs are verified together: what bounds the memory that verifying takes.
pub const WINDOW: usize = 64;

/// Most bytes of blocks that are kept of side branches. Beyond it others are forgotten, then the branch is refused.
pub const SIDE_BYTES: usize = 256 << 20;

/// Where the chain's blocks are kept, encoded.
pub trait Keep {
    /// Puts these blocks in the place of all above a height. If it fails, the chain stays as it was.
    fn replace(&mut self, above: u64, blocks: &[&[u8]]) -> Result<(), FileError>;
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Keep for Nowhere {
    fn replace(&mut self, _: u64, _: &[&[u8]]) -> Result<(), FileError> {
        Ok(())
    }
}

/// Whether proofs are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// Yes.
    Verified,
    /// No: they were, before the blocks were written to the file that they come from.
    Trusted,
}

/// A change of branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Height of the last common block.
    pub fork: u64,
    /// Blocks that are no longer on the chain.
    pub removed: u64,
}

/// What was done with blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that were verified and taken.
    pub taken: u64,
    /// Blocks that were known before.
    pub known: u64,
    /// Bytes of the blocks that were taken, encoded.
    pub bytes: u64,
    /// Batches of proofs that ended in a multi-scalar multiplication: one for each window with proofs, more where culprits
    /// had to be found.
    pub batches: u64,
    /// Proofs that were verified, of the blocks that were taken.
    pub proofs: u64,
    /// The last change of branches, if there was one.
    pub switch: Option<Switch>,
}

/// A chain as a light client knows it. See [`super`] for what it checks and what not.
pub struct LightClient<'p> {
    checker: Checker<'p>,
    checkpoint: Option<Checkpoint>,
    branches: Branches,
}

impl<'p> LightClient<'p> {
    /// Starts from the genesis; `trusted` is the identity of the chain that the user wants.
    pub fn from_genesis(checker: Checker<'p>, trusted: &ChainId) -> Result<Self, CheckpointError> {
        if checker.spec.id() != trusted {
            return Err(CheckpointError::Genesis);
        }
        let branches = Branches::new(Checkpoint::genesis(checker.spec)?, checker.spec.rules().reorg_limit);
        Ok(LightClient { checker, checkpoint: None, branches })
    }

    /// Starts from a checkpoint; `trusted` is its digest, as the user pins it.
    pub fn from_checkpoint(
        checker: Checker<'p>,
        checkpoint: Checkpoint,
        trusted: &CheckpointDigest,
    ) -> Result<Self, CheckpointError> {
        if checkpoint.digest()? != *trusted {
            return Err(CheckpointError::Digest);
        }
        checkpoint.check(checker.spec)?;
        let branches = Branches::new(checkpoint.clone(), checker.spec.rules().reorg_limit);
        Ok(LightClient { checker, checkpoint: Some(checkpoint), branches })
    }

    /// What it verifies with.
    pub fn checker(&self) -> &Checker<'p> {
        &self.checker
    }

    /// What it started from, if not from the genesis.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The last block of the chain.
    pub fn tip(&self) -> &Known {
        self.branches.tip()
    }

    /// The block it started from.
    pub fn first(&self) -> &Known {
        self.branches.first()
    }

    /// The chain's block of a height.
    pub fn at(&self, height: u64) -> Option<&Known> {
        self.branches.at(height)
    }

    /// A block of the chain or of a side branch.
    pub fn get(&self, id: &BlockId) -> Option<&Known> {
        self.branches.get(id)
    }

    /// Whether a block is on the chain.
    pub fn on_chain(&self, id: &BlockId) -> bool {
        self.branches.on_chain(id)
    }

    /// Height of the last block that no reorganisation takes back.
    pub fn finalised(&self) -> u64 {
        self.branches.finalised()
    }

    /// Identities of the chain's blocks from the tip down, ever further apart: how a source finds what is new.
    pub fn locator(&self) -> Vec<BlockId> {
        self.branches.locator()
    }

    /// A checkpoint at a block of the chain that still has its state: a finalised one that others may start from.
    pub fn checkpoint_at(&self, height: u64) -> Option<Checkpoint> {
        let known = self.branches.at(height)?;
        let (record, mut ancestors, mut at) = (known.record()?, vec![], known.header);
        for _ in 0..Checkpoint::headers_before(self.checker.spec.rules(), height) {
            at = self.branches.header(&at.parent)?;
            ancestors.push(at);
        }
        Some(Checkpoint { record, ancestors })
    }

    /// Verifies blocks that follow on each other, the first of them on a block that is known, and takes them. Blocks that are
    /// known already are passed over. `now` is the clock, in seconds since 1970. If a block is refused, those before it are
    /// taken all the same.
    pub fn extend(&mut self, blocks: Vec<Block>, now: u64, keep: &mut dyn Keep) -> Result<Report, LightError> {
        self.extend_with(blocks, now, keep, Proofs::Verified)
    }

    pub(super) fn extend_with(
        &mut self,
        blocks: Vec<Block>,
        now: u64,
        keep: &mut dyn Keep,
        proofs: Proofs,
    ) -> Result<Report, LightError> {
        let mut report = Report::default();
        let known = blocks.iter().take_while(|block| self.branches.get(&block.id()).is_some()).count();
        report.known = known as u64;
        let mut rest = blocks.into_iter().skip(known).map(Arc::new).peekable();
        while rest.peek().is_some() {
            let window: Vec<Arc<Block>> = rest.by_ref().take(WINDOW).collect();
            self.window(&window, now, keep, proofs, &mut report)?;
        }
        Ok(report)
    }

    fn window(
        &mut self,
        blocks: &[Arc<Block>],
        now: u64,
        keep: &mut dyn Keep,
        proofs: Proofs,
        report: &mut Report,
    ) -> Result<(), LightError> {
        let Some(first) = blocks.first() else { return Ok(()) };
        let (id, parent) = (first.id(), first.header.parent);
        let fork = self.branches.fork(&parent).ok_or(LightError::UnknownParent { id, parent })?;
        let finalised = self.branches.finalised();
        if fork < finalised {
            return Err(LightError::TooDeep { fork, finalised });
        }

        let (mut fresh, parents, mut refused) = self.link(blocks, now);
        if proofs == Proofs::Verified {
            let proven: Vec<(Parent, Arc<Block>)> = parents.into_iter().zip(blocks.iter().cloned()).collect();
            let verdict = window::verify(&self.checker, &proven);
            report.batches += verdict.batches;
            if let Some(contradiction) = verdict.contradiction {
                return Err(LightError::Contradiction(contradiction));
            }
            fresh.truncate(verdict.good);
            refused = verdict.refused.map(BlockError::from).or(refused);
        }
        let good = fresh.len();
        if proofs == Proofs::Verified {
            report.proofs += blocks.iter().take(good).map(|block| block.proofs()).sum::<u64>();
        }
        if good > 0 {
            self.take(fork, &parent, fresh, keep, report)?;
        }
        match (refused, blocks.get(good)) {
            (Some(source), Some(block)) => {
                Err(LightError::Block { height: block.summary.height, id: block.id(), source: Box::new(source) })
            }
            _ => Ok(()),
        }
    }

    /// Checks all but the proofs, as far as blocks hold. The blocks may be trusted to be linked to each other and to the
    /// states that they state, once their proofs are verified on these parents.
    fn link(&self, blocks: &[Arc<Block>], now: u64) -> (Vec<Fresh>, Vec<Parent>, Option<BlockError>) {
        let spec = self.checker.spec;
        let alone = |block: &Arc<Block>| -> Result<Vec<u8>, BlockError> {
            structural::block(spec, block)?;
            codec::encode(&**block).map_err(|e| BlockError::Structural(e.into()))
        };
        let alone: Vec<Result<Vec<u8>, BlockError>> = blocks.par_iter().map(alone).collect();
        let (mut fresh, mut parents): (Vec<Fresh>, Vec<Parent>) = (vec![], vec![]);
        for (block, bytes) in blocks.iter().zip(alone) {
            let linked = bytes.and_then(|bytes| self.follow(fresh.last(), block, &fresh, now).map(|ok| (ok, bytes)));
            match linked {
                Ok(((known, parent), bytes)) => {
                    fresh.push(Fresh { known, bytes });
                    parents.push(parent);
                }
                Err(error) => return (fresh, parents, Some(error)),
            }
        }
        (fresh, parents, None)
    }

    /// A block on the last of the window's, or on one that was known before.
    fn follow(
        &self,
        last: Option<&Fresh>,
        block: &Block,
        window: &[Fresh],
        now: u64,
    ) -> Result<(Known, Parent), BlockError> {
        let rules = self.checker.spec.rules();
        let before = match last {
            Some(fresh) => Some(&fresh.known),
            None => self.branches.get(&block.header.parent),
        };
        let unknown = || BlockError::Contextual(crate::consensus::ContextualError::Parent);
        let before = before.ok_or_else(unknown)?;
        let (record, parent) = before.record().zip(before.parent()).ok_or_else(unknown)?;
        let of_window = |id: &BlockId| window.iter().rev().map(|fresh| &fresh.known).find(|known| known.id == *id);
        let header = |id: &BlockId| of_window(id).map(|known| known.header).or_else(|| self.branches.header(id));
        let ancestry = Ancestry::of(rules, &record, |id| header(id).ok_or_else(unknown))?;
        contextual::header(rules, &record, &ancestry, block, now)?;
        let state = match &block.update {
            Some(update) => Arc::new(update.after.clone()),
            None => parent.state.clone(),
        };
        let work = record.work.saturating_add(block.header.target.work());
        let (header, summary) = (block.header, block.summary.clone());
        Ok((Known { id: block.id(), header, summary, work, state: Some(state) }, parent))
    }

    /// Takes verified blocks on a known parent, whose branch forks off at this height.
    fn take(
        &mut self,
        fork: u64,
        parent: &BlockId,
        fresh: Vec<Fresh>,
        keep: &mut dyn Keep,
        report: &mut Report,
    ) -> Result<(), LightError> {
        let bytes: usize = fresh.iter().map(|fresh| fresh.bytes.len()).sum();
        let tip = self.branches.tip();
        let wins = fresh.last().is_some_and(|last| last.known.work > tip.work);
        let taken = fresh.len() as u64;
        if wins {
            let removed = tip.height().saturating_sub(fork);
            let branch = self.branches.branch(parent);
            let encoded: Vec<&[u8]> = branch.into_iter().chain(&fresh).map(|fresh| fresh.bytes.as_slice()).collect();
            keep.replace(fork, &encoded)?;
            self.branches.advance(fork, parent, fresh);
            if removed > 0 {
                report.switch = Some(Switch { fork, removed });
            }
        } else {
            if self.branches.side_bytes() + bytes > SIDE_BYTES {
                self.branches.forget_all_but(parent);
                if self.branches.side_bytes() + bytes > SIDE_BYTES {
                    return Err(LightError::Branches { limit: SIDE_BYTES });
                }
            }
            self.branches.put_side(fork, fresh);
        }
        report.taken += taken;
        report.bytes += bytes as u64;
        Ok(())
    }

    /// The account of an address after the block of a height, as the block's ledger root has it.
    pub fn balance(&self, height: u64, address: &Address, proof: &BalanceProof) -> Result<Option<Account>, LightError> {
        let (first, last) = (self.first().height(), self.tip().height());
        let known = self.branches.at(height).ok_or(LightError::Height { height, first, last })?;
        Ok(proof.verify(&known.summary.ledger, address)?)
    }
}
