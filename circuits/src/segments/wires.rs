//! What a verifier compares the commitments of ports with: the wires of docs/protocol.md, section 2.

use super::{Privacy, SegmentKind, UpdatePort, Variant, head, layer, update};
use plonkish::PortId;
use serde::Serialize;
use std::fmt;

/// What the commitments of a port equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wire {
    /// The port.
    pub port: PortId,
    /// Of which instances, if it is not the same for all.
    pub of: Option<&'static str>,
    /// What they equal.
    pub equals: End,
}

/// The other end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The state before the step.
    State,
    /// What enters an update, made of the state before the step and the sum of its gradients.
    Entering(UpdatePort),
    /// The state after the step.
    NextState,
    /// The state that a genesis proof is about.
    FirstState,
    /// The segment's gradient, added up with those of all other sequences and contributions.
    Sum,
    /// The sequence that the seed assigns.
    Sequence,
    /// A summand of the loss that a bundle discloses.
    Loss,
    /// A summand of the sum of the gradient's squares that a bundle says.
    Squares,
    /// A port of another instance of the same sequence.
    Port {
        /// The instance's circuit.
        segment: SegmentKind,
        /// The port.
        port: PortId,
        /// Which instance.
        of: &'static str,
    },
}

/// As the protocol's document says it.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::State => f.write_str("the state's commitments"),
            End::Entering(port) => match port {
                UpdatePort::Dividends => {
                    f.write_str("`(2^36 − ω)·C(W36) + μ·C(v) − λ·C(g)`, less the multiple of W that leaves blind 1")
                }
                UpdatePort::Gradient => f.write_str("`s·C(g)`, less the multiple of W that leaves blind 1"),
                UpdatePort::Decayed => {
                    f.write_str("`(2^24 − ω)·C(w) + C(lo)`, less the multiple of W that leaves blind 1")
                }
                _ => write!(f, "the state's commitments, as {} before", port.name()),
            },
            End::NextState => f.write_str("the next state's commitments"),
            End::FirstState => f.write_str("the first state's commitments"),
            End::Sum => f.write_str("a summand of the segment's `C(g)`, over all sequences and contributions"),
            End::Sequence => f.write_str("the canonical commitment of the sequence that the seed assigns"),
            End::Squares => f.write_str("a summand of s² times the sum of the gradient's squares that the bundle says"),
            End::Loss => f.write_str("a summand of the sum of losses that the bundle says, if it says one"),
            End::Port { segment, port, of } => write!(f, "{} of {of} of the same sequence", edge(segment, port)),
        }
    }
}

/// The name of a port between two segments.
fn edge(segment: SegmentKind, port: PortId) -> &'static str {
    match (segment, port) {
        (SegmentKind::Layer, layer::LOWER) | (SegmentKind::Head, head::LOWER) => "lower edge",
        (SegmentKind::Layer, layer::UPPER) | (SegmentKind::Head, head::UPPER) => "upper edge",
        _ => "port",
    }
}

const FIRST: &str = "layer 0";
const LAST: &str = "the last layer";
const HEAD: &str = "the head";

const fn to(port: PortId, equals: End) -> Wire {
    Wire { port, of: None, equals }
}

const fn of(port: PortId, of: &'static str, equals: End) -> Wire {
    Wire { port, of: Some(of), equals }
}

const fn layers(port: PortId, of: &'static str) -> End {
    End::Port { segment: SegmentKind::Layer, port, of }
}

const fn heads(port: PortId) -> End {
    End::Port { segment: SegmentKind::Head, port, of: HEAD }
}

const LAYER: &[Wire] = &[
    to(layer::WEIGHTS, End::State),
    to(layer::GRADIENTS, End::Sum),
    of(layer::LOWER, FIRST, heads(head::LOWER)),
    of(layer::LOWER, "layer l > 0", layers(layer::UPPER, "layer l − 1")),
    of(layer::UPPER, "layer l − 1", layers(layer::LOWER, "layer l > 0")),
    of(layer::UPPER, LAST, heads(head::UPPER)),
];

const OF_HEAD: &[Wire] = &[
    to(head::WEIGHTS, End::State),
    to(head::GRADIENTS, End::Sum),
    to(head::LOWER, layers(layer::LOWER, FIRST)),
    to(head::UPPER, layers(layer::UPPER, LAST)),
    to(head::BATCH, End::Sequence),
];

const OF_PRIVATE_HEAD: &[Wire] =
    &[OF_HEAD[0], OF_HEAD[1], OF_HEAD[2], OF_HEAD[3], OF_HEAD[4], to(head::LOSS, End::Loss)];

/// Of an update, and of a genesis proof, whatever enters it.
fn of_update(variant: Variant) -> Vec<Wire> {
    let ends = |(id, port): (PortId, UpdatePort)| {
        if port == UpdatePort::Squares {
            return vec![of(id, "a private update", End::Squares)];
        }
        if update::entering(variant.update).contains(&port) {
            return vec![of(id, "an update", End::Entering(port))];
        }
        vec![of(id, "an update", End::NextState), of(id, "a genesis proof", End::FirstState)]
    };
    update::ports(variant).enumerate().flat_map(ends).collect()
}

impl SegmentKind {
    /// What its ports are wired to, in their order.
    pub fn wires(self, variant: Variant) -> Vec<Wire> {
        match (self, variant.privacy) {
            (SegmentKind::Layer, _) => LAYER.to_vec(),
            (SegmentKind::Head, Privacy::Public) => OF_HEAD.to_vec(),
            (SegmentKind::Head, Privacy::Private) => OF_PRIVATE_HEAD.to_vec(),
            (SegmentKind::Update, _) => of_update(variant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn kinds() -> impl Iterator<Item = (Variant, SegmentKind)> {
        Variant::all().flat_map(|variant| SegmentKind::ALL.into_iter().map(move |kind| (variant, kind)))
    }

    #[test]
    fn every_port_is_wired_and_edges_at_both_ends() {
        for (variant, kind) in kinds() {
            let ports: BTreeSet<PortId> = kind.wires(variant).iter().map(|wire| wire.port).collect();
            assert!(ports.into_iter().eq(0..kind.ports(variant)), "{kind:?}");
            for wire in kind.wires(variant) {
                let End::Port { segment, port, of } = wire.equals else { continue };
                let here = wire.of.unwrap_or(HEAD);
                let is_back = |back: &&Wire| {
                    back.port == port
                        && back.of.unwrap_or(HEAD) == of
                        && back.equals == End::Port { segment: kind, port: wire.port, of: here }
                };
                assert_eq!(segment.wires(variant).iter().filter(is_back).count(), 1, "{kind:?}: {wire:?}");
            }
        }
    }

    /// The protocol's document has the same wires, each once.
    #[test]
    fn wires_are_those_of_the_protocol() {
        let document = include_str!("../../../docs/protocol.md");
        let table = document.split_once("| port | equals |").unwrap().1;
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let rows: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
        let mut read = BTreeSet::new();
        for (kind, wire) in
            kinds().flat_map(|(variant, kind)| kind.wires(variant).into_iter().map(move |wire| (kind, wire)))
        {
            let found = rows.iter().position(|row| match wire.equals {
                End::Port { .. } => {
                    let here = format!("{} of {}", edge(kind, wire.port), wire.of.unwrap_or(HEAD));
                    let there = wire.equals.to_string();
                    // From either end.
                    row[1] == here && row[2] == there
                        || there.starts_with(row[1]) && row[2] == format!("{here} of the same sequence")
                }
                End::State
                | End::Entering(_)
                | End::Sum
                | End::NextState
                | End::FirstState
                | End::Sequence
                | End::Loss
                | End::Squares => row[2].starts_with(&wire.equals.to_string()),
            });
            read.insert(found.unwrap_or_else(|| panic!("{kind:?}: {wire:?}")));
        }
        assert!(read.into_iter().eq(0..rows.len()), "a row of the document is no wire");
    }
}
