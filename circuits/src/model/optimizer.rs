//! How a state moves, and what it keeps beside the weights.

use crate::arithmetic::decimal::Decimal;
use crate::arithmetic::fixed::{LOW_BITS, MOMENTUM_BITS};
use crate::model::{Rates, Schedule};
use crate::ops::sgd::{Hyper, HyperError, check_rounding};
use serde::{Deserialize, Serialize};

/// An optimizer with its hyper-parameters, the learning rate apart: one variant for each update circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Optimizer {
    /// Stochastic gradient descent, with the meaning of `torch.optim.SGD`.
    Sgd {
        /// Momentum, below 1.
        momentum: Decimal,
        /// Weight decay, at most 1.
        weight_decay: Decimal,
    },
}

impl Optimizer {
    /// SGD without momentum and decay.
    pub const PLAIN: Optimizer = Optimizer::Sgd { momentum: Decimal::ZERO, weight_decay: Decimal::ZERO };

    /// Its name in flags and files.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
        }
    }

    /// What it keeps of each weight beside the weight itself.
    pub fn slots(&self) -> &'static [Slot] {
        match self {
            Optimizer::Sgd { .. } => &Slot::SGD,
        }
    }

    /// Requires that rounding leaves the numbers their meaning: for whoever writes them.
    pub fn check_rounding(&self, rate: (&Decimal, &Schedule), predictions: u64) -> Result<(), HyperError> {
        match self {
            Optimizer::Sgd { momentum, weight_decay } => check_rounding(rate, momentum, weight_decay, predictions),
        }
    }

    /// The integers λ, μ, ω of an update by the sum of so many predictions.
    pub fn hyper(&self, rates: Rates, predictions: u64) -> Result<Hyper, HyperError> {
        match self {
            Optimizer::Sgd { momentum, weight_decay } => Hyper::new(rates, momentum, weight_decay, predictions),
        }
    }
}

/// What an optimizer keeps of each weight. The order is that of ports, files and digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The bits of a weight below those that the model computes with.
    Low,
    /// The weight's last movement, frac 36.
    Momentum,
}

impl Slot {
    /// The slots of SGD.
    pub const SGD: [Slot; 2] = [Slot::Low, Slot::Momentum];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Low => "low parts",
            Slot::Momentum => "momentum",
        }
    }

    /// Whether an integer has the slot's width.
    pub fn contains(self, x: i64) -> bool {
        match self {
            Slot::Low => (0..1 << LOW_BITS).contains(&x),
            Slot::Momentum => (-(1 << (MOMENTUM_BITS - 1))..1 << (MOMENTUM_BITS - 1)).contains(&x),
        }
    }
}
