//! The Llama-style model: configuration, parameters, forward and explicit backward pass, data and schedule.

mod backward;
mod config;
mod data;
mod forward;
mod json;
mod params;
mod schedule;
mod sequence;

pub use backward::{HeadTrace, LayerBackward, embedding_backward, head_forward_backward, layer_backward};
pub use config::{
    Config, ConfigError, MAX_CELLS, MAX_CONTEXT, MAX_HIDDEN, MAX_LAYERS, MAX_MLP, MAX_PARAMETERS, MAX_VOCAB,
};
pub use data::{DataError, Draw, draw_batch};
pub use forward::{LayerForward, Spec, embed, layer_forward};
pub use params::{Gradients, Layer, LayerParams, Parameters, Params, ParamsError, State, TensorSpec, tensors};
pub use schedule::{Schedule, ScheduleError};
pub use sequence::{SequenceError, SequenceTrace, sequence_gradient};
