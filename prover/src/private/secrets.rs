//! What hides the commitments of a private run: the formulas of [`SegmentPoints`](circuits::statements::SegmentPoints), over what hides
//! columns in place of their commitments.

use super::hedge::Hedge;
use crate::blinding::ColumnBlinding;
use crate::error::ProveError;
use backend::curve::{F, Params};
use backend::span::{Hiding, commit_hidden};
use circuits::arithmetic::fixed::LOW_BITS;
use circuits::model::{Config, Slot, State};
use circuits::ops::sgd::Hyper;
use circuits::statements::codec::Encoded;
use circuits::statements::{Encoding, Layouts, SegmentState, StateCommitments, dividend_scalars};
use ff::Field;
use group::GroupEncoding;
use plonkish::{RESERVED_ROWS, field};
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

/// A sum of losses, and what hides its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenSum {
    /// Frac 24.
    pub sum: u64,
    /// Of the sum of the losses' commitments.
    pub hiding: Hiding,
}

impl HiddenSum {
    /// Of no loss.
    pub fn none() -> Self {
        HiddenSum { sum: 0, hiding: Hiding::blind(F::ZERO) }
    }
}

/// What the owner of a private run keeps beside its state: with it, everything that is hidden can be guessed at and confirmed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// Goes into every blind.
    pub(super) secret: [u8; 32],
    /// What hides the state, by segment.
    pub(super) segments: Vec<HiddenSegment>,
    /// The same of weights and low parts before a first state's last movement, until that is proven to be in range.
    pub(super) before_first: Vec<[Vec<Hiding>; 2]>,
    /// Losses since the last sum that was disclosed.
    pub(super) losses: HiddenSum,
}

/// Nothing of them is shown.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Encoded for Secrets {
    const MAGIC: [u8; 8] = *b"GRADSECR";
    const VERSION: u32 = 1;
    const NAME: &'static str = "file of secrets";
    const CHECKSUM: bool = true;
}

/// Of weights with their low parts.
fn whole(w: &[Hiding], lo: &[Hiding]) -> Vec<Hiding> {
    let shift = F::from(1 << LOW_BITS);
    let of = |(w, lo): (&Hiding, &Hiding)| {
        let mut sum = lo.clone();
        sum.add_multiple(w, &shift);
        sum
    };
    w.iter().zip(lo).map(of).collect()
}

/// Of the movements from one set of weights to another.
pub(super) fn movement(before: &[Hiding], after: &[Hiding]) -> Vec<Hiding> {
    let of = |(before, after): (&Hiding, &Hiding)| {
        let mut moved = Hiding::blind(F::ONE);
        moved += after;
        moved -= before;
        moved
    };
    before.iter().zip(after).map(of).collect()
}

/// A column's blinding, of as many rows as its circuit blinds.
pub(super) fn column_blinding(hiding: &Hiding, rows: usize) -> ColumnBlinding {
    let first = RESERVED_ROWS.saturating_sub(rows);
    ColumnBlinding { rows: hiding.0[first..RESERVED_ROWS].to_vec(), blind: hiding.0[RESERVED_ROWS] }
}

impl HiddenSegment {
    /// Of weights with their low parts.
    pub(super) fn whole(&self) -> Vec<Hiding> {
        whole(&self.w, &self.lo)
    }

    /// Of an update's dividends, where the gradient has so many summands.
    pub(super) fn dividends(&self, hyper: &Hyper, gradient: &[Hiding], summands: usize) -> Vec<Hiding> {
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
}

impl Secrets {
    /// Draws what hides a first state, whose weights and low parts circuits with `rows` rows of blinding will have in their ports;
    /// gives its commitments.
    pub(super) fn begin(
        params: &Params,
        config: &Config,
        state: &State,
        rows: usize,
    ) -> Result<(Self, StateCommitments), ProveError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| ProveError::NoRandomness)?;
        let hedge = Hedge::new(&secret, b"gradientcoin first state")?;
        let layouts = Layouts::new(config);
        let draw = |what: &str, segment: usize| -> Vec<Hiding> {
            let what = format!("{what} of segment {segment}");
            let drawn = hedge.columns(what.as_bytes(), layouts.of(segment).columns(), rows);
            drawn.iter().map(|column| Hiding::new(&column.rows, column.blind)).collect()
        };
        let (mut segments, mut before_first, mut commitments) = (vec![], vec![], vec![]);
        for segment in 0..layouts.segments() {
            let (w, lo) = (draw("w", segment), draw("lo", segment));
            let v = if state.at_rest() {
                vec![Hiding::blind(F::ONE); w.len()]
            } else {
                let before = [draw("w before", segment), draw("lo before", segment)];
                let v = movement(&whole(&before[0], &before[1]), &whole(&w, &lo));
                before_first.push(before);
                v
            };
            let hidden = HiddenSegment { w, lo, v };
            commitments.push(commit_segment(params, layouts.state_columns(segment, state), &hidden)?);
            segments.push(hidden);
        }
        let commitments = StateCommitments { segments: commitments };
        Ok((Secrets { secret, segments, before_first, losses: HiddenSum::none() }, commitments))
    }

    /// The commitments of a state that they hide.
    pub fn commit_state(
        &self,
        params: &Params,
        config: &Config,
        state: &State,
    ) -> Result<StateCommitments, ProveError> {
        let layouts = Layouts::new(config);
        let of = |(segment, hidden)| commit_segment(params, layouts.state_columns(segment, state), hidden);
        Ok(StateCommitments { segments: self.segments.iter().enumerate().map(of).collect::<Result<_, _>>()? })
    }

    /// What hides the state, by segment.
    pub fn segments(&self) -> &[HiddenSegment] {
        &self.segments
    }
}

fn commit_segment(
    params: &Params,
    [w, lo, v]: [Vec<Vec<i64>>; 3],
    hidden: &HiddenSegment,
) -> Result<SegmentState, ProveError> {
    let commit = |columns: Vec<Vec<i64>>, hidden: &[Hiding]| -> Result<Vec<Encoding>, ProveError> {
        if columns.len() != hidden.len() {
            return Err(ProveError::Mismatch { what: "what hides the state" });
        }
        let column = |(rows, hiding): (Vec<i64>, &Hiding)| {
            let rows: Vec<F> = rows.into_iter().map(|x| field(x.into())).collect();
            Ok(commit_hidden(params, &rows, hiding).map_err(ProveError::Commitments)?.to_bytes())
        };
        columns.into_iter().zip(hidden).map(column).collect()
    };
    let slots = Slot::SGD.into_iter().zip([commit(lo, &hidden.lo)?, commit(v, &hidden.v)?]).collect();
    Ok(SegmentState { w: commit(w, &hidden.w)?, slots })
}
