//! How a state moves, and what it keeps beside the weights.

use crate::arithmetic::decimal::Decimal;
use crate::arithmetic::fixed::{LOW_BITS, MOMENTUM_BITS, STATE_FRAC};
use crate::model::{Rates, Schedule};
use crate::ops::adamw::{self, Betas, FIRST_MAX, SECOND_MAX};
use crate::ops::hyper::HyperError;
use crate::ops::sgd;
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
    /// Adam with decoupled weight decay, with the meaning of `torch.optim.AdamW`.
    AdamW(Betas),
}

/// Which optimizer: what its circuit and a state depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// [`Optimizer::Sgd`].
    #[default]
    Sgd,
    /// [`Optimizer::AdamW`].
    AdamW,
}

impl OptimizerKind {
    /// All of them.
    pub const ALL: [OptimizerKind; 2] = [OptimizerKind::Sgd, OptimizerKind::AdamW];

    /// Its name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::AdamW => "adamw",
        }
    }

    /// What it keeps of each weight beside the weight itself.
    pub fn slots(self) -> &'static [Slot] {
        match self {
            OptimizerKind::Sgd => &[Slot::Low, Slot::Momentum],
            OptimizerKind::AdamW => &[Slot::Low, Slot::First, Slot::Second],
        }
    }
}

/// What a step's update goes by beside the optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Learning rates.
    pub rates: Rates,
    /// Number of the step, from 1: how many the optimizer has taken with it.
    pub step: u64,
    /// P: predictions that the gradient sums over.
    pub predictions: u64,
}

impl Optimizer {
    /// SGD without momentum and decay.
    pub const PLAIN: Optimizer = Optimizer::Sgd { momentum: Decimal::ZERO, weight_decay: Decimal::ZERO };

    /// Which it is.
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Optimizer::Sgd { .. } => OptimizerKind::Sgd,
            Optimizer::AdamW(_) => OptimizerKind::AdamW,
        }
    }

    /// Requires that rounding leaves the numbers their meaning: for whoever writes them.
    pub fn check_rounding(&self, rate: (&Decimal, &Schedule), predictions: u64) -> Result<(), HyperError> {
        match self {
            Optimizer::Sgd { momentum, weight_decay } => sgd::check_rounding(rate, momentum, weight_decay, predictions),
            Optimizer::AdamW(betas) => adamw::check_rounding(rate.1, betas, predictions),
        }
    }

    /// The integers of an update.
    pub fn hyper(&self, pace: Pace) -> Result<Hyper, HyperError> {
        let Pace { rates, step, predictions } = pace;
        Ok(match self {
            Optimizer::Sgd { momentum, weight_decay } => {
                Hyper::Sgd(sgd::Hyper::new(rates, momentum, weight_decay, predictions)?)
            }
            Optimizer::AdamW(betas) => Hyper::AdamW(adamw::Hyper::new(rates.now, betas, predictions, step)?),
        })
    }
}

/// The integers of an update, which every verifier derives from the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Hyper {
    /// Of SGD.
    Sgd(sgd::Hyper),
    /// Of AdamW.
    AdamW(adamw::Hyper),
}

impl Hyper {
    /// The update that keeps weights and moments. A genesis proof is made with it.
    pub fn identity(kind: OptimizerKind) -> Self {
        match kind {
            OptimizerKind::Sgd => Hyper::Sgd(sgd::Hyper::IDENTITY),
            OptimizerKind::AdamW => Hyper::AdamW(adamw::Hyper::IDENTITY),
        }
    }

    /// Those of SGD, if they are.
    pub fn sgd(self) -> Option<sgd::Hyper> {
        match self {
            Hyper::Sgd(hyper) => Some(hyper),
            Hyper::AdamW(_) => None,
        }
    }

    /// Of which optimizer.
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Hyper::Sgd(_) => OptimizerKind::Sgd,
            Hyper::AdamW(_) => OptimizerKind::AdamW,
        }
    }

    /// Those that the circuit reads: public values of each instance, before its context.
    pub fn publics(&self) -> Vec<i128> {
        match self {
            Hyper::Sgd(_) => vec![],
            Hyper::AdamW(hyper) => hyper.integers.list().to_vec(),
        }
    }

    /// For each port that enters an update's circuit, in order, the multiples of weights, slots in their order, and gradient
    /// that it is the sum of.
    pub fn entering(&self) -> Vec<Vec<i128>> {
        match self {
            Hyper::Sgd(hyper) => {
                let [lambda, mu, omega] = [hyper.lambda, hyper.mu, hyper.omega].map(i128::from);
                let kept = (1 << STATE_FRAC) - omega;
                vec![vec![kept << LOW_BITS, kept, mu, -lambda]]
            }
            Hyper::AdamW(hyper) => {
                let [gamma, omega] = [hyper.gamma, hyper.omega].map(i128::from);
                let decayed = vec![(1 << LOW_BITS) - omega, 1, 0, 0, 0];
                vec![vec![0, 0, 0, 0, gamma], decayed, vec![0, 0, 1, 0, 0], vec![0, 0, 0, 1, 0]]
            }
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
    /// Mean of the gradients, frac 32.
    First,
    /// Mean of their squares, frac 64.
    Second,
}

impl Slot {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Low => "low parts",
            Slot::Momentum => "momentum",
            Slot::First => "first moments",
            Slot::Second => "second moments",
        }
    }

    /// Whether an integer is one of the slot's.
    pub fn contains(self, x: i128) -> bool {
        match self {
            Slot::Low => (0..1 << LOW_BITS).contains(&x),
            Slot::Momentum => (-(1 << (MOMENTUM_BITS - 1))..1 << (MOMENTUM_BITS - 1)).contains(&x),
            Slot::First => x.unsigned_abs() <= FIRST_MAX as u128,
            Slot::Second => (0..=SECOND_MAX).contains(&x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enters_is_of_weights_slots_and_gradient() {
        for kind in OptimizerKind::ALL {
            let hyper = Hyper::identity(kind);
            assert_eq!(hyper.kind(), kind);
            for multiples in hyper.entering() {
                assert_eq!(multiples.len(), 2 + kind.slots().len());
            }
        }
    }
}
