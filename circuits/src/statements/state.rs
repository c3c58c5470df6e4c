//! Commitments of a model's state, and its digests.

use super::codec::Encoded;
use super::{Layouts, RunError, poseidon};
use crate::arithmetic::fixed::LOW_BITS;
use crate::model::{Config, Slot};
use backend::curve::{F, Point, PointSum, affine};
use backend::ports::PortError;
use group::{CurveAffine, GroupEncoding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Digest of a model: its configuration and the digest of its state. Two models with one digest compute the same and
/// commit to the same state.
pub fn model_digest(config: &Config, state: &[u8; 32]) -> [u8; 32] {
    poseidon::digest_bytes("gradientcoin model", &[config.digest(), *state].concat())
}

/// An encoded commitment.
pub type Encoding = [u8; 32];

/// Blind of the commitment of weights with their low parts, `2^24·C(w) + C(lo)`.
pub const WHOLE_BLIND: u64 = (1 << LOW_BITS) + 1;

/// Commitments of weights with their low parts: `2^24·C(w) + C(lo)`, column by column.
pub fn commit_whole<'a>(w: &'a [Point], lo: &'a [Point]) -> impl Iterator<Item = PointSum> + 'a {
    w.iter().zip(lo).map(|(w, lo)| w.to_curve() * F::from(1 << LOW_BITS) + lo)
}

/// Commitments of movements: canonical if those of the weights are. `zero` is the canonical commitment of a zero column.
pub fn commit_movement(
    before: impl Iterator<Item = PointSum>,
    after: impl Iterator<Item = PointSum>,
    zero: &Point,
) -> Vec<Point> {
    affine(&after.zip(before).map(|(after, before)| after - before + zero).collect::<Vec<_>>())
}

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

    /// Commitments of the weights with their low parts.
    pub fn whole(&self) -> Result<Vec<PointSum>, PortError> {
        Ok(commit_whole(&decoded(&self.w)?, &decoded(self.slot(Slot::Low))?).collect())
    }

    /// Commitments of the movement to these weights from others. `zero` is the canonical commitment of a zero column.
    pub fn movement_from(&self, before: impl Iterator<Item = PointSum>, zero: &Point) -> Result<Vec<Point>, PortError> {
        Ok(commit_movement(before, self.whole()?.into_iter(), zero))
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
        decoded(self.segments.iter().flat_map(SegmentState::ports).flatten())
    }

    /// Whether no weight's last movement is another than none. `zero` is the canonical commitment of a zero column.
    pub fn at_rest(&self, zero: &Point) -> bool {
        let zero = zero.to_bytes();
        self.segments.iter().flat_map(|segment| segment.slot(Slot::Momentum)).all(|encoding| *encoding == zero)
    }

    /// Digest of the state.
    pub fn digest(&self) -> [u8; 32] {
        let points = self.segments.iter().flat_map(SegmentState::ports).flatten();
        poseidon::digest_bytes("gradientcoin state", &points.flatten().copied().collect::<Vec<u8>>())
    }
}

fn decoded<'a>(encodings: impl IntoIterator<Item = &'a Encoding>) -> Result<Vec<Point>, PortError> {
    let point = |(column, bytes)| Point::from_bytes(bytes).into_option().ok_or(PortError::NoPoint { column });
    encodings.into_iter().enumerate().map(point).collect()
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
