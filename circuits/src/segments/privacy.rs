//! Whether what enters and leaves proofs may be seen.

use plonkish::Blinding;
use serde::{Deserialize, Serialize};

/// The two kinds of circuits. They differ in their ports alone, and a head's in that its loss is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Tensors are committed to canonically, the loss of a sequence is a public value.
    #[default]
    Public,
    /// Every port of every instance has a blinding of its own.
    Private,
}

impl Privacy {
    /// Both kinds.
    pub const ALL: [Privacy; 2] = [Privacy::Public, Privacy::Private];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Privacy::Public => "public",
            Privacy::Private => "private",
        }
    }

    /// Blinding of weights, gradients, states and batches.
    pub(super) fn of_tensors(self) -> Blinding {
        match self {
            Privacy::Public => Blinding::Canonical,
            Privacy::Private => Blinding::Fresh,
        }
    }

    /// Blinding of the edges between layers and head.
    pub(super) fn of_edges(self) -> Blinding {
        match self {
            Privacy::Public => Blinding::Shared,
            Privacy::Private => Blinding::Fresh,
        }
    }
}
