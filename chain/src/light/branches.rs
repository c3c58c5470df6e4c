//! The chain of most work, and its side branches, which may yet overtake it.
//!
//! Of the chain's blocks headers and summaries are kept, and model states as far down as a branch may fork off; of the
//! branches also the blocks, so that they can be written once they win. A chain that lost is forgotten: a source that
//! makes it win again has to tell it again, from the fork on.

use crate::consensus::contextual::Record;
use crate::consensus::semantic::Parent;
use crate::header::{BlockId, Header, Summary};
use crate::light::Checkpoint;
use crate::work::Work;
use circuits::statements::StateCommitments;
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a block whose proofs hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Identity.
    pub id: BlockId,
    /// Header.
    pub header: Header,
    /// Summary.
    pub summary: Summary,
    /// Work of the chain up to here.
    pub work: Work,
    /// Model state after the block, as long as a block may follow on it.
    pub state: Option<Arc<StateCommitments>>,
}

impl Known {
    /// Height.
    pub fn height(&self) -> u64 {
        self.summary.height
    }

    /// As the parent of proofs, if its state is there.
    pub fn parent(&self) -> Option<Parent> {
        let Summary { height, step, state: digest, .. } = self.summary;
        Some(Parent { id: self.id, height, step, state: self.state.clone()?, digest })
    }

    /// As a record, if its state is there.
    pub fn record(&self) -> Option<Record> {
        let state = self.state.as_deref()?.clone();
        Some(Record { header: self.header, summary: self.summary.clone(), work: self.work, state })
    }

    fn new(record: Record) -> Self {
        let Record { header, summary, work, state } = record;
        Known { id: header.id(), header, summary, work, state: Some(Arc::new(state)) }
    }
}

/// A verified block, with its encoding.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// What is kept.
    pub known: Known,
    /// The encoded block.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct Side {
    fresh: Fresh,
    /// Height of the last block that its branch has in common with the chain.
    fork: u64,
}

/// All that is known.
#[derive(Debug)]
pub struct Branches {
    first: Known,
    /// Above the first.
    chain: Vec<Known>,
    heights: HashMap<BlockId, u64>,
    side: HashMap<BlockId, Side>,
    /// Bytes of the blocks on side branches.
    side_bytes: usize,
    before: HashMap<BlockId, Header>,
    reorg_limit: u64,
    /// No reorganisation takes back this block, nor those below it.
    finalised: u64,
}

impl Branches {
    /// A checkpoint alone.
    pub fn new(checkpoint: Checkpoint, reorg_limit: u64) -> Self {
        let first = Known::new(checkpoint.record);
        let before = checkpoint.ancestors.into_iter().map(|header| (header.id(), header)).collect();
        let (heights, finalised) = ([(first.id, first.height())].into(), first.height());
        let (chain, side) = (vec![], HashMap::new());
        Branches { first, chain, heights, side, side_bytes: 0, before, reorg_limit, finalised }
    }

    /// The last block of the chain.
    pub fn tip(&self) -> &Known {
        self.chain.last().unwrap_or(&self.first)
    }

    /// The checkpoint's block.
    pub fn first(&self) -> &Known {
        &self.first
    }

    /// The chain's block of a height.
    pub fn at(&self, height: u64) -> Option<&Known> {
        match height.checked_sub(self.first.height())?.checked_sub(1) {
            None => Some(&self.first),
            Some(above) => self.chain.get(usize::try_from(above).ok()?),
        }
    }

    fn at_mut(&mut self, height: u64) -> Option<&mut Known> {
        match height.checked_sub(self.first.height())?.checked_sub(1) {
            None => Some(&mut self.first),
            Some(above) => self.chain.get_mut(usize::try_from(above).ok()?),
        }
    }

    /// A block of the chain, or of a side branch.
    pub fn get(&self, id: &BlockId) -> Option<&Known> {
        match self.heights.get(id) {
            Some(&height) => self.at(height),
            None => self.side.get(id).map(|side| &side.fresh.known),
        }
    }

    /// Height of the last block that the chain and the branch up to this block have in common.
    pub fn fork(&self, id: &BlockId) -> Option<u64> {
        self.heights.get(id).copied().or_else(|| self.side.get(id).map(|side| side.fork))
    }

    /// Whether a block is on the chain.
    pub fn on_chain(&self, id: &BlockId) -> bool {
        self.heights.contains_key(id)
    }

    /// The header of a known block, or of one that the checkpoint has for later rules.
    pub fn header(&self, id: &BlockId) -> Option<Header> {
        self.get(id).map(|known| known.header).or_else(|| self.before.get(id).copied())
    }

    /// Height of the last block that no reorganisation takes back.
    pub fn finalised(&self) -> u64 {
        self.finalised
    }

    /// Blocks on side branches.
    pub fn side_blocks(&self) -> usize {
        self.side.len()
    }

    /// Bytes of the blocks on side branches.
    pub fn side_bytes(&self) -> usize {
        self.side_bytes
    }

    /// Identities of the chain from the tip down, ever further apart, then the first.
    pub fn locator(&self) -> Vec<BlockId> {
        let (first, mut height, mut ids) = (self.first.height(), self.tip().height(), vec![]);
        let mut stride = 1u64;
        while height > first {
            ids.extend(self.at(height).map(|known| known.id));
            if ids.len() >= 8 {
                stride = stride.saturating_mul(2);
            }
            height = height.saturating_sub(stride);
        }
        ids.push(self.first.id);
        ids
    }

    /// Encoded blocks of the branch up to this one, from the fork on; none if it is on the chain.
    pub fn branch(&self, id: &BlockId) -> Vec<&Fresh> {
        let (mut at, mut branch) = (*id, vec![]);
        while let Some(side) = self.side.get(&at) {
            branch.push(&side.fresh);
            at = side.fresh.known.header.parent;
        }
        branch.reverse();
        branch
    }

    /// Takes verified blocks of the side branch that forks off at this height.
    pub fn put_side(&mut self, fork: u64, blocks: Vec<Fresh>) {
        for fresh in blocks {
            self.side_bytes += fresh.bytes.len();
            self.side.insert(fresh.known.id, Side { fresh, fork });
        }
    }

    /// Forgets all side branches but the one up to this block.
    pub fn forget_all_but(&mut self, id: &BlockId) {
        let kept: std::collections::HashSet<BlockId> = self.branch(id).iter().map(|fresh| fresh.known.id).collect();
        self.side.retain(|id, _| kept.contains(id));
        self.count_bytes();
    }

    /// Makes the chain up to `fork`, then the known branch up to `parent`, then these blocks the chain. What was above the
    /// fork before is forgotten.
    pub fn advance(&mut self, fork: u64, parent: &BlockId, blocks: Vec<Fresh>) {
        let branch: Vec<BlockId> = self.branch(parent).iter().map(|fresh| fresh.known.id).collect();
        let kept = usize::try_from(fork.saturating_sub(self.first.height())).unwrap_or(usize::MAX);
        for known in self.chain.split_off(kept.min(self.chain.len())) {
            self.heights.remove(&known.id);
        }
        let won: Vec<Fresh> = branch.iter().filter_map(|id| Some(self.side.remove(id)?.fresh)).chain(blocks).collect();
        for Fresh { known, .. } in won {
            self.heights.insert(known.id, known.height());
            self.chain.push(known);
        }
        let finalised = self.tip().height().saturating_sub(self.reorg_limit).max(self.finalised);
        for height in self.finalised..finalised {
            if let Some(known) = self.at_mut(height) {
                known.state = None;
            }
        }
        self.finalised = finalised;
        self.prune();
    }

    /// Finds again where branches fork off, and forgets those that can never win.
    fn prune(&mut self) {
        let mut order: Vec<(u64, BlockId)> = self.side.iter().map(|(id, b)| (b.fresh.known.height(), *id)).collect();
        order.sort_unstable();
        let mut forks: HashMap<BlockId, u64> = HashMap::new();
        for (_, id) in order {
            let parent = self.side.get(&id).map(|side| side.fresh.known.header.parent);
            let fork = parent.and_then(|parent| self.heights.get(&parent).or_else(|| forks.get(&parent)).copied());
            if let Some(fork) = fork.filter(|&fork| fork >= self.finalised) {
                forks.insert(id, fork);
            }
        }
        self.side.retain(|id, side| match forks.get(id) {
            Some(&fork) => {
                side.fork = fork;
                true
            }
            None => false,
        });
        self.count_bytes();
    }

    fn count_bytes(&mut self) {
        self.side_bytes = self.side.values().map(|side| side.fresh.bytes.len()).sum();
    }
}
