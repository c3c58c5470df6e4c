//! Verifying keys: made from a plan, known by a digest, with the exact shape of their proofs.
//!
//! `halo2_proofs` 0.4.1 has no public way to write or read a key, so keys are made anew from the plan, which is cheap
//! to build, and checked by their digest; only parameters are cached on disk.

use crate::challenge::SLOTS;
use crate::curve::{ENCODED, F, Params, Point};
use crate::plan::halo::{PlanCircuit, with_plan};
use crate::plan::{Global, Plan, RESERVED_ROWS};
use halo2_proofs::plonk::{self, Circuit, ConstraintSystem};
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
    /// Fewer public values than the circuit reads.
    #[error("the circuit reads {read} public values, not {given}")]
    Publics {
        /// Public values that the circuit reads.
        read: usize,
        /// Public values of the caller's layout.
        given: usize,
    },
    /// The keys' digest is not the expected one.
    #[error("the verifying key's digest is not the pinned one")]
    Digest,
    /// halo2 refused the circuit.
    #[error("halo2: {0}")]
    Halo2(#[from] plonk::Error),
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
    /// Points at which a proof opens each port's columns (the most of its columns), the combined opening included.
    pub port_openings: Vec<usize>,
    advice_queries: usize,
    fixed_queries: usize,
    permuted: usize,
    permutation_products: usize,
    quotient_pieces: usize,
    point_sets: usize,
}

impl Shape {
    /// The shape of a plan's proofs.
    pub fn of(plan: &Arc<Plan>) -> Result<Shape, KeyError> {
        let mut cs = ConstraintSystem::<F>::default();
        with_plan(plan, || PlanCircuit::configure(&mut cs));
        // halo2 keeps its list of queries to itself: collect the same ones.
        let mut advice: BTreeMap<usize, BTreeSet<i32>> = BTreeMap::new();
        let mut fixed = BTreeSet::new();
        for gate in &plan.gates {
            fixed.insert(gate.selector);
            gate.poly.cells(&mut |column, rotation| match column {
                Global::Advice(a) => {
                    advice.entry(a).or_default().insert(rotation);
                }
                Global::Fixed(f) => {
                    fixed.insert(f);
                }
            });
        }
        let port_columns = plan.port_rows.len();
        for (i, column) in plan.advice.iter().enumerate() {
            if column.equality || i < port_columns {
                advice.entry(i).or_default().insert(0);
            }
        }
        for (i, column) in plan.advice.iter().enumerate().take(plan.phase1) {
            if !advice.get(&i).is_some_and(|r| r.contains(&0)) {
                return Err(KeyError::NotQueried { column: column.name.clone() });
            }
        }
        let needed = cs.blinding_factors() + 1;
        if needed > RESERVED_ROWS {
            return Err(KeyError::BlindingRows { needed });
        }

        let permuted = 1 + plan.advice.iter().filter(|c| c.equality).count();
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
        Ok(Shape {
            k: plan.k,
            advice: plan.advice.len(),
            phase1: plan.phase1,
            publics: publics_read(plan),
            blinding_rows: needed,
            port_openings: ports.iter().map(openings).collect(),
            ports,
            advice_queries: advice.values().map(BTreeSet::len).sum(),
            fixed_queries: fixed.len() + port_columns,
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

    /// The exact length in bytes of a proof of `n` instances.
    pub fn proof_length(&self, n: usize) -> usize {
        self.items(n).iter().map(|&(_, count)| count).sum::<usize>() * ENCODED
    }
}

fn publics_read(plan: &Plan) -> usize {
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
        shape.publics = publics;
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let vk = with_plan(plan, || plonk::keygen_vk(params, &circuit))?;
        let digest = digest(&vk, &shape);
        Ok(VerifyingKey { shape, digest, vk })
    }

    /// Requires a pinned digest.
    pub fn expect_digest(self, pinned: &[u8; 64]) -> Result<Self, KeyError> {
        if self.digest == *pinned { Ok(self) } else { Err(KeyError::Digest) }
    }

    /// halo2's own key.
    pub fn halo2(&self) -> &plonk::VerifyingKey<Point> {
        &self.vk
    }
}

/// Hash of the pinned key, and of what the verifier leans on and the pinned key does not show: which columns are of
/// phase 1, which are ports, how long instances are.
fn digest(vk: &plonk::VerifyingKey<Point>, shape: &Shape) -> [u8; 64] {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-the-key").to_state();
    let pinned = format!("{:?}", vk.pinned());
    state.update(&(pinned.len() as u64).to_le_bytes());
    state.update(pinned.as_bytes());
    let ends = shape.ports.iter().flat_map(|p| [p.start, p.end]);
    let layout: Vec<usize> = [shape.phase1, shape.publics, shape.ports.len()].into_iter().chain(ends).collect();
    for number in layout {
        state.update(&(number as u64).to_le_bytes());
    }
    *state.finalize().as_array()
}
