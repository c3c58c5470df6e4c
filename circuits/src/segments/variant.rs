//! Which circuits a model's steps are proven with.

use super::Privacy;
use crate::model::UpdateKind;
use backend::curve::CIRCUIT_VERSION;
use serde::{Deserialize, Serialize};

/// What the three circuits depend on beside the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// Whether what enters and leaves proofs may be seen.
    pub privacy: Privacy,
    /// Which update.
    pub update: UpdateKind,
}

/// Set in the version of private circuits.
const PRIVATE: u32 = 1 << 16;
/// Set in the version of circuits whose update is AdamW's.
const ADAMW: u32 = 1 << 17;
/// Set in the version of circuits whose update is SGD's by clipped gradients.
const CLIPPED: u32 = 1 << 18;

impl Variant {
    /// Those of a kind of privacy, with each update.
    pub fn all_of(privacy: Privacy) -> impl Iterator<Item = Self> {
        UpdateKind::ALL.into_iter().map(move |update| Variant { privacy, update })
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Privacy::ALL.into_iter().flat_map(Self::all_of)
    }

    /// Public circuits of an update.
    pub fn public(update: UpdateKind) -> Self {
        Variant { privacy: Privacy::Public, update }
    }

    /// Version of the circuits, other for each variant.
    pub fn circuits(self) -> u32 {
        let private = if self.privacy == Privacy::Private { PRIVATE } else { 0 };
        let update = match self.update {
            UpdateKind::Sgd => 0,
            UpdateKind::ClippedSgd => CLIPPED,
            UpdateKind::AdamW => ADAMW,
        };
        CIRCUIT_VERSION | private | update
    }

    /// For people, and in names.
    pub fn name(self) -> String {
        match self.update {
            UpdateKind::Sgd => self.privacy.name().to_owned(),
            update => format!("{} {}", self.privacy.name(), update.name()),
        }
    }
}

/// With SGD.
impl From<Privacy> for Variant {
    fn from(privacy: Privacy) -> Self {
        Variant { privacy, update: UpdateKind::Sgd }
    }
}
