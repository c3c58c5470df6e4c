//! Sizes of the MLP, and what follows from them alone.

use backend::curve::DEFAULT_K;
use circuits::arithmetic::fixed::div_round;
use plonkish::{LANES, RESERVED_ROWS};
use std::fmt;
use std::str::FromStr;

/// Largest size in each direction: what is added up stays within 126 bits, and a total of squares within 64.
pub const MAX_SIZE: usize = 128;
/// Frac bits of the learning rate, and of η.
pub const RATE_FRAC: u32 = 24;
/// Fewest rows that are used, as a power of two: the range table has four times as many entries.
const MIN_K: u32 = 10;

/// Why there is no such MLP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MlpError {
    /// A size is 0, too large, or no multiple of the lanes.
    #[error("{name} is {size}: sizes are multiples of {LANES} up to {MAX_SIZE}")]
    Size {
        /// Which size.
        name: &'static str,
        /// What it is.
        size: usize,
    },
    /// No four numbers.
    #[error("`{0}` is no shape: it is written `rows,inputs,hidden,outputs`")]
    Form(String),
    /// The learning rate exceeds 1, or rounds to no movement at all.
    #[error("a learning rate of {0}·2^-{RATE_FRAC} is not supported: it is too large, or no weight would move")]
    Rate(u64),
}

/// Batch and layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Samples of the batch, N.
    pub rows: usize,
    /// Inputs of the first layer, I.
    pub inputs: usize,
    /// Outputs of the first layer, inputs of the second, H.
    pub hidden: usize,
    /// Outputs of the second layer, O.
    pub outputs: usize,
}

impl Shape {
    /// Of some sizes.
    pub fn new(rows: usize, inputs: usize, hidden: usize, outputs: usize) -> Result<Self, MlpError> {
        let sizes = [("rows", rows), ("inputs", inputs), ("hidden", hidden), ("outputs", outputs)];
        match sizes.into_iter().find(|&(_, size)| size == 0 || size > MAX_SIZE || size % LANES != 0) {
            Some((name, size)) => Err(MlpError::Size { name, size }),
            None => Ok(Shape { rows, inputs, hidden, outputs }),
        }
    }

    /// Weights of both layers; there are no biases.
    pub fn parameters(&self) -> usize {
        (self.inputs + self.outputs) * self.hidden
    }

    /// Log2 of the rows of the circuit: as few as hold each tensor, and all weights, in one column for each lane, but no more
    /// than the default: what is larger is continued in further columns.
    pub fn k(&self) -> u32 {
        let Shape { rows, inputs, hidden, outputs } = *self;
        let tallest = self.parameters().max(rows * (inputs + outputs)).max(rows * hidden) / LANES;
        (MIN_K..DEFAULT_K).find(|&k| tallest <= (1 << k) - RESERVED_ROWS).unwrap_or(DEFAULT_K)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.rows, self.inputs, self.hidden, self.outputs)
    }
}

impl FromStr for Shape {
    type Err = MlpError;

    fn from_str(text: &str) -> Result<Self, MlpError> {
        let sizes: Vec<usize> = text.split(',').filter_map(|size| size.trim().parse().ok()).collect();
        match sizes[..] {
            [rows, inputs, hidden, outputs] if text.split(',').count() == 4 => Self::new(rows, inputs, hidden, outputs),
            _ => Err(MlpError::Form(text.into())),
        }
    }
}

/// A shape and a learning rate: what the circuit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mlp {
    /// Sizes.
    pub shape: Shape,
    /// Learning rate, frac 24, at most 1.
    pub learning_rate: u64,
    /// η = round(2·rate/(N·O)), frac 24: by how much of `xᵀ·dz` and `hᵀ·error` the weights move.
    pub eta: i128,
}

impl Mlp {
    /// The mean squared error is over all N·O elements, as torch has it.
    pub fn new(shape: Shape, learning_rate: u64) -> Result<Self, MlpError> {
        let eta = div_round(2 * i128::from(learning_rate), (shape.rows * shape.outputs) as i128);
        if learning_rate > 1 << RATE_FRAC || eta == 0 {
            return Err(MlpError::Rate(learning_rate));
        }
        Ok(Mlp { shape, learning_rate, eta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_written_as_they_are_read() {
        let shape: Shape = "8,16,32,16".parse().unwrap();
        assert_eq!((shape.to_string().as_str(), shape.parameters(), shape.k()), ("8,16,32,16", 1024, 10));
        assert_eq!("16,32,128,32".parse::<Shape>().unwrap().k(), DEFAULT_K);
        for bad in ["", "8,16,32", "8,16,32,16,4", "8,x,32,16,4", "8,16,32,a"] {
            assert_eq!(bad.parse::<Shape>(), Err(MlpError::Form(bad.into())));
        }
        for (bad, name, size) in [("0,2,2,2", "rows", 0), ("2,3,2,2", "inputs", 3), ("2,2,2,130", "outputs", 130)] {
            assert_eq!(bad.parse::<Shape>(), Err(MlpError::Size { name, size }));
        }
    }

    #[test]
    fn rates_that_move_nothing_are_refused() {
        let shape = Shape::new(8, 16, 32, 16).unwrap();
        assert_eq!(Mlp::new(shape, 1 << 23).unwrap().eta, 1 << 17);
        for bad in [0, 31, (1 << 24) + 1] {
            assert_eq!(Mlp::new(shape, bad), Err(MlpError::Rate(bad)));
        }
    }
}
