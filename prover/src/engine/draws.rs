//! The blinding of an instance's advice columns: that of port columns is the caller's, every other is fresh.

use crate::blinding::PortBlinding;
use crate::error::ProveError;
use backend::Plan;
use backend::curve::F;
use backend::keys::Shape;
use ff::Field;
use rand_core::Rng;
use std::fmt;

/// The blinding of every advice column of one instance.
#[derive(Clone, PartialEq, Eq)]
pub struct Draws {
    /// `rows[column]`, as many as halo2 blinds.
    pub rows: Vec<Vec<F>>,
    /// One for each column.
    pub blinds: Vec<F>,
}

/// Secrets.
impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draws")
    }
}

impl Draws {
    /// Takes the ports' blinding from `ports` and all else from `rng`.
    pub fn new(plan: &Plan, shape: &Shape, ports: &[PortBlinding], rng: &mut impl Rng) -> Result<Self, ProveError> {
        if ports.len() != shape.ports.len() {
            return Err(ProveError::Ports { expected: shape.ports.len(), found: ports.len() });
        }
        let mut random = || F::random(&mut *rng);
        let mut draws = Draws {
            rows: (0..shape.advice).map(|_| (0..shape.blinding_rows).map(|_| random()).collect()).collect(),
            blinds: (0..shape.advice).map(|_| random()).collect(),
        };
        for ((port, blinding), columns) in plan.ports.iter().zip(ports).zip(&shape.ports) {
            let refuse = || ProveError::Blinding { port: port.name.clone() };
            match blinding {
                // A blind of 0 would make a zero column commit to the point at infinity.
                PortBlinding::Canonical(blind) if *blind == F::ZERO => return Err(refuse()),
                PortBlinding::Canonical(blind) => {
                    for column in columns.clone() {
                        draws.rows[column].fill(F::ZERO);
                        draws.blinds[column] = *blind;
                    }
                }
                PortBlinding::Secret(secret) => {
                    if port.blinding.is_canonical() || secret.len() != columns.len() {
                        return Err(refuse());
                    }
                    for (column, secret) in columns.clone().zip(secret) {
                        let zeros = shape.blinding_rows.checked_sub(secret.rows.len()).ok_or_else(refuse)?;
                        draws.rows[column][..zeros].fill(F::ZERO);
                        draws.rows[column][zeros..].copy_from_slice(&secret.rows);
                        draws.blinds[column] = secret.blind;
                    }
                }
            }
        }
        Ok(draws)
    }

    /// In halo2's order.
    pub fn in_order(&self) -> impl Iterator<Item = F> + '_ {
        self.rows.iter().flatten().chain(&self.blinds).copied()
    }
}

/// A whole column: its values on the first rows, and what hides them on the last ones.
pub fn hidden<F: Field>(values: &[F], hiding: &[F], rows: usize) -> Vec<F> {
    let mut column = Vec::with_capacity(rows);
    column.extend_from_slice(values);
    column.resize(rows - hiding.len(), F::ZERO);
    column.extend_from_slice(hiding);
    column
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::blinding::{ColumnBlinding, derive_wire};
    use backend::testing::toy;
    use ff::PrimeField;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    pub fn draws(seed: u64) -> (Shape, Draws) {
        let plan = toy(0).plan;
        let shape = Shape::of(&plan).unwrap();
        let ports = [PortBlinding::Canonical(F::from(3)), derive_wire(&[5; 32], b"statement", b"wire", 4)];
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let draws = Draws::new(&plan, &shape, &ports, &mut rng).unwrap();
        (shape, draws)
    }

    #[test]
    fn only_port_draws_are_the_callers() {
        let ((shape, a), (_, b)) = (draws(1), draws(2));
        let ports = shape.ports[1].end;
        for column in 0..shape.advice {
            if column < ports {
                assert_eq!(a.rows[column], b.rows[column]);
                assert_eq!(a.blinds[column], b.blinds[column]);
            } else {
                assert!(a.rows[column].iter().zip(&b.rows[column]).all(|(x, y)| x != y));
                assert_ne!(a.blinds[column], b.blinds[column]);
            }
        }
        // Nothing random is drawn twice within one proof either.
        let mut all: Vec<[u8; 32]> =
            a.rows[ports..].iter().flatten().chain(&a.blinds[ports..]).map(PrimeField::to_repr).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(a.rows[0].iter().all(|x| *x == F::ZERO) && a.blinds[0] == F::from(3));
    }

    #[test]
    fn malformed_blinding_is_refused() {
        let plan = toy(0).plan;
        let shape = Shape::of(&plan).unwrap();
        let good = derive_wire(&[5; 32], b"s", b"w", 4);
        let try_with =
            |ports: &[PortBlinding]| Draws::new(&plan, &shape, ports, &mut ChaCha20Rng::seed_from_u64(0)).unwrap_err();
        let one = PortBlinding::CANONICAL;
        assert!(matches!(try_with(std::slice::from_ref(&one)), ProveError::Ports { expected: 2, found: 1 }));
        for bad in [
            [PortBlinding::Canonical(F::from(0)), good.clone()],
            [good.clone(), good.clone()],
            [one.clone(), derive_wire(&[5; 32], b"s", b"w", 3)],
            [
                one,
                PortBlinding::Secret(vec![
                    ColumnBlinding { rows: vec![F::ONE; shape.blinding_rows + 1], blind: F::ONE };
                    4
                ]),
            ],
        ] {
            assert!(matches!(try_with(&bad), ProveError::Blinding { .. }));
        }
    }
}
