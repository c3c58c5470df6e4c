//! What hides the commitments of a private state: the formulas of [`SegmentPoints`], over what hides columns in place of their
//! commitments.
//!
//! [`SegmentPoints`]: super::SegmentPoints

use super::codec::Encoded;
use super::{Encoding, Layouts, SegmentState, StateCommitments, surplus};
use crate::arithmetic::fixed::LOW_BITS;
use crate::model::{Config, Hyper, OptimizerKind, Slot, State};
use backend::curve::{F, Params};
use backend::ports::{PortError, check_height};
use backend::span::{Hiding, commit_hidden};
use ff::Field;
use group::GroupEncoding;
use plonkish::field;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What hides the state of one segment, column by column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenSegment {
    /// Weights.
    pub w: Vec<Hiding>,
    /// Slots in their order; the low parts are the first.
    pub slots: Vec<Vec<Hiding>>,
}

/// What hides weights with their low parts.
pub fn hidden_whole(w: &[Hiding], lo: &[Hiding]) -> Vec<Hiding> {
    let shift = F::from(1 << LOW_BITS);
    let of = |(w, lo): (&Hiding, &Hiding)| {
        let mut sum = lo.clone();
        sum.add_multiple(w, &shift);
        sum
    };
    w.iter().zip(lo).map(of).collect()
}

/// What hides the movements from one set of weights to another.
pub fn hidden_movement(before: &[Hiding], after: &[Hiding]) -> Vec<Hiding> {
    let of = |(before, after): (&Hiding, &Hiding)| {
        let mut moved = Hiding::blind(F::ONE);
        moved += after;
        moved -= before;
        moved
    };
    before.iter().zip(after).map(of).collect()
}

impl HiddenSegment {
    /// The low parts.
    pub fn low(&self) -> &[Hiding] {
        self.slots.first().map_or(&[], Vec::as_slice)
    }

    /// A slot of an optimizer; none if it is missing.
    pub fn slot(&self, optimizer: OptimizerKind, slot: Slot) -> &[Hiding] {
        let place = optimizer.slots().iter().position(|&of| of == slot);
        place.and_then(|place| self.slots.get(place)).map_or(&[], Vec::as_slice)
    }

    /// After an optimizer's update that leaves weights hidden so, and slots, of which those that follow from the weights are
    /// missing.
    #[must_use]
    pub fn moved(&self, optimizer: OptimizerKind, w: Vec<Hiding>, new: impl Fn(Slot) -> Option<Vec<Hiding>>) -> Self {
        let slot = |&slot: &Slot| {
            new(slot).unwrap_or_else(|| {
                let after = hidden_whole(&w, &new(Slot::Low).unwrap_or_default());
                hidden_movement(&hidden_whole(&self.w, self.low()), &after)
            })
        };
        let slots = optimizer.slots().iter().map(slot).collect();
        HiddenSegment { w, slots }
    }

    /// What hides what enters an update, port by port, where the gradient has so many summands.
    pub fn entering(&self, hyper: &Hyper, gradient: &[Hiding], summands: usize) -> Vec<Vec<Hiding>> {
        let sources: Vec<&[Hiding]> =
            [&self.w].into_iter().chain(&self.slots).map(Vec::as_slice).chain([gradient]).collect();
        let columns = sources.iter().map(|source| source.len()).min().unwrap_or(0);
        let port = |multiples: Vec<i128>| {
            let surplus = surplus(&multiples, summands);
            let column = |c: usize| {
                let mut sum = Hiding::blind(-surplus);
                for (source, &by) in sources.iter().zip(&multiples).filter(|(_, by)| **by != 0) {
                    sum.add_multiple(&source[c], &field(by));
                }
                sum
            };
            (0..columns).map(column).collect()
        };
        hyper.entering().into_iter().map(port).collect()
    }

    fn commit(&self, params: &Params, state: Vec<Vec<Vec<i128>>>) -> Result<Vec<Vec<Encoding>>, PortError> {
        let hidden = [&self.w].into_iter().chain(&self.slots);
        state.into_iter().zip(hidden).map(|(columns, hidden)| commit_columns(params, columns, hidden)).collect()
    }
}

fn commit_columns(params: &Params, columns: Vec<Vec<i128>>, hidden: &[Hiding]) -> Result<Vec<Encoding>, PortError> {
    if columns.len() != hidden.len() {
        return Err(PortError::Columns { expected: columns.len(), found: hidden.len() });
    }
    let column = |(rows, hiding): (Vec<i128>, &Hiding)| {
        let rows: Vec<F> = rows.into_iter().map(field).collect();
        Ok(commit_hidden(params, &rows, hiding)?.to_bytes())
    };
    columns.into_par_iter().zip(hidden).map(column).collect()
}

/// The commitments of a state that is hidden so, segment by segment.
pub fn commit_hidden_state(
    params: &Params,
    config: &Config,
    state: &State,
    hidden: &[HiddenSegment],
) -> Result<StateCommitments, PortError> {
    let layouts = Layouts::new(config);
    check_height(params, layouts.of(layouts.segments() - 1).usable)?;
    if hidden.len() != layouts.segments() {
        return Err(PortError::Columns { expected: layouts.segments(), found: hidden.len() });
    }
    let optimizer = state.moments.kind();
    let of = |(segment, hidden): (usize, &HiddenSegment)| {
        if hidden.slots.len() != optimizer.slots().len() {
            return Err(PortError::Columns { expected: optimizer.slots().len(), found: hidden.slots.len() });
        }
        Ok(SegmentState::of(optimizer, hidden.commit(params, layouts.state_columns(segment, state))?))
    };
    Ok(StateCommitments { segments: hidden.iter().enumerate().map(of).collect::<Result<_, _>>()? })
}

/// What ties a published model to the state of a private run after so many steps: its weights and low parts. Its moments stay hidden:
/// with momentum, the model before the last step would be known, and how it moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Identity of the run.
    pub run: [u8; 32],
    /// Steps taken.
    pub step: u64,
    /// What hid weights and low parts, by segment.
    pub hidden: Vec<[Vec<Hiding>; 2]>,
}

impl Opening {
    /// Of a state that is hidden so.
    pub fn of(run: [u8; 32], step: u64, hidden: &[HiddenSegment]) -> Self {
        Opening { run, step, hidden: hidden.iter().map(|of| [of.w.clone(), of.low().to_vec()]).collect() }
    }

    /// Whether these weights and low parts, hidden so, have the commitments of a state.
    pub fn opens(
        &self,
        params: &Params,
        config: &Config,
        (state, commitments): (&State, &StateCommitments),
    ) -> Result<bool, PortError> {
        let layouts = Layouts::new(config);
        check_height(params, layouts.of(layouts.segments() - 1).usable)?;
        if [self.hidden.len(), commitments.segments.len()] != [layouts.segments(); 2] {
            return Ok(false);
        }
        for (segment, ([w, lo], named)) in self.hidden.iter().zip(&commitments.segments).enumerate() {
            let ends = [(w, &named.w[..]), (lo, named.slot(Slot::Low))];
            for (columns, (hiding, named)) in layouts.state_columns(segment, state).into_iter().zip(ends) {
                if columns.len() != hiding.len() || commit_columns(params, columns, hiding)? != named {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Encoded for Opening {
    const MAGIC: [u8; 8] = *b"GRADOPEN";
    const VERSION: u32 = 1;
    const NAME: &'static str = "opening of a state";
    const CHECKSUM: bool = true;
}
