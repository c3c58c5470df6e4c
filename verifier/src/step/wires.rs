//! Requires the ends of wires to be equal: of a public step by comparing them, of a private one by pairs that its span proof
//! is about.

use crate::error::StepError;
use crate::proof::Ports;
use crate::span::Pairs;
use backend::curve::Point;
use circuits::statements::ties::{self, Tie, Wired};
use circuits::statements::{Encoding, decode_commitments};
use group::GroupEncoding;

/// Requires both ends of each to be the same: no pairs are left.
pub(super) fn equal<T: PartialEq>(contribution: u32, ties: &[Tie<'_, T>]) -> Result<Pairs, StepError> {
    all(contribution, ties, |tie| tie.found == tie.expected)?;
    Ok(vec![])
}

/// The ends of each, still to be shown equal; requires both to have as many columns.
pub(super) fn paired(contribution: u32, ties: &[Tie<'_, Point>]) -> Result<Pairs, StepError> {
    all(contribution, ties, |tie| tie.found.len() == tie.expected.len())?;
    Ok(ties.iter().flat_map(|tie| tie.found.iter().copied().zip(tie.expected.iter().copied())).collect())
}

fn all<T>(contribution: u32, ties: &[Tie<'_, T>], holds: impl Fn(&Tie<'_, T>) -> bool) -> Result<(), StepError> {
    match ties.iter().find(|tie| !holds(tie)) {
        Some(tie) => Err(untied(contribution, tie.wired)),
        None => Ok(()),
    }
}

fn untied(contribution: u32, wired: Wired) -> StepError {
    match wired {
        Wired::State(place) => StepError::State { contribution, place, port: "weights" },
        Wired::Boundary { sequence, boundary } => StepError::Wire { contribution, sequence, boundary },
        Wired::Leaf { sequence } => StepError::LeafWire { contribution, sequence },
        Wired::Entering { segment, port } => StepError::Entering { segment, port },
    }
}

/// Ports as a state has them.
pub(super) fn encode_ports(ports: &Ports) -> ties::Ports<Encoding> {
    ports.iter().map(|instance| instance.iter().map(|port| encode(port)).collect()).collect()
}

pub(super) fn decode<'a>(encodings: impl IntoIterator<Item = &'a Encoding>) -> Result<Vec<Point>, StepError> {
    decode_commitments(encodings).map_err(StepError::Commitments)
}

pub(super) fn encode(points: &[Point]) -> Vec<Encoding> {
    points.iter().map(Point::to_bytes).collect()
}
