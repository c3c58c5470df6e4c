//! The audit of a circuit: what it is made of ([`report`]), and the search for witness cells that nothing determines
//! ([`forge`]).
//!
//! # What the search looks for
//!
//! A circuit is sound for its purpose if the cells that are given from outside ([`Roles::inputs`]: port cells bound by
//! commitments) leave one value for every other cell. The search takes an honest witness, changes a cell, lets an
//! adversary mend what the change breaks, computes phase 2 as the adversary would, and asks which constraint still
//! breaks. Mends are found by solving broken constraints one after the other, for a cell, for the digits of an integer,
//! for quotient and remainder, or in another case of a case distinction.
//!
//! Phase 2 is equations between projections, `⟨result⟩ = product of ⟨sources⟩`. If all that breaks is such an equation
//! whose *result* did not change, the change counts as unnoticed: an adversary would go on and compute all that follows
//! from the changed source honestly. That makes the search stronger than a mere check of the whole witness, in which
//! any change breaks something far away. That phase 2 itself adds no freedom is checked apart: each of its cells must be
//! determined by a constraint from cells determined before it.
//!
//! Entries of no table break the lookup argument whatever the multiplicities, which are all that is left to choose; the
//! search relies on that and recomputes the argument in full for some lanes.
//!
//! What a search cannot show is that no cleverer forgery exists; that the search is no sham is shown by taking
//! constraints out, one by one, and seeing it find the hole (`tests/mutations.rs`).

mod changes;
mod determined;
pub mod forge;
mod index;
mod moves;
pub mod report;
mod slopes;
mod state;

pub use forge::{Choice, Findings, Forge, Outcome, Unnoticed};
pub use report::Report;

use crate::plan::PortId;
use crate::{ops, segments};

/// A column of a room that is free by design, as long as the sum of its cells stays.
#[derive(Clone, Copy, Debug)]
pub struct Free {
    /// Rooms in which it stands.
    pub rooms: &'static [&'static str],
    /// How its name begins.
    pub column: &'static str,
    /// Columns that may change along with it.
    pub along: &'static [&'static str],
    /// Why it may be free.
    pub reason: &'static str,
}

/// All that is free by design, room by room.
pub fn declared_free() -> impl Iterator<Item = &'static Free> {
    [ops::softmax::circuit::FREE].into_iter().flatten()
}

/// What comes from outside a circuit and what it claims to the outside.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    /// Port cells given from outside: the port, and how the names of the cells' columns begin.
    pub inputs: &'static [(PortId, &'static str)],
    /// Instance rows that hold results: a forger claims what his witness gives.
    pub results: &'static [usize],
}

/// Roles of the layer segment: weights, the residual stream from below and its gradient from above are given.
pub const LAYER: Roles = Roles {
    inputs: &[(segments::layer::WEIGHTS, ""), (segments::layer::LOWER, "x"), (segments::layer::UPPER, "dx")],
    results: &[],
};

/// Roles of the head segment.
pub const HEAD: Roles = Roles {
    inputs: &[
        (segments::head::WEIGHTS, ""),
        (segments::head::LOWER, "dx"),
        (segments::head::UPPER, "x"),
        (segments::head::BATCH, ""),
    ],
    results: &[segments::head::LOSS_ROW],
};

/// Roles of the update segment.
pub const UPDATE: Roles = Roles {
    inputs: &[
        (segments::update::WEIGHTS, ""),
        (segments::update::LOW, ""),
        (segments::update::MOMENTUM, ""),
        (segments::update::GRADIENT, ""),
    ],
    results: &[],
};

/// Why an audit cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The witness to start from is itself refused.
    #[error("the initial witness violates {count} constraints, first: {first}")]
    Dishonest {
        /// Number of broken constraints.
        count: usize,
        /// The first of them.
        first: String,
    },
}
