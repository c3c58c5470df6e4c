//! Models as `LlamaForCausalLM` of the `transformers` library names and shapes them, with biases as `Qwen2ForCausalLM` does, in
//! `safetensors`: the weights for the library, and beside them what it has no place for.

mod directory;
mod error;
mod float;
mod layout;
mod shards;
mod sidecar;
#[cfg(test)]
mod tests;
mod views;
mod weights;

pub use directory::instead;
pub use error::{InterchangeError, NotExact};
pub use shards::{Found, INDEX_FILE, Shards};
pub use sidecar::restore;
pub use weights::{WeightFile, read, read_views};

use circuits::model::{Config, State};

/// File of the weights in a directory of `transformers`.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// What they cannot hold: see [`sidecar`].
pub const SIDECAR_FILE: &str = "gradientcoin.safetensors";
/// Most bytes of the header of either file; the rest follows from the configuration.
const HEADER_LIMIT: u64 = 1 << 20;

/// The files of a model.
pub struct Exported {
    /// [`WEIGHTS_FILE`].
    pub weights: Vec<u8>,
    /// [`SIDECAR_FILE`].
    pub sidecar: Vec<u8>,
}

/// The files of a state after `step` steps.
pub fn export(config: &Config, state: &State, step: u64) -> Result<Exported, InterchangeError> {
    state.check(config)?;
    Ok(Exported { weights: weights::write(config, &state.w)?, sidecar: sidecar::write(config, state, step)? })
}

/// Most bytes that a weights file of a model can have.
pub fn weights_limit(config: &Config) -> u64 {
    // A tied model may have its head twice.
    let numbers = config.parameters() + config.vocab * config.hidden;
    (numbers as u64).saturating_mul(4).saturating_add(HEADER_LIMIT)
}

/// Most bytes that the file beside it can have.
pub fn sidecar_limit(config: &Config) -> u64 {
    (config.parameters() as u64).saturating_mul(4 + 3 * 8).saturating_add(HEADER_LIMIT)
}
