//! Whether the parts of a key fit together. A key that was made does; one that was read might be anybody's.

use super::shape::point_sets;
use super::{KeyError, VerifyingKey};
use crate::challenge::MAX_TERMS;
use crate::parameters::MAX_K;
use plonkish::{Global, MAX_GATE_DEGREE, RESERVED_ROWS, Selector, Uniform};
use std::collections::HashSet;

/// Largest power of a challenge that a column holds: circuits have few.
const MAX_EXPONENT: u32 = 64;

/// Different sets of points that a verifier is ready to go through: circuits have about 16.
const MOST_SETS: usize = 256;

impl VerifyingKey {
    /// Requires that the parts fit together, so that a proof can be verified under the key without fault. It says nothing
    /// of what the key means.
    pub fn check_consistent(&self) -> Result<(), KeyError> {
        let no = |what: &'static str| Err(KeyError::Inconsistent { what });
        let (shape, queries, gates) = (&self.shape, &self.queries, &self.gates);
        if !(1..=MAX_K).contains(&shape.k) {
            return no("the number of rows");
        }
        let rows = 1usize << shape.k;
        // More columns than cells that a circuit may have are no circuit's, and keep sums of lengths far from overflowing.
        let counts = [shape.advice, shape.publics, shape.quotient_pieces, shape.blinding_rows, self.fixed.len()];
        if counts.iter().any(|&count| count as u64 > MAX_TERMS) {
            return no("the number of columns");
        }
        let has_value = |value: &Uniform| match *value {
            Uniform::Power(_, exponent) => exponent <= MAX_EXPONENT,
            Uniform::Public(row) => row < shape.instance_length(),
        };
        // Each costs a point of every instance: none stands there twice.
        let distinct: HashSet<_> = shape.uniform.iter().collect();
        if distinct.len() != shape.uniform.len() || !shape.uniform.iter().all(has_value) {
            return no("the values that are the same on every row");
        }
        if rows <= RESERVED_ROWS || shape.blinding_rows == 0 || shape.blinding_rows + shape.instance_length() > rows {
            return no("the number of public values");
        }
        if shape.phase1 == 0
            || shape.phase1 > shape.advice
            || shape.ports.iter().any(|p| p.start > p.end || p.end > shape.phase1)
        {
            return no("the ports");
        }
        if shape.port_openings.len() != shape.ports.len() {
            return no("the openings of ports");
        }
        let instance: HashSet<usize> = queries.instance.iter().copied().collect();
        let (advice, fixed): (HashSet<_>, HashSet<_>) =
            (queries.advice.iter().copied().collect(), queries.fixed.iter().copied().collect());
        // As halo2 blinds as many rows, and two points of the domain that are the same are opened once.
        let few = queries.rotations().iter().all(|(_, rotations)| {
            let rows: HashSet<_> = rotations.iter().map(|&r| i64::from(r).rem_euclid(1 << shape.k)).collect();
            rows.len() == rotations.len() && rows.len() < shape.blinding_rows
        });
        let known = few
            && advice.len() == queries.advice.len()
            && fixed.len() == queries.fixed.len()
            && queries.advice.iter().all(|&(column, _)| column < shape.advice)
            && queries.fixed.iter().all(|&column| column < self.fixed.len())
            && queries.permuted.iter().all(|&column| advice.contains(&(column, 0)))
            && instance.len() == queries.instance.len()
            && queries.instance.iter().all(|&column| column <= shape.uniform.len())
            && queries.instance.iter().skip(1).all(|&column| column != 0);
        let counted = queries.advice.len() == shape.advice_queries
            && queries.fixed.len() == shape.fixed_queries
            && queries.instance.len() == shape.instance_queries;
        if !known || !counted {
            return no("the cells that are opened");
        }
        let permuted = queries.permuted();
        if shape.quotient_pieces < 2
            || shape.permuted != permuted
            || self.sigma.len() != permuted
            || shape.permutation_products != permuted.div_ceil(shape.permutation_chunk())
        {
            return no("the permutation");
        }
        if shape.point_sets > MOST_SETS
            || shape.point_sets != point_sets(shape.k, queries, shape.blinding_rows, shape.permutation_products)
        {
            return no("the points that polynomials are opened at");
        }
        let reads = |column: Global, rotation: i32| match column {
            Global::Advice(column) => advice.contains(&(column, rotation)),
            Global::Fixed(column) => rotation == 0 && fixed.contains(&column),
            Global::Uniform(number) => {
                rotation == 0 && number.checked_add(1).is_some_and(|column| instance.contains(&column))
            }
        };
        for (number, node) in gates.nodes.iter().enumerate() {
            if node.operands().any(|operand| operand >= number) {
                return no("the order of the gates' parts");
            }
            if let crate::gates::Node::Cell(column, rotation) = *node
                && !reads(column, rotation)
            {
                return no("the cells that gates read");
            }
        }
        for constraint in &gates.constraints {
            let selected = constraint.selector.is_none_or(|Selector { column, value, values }| {
                fixed.contains(&column) && (1..=values).contains(&value) && values <= MAX_GATE_DEGREE
            });
            if constraint.node >= gates.nodes.len() || !selected {
                return no("the constraints");
            }
        }
        Ok(())
    }
}
