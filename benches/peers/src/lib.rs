//! One SGD step of a two-layer ReLU MLP under squared error, proven with GradientCoin's operations: what other proof systems
//! are compared on. The README of this crate has the statement, its constraints, and how to run the comparison.

pub mod circuit;
pub mod data;
pub mod ezkl;
pub mod measure;
pub mod proof;
pub mod shape;
pub mod step;

pub use circuit::circuit;
pub use shape::{Mlp, MlpError, Shape};
pub use step::{Inputs, Values};
