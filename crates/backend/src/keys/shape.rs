//! What the length of proofs and the order of what stands in them follow from.

use super::KeyError;
use crate::challenge::{MAX_TERMS, SLOTS};
use crate::curve::ENCODED;
use crate::halo2::{PlanCircuit, with_plan};
use crate::ports::WIRE_BLINDING_ROWS;
use crate::queries::Queries;
use halo2_proofs::plonk::{Circuit, ConstraintSystem};
use plonkish::{RESERVED_ROWS, Uniform};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What stands in a run of 32-byte items of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Compressed points.
    Point,
    /// Scalars.
    Scalar,
}

/// Sizes that follow from the plan alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Values that are the same on every usable row: instance columns behind that of the instance's values.
    pub uniform: Vec<Uniform>,
    /// Rows at the end of a column that halo2 fills with blinding.
    pub blinding_rows: usize,
    /// What one proof reveals of each port's columns (the most of its columns): the values at the points at which gates
    /// read it, and one combination with other columns at the point of the multi-opening. The inner-product argument
    /// reveals no more: its own mask hides it.
    pub port_openings: Vec<usize>,
    /// Instance columns that are opened.
    pub instance_queries: usize,
    /// Columns of the permutation.
    pub permuted: usize,
    /// Products of the permutation.
    pub permutation_products: usize,
    /// Cells of an instance's advice columns that are opened.
    pub advice_queries: usize,
    /// Cells of fixed columns that are opened.
    pub fixed_queries: usize,
    /// Pieces of `2^k` coefficients that the quotient has.
    pub quotient_pieces: usize,
    /// Different sets of points that polynomials are opened at.
    pub point_sets: usize,
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

        let permuted = queries.permuted();
        let permutation_products = permuted.div_ceil(cs.degree() - 2);
        let point_sets = point_sets(plan.k, &queries, needed, permutation_products);
        let ports: Vec<_> = (0..plan.ports.len()).map(|p| plan.port_columns(p)).collect();
        let openings = |port: &Range<usize>| port.clone().map(|c| advice[&c].len() + 1).max().unwrap_or(0);
        let port_openings: Vec<usize> = ports.iter().map(openings).collect();
        for (port, openings) in plan.ports.iter().zip(&port_openings) {
            let Some(proofs) = port.blinding.proofs() else { continue };
            // Where there is a circuit at the other end, it keeps within the same half, and may have fewer rows.
            let (openings, rows) =
                (proofs * openings, if proofs == 1 { needed } else { needed.min(WIRE_BLINDING_ROWS) });
            if openings >= rows {
                return Err(KeyError::Openings { port: port.name.clone(), openings, rows });
            }
        }
        Ok(Shape {
            k: plan.k,
            advice: plan.advice.len(),
            phase1: plan.phase1,
            publics: publics_read(plan),
            uniform: plan.uniform.clone(),
            instance_queries: queries.instance.len(),
            blinding_rows: needed,
            port_openings,
            ports,
            advice_queries: queries.advice.len(),
            fixed_queries: queries.fixed.len(),
            permuted,
            permutation_products,
            quotient_pieces: cs.degree() - 1,
            point_sets,
        })
    }

    /// Length of an instance column: challenge slots and public values.
    pub fn instance_length(&self) -> usize {
        SLOTS + self.publics
    }

    /// Most columns that a product of the permutation covers.
    pub fn permutation_chunk(&self) -> usize {
        self.quotient_pieces - 1
    }

    /// Cells of an instance's permutation products that are opened: each at x and ωx, all but the last at the last row too.
    pub fn product_queries(&self) -> usize {
        (3 * self.permutation_products).saturating_sub(1)
    }

    /// The runs of items that a proof of `n` instances consists of, in order.
    pub fn items(&self, n: usize) -> [(Item, usize); 11] {
        use Item::{Point, Scalar};
        [
            (Point, n * self.advice),
            (Point, n * self.permutation_products),
            // The random polynomial and the quotient.
            (Point, 1 + self.quotient_pieces),
            (Scalar, n * self.instance_queries),
            (Scalar, n * self.advice_queries),
            (Scalar, self.fixed_queries + 1 + self.permuted),
            (Scalar, n * self.product_queries()),
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

/// Polynomials opened at the same points are opened together: how many different sets of points there are.
pub(super) fn point_sets(k: u32, queries: &Queries, blinding_rows: usize, products: usize) -> usize {
    let points =
        |rotations: &[i32]| -> BTreeSet<i64> { rotations.iter().map(|&r| i64::from(r).rem_euclid(1 << k)).collect() };
    let mut sets: BTreeSet<BTreeSet<i64>> = queries.rotations().iter().map(|(_, r)| points(r)).collect();
    sets.insert(points(&[0]));
    if products > 0 {
        sets.insert(points(&[0, 1]));
    }
    if products > 1 {
        sets.insert(points(&[0, 1, -(blinding_rows as i32)]));
    }
    sets.len()
}

pub(super) fn publics_read<F: plonkish::Field>(plan: &plonkish::Plan<F>) -> usize {
    plan.instance_rows().map(|row| row + 1).max().unwrap_or(0).saturating_sub(SLOTS)
}
