//! Commitments of a model's state, and its digests.

use super::codec::Encoded;
use super::{Layouts, RunError, poseidon};
use crate::arithmetic::fixed::LOW_BITS;
use crate::model::{Config, Hyper, OptimizerKind, Slot};
use backend::curve::{F, Point, PointSum, affine};
use backend::ports::PortError;
use ff::Field;
use group::{CurveAffine, Group, GroupEncoding};
use plonkish::field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Digest of a model: its configuration and the digest of its state. Two models with one digest compute the same and
/// commit to the same state.
pub fn model_digest(config: &Config, state: &[u8; 32]) -> [u8; 32] {
    poseidon::digest_bytes("gradientcoin model", &[config.digest(), *state].concat())
}

/// An encoded commitment.
pub type Encoding = [u8; 32];

/// Commitments of weights with their low parts: `2^24·C(w) + C(lo)`, column by column.
pub fn commit_whole<'a>(w: &'a [Point], lo: &'a [Point]) -> impl Iterator<Item = PointSum> + 'a {
    w.iter().zip(lo).map(|(w, lo)| (0..LOW_BITS).fold(w.to_curve(), |sum, _| sum.double()) + lo)
}

/// Commitments of movements: canonical if those of the weights are. `zero` is the canonical commitment of a zero column.
pub fn commit_movement(
    before: impl Iterator<Item = PointSum>,
    after: impl Iterator<Item = PointSum>,
    zero: &Point,
) -> Vec<Point> {
    affine(&after.zip(before).map(|(after, before)| after - before + zero).collect::<Vec<_>>())
}

/// Requires ports of so many columns.
pub(super) fn same_length(ports: &[&[Point]], expected: usize) -> Result<(), PortError> {
    match ports.iter().find(|port| port.len() != expected) {
        Some(port) => Err(PortError::Columns { expected, found: port.len() }),
        None => Ok(()),
    }
}

/// A sum of multiples by integers of few bits.
fn combination(points: &[&Point], by: &[i128]) -> PointSum {
    let bits = by.iter().map(|by| 128 - by.unsigned_abs().leading_zeros()).max().unwrap_or(0);
    (0..bits).rev().fold(PointSum::identity(), |sum, bit| {
        let set = points.iter().zip(by).filter(|(_, by)| by.unsigned_abs() >> bit & 1 == 1);
        set.fold(sum.double(), |sum, (&point, &by)| if by < 0 { sum - point } else { sum + point })
    })
}

/// By how much the blinds of canonical commitments exceed 1 in a sum of multiples of them, of which the last, the gradient's, has so
/// many summands.
pub fn surplus(multiples: &[i128], summands: usize) -> F {
    // Of a canonical commitment the blind is 1.
    let (gradient, state) = multiples.split_last().map_or((0, &[][..]), |(last, rest)| (*last, rest));
    let of_gradient = field::<F>(gradient) * F::from(summands as u64);
    state.iter().map(|&by| field::<F>(by)).sum::<F>() + of_gradient - F::ONE
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
    /// From the ports of an optimizer's state: weights, then its slots in their order.
    pub fn of(optimizer: OptimizerKind, ports: Vec<Vec<Encoding>>) -> Self {
        let mut ports = ports.into_iter();
        let w = ports.next().unwrap_or_default();
        SegmentState { w, slots: optimizer.slots().iter().copied().zip(ports).collect() }
    }

    /// The commitments of a slot; none if it is missing.
    pub fn slot(&self, slot: Slot) -> &[Encoding] {
        self.slots.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The commitments as points, of each port as many; the slots are those of an optimizer.
    pub fn decode(&self, optimizer: OptimizerKind) -> Result<SegmentPoints, PortError> {
        let slots = optimizer.slots().iter().map(|&slot| decode_commitments(self.slot(slot)));
        let points = SegmentPoints { w: decode_commitments(&self.w)?, slots: slots.collect::<Result<_, _>>()? };
        for slot in &points.slots {
            same_length(&[slot], points.w.len())?;
        }
        Ok(points)
    }

    /// All ports, in order.
    pub fn ports(&self) -> impl Iterator<Item = &Vec<Encoding>> {
        std::iter::once(&self.w).chain(self.slots.values())
    }
}

/// The state of one segment, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPoints {
    /// Weights.
    w: Vec<Point>,
    /// Slots in their order; the low parts are the first.
    slots: Vec<Vec<Point>>,
}

impl SegmentPoints {
    /// Of the weights with their low parts.
    pub fn whole(&self) -> impl Iterator<Item = PointSum> + '_ {
        commit_whole(&self.w, self.slots.first().map_or(&[], Vec::as_slice))
    }

    /// Of what enters an update ([`Hyper::entering`]), port by port and column by column, with the canonical blind. `gradient` has
    /// as many blinds as summands; `zero` is the canonical commitment of a zero column.
    pub fn entering(
        &self,
        hyper: &Hyper,
        (gradient, summands): (&[Point], usize),
        zero: &Point,
    ) -> Result<Vec<Vec<Point>>, PortError> {
        same_length(&[gradient], self.w.len())?;
        let sources: Vec<&[Point]> =
            [&self.w].into_iter().chain(&self.slots).map(Vec::as_slice).chain([gradient]).collect();
        let port = |multiples: Vec<i128>| {
            let surplus = zero * surplus(&multiples, summands);
            let column = |c: usize| {
                let points: Vec<&Point> = sources.iter().map(|source| &source[c]).collect();
                combination(&points, &multiples) - surplus
            };
            affine(&(0..self.w.len()).map(column).collect::<Vec<_>>())
        };
        Ok(hyper.entering().into_iter().map(port).collect())
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
    /// Requires the number of columns that the configuration has, and the slots of an optimizer.
    pub fn check(&self, config: &Config, optimizer: OptimizerKind) -> Result<(), RunError> {
        let layouts = Layouts::new(config);
        let shape = |what: String, expected: usize, found: usize| {
            if expected == found { Ok(()) } else { Err(RunError::Shape { what, expected, found }) }
        };
        shape("the state".into(), config.layers + 1, self.segments.len())?;
        for (i, segment) in self.segments.iter().enumerate() {
            let columns = layouts.of(i).columns();
            shape(format!("w of segment {i}"), columns, segment.w.len())?;
            shape(format!("the slots of segment {i}"), optimizer.slots().len(), segment.slots.len())?;
            for &slot in optimizer.slots() {
                shape(format!("{} of segment {i}", slot.name()), columns, segment.slot(slot).len())?;
            }
        }
        Ok(())
    }

    /// All commitments, decoded: by segment, then weights, then slots.
    pub fn points(&self) -> Result<Vec<Point>, PortError> {
        decode_commitments(self.segments.iter().flat_map(SegmentState::ports).flatten())
    }

    /// The commitments as points, by segment.
    pub fn decode(&self, optimizer: OptimizerKind) -> Result<Vec<SegmentPoints>, PortError> {
        self.segments.iter().map(|segment| segment.decode(optimizer)).collect()
    }

    /// Whether no weight has a last movement, or none other than none. `zero` is the canonical commitment of a zero column.
    pub fn unmoved(&self, zero: &Point) -> bool {
        let zero = zero.to_bytes();
        self.segments.iter().flat_map(|segment| segment.slot(Slot::Momentum)).all(|encoding| *encoding == zero)
    }

    /// Digest of the state.
    pub fn digest(&self) -> [u8; 32] {
        let points = self.segments.iter().flat_map(SegmentState::ports).flatten();
        poseidon::digest_bytes("gradientcoin state", &points.flatten().copied().collect::<Vec<u8>>())
    }
}

/// Commitments as points.
pub fn decode_commitments<'a>(encodings: impl IntoIterator<Item = &'a Encoding>) -> Result<Vec<Point>, PortError> {
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
        let slots = OptimizerKind::Sgd.slots().iter().copied().zip([port(2), port(3)]).collect();
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
        unknown[second] = 4;
        assert!(matches!(decode::<StateCommitments>(&unknown), Err(CodecError::Malformed { .. })));
    }
}
