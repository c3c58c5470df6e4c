//! The Llama-style model: configuration, parameters, forward and explicit backward pass, data, schedule and generation.

mod backward;
pub mod clip;
mod config;
mod data;
mod evaluate;
pub mod file;
mod forward;
mod generate;
mod json;
mod optimizer;
mod params;
pub(crate) mod rope_scaling;
mod sampling;
mod schedule;
mod sequence;
mod token;

pub use backward::{HeadTrace, LayerBackward, embedding_backward, head_forward_backward, layer_backward};
pub use clip::SquareSum;
pub use config::{
    Config, ConfigError, MAX_CELLS, MAX_CONTEXT, MAX_HIDDEN, MAX_LAYERS, MAX_MLP, MAX_PARAMETERS, MAX_VOCAB,
};
pub use data::{DataError, Draw, check_corpus, draw_batch};
pub use evaluate::{Evaluated, Windows, logits, sequence_loss};
pub use forward::{HeadForward, LayerForward, Spec, embed, head_forward, layer_forward};
pub use generate::{GenerateError, Generator, START};
pub use optimizer::{Hyper, Optimizer, OptimizerKind, Pace, Slot, UpdateKind};
pub use params::{
    Biases, Gradients, Layer, LayerWeights, Moments, Parameters, State, StateError, TensorKind, TensorSpec, Weights,
    tensors,
};
pub use rope_scaling::{RopeScaling, ScalingError};
pub use sampling::{MAX_TEMPERATURE, Sampling, SamplingError};
pub use schedule::{MAX_RATE, Rates, Schedule, ScheduleError};
pub use sequence::{LossError, SequenceError, SequenceTrace, check_sequence, public_loss, sequence_gradient};
pub use token::{Token, bytes_of_token, tokens_of_bytes};
