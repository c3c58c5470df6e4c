//! Which circuits a model's steps are proven with.

use super::Privacy;
use crate::model::OptimizerKind;
use backend::curve::CIRCUIT_VERSION;
use serde::{Deserialize, Serialize};

/// What the three circuits depend on beside the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// Whether what enters and leaves proofs may be seen.
    pub privacy: Privacy,
    /// Of the update.
    pub optimizer: OptimizerKind,
}

/// Set in the version of private circuits.
const PRIVATE: u32 = 1 << 16;
/// Set in the version of circuits whose update is AdamW's.
const ADAMW: u32 = 1 << 17;

impl Variant {
    /// Those of a kind of privacy, with each optimizer.
    pub fn all_of(privacy: Privacy) -> impl Iterator<Item = Self> {
        OptimizerKind::ALL.into_iter().map(move |optimizer| Variant { privacy, optimizer })
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Privacy::ALL.into_iter().flat_map(Self::all_of)
    }

    /// Public circuits of an optimizer.
    pub fn public(optimizer: OptimizerKind) -> Self {
        Variant { privacy: Privacy::Public, optimizer }
    }

    /// Version of the circuits, other for each variant.
    pub fn circuits(self) -> u32 {
        let private = if self.privacy == Privacy::Private { PRIVATE } else { 0 };
        let optimizer = match self.optimizer {
            OptimizerKind::Sgd => 0,
            OptimizerKind::AdamW => ADAMW,
        };
        CIRCUIT_VERSION | private | optimizer
    }

    /// For people, and in names.
    pub fn name(self) -> String {
        match self.optimizer {
            OptimizerKind::Sgd => self.privacy.name().to_owned(),
            optimizer => format!("{} {}", self.privacy.name(), optimizer.name()),
        }
    }
}

/// With SGD.
impl From<Privacy> for Variant {
    fn from(privacy: Privacy) -> Self {
        Variant { privacy, optimizer: OptimizerKind::Sgd }
    }
}
