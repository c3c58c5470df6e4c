//! Commitments that differ in what hides them alone.
//!
//! The *span* is that of the generators of the last [`RESERVED_ROWS`] rows, where no data, gate or copy stands in any circuit,
//! and of that of blinds. If the difference of two commitments lies in it, their columns hold the same data. What a private
//! run wires together is shown to be equal so: all differences of a bundle, folded with powers of ρ, lie in the span, by one proof of
//! representation (Schnorr 1991; Okamoto 1992), which tells nothing else.
//!
//! # Argument
//!
//! From two answers to different challenges under one commitment R follows a representation of the fold; from folds with m + 1
//! different ρ, of m differences, one of each difference (Vandermonde). Both ends of a difference are opened by proofs that were
//! verified, or by an earlier bundle's, or, as leaves, by this: so a differing data row is a relation between generators. ρ and the challenge are
//! hashed from the whole statement. A transcript is simulated from challenge and answers: R follows.

use crate::bases::Room;
use crate::curve::{ENCODED, F, Params, Point, PointSum};
use crate::ports::{PortError, refuse_identity};
use ff::{Field, FromUniformBytes};
use group::{Curve, GroupEncoding};
use plonkish::RESERVED_ROWS;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{AddAssign, SubAssign};

/// Generators of the span.
pub const SPAN: usize = RESERVED_ROWS + 1;

/// Bytes of a proof that a fold lies in the span: R, and an answer for each generator.
pub const SPAN_PROOF: usize = (1 + SPAN) * ENCODED;

/// Multiples of the span's generators: the last rows of a column, and its blind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hiding(pub [F; SPAN]);

/// A secret.
impl fmt::Debug for Hiding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hiding")
    }
}

impl Hiding {
    /// Of a column whose last rows are zero.
    pub fn blind(blind: F) -> Self {
        Self::new(&[], blind)
    }

    /// Of a column with these last rows, those before being zero.
    ///
    /// # Panics
    /// If there are more than [`RESERVED_ROWS`].
    pub fn new(rows: &[F], blind: F) -> Self {
        let mut all = [F::ZERO; SPAN];
        all[RESERVED_ROWS - rows.len()..RESERVED_ROWS].copy_from_slice(rows);
        all[RESERVED_ROWS] = blind;
        Hiding(all)
    }

    /// Adds a multiple.
    pub fn add_multiple(&mut self, other: &Self, by: &F) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, x)| *sum += *x * by);
    }

    /// What it adds to a commitment.
    pub fn commit(&self, params: &Params) -> PointSum {
        crate::multiexp::multiexp(&self.0.iter().copied().zip(generators(params)).collect::<Vec<_>>())
    }
}

impl AddAssign<&Hiding> for Hiding {
    fn add_assign(&mut self, other: &Hiding) {
        self.add_multiple(other, &F::ONE);
    }
}

impl SubAssign<&Hiding> for Hiding {
    fn sub_assign(&mut self, other: &Hiding) {
        self.add_multiple(other, &-F::ONE);
    }
}

/// The span's generators: of the last rows, in their order, then of blinds.
pub fn generators(params: &Params) -> impl Iterator<Item = Point> + '_ {
    let generators = params.generators();
    let rows = generators.lagrange.len().saturating_sub(RESERVED_ROWS);
    generators.lagrange[rows..].iter().copied().chain([generators.w])
}

/// The commitment of a column with these first rows, hidden.
pub fn commit_hidden(params: &Params, rows: &[F], hiding: &Hiding) -> Result<Point, PortError> {
    let usable = params.generators().lagrange.len().saturating_sub(RESERVED_ROWS);
    if rows.len() > usable {
        return Err(PortError::TooManyRows { rows: rows.len(), usable });
    }
    let data = match params.prepared() {
        Some(bases) => bases.commit_column(rows, &F::ZERO, &mut Room::default()),
        None => params.commit_column(rows, F::ZERO),
    };
    let point = (data + hiding.commit(params)).to_affine();
    refuse_identity(&[point])?;
    Ok(point)
}

/// What a fold of differences is hashed from.
#[derive(Clone, Debug)]
pub struct SpanStatement([u8; 64]);

impl SpanStatement {
    /// Of everything that determines the differences: the run, the step, all commitments and public values, all proofs.
    pub fn new(statement: &[u8]) -> Self {
        SpanStatement(hash(b"GradCoin-a-span-", &[statement]))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// ρ, by whose powers differences are folded.
    pub fn rho(&self) -> F {
        F::from_uniform_bytes(&hash(b"GradCoin-fold---", &[&self.0]))
    }

    /// The challenge, once R is known.
    pub fn challenge(&self, commitment: &Point) -> F {
        F::from_uniform_bytes(&hash(b"GradCoin-schnorr", &[&self.0, &commitment.to_bytes()]))
    }
}

fn hash(personal: &[u8; 16], parts: &[&[u8]]) -> [u8; 64] {
    let mut state = blake2b_simd::Params::new().hash_length(64).personal(personal).to_state();
    for part in parts {
        state.update(part);
    }
    *state.finalize().as_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::commit_canonical;

    #[test]
    fn a_column_is_its_rows_and_what_hides_them() {
        let params = Params::new(6);
        let rows = [F::from(3), F::from(5)];
        let hiding = Hiding::new(&[F::from(7), F::from(8)], F::from(9));
        let mut column = rows.to_vec();
        column.resize(62, F::ZERO);
        column.extend([F::from(7), F::from(8)]);
        let whole = params.commit_column(&column, F::from(9)).to_affine();
        assert_eq!(commit_hidden(&params, &rows, &hiding), Ok(whole));
        // Bases that are prepared commit to the same.
        let prepared = Params::from(params.generators().clone());
        prepared.bases();
        assert_eq!(commit_hidden(&prepared, &rows, &hiding), Ok(whole));
        assert_eq!(commit_hidden(&prepared, &[], &hiding), commit_hidden(&params, &[], &hiding));
        assert_eq!(commit_hidden(&params, &rows, &Hiding::blind(F::ONE)), commit_canonical(&params, &rows));
        let refused = Err(PortError::TooManyRows { rows: 49, usable: 48 });
        assert_eq!(commit_hidden(&params, &[F::ONE; 49], &hiding), refused);
        let mut sum = hiding.clone();
        sum += &hiding;
        sum -= &hiding;
        sum.add_multiple(&Hiding::blind(F::ONE), &F::from(2));
        assert_eq!(sum, Hiding::new(&[F::from(7), F::from(8)], F::from(11)));
    }

    #[test]
    fn everything_is_hashed() {
        let a = SpanStatement::new(b"statement");
        let b = SpanStatement::new(b"statemenu");
        let points: Vec<Point> = generators(&Params::new(5)).collect();
        let all = [a.rho(), b.rho(), a.challenge(&points[0]), a.challenge(&points[1]), b.challenge(&points[0])];
        for (i, x) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|y| x != y));
        }
        assert_eq!(points.len(), SPAN);
    }
}
