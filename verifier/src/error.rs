//! Why a proof is refused: one variant for each rule.

use circuits::plan::Challenge;

/// Why one proof is refused. `item` counts the 32-byte items of a proof from 0.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The parameters must have as many rows as the key's circuit.
    #[error("the key is for 2^{key} rows, the parameters have 2^{params}")]
    Params {
        /// Log2 of the rows of the key.
        key: u32,
        /// Log2 of the rows of the parameters.
        params: u32,
    },
    /// A proof proves at least one instance.
    #[error("a proof of no instances proves nothing")]
    NoInstances,
    /// A proof proves exactly the instances that the statement calls for.
    #[error("{found} instances are given, the statement has {expected}")]
    InstanceCount {
        /// Instances of the statement.
        expected: usize,
        /// Instances given.
        found: usize,
    },
    /// An instance holds exactly the challenge slots and the public values of the circuit, with no padding.
    #[error("instance {instance} has {found} values, not {expected}")]
    InstanceLength {
        /// The instance.
        instance: usize,
        /// Values of the circuit.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A proof has exactly the length that follows from the circuit and the number of instances.
    #[error("the proof has {found} bytes, not {expected}")]
    ProofLength {
        /// Bytes that the proof must have.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// No commitment is the point at infinity.
    #[error("item {item} of the proof is the point at infinity")]
    Identity {
        /// The item.
        item: usize,
    },
    /// Every scalar is below the field's order.
    #[error("item {item} of the proof is no canonical scalar")]
    Scalar {
        /// The item.
        item: usize,
    },
    /// Every commitment is the canonical encoding of a point of the curve.
    #[error("item {item} of the proof is no point of the curve")]
    Point {
        /// The item.
        item: usize,
    },
    /// Every challenge slot of every instance holds the scalar drawn from the statement and the phase-1 commitments.
    #[error("instance {instance}: the challenge for {role:?} is not the one drawn from the proof")]
    Challenge {
        /// The instance.
        instance: usize,
        /// The role.
        role: Challenge,
    },
    /// The opening of canonical commitments ends with a blind of 0.
    #[error("the opening of the output commitments is blinded")]
    Blind,
    /// Nothing follows the proof.
    #[error("bytes follow the proof")]
    Trailing,
    /// The stock verifier finds the proof well formed.
    #[error("halo2 refuses the proof: {0}")]
    Halo2(halo2_proofs::plonk::Error),
    /// The proof's final multi-scalar multiplication is zero.
    #[error("the proof is not valid")]
    Invalid,
}

/// Why a batch is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A batch has at least one proof.
    #[error("an empty batch proves nothing")]
    Empty,
    /// All proofs of a batch are valid. Holds the numbers of those that are not; none if the batch does not name them.
    #[error("proofs {0:?} of the batch are not valid (none is named by a batch that folds)")]
    Invalid(Vec<usize>),
}
