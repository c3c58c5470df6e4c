//! Commitments of a model's state, and its digests.

use super::codec::Encoded;
use super::{Layouts, RunError, poseidon};
use crate::model::{Config, Slot};
use backend::curve::Point;
use backend::ports::PortError;
use group::GroupEncoding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Digest of a model: its configuration and the digest of its state. Two models with one digest compute the same and
/// commit to the same state.
pub fn model_digest(config: &Config, state: &[u8; 32]) -> [u8; 32] {
    poseidon::digest_bytes("gradientcoin model", &[config.digest(), *state].concat())
}

/// An encoded commitment.
pub type Encoding = [u8; 32];

/// Commitments of the state of one segment: the columns of its ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentState {
    /// Weights.
    pub w: Vec<Encoding>,
    /// What the optimizer keeps beside them.
    pub slots: BTreeMap<Slot, Vec<Encoding>>,
}

impl SegmentState {
    /// The commitments of a slot; none if it is missing.
    pub fn slot(&self, slot: Slot) -> &[Encoding] {
        self.slots.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// All ports, in order.
    pub fn ports(&self) -> impl Iterator<Item = &Vec<Encoding>> {
        std::iter::once(&self.w).chain(self.slots.values())
    }
}

/// Commitments of a model's state: one entry per layer, then the head's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCommitments {
    /// Layers from the bottom, then embedding, final norm and head.
    pub segments: Vec<SegmentState>,
}

impl Encoded for StateCommitments {
    const MAGIC: [u8; 8] = *b"GRADCOMM";
    // 2: named slots.
    const VERSION: u32 = 2;
    const NAME: &'static str = "set of state commitments";
}

impl StateCommitments {
    /// Requires the number of columns that the configuration has.
    pub fn check(&self, config: &Config) -> Result<(), RunError> {
        let layouts = Layouts::new(config);
        let shape = |what: String, expected: usize, found: usize| {
            if expected == found { Ok(()) } else { Err(RunError::Shape { what, expected, found }) }
        };
        shape("the state".into(), config.layers + 1, self.segments.len())?;
        for (i, segment) in self.segments.iter().enumerate() {
            let columns = layouts.of(i).columns();
            shape(format!("w of segment {i}"), columns, segment.w.len())?;
            // Every optimizer there is keeps these.
            shape(format!("the slots of segment {i}"), Slot::SGD.len(), segment.slots.len())?;
            for slot in Slot::SGD {
                shape(format!("{} of segment {i}", slot.name()), columns, segment.slot(slot).len())?;
            }
        }
        Ok(())
    }

    /// All commitments, decoded: by segment, then weights, then slots.
    pub fn points(&self) -> Result<Vec<Point>, PortError> {
        let encodings = self.segments.iter().flat_map(SegmentState::ports).flatten();
        encodings
            .enumerate()
            .map(|(column, bytes)| Point::from_bytes(bytes).into_option().ok_or(PortError::NoPoint { column }))
            .collect()
    }

    /// Digest of the state.
    pub fn digest(&self) -> [u8; 32] {
        let points = self.segments.iter().flat_map(SegmentState::ports).flatten();
        poseidon::digest_bytes("gradientcoin state", &points.flatten().copied().collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::codec::{CodecError, decode, encode};

    /// A map has one encoding: its slots once each, in order.
    #[test]
    fn slots_twice_or_out_of_order_are_refused() {
        let port = |byte: u8| vec![[byte; 32]];
        let slots = Slot::SGD.into_iter().zip([port(2), port(3)]).collect();
        let state = StateCommitments { segments: vec![SegmentState { w: port(1), slots }] };
        let bytes = encode(&state).unwrap();
        assert_eq!(decode::<StateCommitments>(&bytes).unwrap(), state);
        // Behind the header: one segment, one weight, two slots; each a tag, a length and a commitment.
        let (first, second) = (12 + 1 + 1 + 32 + 1, 12 + 1 + 1 + 32 + 1 + 34);
        assert_eq!((bytes[first], bytes[second], bytes.len()), (0, 1, second + 34));
        let mut twice = bytes.clone();
        twice[second] = 0;
        let mut swapped = bytes.clone();
        (swapped[first], swapped[second]) = (1, 0);
        for bad in [twice, swapped] {
            assert!(matches!(decode::<StateCommitments>(&bad), Err(CodecError::NotCanonical(_))));
        }
        let mut unknown = bytes;
        unknown[second] = 2;
        assert!(matches!(decode::<StateCommitments>(&unknown), Err(CodecError::Malformed { .. })));
    }
}
