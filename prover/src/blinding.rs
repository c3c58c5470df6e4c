//! How ports are blinded: canonically, or by a secret that both ends of a wire share.

use crate::error::ProveError;
use backend::curve::F;
use backend::ports::WIRE_BLINDING_ROWS;
use backend::span::Hiding;
use ff::{Field, FromUniformBytes};
use plonkish::RESERVED_ROWS;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a port's columns are blinded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortBlinding {
    /// Rows 0 and this blind, 1 in whatever verifiers accept.
    Canonical(F),
    /// A secret, the same at both ends of a wire; one for each column of the port.
    Secret(Vec<ColumnBlinding>),
}

impl PortBlinding {
    /// That of a canonical commitment.
    pub const CANONICAL: Self = PortBlinding::Canonical(F::ONE);
}

/// The blinding of one column.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnBlinding {
    /// The last rows of the column. If halo2 blinds more rows than these, those before are zero, so that circuits with
    /// different numbers of blinding rows can share a wire.
    pub rows: Vec<F>,
    /// The blind.
    pub blind: F,
}

impl ColumnBlinding {
    /// The same as multiples of the span's generators.
    pub fn hiding(&self) -> Hiding {
        Hiding::new(&self.rows, self.blind)
    }

    /// The part of it that a circuit with so many blinding rows can have; those before are zero.
    pub fn of(hiding: &Hiding, rows: usize) -> Self {
        let first = RESERVED_ROWS.saturating_sub(rows);
        ColumnBlinding { rows: hiding.0[first..RESERVED_ROWS].to_vec(), blind: hiding.0[RESERVED_ROWS] }
    }
}

/// A secret.
impl fmt::Debug for ColumnBlinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ColumnBlinding")
    }
}

/// The blinding of a secret wire of `columns` columns. `statement` must hold the whole statement with its context, and
/// `wire` name the wire within it: a secret never blinds two wires the same way, and both ends derive the same.
pub fn derive_wire(secret: &[u8; 32], statement: &[u8], wire: &[u8], columns: usize) -> PortBlinding {
    let of = (&secret[..], b"GradCoin-a-wire-", [statement, wire]);
    PortBlinding::Secret(derive(of, columns, WIRE_BLINDING_ROWS))
}

/// The blinding of columns of so many rows each: hashed under a key and a name of its use from two texts.
pub(crate) fn derive(
    (key, personal, parts): (&[u8], &[u8; 16], [&[u8]; 2]),
    columns: usize,
    rows: usize,
) -> Vec<ColumnBlinding> {
    let element = |column: usize, draw: usize| {
        let mut state = blake2b_simd::Params::new().hash_length(64).key(key).personal(personal).to_state();
        for part in parts {
            state.update(&(part.len() as u64).to_le_bytes());
            state.update(part);
        }
        state.update(&(column as u64).to_le_bytes());
        state.update(&(draw as u64).to_le_bytes());
        F::from_uniform_bytes(state.finalize().as_array())
    };
    let column =
        |c: usize| ColumnBlinding { rows: (0..rows).map(|draw| element(c, draw)).collect(), blind: element(c, rows) };
    (0..columns).map(column).collect()
}

/// A generator seeded by the operating system.
pub fn fresh() -> Result<ChaCha20Rng, ProveError> {
    ChaCha20Rng::try_from_rng(&mut getrandom::SysRng).map_err(|_| ProveError::NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wires_depend_on_everything() {
        let of = |secret: u8, statement: &[u8], wire: &[u8]| match derive_wire(&[secret; 32], statement, wire, 2) {
            PortBlinding::Secret(columns) => columns,
            PortBlinding::Canonical(_) => unreachable!(),
        };
        let base = of(1, b"ab", b"c");
        assert_eq!(base, of(1, b"ab", b"c"));
        assert_ne!(base[0], base[1]);
        for other in [of(2, b"ab", b"c"), of(1, b"a", b"bc"), of(1, b"ab", b"d")] {
            assert!(other.iter().zip(&base).all(|(x, y)| x != y));
        }
    }
}
