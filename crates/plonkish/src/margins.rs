//! How close a circuit comes to the field's size, and why it may come too close.

use serde::Serialize;

/// How close a circuit comes to the field's size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Margin {
    /// Bits of the largest magnitude.
    pub bits: u32,
    /// Where it can occur.
    pub place: String,
}

/// How close a circuit comes to the field's size, of 255 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Margins {
    /// Constraints of phase 1.
    pub constraint: Margin,
    /// Coefficients of the equations between projections.
    pub coefficient: Margin,
    /// Number of equations between projections.
    pub equations: usize,
    /// What their degrees in the challenges add up to.
    pub degree: u64,
}

/// Why constraints of a circuit may hold in the field and fail as equations of integers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// Nothing bounds a cell that a constraint reads.
    #[error("the range of {cell}, row {row}, is unknown")]
    Unknown {
        /// Op and column.
        cell: String,
        /// Row of the grid.
        row: usize,
    },
    /// A constraint of phase 1 can be a multiple of p without being zero.
    #[error("`{gate}` can reach half the field's size on row {row}")]
    Gate {
        /// The constraint.
        gate: String,
        /// A row.
        row: usize,
    },
    /// A gate that computes no projection reads challenges or projections.
    #[error("`{gate}` constrains phase 2 without computing it")]
    Phase2 {
        /// The constraint.
        gate: String,
    },
    /// A coefficient of a projection can reach half the field's size.
    #[error("a coefficient of the projection in {cell}, row {row}, can reach half the field's size")]
    Projection {
        /// Op and column.
        cell: String,
        /// Row of the grid.
        row: usize,
    },
    /// The sides of an equation can differ by half the field's size.
    #[error("the sides of the equation {left} = {right} can differ by half the field's size in a coefficient")]
    Equation {
        /// One side's cell.
        left: String,
        /// The other's.
        right: String,
    },
    /// An equation with open cells that it does not determine one by one, from cells of firm range.
    #[error("the equation {left} = {right} does not determine its cells one by one from others")]
    Mixed {
        /// One side's cell.
        left: String,
        /// The other's.
        right: String,
    },
    /// An equation leaves cells outside the range that is declared of them.
    #[error("the equation {left} = {right} allows ±2^{shown} for cells declared to lie within ±2^{declared}")]
    Declared {
        /// One side's cell.
        left: String,
        /// The other's.
        right: String,
        /// Exponent of the bound on the side that determines.
        shown: u32,
        /// Exponent of the bound declared.
        declared: u32,
    },
    /// A cell is declared to be determined by an equation, and none does.
    #[error("no equation determines {cell}, row {row}")]
    Undetermined {
        /// Op and column.
        cell: String,
        /// Row of the grid.
        row: usize,
    },
    /// The degrees of the equations add up to more than the probability of a false equation allows for.
    #[error("the degrees of the equations add up to {found}, more than {max}")]
    Degree {
        /// Their sum.
        found: u64,
        /// The most allowed.
        max: u64,
    },
}

pub(super) fn shifted(row: usize, rotation: i32) -> usize {
    row.saturating_add_signed(rotation as isize)
}
