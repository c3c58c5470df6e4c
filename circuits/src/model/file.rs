//! A model's state in a file.

use crate::arithmetic::tensor::Matrix;
use crate::model::{
    Config, ConfigError, MAX_PARAMETERS, Moments, Parameters, Slot, State, StateError, Weights, tensors,
};
use crate::statements::codec::{self, Encoded, LARGE_LIMIT};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A model and its state, of a run or before any. Tensors stand in the order of [`tensors`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelState {
    /// Canonical JSON of the configuration.
    #[serde(deserialize_with = "codec::text")]
    pub config: String,
    /// Identity of the run that the state is of, if any.
    pub run: Option<[u8; 32]>,
    /// Steps taken in that run.
    pub step: u64,
    /// Weights.
    pub w: Vec<Vec<i64>>,
    /// What the optimizer keeps beside them.
    pub slots: BTreeMap<Slot, Vec<Vec<i128>>>,
}

impl Encoded for ModelState {
    const MAGIC: [u8; 8] = *b"GRADMODL";
    // 2: with a checksum; 3: named slots; 4: momentum as the last movement; 5: moments of frac 30 and 60.
    const VERSION: u32 = 5;
    const NAME: &'static str = "model state";
    const CHECKSUM: bool = true;
    const LARGE: bool = true;
}

/// Bytes that a parameter takes while it is decoded, at most: the weight, and three slots of 128 bits.
const PARAMETER_BYTES: usize = size_of::<i64>() + 3 * size_of::<i128>();

// Whatever can be written can be read again: beside the parameters there are names and lengths.
const _: () = assert!(MAX_PARAMETERS * PARAMETER_BYTES + (1 << 20) < LARGE_LIMIT);

/// A state file that holds no state of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelFileError {
    /// The configuration is refused.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The configuration's text is not its canonical form.
    #[error("the configuration is not in canonical form")]
    ConfigText,
    /// A tensor with too few or too many elements.
    #[error("`{name}` has {found} elements, not {expected}")]
    Elements {
        /// The tensor.
        name: String,
        /// By the configuration.
        expected: usize,
        /// In the file.
        found: usize,
    },
    /// A slot that the optimizer keeps is missing, or one that it does not keep is there.
    #[error("the state's slots are not those of the optimizer: {slot}")]
    Slot {
        /// Which.
        slot: &'static str,
    },
    /// The tensors are not a state of the configuration.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ModelState {
    /// The file of a state.
    pub fn new(config: &Config, state: &State, run: Option<[u8; 32]>, step: u64) -> Self {
        let flat = |p: &Weights| p.iter().map(|t| t.data.clone()).collect();
        ModelState {
            config: config.to_json(),
            run,
            step,
            w: flat(&state.w),
            slots: state.slots().into_iter().collect(),
        }
    }

    /// The configuration alone, checked.
    pub fn config(&self) -> Result<Config, ModelFileError> {
        let config = Config::from_json(&self.config)?;
        if config.to_json() == self.config { Ok(config) } else { Err(ModelFileError::ConfigText) }
    }

    /// The configuration and the state, checked against it.
    pub fn open(self) -> Result<(Config, State), ModelFileError> {
        let config = self.config()?;
        let mut slots = self.slots;
        let mut take = |slot: Slot| slots.remove(&slot).ok_or(ModelFileError::Slot { slot: slot.name() });
        let lo = narrow(&config, Slot::Low, take(Slot::Low)?)?;
        // Where both are, one is left over.
        let moments = match take(Slot::Momentum) {
            Ok(movement) => Moments::Sgd { movement: narrow(&config, Slot::Momentum, movement)? },
            Err(missing) => {
                let first = take(Slot::First).map_err(|_| missing)?;
                let (first, second) = (narrow(&config, Slot::First, first)?, take(Slot::Second)?);
                Moments::AdamW { first, second: shape(&config, second)? }
            }
        };
        if let Some(other) = slots.keys().next() {
            return Err(ModelFileError::Slot { slot: other.name() });
        }
        let state = State { w: shape(&config, self.w)?, lo, moments };
        state.check(&config)?;
        Ok((config, state))
    }
}

/// Slots of 64 bits.
fn narrow(config: &Config, slot: Slot, data: Vec<Vec<i128>>) -> Result<Weights, ModelFileError> {
    let of = |tensor: Vec<i128>| tensor.into_iter().map(i64::try_from).collect::<Result<Vec<i64>, _>>();
    let data = data.into_iter().map(of).collect::<Result<Vec<_>, _>>();
    shape(config, data.map_err(|_| StateError::Range { name: slot.name().into() })?)
}

fn shape<E: Copy + Default>(config: &Config, data: Vec<Vec<E>>) -> Result<Parameters<Matrix<E>>, ModelFileError> {
    let specs = tensors(config);
    if data.len() != specs.len() {
        return Err(StateError::Count { expected: specs.len(), found: data.len() }.into());
    }
    let mut matrices = Vec::with_capacity(specs.len());
    for (spec, data) in specs.into_iter().zip(data) {
        let (expected, found) = (spec.rows * spec.cols, data.len());
        let elements = |_| ModelFileError::Elements { name: spec.name, expected, found };
        matrices.push(Matrix::new(spec.rows, spec.cols, data).map_err(elements)?);
    }
    let mut matrices = matrices.into_iter();
    Ok(Parameters::build(config, |_| matrices.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OptimizerKind;
    use crate::statements::codec::{decode, encode};

    #[test]
    fn states_round_trip_and_the_malformed_are_refused() {
        for config in [Config::NANO, Config::NANO.untied()] {
            let adamw = ModelState::new(&config, &State::init(&config, 3).at_rest_of(OptimizerKind::AdamW), None, 0);
            let (_, opened) = decode::<ModelState>(&encode(&adamw).unwrap()).unwrap().open().unwrap();
            assert_eq!(opened.moments, Moments::zeros(&config, OptimizerKind::AdamW));
            let mut both = adamw.clone();
            both.slots.insert(Slot::Momentum, adamw.slots[&Slot::First].clone());
            assert_eq!(both.open(), Err(ModelFileError::Slot { slot: "first moments" }));
            let state = State::init(&config, 3);
            let file = ModelState::new(&config, &state, Some([7; 32]), 9);
            let bytes = encode(&file).unwrap();
            assert_eq!(decode::<ModelState>(&bytes).unwrap(), file);
            assert_eq!(file.clone().open(), Ok((config.clone(), state)));
            for length in (0..bytes.len()).step_by(997) {
                assert!(decode::<ModelState>(&bytes[..length]).is_err());
            }
            let refused = |change: &dyn Fn(&mut ModelState)| {
                let mut file = file.clone();
                change(&mut file);
                file.open().unwrap_err()
            };
            assert!(matches!(refused(&|f| f.config.push(' ')), ModelFileError::ConfigText));
            assert!(matches!(refused(&|f| f.config.clear()), ModelFileError::Config(_)));
            assert!(matches!(
                refused(&|f| drop(f.slots.get_mut(&Slot::Low).unwrap().pop())),
                ModelFileError::State(StateError::Count { .. })
            ));
            assert!(matches!(
                refused(&|f| f.slots.get_mut(&Slot::Momentum).unwrap()[0].push(0)),
                ModelFileError::Elements { .. }
            ));
            assert_eq!(refused(&|f| drop(f.slots.remove(&Slot::Low))), ModelFileError::Slot { slot: "low parts" });
            assert!(matches!(refused(&|f| f.w[0][0] = 1 << 40), ModelFileError::State(StateError::Range { .. })));
        }
    }
}
