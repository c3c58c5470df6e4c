//! What binds a proof to its statement: a domain for everything that proofs of one statement have in common, and for
//! each instance a context, the domain's hash with the instance's place. The context is a public value, and thereby enters the
//! challenges: no proof can be moved to another place, and none to another domain.

use crate::statements::poseidon;
use backend::curve::{CIRCUIT_VERSION, F};
use std::fmt;

/// Where an instance belongs within its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A layer of a sequence.
    Layer {
        /// Sequence.
        sequence: u32,
        /// Layer.
        layer: u32,
    },
    /// The head of a sequence.
    Head {
        /// Sequence.
        sequence: u32,
    },
    /// A lane group of a segment's update.
    Update {
        /// Segment.
        segment: u32,
        /// Lane group.
        group: u32,
    },
    /// A lane group of the weights before a first state's last movement.
    Before {
        /// Segment.
        segment: u32,
        /// Lane group.
        group: u32,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Layer { sequence, layer } => write!(f, "layer {layer} of sequence {sequence}"),
            Place::Head { sequence } => write!(f, "head of sequence {sequence}"),
            Place::Update { segment, group } => write!(f, "update of segment {segment}, lane group {group}"),
            Place::Before { segment, group } => write!(f, "weights before, segment {segment}, lane group {group}"),
        }
    }
}

/// Identity of what is proven: of one contribution, of one update, or of a model that a run or a chain begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Domain([u8; 32]);

impl Domain {
    /// The domain of a kind of statement with these parts; the parts of a kind have fixed lengths.
    pub fn new(kind: &str, parts: &[&[u8]]) -> Self {
        let version = CIRCUIT_VERSION.to_le_bytes();
        let message: Vec<u8> = [&version[..]].iter().chain(parts).copied().flatten().copied().collect();
        Domain(poseidon::digest_bytes(kind, &message))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The context scalar of an instance.
    pub fn context(&self, place: Place) -> F {
        let words = match place {
            Place::Layer { sequence, layer } => [1, sequence, layer],
            Place::Head { sequence } => [2, sequence, 0],
            Place::Update { segment, group } => [3, segment, group],
            Place::Before { segment, group } => [4, segment, group],
        };
        let words: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        poseidon::digest("gradientcoin context", &[&self.0[..], &words].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff::PrimeField;
    use std::collections::HashSet;

    #[test]
    fn every_place_of_every_domain_has_its_context() {
        let mut seen = HashSet::new();
        for domain in
            [Domain::new("a", &[&[1; 32], &[2; 8]]), Domain::new("a", &[&[1; 32], &[3; 8]]), Domain::new("b", &[])]
        {
            for (i, j) in [(0, 0), (0, 1), (1, 0)] {
                assert!(seen.insert(domain.context(Place::Layer { sequence: i, layer: j }).to_repr()));
                assert!(seen.insert(domain.context(Place::Update { segment: i, group: j }).to_repr()));
                assert!(seen.insert(domain.context(Place::Before { segment: i, group: j }).to_repr()));
            }
            assert!(seen.insert(domain.context(Place::Head { sequence: 0 }).to_repr()));
        }
    }
}
