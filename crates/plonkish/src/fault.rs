//! Faults of a circuit's author, noted while it is built. A plan that has one becomes no key.

/// What is wrong with a circuit as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Rows are added to a gate by its name, with another polynomial.
    #[error("{op}: two constraints are named `{name}`")]
    Gates {
        /// Of the block.
        op: String,
        /// The gates' name.
        name: String,
    },
    /// A table is declared twice, with other rows.
    #[error("table {tag} is declared twice, with different rows")]
    Tables {
        /// Of the table.
        tag: u64,
    },
    /// A table of `(x, f(x))` has an x twice.
    #[error("table {tag} has two rows for {x}")]
    NoFunction {
        /// Of the table.
        tag: u64,
        /// First component of both rows.
        x: i128,
    },
    /// A constraint leaves values outside the range that is declared.
    #[error("`{cell}` is declared to lie within {declared}, but `{gate}` shows {shown}")]
    Range {
        /// Op and column.
        cell: String,
        /// The constraint.
        gate: String,
        /// The range that it shows, or that it shows nothing.
        shown: String,
        /// The range declared.
        declared: String,
    },
    /// A constraint's range is computed from cells of which nothing is known, or not yet, on some row.
    #[error("{op}: `{gate}` reads `{column}` on a row on which its range is not known, or not yet")]
    Unknown {
        /// Of the block.
        op: String,
        /// The constraint.
        gate: String,
        /// The column.
        column: String,
    },
    /// A range is not the one from which another was computed.
    #[error("{op}: the range of `{column}` changed after `{gate}` had read it")]
    Changed {
        /// Of the block.
        op: String,
        /// The constraint.
        gate: String,
        /// The column.
        column: String,
    },
    /// A case distinction leaves out a value of its flag, or nothing is known of the flag.
    #[error("{op}: the cases of `{gate}` are not all that its flag allows")]
    Cases {
        /// Of the block.
        op: String,
        /// What is distinguished.
        gate: String,
    },
    /// A constraint reads a row that is not of its block.
    #[error("{op}: `{gate}` reads a row outside its block")]
    Outside {
        /// Of the block.
        op: String,
        /// The constraint.
        gate: String,
    },
    /// What is looked up without a cell is no linear form of phase-1 cells of a row, or its block has not all rows of the grid.
    #[error("{op}: `{name}` is looked up, and is no linear form of cells on every row")]
    Implied {
        /// Of the block.
        op: String,
        /// What is looked up.
        name: String,
    },
    /// A projection is computed, or copied, twice.
    #[error("{op}: a cell of `{column}` is computed twice")]
    TwoValues {
        /// Of the block.
        op: String,
        /// The column.
        column: String,
    },
    /// A constraint is said to determine a cell in which it is not linear with coefficient 1 or −1.
    #[error("{op}: `{gate}` does not determine a cell of `{column}`")]
    NotDetermined {
        /// Of the block.
        op: String,
        /// The constraint.
        gate: String,
        /// The column.
        column: String,
    },
}
