//! Rules that a block alone shows to be kept.

use super::StructuralError;
use crate::block::Block;
use crate::contribution::Contribution;
use crate::genesis::ChainSpec;
use crate::header::{BLOCK_VERSION, StateDigest};
use crate::work::meets;

/// Requires the work to have been done: the cheapest rule, checked first.
pub fn work(spec: &ChainSpec, block: &Block) -> Result<(), StructuralError> {
    let target = block.header.target.target();
    if target > spec.rules().floor.target() {
        return Err(StructuralError::Floor);
    }
    if meets(block.id().as_bytes(), target) { Ok(()) } else { Err(StructuralError::Work) }
}

/// Checks a block by itself.
pub fn block(spec: &ChainSpec, block: &Block) -> Result<(), StructuralError> {
    let summary = &block.summary;
    if summary.version != BLOCK_VERSION {
        return Err(StructuralError::Version(summary.version));
    }
    work(spec, block)?;
    content(spec, block)
}

/// All but the work: also of a block that is being made.
pub fn content(spec: &ChainSpec, block: &Block) -> Result<(), StructuralError> {
    let (summary, rules) = (&block.summary, spec.rules());
    if block.header.body != summary.digest()? {
        return Err(StructuralError::Summary);
    }
    let (found, most) = (block.proof_bytes(), rules.max_proof_bytes);
    if found > most {
        return Err(StructuralError::ProofBytes { found, most });
    }
    let (found, most) = (block.contributions.len(), rules.max_contributions);
    if found > most as usize {
        return Err(StructuralError::Contributions { found, most });
    }
    let (found, most) = (block.transactions.len(), rules.ledger.max_transactions);
    if found > most as usize {
        return Err(StructuralError::Transactions { found, most });
    }
    for (index, c) in block.contributions.iter().enumerate() {
        contribution(spec, index, c)?;
        if c.seat.parent != block.header.parent {
            return Err(StructuralError::Parent { index });
        }
        if index > 0 && block.contributions[index - 1].seat >= c.seat {
            return Err(StructuralError::Order(index));
        }
    }
    if block.update.is_some() == block.contributions.is_empty() {
        return Err(StructuralError::Update);
    }
    if let Some(update) = &block.update {
        update.after.check(spec.config(), spec.genesis().optimizer.kind()).map_err(|_| StructuralError::Shape)?;
        if update.proofs.len().max(update.squares.len()) > spec.layouts().updates().len() {
            return Err(StructuralError::Shape);
        }
        if StateDigest::of(&update.after) != summary.state {
            return Err(StructuralError::State);
        }
    }
    match block.digests(spec.id())?.missing_from(summary) {
        Some(what) => Err(StructuralError::Digest(what)),
        None => Ok(()),
    }
}

/// Checks a contribution by itself.
pub fn contribution(spec: &ChainSpec, index: usize, c: &Contribution) -> Result<(), StructuralError> {
    let (found, most) = (c.proof_bytes(), spec.rules().max_proof_bytes);
    if found > most {
        return Err(StructuralError::ProofBytes { found, most });
    }
    let (slot, slots) = (c.seat.slot, spec.rules().slots);
    if slot >= slots {
        return Err(StructuralError::Slot { index, slot, slots });
    }
    let batch = spec.genesis().batch as usize;
    let layouts = spec.layouts();
    let mut counts = vec![
        ("losses", batch, c.proofs.losses.len()),
        ("leaves", batch, c.leaves.len()),
        ("gradient ports", layouts.segments(), c.gradient.len()),
    ];
    // The proofs' exact numbers follow from the keys; more than one for each instance cannot be.
    let most = batch.saturating_mul(spec.config().layers.max(1));
    for (what, expected, found) in
        [("layer proofs", most, c.proofs.layers.len()), ("head proofs", batch, c.proofs.heads.len())]
    {
        if found > expected {
            return Err(StructuralError::Count { index, what, expected, found });
        }
    }
    let columns = c.gradient.iter().enumerate().take(layouts.segments());
    counts.extend(columns.map(|(segment, port)| ("gradient columns", layouts.of(segment).columns(), port.len())));
    match counts.into_iter().find(|(_, expected, found)| expected != found) {
        Some((what, expected, found)) => Err(StructuralError::Count { index, what, expected, found }),
        None => Ok(()),
    }
}
