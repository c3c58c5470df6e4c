//! What hides the commitments of a private state: the formulas of [`SegmentPoints`], over what hides columns in place of their
//! commitments.
//!
//! [`SegmentPoints`]: super::SegmentPoints

use super::codec::Encoded;
use super::{Encoding, Layouts, SegmentState, StateCommitments, dividend_scalars};
use crate::arithmetic::fixed::LOW_BITS;
use crate::model::{Config, Slot, State};
use crate::ops::sgd::Hyper;
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
    /// Low parts.
    pub lo: Vec<Hiding>,
    /// Momentum.
    pub v: Vec<Hiding>,
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
    /// After a movement to weights that are hidden so.
    #[must_use]
    pub fn moved(&self, w: Vec<Hiding>, lo: Vec<Hiding>) -> Self {
        let v = hidden_movement(&hidden_whole(&self.w, &self.lo), &hidden_whole(&w, &lo));
        HiddenSegment { w, lo, v }
    }

    /// What hides an update's dividends, where the gradient has so many summands.
    pub fn dividends(&self, hyper: &Hyper, gradient: &[Hiding], summands: usize) -> Vec<Hiding> {
        let (scalars, surplus) = dividend_scalars(hyper, summands);
        let scalars = scalars.map(field::<F>);
        let columns = self.w.iter().zip(&self.lo).zip(&self.v).zip(gradient);
        let of = |(((w, lo), v), g): (((&Hiding, &Hiding), &Hiding), &Hiding)| {
            let mut sum = Hiding::blind(-surplus);
            [w, lo, v, g].into_iter().zip(&scalars).for_each(|(hiding, scalar)| sum.add_multiple(hiding, scalar));
            sum
        };
        columns.map(of).collect()
    }

    fn commit(&self, params: &Params, [w, lo, v]: [Vec<Vec<i64>>; 3]) -> Result<SegmentState, PortError> {
        let commit = |columns: Vec<Vec<i64>>, hidden: &[Hiding]| commit_columns(params, columns, hidden);
        let slots = Slot::SGD.into_iter().zip([commit(lo, &self.lo)?, commit(v, &self.v)?]).collect();
        Ok(SegmentState { w: commit(w, &self.w)?, slots })
    }
}

fn commit_columns(params: &Params, columns: Vec<Vec<i64>>, hidden: &[Hiding]) -> Result<Vec<Encoding>, PortError> {
    if columns.len() != hidden.len() {
        return Err(PortError::Columns { expected: columns.len(), found: hidden.len() });
    }
    let column = |(rows, hiding): (Vec<i64>, &Hiding)| {
        let rows: Vec<F> = rows.into_iter().map(|x| field(x.into())).collect();
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
    let of = |(segment, hidden): (usize, &HiddenSegment)| hidden.commit(params, layouts.state_columns(segment, state));
    Ok(StateCommitments { segments: hidden.iter().enumerate().map(of).collect::<Result<_, _>>()? })
}

/// What ties a published model to the state of a private run after so many steps: its weights and low parts. Its momentum stays hidden:
/// with it, the model before the last step would be known, and how it moved.
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
        Opening { run, step, hidden: hidden.iter().map(|of| [of.w.clone(), of.lo.clone()]).collect() }
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
            let [of_w, of_lo, _] = layouts.state_columns(segment, state);
            for (columns, hiding, named) in [(of_w, w, &named.w[..]), (of_lo, lo, named.slot(Slot::Low))] {
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
