//! What a circuit is written in: challenges, columns of blocks, cells, ports.

use super::{Expr, Field};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Independent scalars drawn after phase 1, one per role (never one in two roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Challenge {
    /// The pole α of the logarithmic derivative.
    Alpha,
    /// Weight of the second component of a looked-up pair.
    TupleY,
    /// Weight of the tag of a looked-up pair.
    TupleTag,
    /// Projection of the query index (rows of activations).
    Rows,
    /// Projection of the key index, and of the vocabulary.
    Keys,
    /// Projection of a matrix's output features.
    Outputs,
    /// Projection of a matrix's input features.
    Inputs,
}

impl Challenge {
    /// All roles, in the order of their instance rows.
    pub const ALL: [Challenge; 7] = [
        Challenge::Alpha,
        Challenge::TupleY,
        Challenge::TupleTag,
        Challenge::Rows,
        Challenge::Keys,
        Challenge::Outputs,
        Challenge::Inputs,
    ];

    /// The label under which the scalar is drawn.
    pub fn label(self) -> &'static str {
        match self {
            Challenge::Alpha => "pole",
            Challenge::TupleY => "tuple-y",
            Challenge::TupleTag => "tuple-tag",
            Challenge::Rows => "rows",
            Challenge::Keys => "keys",
            Challenge::Outputs => "outputs",
            Challenge::Inputs => "inputs",
        }
    }

    /// Its row of the instance.
    pub const fn row(self) -> usize {
        self as usize
    }

    /// The rows of an instance that hold challenges.
    pub fn rows<F: Copy>(challenges: &BTreeMap<Challenge, F>) -> impl Iterator<Item = F> {
        Self::ALL.iter().map(|challenge| challenges[challenge])
    }

    /// Its power, on every row.
    pub fn power<F>(self, exponent: u32) -> Local<F> {
        Col::Uniform(Uniform::Power(self, exponent)).cur()
    }
}

/// A value that an instance has on every usable row. No prover commits to it: a verifier makes the column itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Uniform {
    /// A power of a challenge.
    Power(Challenge, u32),
    /// The value on a row of the instance.
    Public(usize),
}

impl Uniform {
    /// The row of the instance that it is, or is a power of.
    pub const fn row(self) -> usize {
        match self {
            Uniform::Power(challenge, _) => challenge.row(),
            Uniform::Public(row) => row,
        }
    }

    /// The value: `instance` holds the challenges in the order of [`Challenge::ALL`], then the public values. None if it is too
    /// short.
    pub fn of<F: Field>(self, instance: &[F]) -> Option<F> {
        let exponent = match self {
            Uniform::Power(_, exponent) => exponent,
            Uniform::Public(_) => 1,
        };
        Some(instance.get(self.row())?.pow_vartime([u64::from(exponent)]))
    }
}

/// What a column of a block may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Phase 1; looked up in `[0, 2^12)` on every usable row.
    Limb,
    /// Phase 1, unchecked; cannot be copied.
    Unchecked,
    /// Phase 1, unchecked; can be copied.
    Copyable,
    /// Phase 1; first component of a looked-up pair. The number tells the block's pairs apart.
    LookupX(usize),
    /// Phase 1; second component of a looked-up pair.
    LookupY(usize),
    /// Phase 2: determined by phase 1, fixed cells and challenges; can be copied.
    Acc,
    /// A constant of the circuit.
    Fixed,
    /// A column of a port.
    Port(PortId, usize),
}

/// A column as a block's expressions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Col {
    /// A column of the block.
    Local(usize),
    /// A value that is the same on every row.
    Uniform(Uniform),
}

/// An expression over a block's columns.
pub type Local<F> = Expr<F, Col>;

impl Col {
    /// The cell on the current row.
    pub fn cur<F>(self) -> Local<F> {
        Expr::Cell(self, 0)
    }

    /// The cell `rotation` rows below.
    pub fn at<F>(self, rotation: i32) -> Local<F> {
        Expr::Cell(self, rotation)
    }
}

/// Number of a block in its builder.
pub type BlockId = usize;

/// Number of a port in its builder.
pub type PortId = usize;

/// One cell, named before packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The block.
    pub block: BlockId,
    /// The column of the block (an index into its columns).
    pub column: usize,
    /// The row within the block.
    pub row: usize,
}

/// A pair of columns looked up in a tagged table.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// First component.
    pub x: Col,
    /// Second component.
    pub y: Col,
}

/// Columns that enter or leave the proof, commitment by commitment.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name, for people.
    pub name: String,
    /// Number of columns.
    pub columns: usize,
    /// What hides them.
    pub blinding: Blinding,
}

/// How the columns of a port are blinded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blinding {
    /// Blinding rows 0, blind 1: anyone can compute the commitments.
    Canonical,
    /// By a secret that both ends of a wire share, so that they have one commitment: two proofs open it.
    Shared,
    /// By a secret of its own in each proof, which alone opens the commitment.
    Fresh,
}

impl Blinding {
    /// Whether it hides nothing.
    pub fn is_canonical(self) -> bool {
        self == Blinding::Canonical
    }

    /// Proofs that open one commitment, where it must be hidden.
    pub fn proofs(self) -> Option<usize> {
        match self {
            Blinding::Canonical => None,
            Blinding::Shared => Some(2),
            Blinding::Fresh => Some(1),
        }
    }
}

impl fmt::Display for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blinding::Canonical => "canonical",
            Blinding::Shared => "secret, shared",
            Blinding::Fresh => "secret",
        })
    }
}

/// What a gate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Constrains cells of phase 1: an equation of integers.
    Phase1,
    /// Computes a cell of phase 2: holds in the field, whatever the cells are.
    Projection,
    /// Part of the lookup argument.
    Lookup,
}

pub(super) fn index(column: Col) -> usize {
    match column {
        Col::Local(c) => c,
        Col::Uniform(_) => panic!("a value that is the same on every row is no column of a block"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_stand_in_the_order_of_their_rows() {
        assert!(Challenge::ALL.iter().map(|challenge| challenge.row()).eq(0..Challenge::ALL.len()));
    }
}
