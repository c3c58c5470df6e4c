//! What in a step must be equal: the wires of docs/protocol.md, section 2, one definition for all who tie their ends. Of a
//! public step the ends are commitments, which are compared; of a private one commitments and, for its prover, what hides them.

use super::{Layouts, domain::Place};
use crate::model::UpdateKind;
use crate::segments::{UpdatePort, head, layer, update};

/// Columns of each port of each instance: `[instance][port][column]`.
pub type Ports<T> = Vec<Vec<Vec<T>>>;

/// Which wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wired {
    /// The weights at a place and the state's.
    State(Place),
    /// The two ends at a boundary between layers: that of layer 0 is below it, the last one below the head.
    Boundary {
        /// The sequence.
        sequence: u32,
        /// The boundary.
        boundary: usize,
    },
    /// A head's sequence and its leaf.
    Leaf {
        /// The sequence.
        sequence: u32,
    },
    /// What enters a segment's update and what it follows from.
    Entering {
        /// The segment.
        segment: usize,
        /// The port.
        port: UpdatePort,
    },
}

/// Two ends of a wire, of as many columns each where all is well.
#[derive(Clone, Copy, Debug)]
pub struct Tie<'a, T> {
    /// Which.
    pub wired: Wired,
    /// What a proof has there.
    pub found: &'a [T],
    /// What it must be.
    pub expected: &'a [T],
}

/// The ties within a contribution and to the state that its gradient is taken at, whose weights are given by segment; none where
/// the state lacks a segment.
pub fn of_contribution<'a, T>(
    weights: &'a [Vec<T>],
    layers: usize,
    (layer_ports, head_ports): (&'a Ports<T>, &'a Ports<T>),
) -> Vec<Tie<'a, T>> {
    let state = |segment: usize| weights.get(segment).map_or(&[][..], Vec::as_slice);
    let mut ties = vec![];
    for (s, of_head) in head_ports.iter().enumerate() {
        let sequence = s as u32;
        let mut tie = |wired, found: &'a [T], expected: &'a [T]| ties.push(Tie { wired, found, expected });
        tie(Wired::State(Place::Head { sequence }), &of_head[head::WEIGHTS], state(layers));
        // Bottom to top: head to layers and back.
        let mut below = &of_head[head::LOWER];
        for (l, of_layer) in layer_ports[s * layers..(s + 1) * layers].iter().enumerate() {
            tie(Wired::State(Place::Layer { sequence, layer: l as u32 }), &of_layer[layer::WEIGHTS], state(l));
            tie(Wired::Boundary { sequence, boundary: l }, &of_layer[layer::LOWER], below);
            below = &of_layer[layer::UPPER];
        }
        tie(Wired::Boundary { sequence, boundary: layers }, &of_head[head::UPPER], below);
    }
    ties
}

/// A contribution's gradients, by segment: for each sequence the columns.
pub fn gradients<'a, T>(layers: usize, (layer_ports, head_ports): (&'a Ports<T>, &'a Ports<T>)) -> Vec<Vec<&'a [T]>> {
    let of_layer = |l: usize| layer_ports.iter().skip(l).step_by(layers.max(1)).map(|p| &p[layer::GRADIENTS][..]);
    let of_layers = (0..layers).map(|l| of_layer(l).collect());
    of_layers.chain([head_ports.iter().map(|p| &p[head::GRADIENTS][..]).collect()]).collect()
}

/// The ties of sequences to their leaves.
pub fn of_leaves<'a, T>(batches: &'a [T], leaves: &'a [T]) -> Vec<Tie<'a, T>> {
    let tie = |(sequence, (found, expected))| Tie {
        wired: Wired::Leaf { sequence },
        found: std::slice::from_ref(found),
        expected: std::slice::from_ref(expected),
    };
    (0..).zip(batches.iter().zip(leaves)).map(tie).collect()
}

/// What enters an update, by segment and port.
pub fn entering<T: Clone>(layouts: &Layouts, kind: UpdateKind, ports: &Ports<T>) -> Vec<Vec<Vec<T>>> {
    let entering = update::entering(kind).len();
    (0..layouts.segments())
        .map(|segment| (0..entering).map(|port| layouts.join(ports, port, segment)).collect())
        .collect()
}

/// The ties of what enters an update, by segment and port, to what it follows from.
pub fn of_update<'a, T>(kind: UpdateKind, found: &'a [Vec<Vec<T>>], expected: &'a [Vec<Vec<T>>]) -> Vec<Tie<'a, T>> {
    let mut ties = vec![];
    for (segment, (found, expected)) in found.iter().zip(expected).enumerate() {
        for ((&port, found), expected) in update::entering(kind).iter().zip(found).zip(expected) {
            ties.push(Tie { wired: Wired::Entering { segment, port }, found, expected });
        }
    }
    ties
}
