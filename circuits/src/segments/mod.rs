//! The three circuits: layer, head and update. Rooms are composed here; what crosses between segments is a port.

pub mod head;
pub mod layer;
mod plans;
pub mod update;

pub use plans::{PUBLICS, Plans};

use crate::{
    gadgets::{Placed, PortLayout, PortTensor},
    model::Config,
    ops::{cross_entropy::circuit::LogTags, softmax::circuit::ExpTags, swiglu::circuit::SigmoidTags},
    plan::{Builder, Declared, Interval, Plan, PortId, Witness},
};

/// Largest `|w|`: weights have 17 bits.
const WEIGHT: u128 = 1 << 16;

/// Tags of the tables, distinct over all segments.
const EXP_TAGS: ExpTags = ExpTags { lo: 1, hi: 2 };
const SIGMOID_TAGS: SigmoidTags = SigmoidTags { value: 3, slope: 4 };
const LOG_TAGS: LogTags = LogTags { power: 5, ln_power: 6, value: 7, chord: 8 };

/// First instance row after the challenges.
pub const PUBLIC_ROWS: usize = crate::plan::Challenge::ALL.len();

/// A circuit with the values of one instance.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The circuit.
    pub plan: Plan,
    /// The values; phase 2 and multiplicities are not filled in.
    pub witness: Witness,
}

/// Layout of the port between two segments: the residual stream and its gradient.
pub fn boundary_layout(config: &Config, k: u32) -> PortLayout {
    let tensor = |name: &str| PortTensor { name: name.into(), runs: config.context, columns: config.hidden };
    PortLayout::new(k, vec![tensor("x"), tensor("dx")])
}

/// Largest magnitude on an edge: residual stream and gradients have 36 bits.
const EDGE: u128 = 1 << 35;

/// Range of an edge's tensor that an equation of this circuit determines.
fn written() -> Declared {
    Declared::equation(EDGE)
}

/// Range of an edge's tensor that the circuit at its other end determines.
fn read() -> Declared {
    Declared::outside(Interval::within(EDGE), "the circuit at the other end of the wire")
}

/// A tensor of a boundary port as cells, and where they lie.
fn boundary(
    b: &mut Builder,
    (layout, port): (&PortLayout, PortId),
    room: &str,
    (tensor, declared): (usize, Declared),
    value: impl Fn(usize, usize) -> i128,
) -> Placed {
    let (slab, groups) = layout.slab(b, room, tensor);
    let lanes = slab.port_lanes(b, port, &groups, (&layout.tensors[tensor].name, declared));
    slab.fill(b, &lanes, value);
    slab.placed(&lanes)
}

/// Bound on `|h|` after a norm: `|n| ≤ √d·2^12 + 1`, gains below 16.
fn norm_bound(d: usize) -> u128 {
    (((d as u128).isqrt() + 1) << 16).min(1 << 23)
}
