//! What an auditor must know of a circuit: what comes from outside, what it claims, and what is free by design.

use super::cells::PortId;
use serde::Serialize;

/// A column of an op that is free by design, as long as the sum of its cells stays.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Free {
    /// Ops in which it stands.
    pub ops: &'static [&'static str],
    /// How its name begins.
    pub column: &'static str,
    /// Columns that may change along with it.
    pub along: &'static [&'static str],
    /// Why it may be free.
    pub reason: &'static str,
}

/// What comes from outside a circuit and what it claims to the outside.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Roles {
    /// Port cells given from outside: the port, and how the names of the cells' columns begin.
    pub inputs: &'static [(PortId, &'static str)],
    /// Instance rows that hold results: a forger claims what his witness gives.
    pub results: &'static [usize],
    /// What is free by design.
    pub free: &'static [Free],
}
