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
//! constraints out, one by one, and seeing it find the hole ([`mutants`]).

mod changes;
pub mod columns;
mod cost;
mod determined;
pub mod equation;
pub mod forge;
pub mod gates;
mod index;
pub mod lookups;
mod moves;
pub mod mutants;
pub mod report;
pub mod rows;
mod slopes;
mod state;

pub use cost::Cost;
pub use forge::{Choice, Coverage, Findings, Forge, Unnoticed};
pub use report::Report;

pub use plonkish::{Free, Roles};

use plonkish::{Challenge, Field};
use std::collections::BTreeMap;

/// Challenges of full width, for the search alone: nothing is proven with them.
fn drawn<F: Field>(seed: u64) -> BTreeMap<Challenge, F> {
    let mut scalar = F::from(seed);
    let mut next = || {
        (0..16).for_each(|i| scalar = scalar.square() + F::from(seed + i));
        scalar
    };
    Challenge::ALL.iter().map(|&challenge| (challenge, next())).collect()
}

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
