//! What the owner of a private run keeps beside its state.

use super::hedge::Hedge;
use crate::error::ProveError;
use backend::curve::{F, Params};
use backend::span::Hiding;
use circuits::model::file::ModelState;
use circuits::model::{Config, Slot, State};
use circuits::statements::codec::Encoded;
use circuits::statements::hidden::{HiddenSegment, commit_hidden_state, hidden_movement, hidden_whole};
use circuits::statements::{Layouts, StateCommitments};
use ff::Field;
use serde::{Deserialize, Serialize};

/// A sum of losses, and what hides its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HiddenSum {
    /// Frac 24.
    pub sum: u128,
    /// Of the sum of the losses' commitments.
    pub hiding: Hiding,
}

impl HiddenSum {
    /// Of no loss.
    pub fn none() -> Self {
        HiddenSum { sum: 0, hiding: Hiding::blind(F::ZERO) }
    }
}

/// What hides a private run: who has it can guess at everything hidden, and see whether the guess is right.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// Goes into every blind.
    pub(super) secret: [u8; 32],
    /// What hides the state, by segment.
    pub(super) segments: Vec<HiddenSegment>,
    /// Losses since the last sum that was disclosed.
    pub(super) losses: HiddenSum,
}

/// Nothing of them is shown.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// The state of a private run and what hides it: one file, as one is of no use with another's other half.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateState {
    /// The state.
    pub model: ModelState,
    /// What hides it.
    pub secrets: Secrets,
}

impl Encoded for PrivateState {
    const MAGIC: [u8; 8] = *b"GRADPRIV";
    // 2: slots of any optimizer.
    const VERSION: u32 = 2;
    const NAME: &'static str = "state of a private run";
    const CHECKSUM: bool = true;
    const LARGE: bool = true;
}

impl Secrets {
    /// Draws what hides a first state, whose weights and slots circuits with `rows` rows of blinding will have in their ports; gives
    /// the same of the weights and low parts before its last movement, where there was one, and the state's commitments.
    pub(super) fn begin(
        params: &Params,
        config: &Config,
        state: &State,
        rows: usize,
    ) -> Result<(Self, Vec<HiddenSegment>, StateCommitments), ProveError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| ProveError::NoRandomness)?;
        let hedge = Hedge::new(&secret, b"gradientcoin first state")?;
        let (layouts, optimizer) = (Layouts::new(config), state.moments.kind());
        let draw = |what: &str, segment: usize| -> Vec<Hiding> {
            let what = format!("{what} of segment {segment}");
            hedge.hidings(what.as_bytes(), layouts.of(segment).columns(), rows)
        };
        let (mut segments, mut before_first) = (vec![], vec![]);
        let moved = state.before().is_some();
        for segment in 0..layouts.segments() {
            let (w, lo) = (draw("w", segment), draw("lo", segment));
            let slot = |&slot: &Slot| match slot {
                Slot::Low => lo.clone(),
                Slot::First => draw("m", segment),
                Slot::Second => draw("v", segment),
                Slot::Momentum if !moved => vec![Hiding::blind(F::ONE); w.len()],
                Slot::Momentum => {
                    let (w_before, lo_before) = (draw("w before", segment), draw("lo before", segment));
                    let v = hidden_movement(&hidden_whole(&w_before, &lo_before), &hidden_whole(&w, &lo));
                    before_first.push(HiddenSegment { w: w_before, slots: vec![lo_before] });
                    v
                }
            };
            let slots = optimizer.slots().iter().map(slot).collect();
            segments.push(HiddenSegment { w, slots });
        }
        let secrets = Secrets { secret, segments, losses: HiddenSum::none() };
        let commitments = secrets.commit_state(params, config, state)?;
        Ok((secrets, before_first, commitments))
    }

    /// The commitments of a state that they hide.
    pub fn commit_state(
        &self,
        params: &Params,
        config: &Config,
        state: &State,
    ) -> Result<StateCommitments, ProveError> {
        commit_hidden_state(params, config, state, &self.segments).map_err(ProveError::Commitments)
    }

    /// What hides the state, by segment.
    pub fn segments(&self) -> &[HiddenSegment] {
        &self.segments
    }
}
