//! Verifying keys: made from a plan, known by a digest, with the exact shape of their proofs.
//!
//! A key is data: the shape of proofs, the gates, the commitments of fixed columns and of the permutation, and the scalar
//! that stands for it in transcripts. It says the same as the key that `halo2_proofs` makes of the plan, which keeps its
//! own to itself: digest and scalar are of what halo2 prints of its key.

use crate::Plan;
use crate::bases::Room;
use crate::challenge::{self, Challenges, SLOTS};
use crate::curve::{ENCODED, F, Params, Point, PointSum, affine};
use crate::gates::Gates;
use crate::halo2::{PlanCircuit, with_plan};
use crate::permutation::{Cycles, omega, powers};
use crate::queries::Queries;
use ff::{Field, PrimeField};
use group::{Curve, Group};
use halo2_proofs::plonk;
use plonkish::Uniform;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod consistency;
mod encoding;
mod error;
mod pinned;
mod shape;

pub use error::KeyError;
use shape::publics_read;
pub use shape::{Item, Shape};

/// A verifying key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyingKey {
    /// Sizes of proofs and instances.
    pub shape: Shape,
    /// What proofs open.
    pub queries: Queries,
    /// The gates.
    pub gates: Gates<F>,
    /// Commitments of the fixed columns.
    #[serde(with = "encoding::coordinates")]
    pub fixed: Vec<Point>,
    /// Commitments of the permutation's columns.
    #[serde(with = "encoding::coordinates")]
    pub sigma: Vec<Point>,
    /// Stands for the key in halo2's transcripts.
    pub transcript: F,
    /// Hash of all that the key means.
    #[serde(with = "encoding::halves")]
    pub digest: [u8; 64],
}

/// As large as a plan's verifying key, encoded, and nothing else: no commitment in it is the plan's, and nothing is verified
/// with it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Blank(VerifyingKey);

impl Blank {
    /// Of the key of a plan whose instances hold `publics` public values.
    pub fn of(plan: &Arc<Plan>, publics: usize) -> Result<Self, KeyError> {
        let (mut shape, queries, point) = (Shape::of(plan)?, Queries::of(plan), PointSum::generator().to_affine());
        shape.publics = publics;
        let sigma = vec![point; Cycles::of(plan, &queries).next().len()];
        let (fixed, gates) = (vec![point; plan.fixed.len()], Gates::of(plan));
        Ok(Blank(VerifyingKey { shape, queries, gates, fixed, sigma, transcript: F::ZERO, digest: [0; 64] }))
    }
}

impl VerifyingKey {
    /// The key of a plan whose instances hold exactly the public values that the plan reads.
    pub fn new(params: &Params, plan: &Arc<Plan>) -> Result<Self, KeyError> {
        Self::with_publics(params, plan, publics_read(plan))
    }

    /// The key of a plan whose instances hold `publics` public values. Values that no cell reads are bound by the
    /// challenges and by the transcript, as a context should be.
    pub fn with_publics(params: &Params, plan: &Arc<Plan>, publics: usize) -> Result<Self, KeyError> {
        let shape = Self::shape_of(params, plan, publics)?;
        let queries = Queries::of(plan);
        let (fixed, sigma) = commitments(params, plan, &queries);
        let text = pinned::text(plan, &fixed, &sigma);
        Self::of(plan, shape, queries, (fixed, sigma), &text)
    }

    /// The same key from what halo2 prints of its own: commitments, scalar, digest. Which cells are opened is compared with
    /// what it prints. Gates are our reading of the plan in both: what shows them to be halo2's is that proofs by either
    /// prover are accepted by either verifier.
    pub fn by_halo2(params: &Params, plan: &Arc<Plan>, publics: usize) -> Result<Self, KeyError> {
        let shape = Self::shape_of(params, plan, publics)?;
        let text = format!("{:?}", stock_key(params, plan)?.pinned());
        let commitments = pinned::commitments(&text).ok_or(KeyError::Unreadable)?;
        let queries = Queries::of(plan);
        if !pinned::has_queries(&text, &queries) {
            return Err(KeyError::Queries);
        }
        Self::of(plan, shape, queries, commitments, &text)
    }

    fn shape_of(params: &Params, plan: &Arc<Plan>, publics: usize) -> Result<Shape, KeyError> {
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
        plan.check_bounds()?;
        shape.publics = publics;
        Ok(shape)
    }

    fn of(
        plan: &Plan,
        shape: Shape,
        queries: Queries,
        (fixed, sigma): (Vec<Point>, Vec<Point>),
        text: &str,
    ) -> Result<Self, KeyError> {
        if has_stock_lookup(text) {
            return Err(KeyError::StockLookup);
        }
        let (digest, transcript) = (digest(text, &shape), pinned::transcript_scalar(text));
        Ok(VerifyingKey { shape, queries, gates: Gates::of(plan), fixed, sigma, transcript, digest })
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
}

/// halo2's own key of a plan, for its prover and its verifier.
pub fn stock_key(params: &Params, plan: &Arc<Plan>) -> Result<plonk::VerifyingKey<Point>, KeyError> {
    let circuit = PlanCircuit { plan: plan.clone(), witness: None };
    Ok(with_plan(plan, || plonk::keygen_vk(params.halo2(), &circuit))?)
}

/// Commits to the fixed columns of a plan, and to those of its permutation, as halo2 does: with a blind of 1.
fn commitments(params: &Params, plan: &Plan, queries: &Queries) -> (Vec<Point>, Vec<Point>) {
    let cycles = Cycles::of(plan, queries);
    let (shifts, omegas) = (powers(F::DELTA, cycles.next().len()), powers(omega::<F>(plan.k), 1 << plan.k));
    // A column of the permutation is δⁱ·ωʲ but for the cells that are copied: commit to the rest, and add δⁱ times the
    // commitment that all share.
    let copied = |(i, next): (usize, &Vec<(usize, usize)>)| -> Vec<F> {
        let value = |(j, &(column, row)): (usize, &(usize, usize))| match (column, row) == (i, j) {
            true => F::ZERO,
            false => shifts[column] * omegas[row] - shifts[i] * omegas[j],
        };
        next.iter().enumerate().map(value).collect()
    };
    let copied: Vec<Vec<F>> = cycles.next().par_iter().enumerate().map(copied).collect();
    let columns: Vec<&Vec<F>> = plan.fixed.iter().chain(&copied).collect();
    let bases = params.bases_for(columns.len());
    let commit = |room: &mut Room<Point>, values: &&Vec<F>| match &bases {
        Some(bases) => bases.commit_column(values, &F::ONE, room),
        None => params.commit_column(values, F::ONE),
    };
    let mut points: Vec<_> = columns.par_iter().map_init(Room::<Point>::default, commit).collect();
    let shared = params.commit_column(&omegas, F::ZERO);
    let of_sigma = points.split_at_mut(plan.fixed.len()).1;
    of_sigma.par_iter_mut().zip(&shifts).for_each(|(point, shift)| *point += shared * *shift);
    let mut fixed = affine(&points);
    let sigma = fixed.split_off(plan.fixed.len());
    (fixed, sigma)
}

/// Whether a pinned key, written out, has a lookup of halo2's own, or does not say. halo2 keeps its list of lookups to
/// itself, but a pinned key shows it.
fn has_stock_lookup(pinned: &str) -> bool {
    let mut lists = pinned.match_indices("lookups: [").map(|(at, label)| &pinned[at + label.len()..]);
    !matches!((lists.next(), lists.next()), (Some(list), None) if list.starts_with(']'))
}

/// Hash of the pinned key, and of what the verifier leans on and the pinned key does not show: which columns are of
/// phase 1, which are ports, how long instances are, what their further columns hold.
fn digest(pinned: &str, shape: &Shape) -> [u8; 64] {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-the-key").to_state();
    state.update(&(pinned.len() as u64).to_le_bytes());
    state.update(pinned.as_bytes());
    let ends = shape.ports.iter().flat_map(|p| [p.start, p.end]);
    let counts = [shape.phase1, shape.publics, shape.ports.len(), shape.uniform.len()];
    let layout: Vec<usize> = counts.into_iter().chain(ends).collect();
    for number in layout {
        state.update(&(number as u64).to_le_bytes());
    }
    for value in &shape.uniform {
        let words = match *value {
            Uniform::Power(challenge, exponent) => [0, challenge as u64, u64::from(exponent)],
            Uniform::Public(row) => [1, row as u64, 0],
        };
        for word in words {
            state.update(&word.to_le_bytes());
        }
    }
    *state.finalize().as_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::MAX_TERMS;
    use crate::curve::ProofWriter;
    use crate::ports::WIRE_BLINDING_ROWS;
    use crate::testing::{TOY_K, TOY_PUBLICS, toy, toy_sink};
    use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
    use halo2_proofs::plonk::{Advice, Circuit, Column, ConstraintSystem, TableColumn};
    use halo2_proofs::poly::Rotation;
    use halo2_proofs::transcript::Transcript;
    use plonkish::{Blinding, Builder, Col, Declared, Expr, Interval, Kind, LookupSlot};

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
        let stock = format!("{:?}", plonk::keygen_vk(params.halo2(), &Stock).unwrap().pinned());
        let of = |text: &str| VerifyingKey::of(&plan, shape.clone(), Queries::of(&plan), (vec![], vec![]), text);
        let refused = of(&stock);
        assert!(matches!(refused, Err(KeyError::StockLookup)));
        let own = format!("{:?}", stock_key(&params, &plan).unwrap().pinned());
        assert!(of(&own).is_ok());
        // A key that does not say is refused as well.
        assert!(
            has_stock_lookup("") && has_stock_lookup("lookups: [], lookups: []") && !has_stock_lookup("lookups: []")
        );
    }

    /// Keys are those that halo2 makes, and read from what it prints: commitments, scalar, digest, to the letter.
    #[test]
    fn keys_are_those_of_halo2() {
        let params = Params::new(TOY_K);
        for (toy, publics) in [(toy(1), TOY_PUBLICS), (toy_sink(1), 1)] {
            let plan = toy.plan;
            let own = VerifyingKey::with_publics(&params, &plan, publics).unwrap();
            assert_eq!(VerifyingKey::by_halo2(&params, &plan, publics).unwrap(), own);
            let stock = stock_key(&params, &plan).unwrap();
            let text = format!("{:?}", stock.pinned());
            assert_eq!(pinned::text(&plan, &own.fixed, &own.sigma), text);
            assert!(pinned::has_queries(&text, &own.queries));
            let mut others = [own.queries.clone(), own.queries.clone(), own.queries.clone(), own.queries.clone()];
            others[0].advice.swap(0, 1);
            others[1].fixed.swap(0, 1);
            others[2].advice.truncate(3);
            others[3].advice[0].1 = 1;
            assert!(others.iter().all(|queries| !pinned::has_queries(&text, queries)));
            // halo2 tells the scalar to a transcript alone.
            let (mut ours, mut theirs) = (ProofWriter::init(vec![]), ProofWriter::init(vec![]));
            ours.common_scalar(own.transcript).unwrap();
            stock.hash_into(&mut theirs).unwrap();
            let squeezed = |transcript: &mut ProofWriter<Vec<u8>>| *transcript.squeeze_challenge_scalar::<()>();
            assert_eq!(squeezed(&mut ours), squeezed(&mut theirs));
            params.bases();
            assert_eq!(VerifyingKey::with_publics(&params, &plan, publics).unwrap(), own);
        }
        let point = format!("(0x{}, 0x{})", "1".repeat(64), "2".repeat(64));
        for text in
            ["", "fixed_commitments: [], { commitments: [", "fixed_commitments: [(0x1)], { commitments: []", &point]
        {
            assert_eq!(pinned::commitments(text), None, "{text}");
        }
        let twice = "fixed_commitments: [], fixed_commitments: [], { commitments: []";
        assert_eq!(pinned::commitments(twice), None);
        assert_eq!(pinned::commitments(&format!("fixed_commitments: [{point}], {{ commitments: []")), None);
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
        let shape = |rotations: i32, blinding: Blinding| {
            let mut b = Builder::<F>::new(TOY_K);
            let port = b.port("wire", plonkish::LANES, blinding);
            let block = b.block_at("reader", 0, 8);
            let sum = |lane: Col| Expr::sum((0..rotations).map(|r| lane.at(-r)));
            for lane in b.port_lanes(block, port, 0, "x") {
                b.declare(block, lane, Declared::outside(Interval::unsigned(12), "the test"));
                (0..8).for_each(|row| b.set(block, lane, row, 0));
                let total = b.column(block, Kind::Unchecked, "sum");
                b.define(block, "sum", total, sum(lane), 4..8);
            }
            Shape::of(&Arc::new(b.compile_filled().0))
        };
        assert_eq!(shape(1, Blinding::Shared).unwrap().port_openings, [2]);
        assert_eq!(shape(4, Blinding::Canonical).unwrap().port_openings, [5]);
        for rotations in [2, 4] {
            match shape(rotations, Blinding::Shared) {
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
