//! Which sequences a step is on: those that the seed assigns.

use super::count;
use super::wires::{decode, encode, equal, paired};
use crate::error::StepError;
use crate::span::Pairs;
use backend::curve::{F, Params, Point};
use backend::ports::commit_canonical;
use circuits::model::Token;
use circuits::segments::{Privacy, head};
use circuits::statements::dataset::Leaf;
use circuits::statements::{Encoding, Run, RunData, ties};
use plonkish::field;

/// Requires the leaves of a bundle to be those that the seed assigns; a run on a corpus has none.
pub(super) fn shows_assigned(run: &Run, step: u64, leaves: &[Leaf]) -> Result<(), StepError> {
    count("leaves", run.data.leaves(run.batch as usize * run.accumulate as usize), leaves.len())?;
    let RunData::Dataset(root) = &run.data else { return Ok(()) };
    let (assigned, mut leaves) = (run.assigned_leaves(root, step), leaves.iter());
    for (contribution, numbers) in (0..).zip(&assigned) {
        for ((sequence, &number), leaf) in (0..).zip(numbers).zip(&mut leaves) {
            let refused = |source| StepError::Leaf { contribution, sequence, source };
            root.verify(number, &leaf.commitment, &leaf.path).map_err(refused)?;
        }
    }
    Ok(())
}

/// Requires the commitments of sequences to be leaves, in their order; of private ones by the pairs that this gives.
pub(super) fn matches_leaves(
    privacy: Privacy,
    contribution: u32,
    batches: &[Point],
    leaves: &[Leaf],
) -> Result<Pairs, StepError> {
    count("sequences", leaves.len(), batches.len())?;
    let leaves: Vec<Encoding> = leaves.iter().map(|leaf| leaf.commitment).collect();
    match privacy {
        Privacy::Public => equal(contribution, &ties::of_leaves(&encode(batches), &leaves)),
        Privacy::Private => paired(contribution, &ties::of_leaves(batches, &decode(&leaves)?)),
    }
}

/// Requires the commitments of sequences to be those of the assigned tokens.
pub(super) fn matches_assigned(
    params: &Params,
    index: u32,
    found: &[Point],
    assigned: &[Vec<Token>],
) -> Result<(), StepError> {
    for (sequence, (tokens, found)) in (0..).zip(assigned.iter().zip(found)) {
        let column: Vec<F> = head::batch_column(tokens).into_iter().map(field).collect();
        if !commit_canonical(params, &column).is_ok_and(|point| point == *found) {
            return Err(StepError::Batch { contribution: index, sequence });
        }
    }
    Ok(())
}
