//! Commitments of a model's state, and its digests.

use super::codec::Encoded;
use super::{Layouts, RunError, poseidon};
use crate::arithmetic::fixed::{LOW_BITS, STATE_FRAC};
use crate::model::{Config, Slot};
use crate::ops::sgd::Hyper;
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
fn combination<const N: usize>(points: &[&Point; N], by: &[i128; N]) -> PointSum {
    let bits = by.iter().map(|by| 128 - by.unsigned_abs().leading_zeros()).max().unwrap_or(0);
    (0..bits).rev().fold(PointSum::identity(), |sum, bit| {
        let set = points.iter().zip(by).filter(|(_, by)| by.unsigned_abs() >> bit & 1 == 1);
        set.fold(sum.double(), |sum, (&point, &by)| if by < 0 { sum - point } else { sum + point })
    })
}

/// An update's dividends, `2^36·W36 + μ·v − λ·g − ω·W36`, as multiples of weights, low parts, momentum and gradient
/// ([`dividend`]); and by how much the blinds of canonical commitments exceed 1 in it, where the gradient has so many summands.
///
/// [`dividend`]: crate::ops::sgd::dividend
pub fn dividend_scalars(hyper: &Hyper, summands: usize) -> ([i128; 4], F) {
    let [lambda, mu, omega] = [hyper.lambda, hyper.mu, hyper.omega].map(i128::from);
    let kept = (1 << STATE_FRAC) - omega;
    let scalars = [kept << LOW_BITS, kept, mu, -lambda];
    // Of a canonical commitment the blind is 1.
    let blinds = [scalars[0], scalars[1], scalars[2], -lambda * summands as i128];
    (scalars, blinds.map(field::<F>).into_iter().sum::<F>() - F::ONE)
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

    /// The commitments as points, of each port as many.
    pub fn decode(&self) -> Result<SegmentPoints, PortError> {
        let [w, lo, v] = [&self.w[..], self.slot(Slot::Low), self.slot(Slot::Momentum)].map(decode_commitments);
        let points = SegmentPoints { w: w?, lo: lo?, v: v? };
        same_length(&[&points.lo, &points.v], points.w.len())?;
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
    w: Vec<Point>,
    lo: Vec<Point>,
    v: Vec<Point>,
}

impl SegmentPoints {
    /// Of the weights with their low parts.
    pub fn whole(&self) -> impl Iterator<Item = PointSum> + '_ {
        commit_whole(&self.w, &self.lo)
    }

    /// Of an update's dividends ([`dividend_scalars`]), column by column, with the canonical blind. `gradient` has as many blinds
    /// as summands; `zero` is the canonical commitment of a zero column.
    pub fn dividends(
        &self,
        hyper: &Hyper,
        (gradient, summands): (&[Point], usize),
        zero: &Point,
    ) -> Result<Vec<Point>, PortError> {
        same_length(&[gradient], self.w.len())?;
        let (scalars, surplus) = dividend_scalars(hyper, summands);
        let surplus = zero * surplus;
        let columns = self.w.iter().zip(&self.lo).zip(&self.v).zip(gradient);
        let dividend = |(((w, lo), v), g)| combination(&[w, lo, v, g], &scalars) - surplus;
        Ok(affine(&columns.map(dividend).collect::<Vec<_>>()))
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
        decode_commitments(self.segments.iter().flat_map(SegmentState::ports).flatten())
    }

    /// The commitments as points, by segment.
    pub fn decode(&self) -> Result<Vec<SegmentPoints>, PortError> {
        self.segments.iter().map(SegmentState::decode).collect()
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
