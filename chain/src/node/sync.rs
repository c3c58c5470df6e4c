//! Catching up with peers, and letting them catch up.

use super::{Action, BLOCKS_PER_MESSAGE, Node};
use crate::header::BlockId;
use crate::message::{FullBlock, Message, PeerId};
use crate::rpc::{fork_height, locator};
use crate::store::StoreError;
use crate::work::Work;

/// Longest locator that is read: enough for a chain of 2^50 blocks.
const MAX_LOCATOR: usize = 64;

/// Bytes, in memory, after which no further block is put into a message: one that is too large to be decoded would be
/// taken for a peer's fault, and nobody would ever catch up.
const MESSAGE_BYTES: u64 = 64 << 20;

impl Node {
    /// A peer says that it has a tip; if it is not known and has more work, its blocks are asked for.
    pub(super) fn tip_of(&mut self, from: PeerId, id: &BlockId, work: Work) -> Result<Vec<Action>, StoreError> {
        // While something is being verified, what follows may be on its way; peers repeat their tips.
        let known = self.chain.store().view()?.record(id)?.is_some() || !self.verifying.is_empty();
        if known || work <= self.chain.tip().work { Ok(vec![]) } else { self.ask_for_blocks(from) }
    }

    pub(super) fn ask_for_blocks(&self, peer: PeerId) -> Result<Vec<Action>, StoreError> {
        let locator = locator(&self.chain.store().view()?)?;
        Ok(vec![Action::Send(peer, Message::GetBlocks { locator, limit: BLOCKS_PER_MESSAGE })])
    }

    pub(super) fn send_blocks(&self, to: PeerId, locator: &[BlockId], limit: u32) -> Result<Vec<Action>, StoreError> {
        let view = self.chain.store().view()?;
        let from = fork_height(&view, &locator[..locator.len().min(MAX_LOCATOR)])?;
        let last = view.height()?.min(from.saturating_add(limit.min(BLOCKS_PER_MESSAGE).into()));
        let (mut blocks, mut bytes) = (vec![], 0);
        for height in from + 1..=last {
            if bytes > MESSAGE_BYTES {
                break;
            }
            let missing = || StoreError::Missing("a block of the chain");
            let id = view.at_height(height)?.ok_or_else(missing)?;
            let block = view.block(&id)?.ok_or_else(missing)?;
            let tensors = view.tensors(&id)?.ok_or_else(missing)?.0;
            let entries: usize = tensors.iter().flat_map(|tensors| &tensors.0).map(Vec::len).sum();
            bytes += block.proof_bytes() + (entries * size_of::<i128>()) as u64;
            blocks.push(FullBlock { block, tensors });
        }
        if blocks.is_empty() {
            return Ok(vec![]);
        }
        // The tip follows, so that whoever is still behind asks again.
        Ok(vec![Action::Send(to, Message::Blocks(blocks)), Action::Send(to, self.greeting())])
    }
}
