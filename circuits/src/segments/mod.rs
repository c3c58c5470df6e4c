//! The three circuits: layer, head and update. Ops are composed here; what crosses between segments is a port.

mod circuits;
pub mod head;
pub mod layer;
mod privacy;
pub mod update;
mod variant;
mod wires;

pub use circuits::Circuits;
pub use privacy::Privacy;
pub use update::UpdatePort;
pub use variant::Variant;
pub use wires::{End, Wire};

use crate::{
    arithmetic::fixed::Class,
    arithmetic::gadgets::{Placed, PortLayout, PortTensor},
    arithmetic::tensor::Tensor,
    model::{Config, SequenceError, SequenceTrace},
    ops::{cross_entropy::circuit::LogTags, softmax::circuit::ExpTags, swiglu::circuit::SigmoidTags},
};
use backend::Builder;
use plonkish::{Declared, Interval, PortId, Roles};
use serde::{Deserialize, Serialize};

/// Which of the three circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SegmentKind {
    /// One transformer layer.
    Layer,
    /// Embedding, final norm, logits and loss.
    Head,
    /// The optimizer over one lane group.
    Update,
}

impl SegmentKind {
    /// All of them.
    pub const ALL: [SegmentKind; 3] = [SegmentKind::Layer, SegmentKind::Head, SegmentKind::Update];

    /// Makes something for each, in their order, telling how many are made, and of how many.
    pub fn try_each<T, E>(
        mut make: impl FnMut(SegmentKind) -> Result<T, E>,
        told: &mut dyn FnMut(usize, usize),
    ) -> Result<[T; 3], E> {
        let mut each = |made: usize, kind| {
            let of_kind = make(kind)?;
            told(made, Self::ALL.len());
            Ok(of_kind)
        };
        Ok([each(1, SegmentKind::Layer)?, each(2, SegmentKind::Head)?, each(3, SegmentKind::Update)?])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            SegmentKind::Layer => "layer",
            SegmentKind::Head => "head",
            SegmentKind::Update => "update",
        }
    }

    /// What a step has of it, for people.
    pub fn plural(self) -> &'static str {
        match self {
            SegmentKind::Layer => "layers",
            SegmentKind::Head => "heads",
            SegmentKind::Update => "update",
        }
    }

    /// Public values of an instance, its context included.
    pub fn publics(self, variant: Variant) -> usize {
        1 + match self {
            SegmentKind::Layer => 0,
            SegmentKind::Head => usize::from(variant.privacy == Privacy::Public),
            SegmentKind::Update => update::publics(variant),
        }
    }

    /// Ports of an instance.
    pub fn ports(self, variant: Variant) -> usize {
        match (self, variant.privacy) {
            (SegmentKind::Layer, _) => layer::UPPER + 1,
            (SegmentKind::Head, Privacy::Public) => head::BATCH + 1,
            (SegmentKind::Head, Privacy::Private) => head::LOSS + 1,
            (SegmentKind::Update, _) => update::ports(variant).count(),
        }
    }

    /// What an auditor must know of it.
    pub fn roles(self, variant: Variant) -> Roles {
        match (self, variant.privacy) {
            (SegmentKind::Layer, _) => layer::ROLES,
            (SegmentKind::Head, Privacy::Public) => head::ROLES,
            (SegmentKind::Head, Privacy::Private) => head::PRIVATE_ROLES,
            (SegmentKind::Update, _) => update::roles(variant),
        }
    }
}

/// Why values are none of a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A tensor has another shape.
    #[error("`{name}` has the shape {found:?}, not {expected:?}")]
    Shape {
        /// Of the tensor.
        name: String,
        /// Rows and columns by the configuration.
        expected: (usize, usize),
        /// Rows and columns found.
        found: (usize, usize),
    },
    /// An integer is outside its range.
    #[error("element {index} of `{name}` is outside its range")]
    Range {
        /// Of the tensor.
        name: String,
        /// Of the element, in row-major order.
        index: usize,
    },
    /// A tied model has no head of its own; an untied one has.
    #[error("the head does not fit a configuration with tied, or untied, embeddings")]
    Tied,
    /// A layer of a model without biases has them, or the other way round.
    #[error("the layer's biases do not fit the configuration")]
    Biases,
    /// The tokens are none of the configuration.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
}

/// What enters a layer or a head of one sequence from its neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entering {
    /// Residual stream: below a layer, above the last one for a head. `[T × d]`, [`Class::Residual`].
    pub x: Tensor,
    /// Gradient: above a layer, below the first one for a head. `[T × d]`, [`Class::Gradient`].
    pub dx: Tensor,
}

impl Entering {
    /// What enters a layer of a traced sequence.
    pub fn layer(trace: &SequenceTrace, layer: usize) -> Self {
        Entering { x: trace.forward[layer].x.clone(), dx: trace.backward[layer].dx_out.clone() }
    }

    /// What enters the head of a traced sequence.
    pub fn head(trace: &SequenceTrace) -> Self {
        Entering { x: trace.head.x.clone(), dx: trace.dx0().clone() }
    }

    /// Refuses tensors of other shapes than the configuration's, and integers outside their ranges.
    pub fn check(&self, config: &Config) -> Result<(), InputError> {
        let shape = (config.context, config.hidden);
        check_tensor("x", &self.x, shape, Class::Residual)?;
        check_tensor("dx", &self.dx, shape, Class::Gradient)
    }
}

/// Refuses a tensor of another shape, and integers outside the range of their class.
fn check_tensor(name: &str, tensor: &Tensor, expected: (usize, usize), class: Class) -> Result<(), InputError> {
    if tensor.shape() != expected || tensor.data.len() != expected.0 * expected.1 {
        return Err(InputError::Shape { name: name.into(), expected, found: tensor.shape() });
    }
    match tensor.data.iter().position(|&x| !class.contains(x)) {
        Some(index) => Err(InputError::Range { name: name.into(), index }),
        None => Ok(()),
    }
}

/// Largest `|w|`: weights have 17 bits.
const WEIGHT: u128 = 1 << 16;

/// Tags of the tables, distinct over all segments.
const EXP_TAGS: ExpTags = ExpTags { lo: 1, hi: 2 };
const SIGMOID_TAGS: SigmoidTags = SigmoidTags { value: 3, slope: 4 };
const LOG_TAGS: LogTags = LogTags { power: 5, ln_power: 6, value: 7, chord: 8 };

/// First instance row after the challenges.
pub const PUBLIC_ROWS: usize = plonkish::Challenge::ALL.len();

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
fn boundary<V: 'static>(
    b: &mut Builder<V>,
    (layout, port): (&PortLayout, PortId),
    op: &str,
    (tensor, declared): (usize, Declared),
    value: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
) -> Placed {
    let (slab, groups) = layout.slab(b, op, tensor);
    let lanes = slab.port_lanes(b, port, &groups, (&layout.tensors[tensor].name, declared));
    slab.fill(b, &lanes, value);
    slab.placed(&lanes)
}

/// Bound on `|h|` after a norm: `|n| ≤ √d·2^12 + 1`, gains below 16.
fn norm_bound(d: usize) -> u128 {
    (((d as u128).isqrt() + 1) << 16).min(1 << 23)
}
