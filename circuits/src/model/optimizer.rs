//! How a state moves, and what it keeps beside the weights.

use crate::arithmetic::decimal::Decimal;
use crate::arithmetic::fixed::{LOW_BITS, MOMENTUM_BITS, STATE_FRAC};
use crate::model::clip::{self, SquareSum};
use crate::model::{Gradients, Rates, Schedule};
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
        /// Norm that mean gradients are clipped to, at most [`sgd::MAX_CLIP`]; none if they are not.
        clip: Option<Decimal>,
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

/// Which update circuit: what it does to a state of its optimizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum UpdateKind {
    /// SGD by the gradient as it is.
    #[default]
    Sgd,
    /// SGD by a clipped gradient.
    ClippedSgd,
    /// AdamW, by a clipped gradient.
    AdamW,
}

impl UpdateKind {
    /// All of them.
    pub const ALL: [UpdateKind; 3] = [UpdateKind::Sgd, UpdateKind::ClippedSgd, UpdateKind::AdamW];

    /// Of which optimizer.
    pub fn optimizer(self) -> OptimizerKind {
        match self {
            UpdateKind::Sgd | UpdateKind::ClippedSgd => OptimizerKind::Sgd,
            UpdateKind::AdamW => OptimizerKind::AdamW,
        }
    }

    /// Whether gradients are clipped by their norm, so that the circuit shows the sum of their squares.
    pub fn clips(self) -> bool {
        self != UpdateKind::Sgd
    }

    /// Its name, beside those of the optimizers.
    pub fn name(self) -> &'static str {
        match self {
            UpdateKind::Sgd => "sgd",
            UpdateKind::ClippedSgd => "sgd, clipped",
            UpdateKind::AdamW => "adamw",
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
    /// Sum of the squares of the gradient, where it is clipped.
    pub squares: SquareSum,
}

impl Optimizer {
    /// SGD without momentum and decay.
    pub const PLAIN: Optimizer = Optimizer::Sgd { momentum: Decimal::ZERO, weight_decay: Decimal::ZERO, clip: None };

    /// Which it is.
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Optimizer::Sgd { .. } => OptimizerKind::Sgd,
            Optimizer::AdamW(_) => OptimizerKind::AdamW,
        }
    }

    /// Which circuit its updates are proven with.
    pub fn update(&self) -> UpdateKind {
        match self {
            Optimizer::Sgd { clip: None, .. } => UpdateKind::Sgd,
            Optimizer::Sgd { clip: Some(_), .. } => UpdateKind::ClippedSgd,
            Optimizer::AdamW(_) => UpdateKind::AdamW,
        }
    }

    /// Norm that mean gradients are clipped to, if they are.
    pub fn clip(&self) -> Option<&Decimal> {
        match self {
            Optimizer::Sgd { clip, .. } => clip.as_ref(),
            Optimizer::AdamW(betas) => Some(&betas.clip),
        }
    }

    /// Sum of the squares of a gradient, where it is clipped by them.
    pub fn squares(&self, gradients: &Gradients) -> SquareSum {
        if self.update().clips() { gradients.squares() } else { SquareSum::ZERO }
    }

    /// Requires that rounding leaves the numbers their meaning: for whoever writes them.
    pub fn check_rounding(&self, rate: (&Decimal, &Schedule), predictions: u64) -> Result<(), HyperError> {
        match self {
            Optimizer::Sgd { momentum, weight_decay, clip } => {
                sgd::check_rounding(rate, momentum, weight_decay, predictions)?;
                let of = |clip| clip::factor(clip, sgd::MAX_CLIP, predictions, SquareSum::ZERO).map(drop);
                clip.as_ref().map_or(Ok(()), of)
            }
            Optimizer::AdamW(betas) => adamw::check_rounding(rate.1, betas, predictions),
        }
    }

    /// The integers of an update.
    pub fn hyper(&self, pace: Pace) -> Result<Hyper, HyperError> {
        let Pace { rates, step, predictions, squares } = pace;
        Ok(match self {
            Optimizer::Sgd { momentum, weight_decay, clip } => {
                let hyper = sgd::Hyper::new(rates, momentum, weight_decay, predictions)?;
                match clip {
                    None => Hyper::Sgd(hyper),
                    Some(clip) => {
                        let factor = clip::factor(clip, sgd::MAX_CLIP, predictions, squares)?;
                        Hyper::ClippedSgd(hyper.clipped(rates, predictions, factor))
                    }
                }
            }
            Optimizer::AdamW(betas) => Hyper::AdamW(adamw::Hyper::new(rates.now, betas, predictions, (step, squares))?),
        })
    }
}

/// The integers of an update, which every verifier derives from the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Hyper {
    /// Of SGD.
    Sgd(sgd::Hyper),
    /// Of SGD by a clipped gradient: λ has the factor.
    ClippedSgd(sgd::Hyper),
    /// Of AdamW.
    AdamW(adamw::Hyper),
}

impl Hyper {
    /// The update that keeps weights and moments. A genesis proof is made with it.
    pub fn identity(kind: UpdateKind) -> Self {
        match kind {
            UpdateKind::Sgd => Hyper::Sgd(sgd::Hyper::IDENTITY),
            UpdateKind::ClippedSgd => Hyper::ClippedSgd(sgd::Hyper::IDENTITY),
            UpdateKind::AdamW => Hyper::AdamW(adamw::Hyper::IDENTITY),
        }
    }

    /// Those of SGD, if they are.
    pub fn sgd(self) -> Option<sgd::Hyper> {
        match self {
            Hyper::Sgd(hyper) | Hyper::ClippedSgd(hyper) => Some(hyper),
            Hyper::AdamW(_) => None,
        }
    }

    /// Of which circuit.
    pub fn kind(&self) -> UpdateKind {
        match self {
            Hyper::Sgd(_) => UpdateKind::Sgd,
            Hyper::ClippedSgd(_) => UpdateKind::ClippedSgd,
            Hyper::AdamW(_) => UpdateKind::AdamW,
        }
    }

    /// What the gradient is multiplied by where the sum of its squares is shown; 0 in an identity alone, if it is.
    pub fn scale(&self) -> u64 {
        match self {
            Hyper::Sgd(_) | Hyper::ClippedSgd(_) => 1,
            Hyper::AdamW(hyper) => hyper.gamma,
        }
    }

    /// Whether the gradient is so large that the step goes on without it.
    pub fn skips(&self) -> bool {
        matches!(self, Hyper::AdamW(hyper) if hyper.skips())
    }

    /// Those that the circuit reads: public values of each instance, before its context.
    pub fn publics(&self) -> Vec<i128> {
        match self {
            Hyper::Sgd(_) | Hyper::ClippedSgd(_) => vec![],
            Hyper::AdamW(hyper) => hyper.integers.list().to_vec(),
        }
    }

    /// For each port that enters an update's circuit, in order, the multiples of weights, slots in their order, and gradient
    /// that it is the sum of.
    pub fn entering(&self) -> Vec<Vec<i128>> {
        match self {
            Hyper::Sgd(hyper) | Hyper::ClippedSgd(hyper) => {
                let [lambda, mu, omega] = [hyper.lambda, hyper.mu, hyper.omega].map(i128::from);
                let kept = (1 << STATE_FRAC) - omega;
                let dividends = vec![kept << LOW_BITS, kept, mu, -lambda];
                if self.kind().clips() { vec![dividends, vec![0, 0, 0, 1]] } else { vec![dividends] }
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
    /// Mean of the gradients, frac 30.
    First,
    /// Mean of their squares, frac 60.
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
        for kind in UpdateKind::ALL {
            let hyper = Hyper::identity(kind);
            assert_eq!(hyper.kind(), kind);
            for multiples in hyper.entering() {
                assert_eq!(multiples.len(), 2 + kind.optimizer().slots().len());
            }
        }
    }
}
