//! Verifying keys: made from a plan, known by a digest, with the exact shape of their proofs.
//!
//! `halo2_proofs` 0.4.1 has no public way to write or read a key, so keys are made again from the plan, which is cheap
//! to build, and checked by their digest; only parameters are cached on disk.

use crate::Plan;
use crate::challenge::{self, Challenges, MAX_TERMS, SLOTS};
use crate::curve::{ENCODED, F, Params, Point};
use crate::halo2::{PlanCircuit, with_plan};
use crate::ports::WIRE_BLINDING_ROWS;
use crate::queries::Queries;
use halo2_proofs::plonk::{self, Circuit, ConstraintSystem};
use plonkish::{BoundError, Fault, Margins, RESERVED_ROWS};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

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
    /// halo2 refused the circuit.
    #[error("halo2: {0}")]
    Halo2(#[from] plonk::Error),
}

impl From<BoundError> for KeyError {
    fn from(error: BoundError) -> Self {
        KeyError::Bounds(Box::new(error))
    }
}

/// What stands in a run of 32-byte items of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Compressed points.
    Point,
    /// Scalars.
    Scalar,
}

/// Sizes that follow from the plan alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Log2 of the rows.
    pub k: u32,
    /// Advice columns, hence commitments at the head of the proof for each instance.
    pub advice: usize,
    /// How many of them, from the first, are of phase 1.
    pub phase1: usize,
    /// Advice columns of each port.
    pub ports: Vec<Range<usize>>,
    /// Public values, after the challenge slots.
    pub publics: usize,
    /// Rows at the end of a column that halo2 fills with blinding.
    pub blinding_rows: usize,
    /// What one proof reveals of each port's columns (the most of its columns): the values at the points at which gates
    /// read it, and one combination with other columns at the point of the multi-opening. The inner-product argument
    /// reveals no more: its own mask hides it.
    pub port_openings: Vec<usize>,
    advice_queries: usize,
    fixed_queries: usize,
    permuted: usize,
    permutation_products: usize,
    /// Pieces of `2^k` coefficients that the quotient has.
    pub quotient_pieces: usize,
    point_sets: usize,
}

impl Shape {
    /// The shape of a plan's proofs.
    pub fn of<F: plonkish::Field>(plan: &Arc<plonkish::Plan<F>>) -> Result<Shape, KeyError> {
        if let Some(fault) = plan.faults.first() {
            return Err(KeyError::Fault(Box::new(fault.clone())));
        }
        let terms = plan.lookup_terms();
        if terms > MAX_TERMS {
            return Err(KeyError::Terms { terms });
        }
        let mut cs = ConstraintSystem::<F>::default();
        with_plan(plan, || PlanCircuit::configure(&mut cs));
        // halo2 keeps its list of queries to itself: collect the same ones.
        let queries = Queries::of(plan);
        let advice: BTreeMap<usize, Vec<i32>> = queries.rotations().into_iter().collect();
        for (i, column) in plan.advice.iter().enumerate().take(plan.phase1) {
            if !advice.get(&i).is_some_and(|r| r.contains(&0)) {
                return Err(KeyError::NotQueried { column: column.name.clone() });
            }
        }
        let needed = cs.blinding_factors() + 1;
        if needed > RESERVED_ROWS {
            return Err(KeyError::BlindingRows { needed });
        }

        let permuted = 1 + queries.permuted.len();
        let permutation_products = permuted.div_ceil(cs.degree() - 2);
        // Polynomials opened at the same points are opened together.
        let rows = 1i64 << plan.k;
        let points = |rotations: &mut dyn Iterator<Item = i32>| -> BTreeSet<i64> {
            rotations.map(|r| i64::from(r).rem_euclid(rows)).collect()
        };
        let last = -(needed as i32);
        let mut sets: BTreeSet<BTreeSet<i64>> = advice.values().map(|r| points(&mut r.iter().copied())).collect();
        sets.insert(points(&mut [0].into_iter()));
        sets.insert(points(&mut [0, 1].into_iter()));
        if permutation_products > 1 {
            sets.insert(points(&mut [0, 1, last].into_iter()));
        }

        let ports: Vec<_> = (0..plan.ports.len()).map(|p| plan.port_columns(p)).collect();
        let openings = |port: &Range<usize>| port.clone().map(|c| advice[&c].len() + 1).max().unwrap_or(0);
        let port_openings: Vec<usize> = ports.iter().map(openings).collect();
        for (port, openings) in plan.ports.iter().zip(&port_openings).filter(|(port, _)| !port.canonical) {
            // The circuit at the other end keeps within the same half.
            let (openings, rows) = (2 * openings, needed.min(WIRE_BLINDING_ROWS));
            if openings >= rows {
                return Err(KeyError::Openings { port: port.name.clone(), openings, rows });
            }
        }
        Ok(Shape {
            k: plan.k,
            advice: plan.advice.len(),
            phase1: plan.phase1,
            publics: publics_read(plan),
            blinding_rows: needed,
            port_openings,
            ports,
            advice_queries: queries.advice.len(),
            fixed_queries: queries.fixed.len(),
            permuted,
            permutation_products,
            quotient_pieces: cs.degree() - 1,
            point_sets: sets.len(),
        })
    }

    /// Length of an instance column: challenge slots and public values.
    pub fn instance_length(&self) -> usize {
        SLOTS + self.publics
    }

    /// The runs of items that a proof of `n` instances consists of, in order.
    pub fn items(&self, n: usize) -> [(Item, usize); 11] {
        use Item::{Point, Scalar};
        [
            (Point, n * self.advice),
            (Point, n * self.permutation_products),
            // The random polynomial and the quotient.
            (Point, 1 + self.quotient_pieces),
            // The instance column is read by copies alone, on the current row.
            (Scalar, n),
            (Scalar, n * self.advice_queries),
            (Scalar, self.fixed_queries + 1 + self.permuted),
            // Each product at x and ωx, all but the last at the last row too.
            (Scalar, n * (3 * self.permutation_products - 1)),
            (Point, 1),
            (Scalar, self.point_sets),
            (Point, 1 + 2 * self.k as usize),
            (Scalar, 2),
        ]
    }

    /// Sorts the items at the head of a proof of `n` instances, all their advice commitments, by port:
    /// `[instance][port][column]`. None if there are too few.
    pub fn by_port<T: Copy>(&self, n: usize, items: &[T]) -> Option<Vec<Vec<Vec<T>>>> {
        let port = |first: usize, columns: &Range<usize>| {
            items.get(first + columns.start..first + columns.end).map(<[T]>::to_vec)
        };
        (0..n).map(|i| self.ports.iter().map(|p| port(i * self.advice, p)).collect()).collect()
    }

    /// The exact length in bytes of a proof of `n` instances.
    pub fn proof_length(&self, n: usize) -> usize {
        self.items(n).iter().map(|&(_, count)| count).sum::<usize>() * ENCODED
    }
}

fn publics_read<F: plonkish::Field>(plan: &plonkish::Plan<F>) -> usize {
    let rows = plan.publics.iter().map(|&(_, row)| row + 1).max();
    rows.unwrap_or(0).saturating_sub(SLOTS)
}

/// A verifying key.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    /// Sizes of proofs and instances.
    pub shape: Shape,
    /// Hash of all that the key means.
    pub digest: [u8; 64],
    /// How close the circuit comes to the field's size.
    pub margins: Margins,
    vk: plonk::VerifyingKey<Point>,
}

impl VerifyingKey {
    /// The key of a plan whose instances hold exactly the public values that the plan reads.
    pub fn new(params: &Params, plan: &Arc<Plan>) -> Result<Self, KeyError> {
        Self::with_publics(params, plan, publics_read(plan))
    }

    /// The key of a plan whose instances hold `publics` public values. Values that no cell reads are bound by the
    /// challenges and by the transcript, as a context should be.
    pub fn with_publics(params: &Params, plan: &Arc<Plan>, publics: usize) -> Result<Self, KeyError> {
        if params.k() != plan.k {
            return Err(KeyError::Rows { plan: plan.k, params: params.k() });
        }
        let mut shape = Shape::of(plan)?;
        if publics < shape.publics {
            return Err(KeyError::Publics { read: shape.publics, given: publics });
        }
        let rows = (1 << plan.k) - shape.blinding_rows;
        if SLOTS + publics > rows {
            return Err(KeyError::TooManyPublics { publics, rows });
        }
        shape.publics = publics;
        let margins = plan.check_bounds()?;
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let vk = with_plan(plan, || plonk::keygen_vk(params.halo2(), &circuit))?;
        Self::of(vk, shape, margins)
    }

    fn of(vk: plonk::VerifyingKey<Point>, shape: Shape, margins: Margins) -> Result<Self, KeyError> {
        let pinned = format!("{:?}", vk.pinned());
        if has_stock_lookup(&pinned) {
            return Err(KeyError::StockLookup);
        }
        let digest = digest(&pinned, &shape);
        Ok(VerifyingKey { shape, digest, margins, vk })
    }

    /// Requires a pinned digest.
    pub fn expect_digest(self, pinned: &[u8; 64]) -> Result<Self, KeyError> {
        if self.digest == *pinned { Ok(self) } else { Err(KeyError::Digest) }
    }

    /// Draws the challenges from the statement and from the phase-1 commitments at the head of a proof, whose length is
    /// to be checked before. `instances` are whole instance columns, the challenges' slots of which are ignored.
    pub fn challenges(&self, proof: &[u8], instances: &[Vec<F>]) -> Challenges {
        let shape = &self.shape;
        // For each instance the proof holds all advice commitments, phase 1 first.
        let phase1: Vec<&[u8]> = proof
            .chunks(shape.advice * ENCODED)
            .take(instances.len())
            .map(|head| &head[..shape.phase1 * ENCODED])
            .collect();
        challenge::scalars(&challenge::digest(shape.k, &self.digest, instances, &phase1))
    }

    /// halo2's own key.
    pub fn halo2(&self) -> &plonk::VerifyingKey<Point> {
        &self.vk
    }
}

/// Whether a pinned key, written out, has a lookup of halo2's own, or does not say. halo2 keeps its list of lookups to
/// itself, but a pinned key shows it.
fn has_stock_lookup(pinned: &str) -> bool {
    let mut lists = pinned.match_indices("lookups: [").map(|(at, label)| &pinned[at + label.len()..]);
    !matches!((lists.next(), lists.next()), (Some(list), None) if list.starts_with(']'))
}

/// Hash of the pinned key, and of what the verifier leans on and the pinned key does not show: which columns are of
/// phase 1, which are ports, how long instances are.
fn digest(pinned: &str, shape: &Shape) -> [u8; 64] {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-the-key").to_state();
    state.update(&(pinned.len() as u64).to_le_bytes());
    state.update(pinned.as_bytes());
    let ends = shape.ports.iter().flat_map(|p| [p.start, p.end]);
    let layout: Vec<usize> = [shape.phase1, shape.publics, shape.ports.len()].into_iter().chain(ends).collect();
    for number in layout {
        state.update(&(number as u64).to_le_bytes());
    }
    *state.finalize().as_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TOY_K, toy};
    use ff::Field;
    use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
    use halo2_proofs::plonk::{Advice, Column, TableColumn};
    use halo2_proofs::poly::Rotation;
    use plonkish::{Builder, Col, Declared, Expr, Interval, Kind, LookupSlot};

    /// A circuit with halo2's own lookup.
    struct Stock;

    impl Circuit<F> for Stock {
        type Config = (Column<Advice>, TableColumn);
        type FloorPlanner = SimpleFloorPlanner;

        fn without_witnesses(&self) -> Self {
            Stock
        }

        fn configure(meta: &mut ConstraintSystem<F>) -> Self::Config {
            let (advice, table) = (meta.advice_column(), meta.lookup_table_column());
            meta.lookup(|cells| vec![(cells.query_advice(advice, Rotation::cur()), table)]);
            (advice, table)
        }

        fn synthesize(&self, (_, table): Self::Config, mut layouter: impl Layouter<F>) -> Result<(), plonk::Error> {
            layouter.assign_table(|| "", |mut t| t.assign_cell(|| "", table, 0, || Value::known(F::ZERO)))
        }
    }

    /// 7.6
    #[test]
    fn a_stock_lookup_is_refused() {
        let params = Params::new(TOY_K);
        let plan = toy(1).plan;
        let shape = Shape::of(&plan).unwrap();
        let stock = plonk::keygen_vk(params.halo2(), &Stock).unwrap();
        let own = VerifyingKey::new(&params, &plan).unwrap();
        let refused = VerifyingKey::of(stock, shape.clone(), own.margins.clone());
        assert!(matches!(refused, Err(KeyError::StockLookup)));
        assert!(VerifyingKey::of(own.vk, shape, own.margins).is_ok());
        // A key that does not say is refused as well.
        assert!(
            has_stock_lookup("") && has_stock_lookup("lookups: [], lookups: []") && !has_stock_lookup("lookups: []")
        );
    }

    /// 7.6
    #[test]
    fn a_lookup_argument_of_too_many_terms_is_refused() {
        let mut plan = (*toy(1).plan).clone();
        let rows = plan.usable as u64;
        let most = MAX_TERMS / rows;
        let missing = most - plan.lookup_terms() / rows;
        plan.helpers[0].slots.extend(vec![LookupSlot { x: plan.port_rows.len(), pair: None }; missing as usize]);
        assert!(Shape::of(&Arc::new(plan.clone())).is_ok());
        plan.helpers[0].slots.push(LookupSlot { x: plan.port_rows.len(), pair: None });
        match Shape::of(&Arc::new(plan)) {
            Err(KeyError::Terms { terms }) => assert_eq!(terms, (most + 1) * rows),
            other => panic!("{other:?}"),
        }
    }

    /// 7.6: a port column that is read on so many rows at once.
    #[test]
    fn a_secret_port_opened_at_too_many_points_is_refused() {
        let shape = |rotations: i32, canonical: bool| {
            let mut b = Builder::<F>::new();
            let port = b.port("wire", plonkish::LANES, canonical);
            let block = b.block_at("reader", 0, 8);
            let sum = |lane: Col| Expr::sum((0..rotations).map(|r| lane.at(-r)));
            for lane in b.port_lanes(block, port, 0, "x") {
                b.declare(block, lane, Declared::outside(Interval::unsigned(12), "the test"));
                (0..8).for_each(|row| b.set(block, lane, row, 0));
                let total = b.column(block, Kind::Unchecked, "sum");
                b.define(block, "sum", total, sum(lane), 4..8);
            }
            Shape::of(&Arc::new(b.compile_filled(TOY_K).0))
        };
        assert_eq!(shape(1, false).unwrap().port_openings, [2]);
        assert_eq!(shape(4, true).unwrap().port_openings, [5]);
        for rotations in [2, 4] {
            match shape(rotations, false) {
                Err(KeyError::Openings { port, openings, rows }) => {
                    assert_eq!(
                        (port.as_str(), openings, rows),
                        ("wire", 2 * (rotations as usize + 1), WIRE_BLINDING_ROWS)
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
