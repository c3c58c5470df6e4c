//! Blinds of ports: hashed from fresh randomness, the run's secret, the whole statement and what is blinded (as "hedged" signatures do:
//! Aranha and others, eprint 2019/956). Where the system's randomness repeats, different values still have different blinds; the
//! same values in the same statement then have the same, and the same proof ([`engine`](crate::engine) draws all else after them).

use crate::blinding::{ColumnBlinding, derive};
use crate::error::ProveError;
use backend::span::Hiding;

/// A source of blinds for one statement.
pub struct Hedge {
    /// Fresh randomness, then the secret.
    key: [u8; 64],
    statement: Vec<u8>,
}

impl Hedge {
    /// For a statement under a run's secret.
    pub fn new(secret: &[u8; 32], statement: &[u8]) -> Result<Self, ProveError> {
        let mut key = [0; 64];
        getrandom::fill(&mut key[..32]).map_err(|_| ProveError::NoRandomness)?;
        key[32..].copy_from_slice(secret);
        Ok(Hedge { key, statement: statement.to_vec() })
    }

    /// The blinding of a port's columns, of so many rows each. `what` names place, port and content.
    pub fn columns(&self, what: &[u8], columns: usize, rows: usize) -> Vec<ColumnBlinding> {
        derive((&self.key, b"GradCoin-a-hedge", [&self.statement, what]), columns, rows)
    }

    /// What hides columns, of so many rows each.
    pub fn hidings(&self, what: &[u8], columns: usize, rows: usize) -> Vec<Hiding> {
        self.columns(what, columns, rows).iter().map(ColumnBlinding::hiding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plonkish::RESERVED_ROWS;

    #[test]
    fn blinds_depend_on_everything() {
        let of = |fresh: u8, secret: u8, statement: &[u8], what: &[u8]| {
            let mut key = [fresh; 64];
            key[32..].fill(secret);
            Hedge { key, statement: statement.to_vec() }.columns(what, 2, 3)
        };
        let base = of(1, 2, b"ab", b"c");
        assert_eq!(base, of(1, 2, b"ab", b"c"));
        assert_ne!(base[0], base[1]);
        for other in [of(2, 2, b"ab", b"c"), of(1, 3, b"ab", b"c"), of(1, 2, b"a", b"bc"), of(1, 2, b"ab", b"d")] {
            assert!(other.iter().zip(&base).all(|(x, y)| x != y));
        }
        // Fresh randomness is drawn each time.
        let drawn = || Hedge::new(&[7; 32], b"statement").unwrap().hidings(b"nonce", 1, RESERVED_ROWS).remove(0);
        assert!(drawn().0.iter().zip(&drawn().0).all(|(x, y)| x != y));
    }
}
