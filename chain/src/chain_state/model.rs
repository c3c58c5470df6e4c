//! The model state along the chain.

use crate::consensus::BlockError;
use crate::genesis::ChainSpec;
use crate::store::{BlockTensors, StoreError, View};
use crate::tensors::GradientTensors;
use circuits::arithmetic::fixed::Saturations;
use circuits::model::file::ModelState;
use circuits::model::{Gradients, State};

/// Heights at which the state is kept on the way, so that going back needs few blocks to be applied again.
pub const SNAPSHOT_INTERVAL: u64 = 16;

/// Applies the optimizer's step of a block to a state: `step` steps were taken before.
pub fn apply(spec: &ChainSpec, state: &mut State, step: u64, tensors: &[GradientTensors]) -> Result<(), BlockError> {
    let mut sum = Gradients::zeros(spec.config());
    for tensors in tensors {
        sum.add(&tensors.open(spec.config())?);
    }
    let squares = spec.genesis().optimizer.squares(&sum);
    let hyper = spec.hyper(step, tensors.len() as u32, squares).map_err(crate::consensus::SemanticError::from)?;
    state.update(&hyper, &sum, &mut Saturations::default()).map_err(|_| BlockError::Model)
}

/// The file of a state.
pub fn file(spec: &ChainSpec, state: &State, step: u64) -> ModelState {
    ModelState::new(spec.config(), state, Some(*spec.id().as_bytes()), step)
}

/// The state after the chain's block of a height, from the last one that was kept. `tensors` gives those of the block of a
/// height.
pub fn replay(
    spec: &ChainSpec,
    (kept_at, kept): (u64, ModelState),
    height: u64,
    mut tensors: impl FnMut(u64) -> Result<Option<BlockTensors>, StoreError>,
) -> Result<State, StoreError> {
    let mut step = kept.step;
    let (_, mut state) = kept.open()?;
    for height in kept_at + 1..=height {
        let tensors = tensors(height)?.ok_or(StoreError::Missing("a block's gradients"))?;
        if !tensors.0.is_empty() {
            apply(spec, &mut state, step, &tensors.0).map_err(|_| StoreError::Missing("a block's gradients"))?;
            step += 1;
        }
    }
    Ok(state)
}

/// The state at the tip.
pub fn at_tip(spec: &ChainSpec, view: &View) -> Result<State, StoreError> {
    let height = view.height()?;
    replay(spec, view.state_at_or_below(height)?, height, |height| {
        let id = view.at_height(height)?.ok_or(StoreError::Missing("a block of the chain"))?;
        view.tensors(&id)
    })
}
