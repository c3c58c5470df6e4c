//! Why a key cannot be made.

use crate::challenge::{MAX_TERMS, SLOTS};
use halo2_proofs::plonk;
use plonkish::{BoundError, Fault, RESERVED_ROWS};

/// Why a key cannot be made. Every variant is a fault of the circuit or of the caller, not of a proof.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The parameters have another number of rows.
    #[error("the plan has 2^{plan} rows, the parameters 2^{params}")]
    Rows {
        /// Of the plan.
        plan: u32,
        /// Of the parameters.
        params: u32,
    },
    /// The blinding rows would reach into rows that cells use.
    #[error("the circuit blinds {needed} rows, but only {RESERVED_ROWS} are reserved")]
    BlindingRows {
        /// Rows that halo2 blinds or keeps for itself.
        needed: usize,
    },
    /// The stock verifier accepts any commitment for a column that nothing reads.
    #[error("phase-1 column `{column}` is not read on the current row")]
    NotQueried {
        /// Name of the column.
        column: String,
    },
    /// What a proof reveals of a secret port is less than its blinding rows hide, at both ends together.
    #[error("port `{port}` is opened at {openings} points at its two ends, too many for {rows} blinding rows to hide")]
    Openings {
        /// Name of the port.
        port: String,
        /// Openings of a column of the port, over both ends.
        openings: usize,
        /// Blinding rows that both ends share.
        rows: usize,
    },
    /// The lookup argument has more terms than its error allows for.
    #[error("the lookup argument of the circuit has {terms} terms, more than {MAX_TERMS}")]
    Terms {
        /// Of one instance.
        terms: u64,
    },
    /// A lookup of halo2's own: neither the length of proofs nor the argument for soundness knows of any.
    #[error("the circuit uses halo2's own lookup")]
    StockLookup,
    /// The circuit's author made a mistake.
    #[error("the circuit is faulty: {0}")]
    Fault(Box<Fault>),
    /// A constraint may hold in the field and fail as an equation of integers.
    #[error("the circuit's constraints are not shown to be equations of integers: {0}")]
    Bounds(Box<BoundError>),
    /// Fewer public values than the circuit reads.
    #[error("the circuit reads {read} public values, but {given} are given")]
    Publics {
        /// Public values that the circuit reads.
        read: usize,
        /// Public values of the caller's layout.
        given: usize,
    },
    /// More values than the instance column has rows.
    #[error("{publics} public values and {SLOTS} challenges do not fit into {rows} rows")]
    TooManyPublics {
        /// Public values of the caller's layout.
        publics: usize,
        /// Rows of the instance column.
        rows: usize,
    },
    /// The keys' digest is not the expected one.
    #[error("the verifying key's digest is not the pinned one")]
    Digest,
    /// What halo2 prints of its key is not what this program knows how to read.
    #[error("halo2's key cannot be read")]
    Unreadable,
    /// halo2 opens other cells, or in another order.
    #[error("halo2 opens other cells of the circuit, or in another order")]
    Queries,
    /// The parts of a key that was read do not fit together.
    #[error("the key's parts do not fit together: {what}")]
    Inconsistent {
        /// What does not fit.
        what: &'static str,
    },
    /// halo2 refused the circuit.
    #[error("halo2: {0}")]
    Halo2(#[from] plonk::Error),
}

impl From<BoundError> for KeyError {
    fn from(error: BoundError) -> Self {
        KeyError::Bounds(Box::new(error))
    }
}
