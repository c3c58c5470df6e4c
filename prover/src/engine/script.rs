//! Blinding decided before halo2 asks for it.
//!
//! `create_proof` draws the blinding of advice columns from the generator it is given, before anything else: for each
//! instance, for each advice column its blinding rows, then one blind for each column. All of these draws are made
//! here beforehand, so that phase 1 can be committed to before the proof begins. Draws of port columns are the caller's;
//! every other draw is fresh. This leans on the draw order of the pinned halo2, and the prover checks the outcome:
//! commitments at the head of the proof that are not the expected ones are an error.

use crate::blinding::PortBlinding;
use crate::error::ProveError;
use backend::Plan;
use backend::curve::F;
use backend::keys::Shape;
use ff::{Field, PrimeField};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, TryRng};
use std::convert::Infallible;

/// Words of 64 bits that halo2 draws for one field element.
const WORDS: u8 = 8;

/// The blinding of every advice column of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    /// `rows[column]`, as many as halo2 blinds.
    pub rows: Vec<Vec<F>>,
    /// One for each column.
    pub blinds: Vec<F>,
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
                PortBlinding::Canonical(0) => return Err(refuse()),
                PortBlinding::Canonical(blind) => {
                    for column in columns.clone() {
                        draws.rows[column].fill(F::ZERO);
                        draws.blinds[column] = F::from(*blind);
                    }
                }
                PortBlinding::Secret(secret) => {
                    if port.canonical || secret.len() != columns.len() {
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

    fn script(&self) -> impl Iterator<Item = F> + '_ {
        self.rows.iter().flatten().chain(&self.blinds).copied()
    }
}

/// Serves the draws of all instances, then fresh randomness.
pub struct ScriptedRng {
    script: Vec<F>,
    drawn: usize,
    word: u8,
    fresh: ChaCha20Rng,
}

impl ScriptedRng {
    /// `fresh` must not have been used for anything that is not in `draws`.
    pub fn new<'a>(draws: impl IntoIterator<Item = &'a Draws>, fresh: ChaCha20Rng) -> Self {
        ScriptedRng { script: draws.into_iter().flat_map(Draws::script).collect(), drawn: 0, word: 0, fresh }
    }

    /// Whether every scripted draw has been served.
    pub fn exhausted(&self) -> bool {
        self.drawn >= self.script.len()
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    // halo2 draws field elements by 64-bit words: eight, least significant first, reduced modulo the field's order.
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let Some(element) = self.script.get(self.drawn) else {
            return Ok(self.fresh.next_u64());
        };
        let start = 8 * usize::from(self.word);
        let mut word = [0; 8];
        if let Some(bytes) = element.to_repr().get(start..start + 8) {
            word.copy_from_slice(bytes);
        }
        self.word = (self.word + 1) % WORDS;
        if self.word == 0 {
            self.drawn += 1;
        }
        Ok(u64::from_le_bytes(word))
    }

    // Draws of other widths are no part of the script; the check of the commitments would tell.
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.fresh.next_u32())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fresh.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blinding::{ColumnBlinding, derive_wire};
    use backend::testing::toy;
    use rand_core::SeedableRng;

    fn draws(seed: u64) -> (Shape, Draws) {
        let plan = toy(0).plan;
        let shape = Shape::of(&plan).unwrap();
        let ports = [PortBlinding::Canonical(3), derive_wire(&[5; 32], b"statement", b"wire", 4)];
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let draws = Draws::new(&plan, &shape, &ports, &mut rng).unwrap();
        (shape, draws)
    }

    #[test]
    fn only_port_draws_are_scripted() {
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
    fn the_script_comes_out_as_field_elements_and_then_ends() {
        let (_, draws) = draws(1);
        let mut rng = ScriptedRng::new([&draws, &draws], ChaCha20Rng::seed_from_u64(9));
        for expected in draws.script().chain(draws.script()) {
            assert!(!rng.exhausted());
            assert_eq!(F::random(&mut rng), expected);
        }
        assert!(rng.exhausted());
        let mut plain = ChaCha20Rng::seed_from_u64(9);
        assert_eq!(F::random(&mut rng), F::random(&mut plain));
    }

    #[test]
    fn malformed_blinding_is_refused() {
        let plan = toy(0).plan;
        let shape = Shape::of(&plan).unwrap();
        let good = derive_wire(&[5; 32], b"s", b"w", 4);
        let try_with =
            |ports: &[PortBlinding]| Draws::new(&plan, &shape, ports, &mut ChaCha20Rng::seed_from_u64(0)).unwrap_err();
        let one = PortBlinding::Canonical(1);
        assert!(matches!(try_with(std::slice::from_ref(&one)), ProveError::Ports { expected: 2, found: 1 }));
        for bad in [
            [PortBlinding::Canonical(0), good.clone()],
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
