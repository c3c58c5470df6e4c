//! The proofs of many blocks, checked side by side and together.

use crate::block::Block;
use crate::consensus::SemanticError;
use crate::consensus::semantic::{Checker, Parent};
use rayon::prelude::*;
use std::sync::Arc;
use verifier::{Batch, BatchError};

/// What became of a window.
#[derive(Debug)]
pub struct Verdict {
    /// Blocks from the first on whose proofs hold.
    pub good: usize,
    /// Why the next one is refused.
    pub refused: Option<SemanticError>,
    /// Batches that ended in a multi-scalar multiplication.
    pub batches: u64,
    /// Set if the proofs fail together but hold one by one.
    pub contradiction: Option<BatchError>,
}

/// Verifies structurally valid blocks, each on its parent; a block's state after it must be what its successor has as its
/// parent's. Each block is checked in a batch of its own, and the batches are merged: all end in one multi-scalar
/// multiplication. If that is not zero, blocks are verified singly to name the first that is refused.
pub fn verify(checker: &Checker<'_>, blocks: &[(Parent, Arc<Block>)]) -> Verdict {
    let check = |(parent, block): &(Parent, Arc<Block>)| {
        let mut batch = Batch::folding(checker.params);
        checker.check(&mut batch, parent, block).map(|_| batch)
    };
    let checked: Vec<Result<Batch<'_>, SemanticError>> = blocks.par_iter().map(check).collect();
    let mut verdict = Verdict { good: 0, refused: None, batches: 0, contradiction: None };
    let mut total = Batch::folding(checker.params);
    for batch in checked {
        match batch {
            Ok(batch) => {
                if !batch.is_empty() {
                    total.merge(batch);
                }
                verdict.good += 1;
            }
            Err(error) => {
                verdict.refused = Some(error);
                break;
            }
        }
    }
    if total.is_empty() {
        return verdict;
    }
    verdict.batches = 1;
    let Err(together) = total.finish() else { return verdict };
    let before = blocks.get(..verdict.good).unwrap_or_default();
    let single = |(i, (parent, block)): (usize, &(Parent, Arc<Block>))| Some((i, checker.verify(parent, block).err()?));
    match before.par_iter().enumerate().find_map_first(single) {
        Some((first, error)) => {
            verdict.batches += first as u64 + 1;
            (verdict.good, verdict.refused) = (first, Some(error));
        }
        None => (verdict.good, verdict.refused, verdict.contradiction) = (0, None, Some(together)),
    }
    verdict
}
