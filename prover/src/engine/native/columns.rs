//! An instance's columns and the commitments to them.

use super::Scalar;
use crate::engine::Cancel;
use crate::engine::draws::hidden;
use crate::error::ProveError;
use backend::bases::{Bases, Room};
use backend::curve::PastaCurve;
use backend::curve::affine;
use rayon::prelude::*;
use std::slice::ChunksExact;

/// An instance's columns by their values, committed to. Nobody has checked that they keep to the circuit.
pub struct Columns<C: PastaCurve> {
    /// The instance's values.
    pub instance: Vec<C::ScalarExt>,
    /// Values that are the same on every usable row.
    pub uniform: Vec<C::ScalarExt>,
    /// Whole advice columns, one after the other: one piece of memory, which is given back at once.
    advice: Vec<C::ScalarExt>,
    rows: usize,
    /// Blinds of all commitments.
    pub blinds: Vec<C::ScalarExt>,
    /// Commitments to the advice columns so far.
    pub points: Vec<C>,
}

impl<C: PastaCurve> Columns<C>
where
    C::ScalarExt: Scalar,
{
    /// No columns yet, and the blinds that they are to have.
    pub fn new(blinds: Vec<C::ScalarExt>) -> Self {
        Columns { instance: vec![], uniform: vec![], advice: vec![], rows: 0, blinds, points: vec![] }
    }

    /// The advice columns: a proof has all of them.
    pub fn advice(&self) -> ChunksExact<'_, C::ScalarExt> {
        self.advice.chunks_exact(self.rows.max(1))
    }

    /// Adds columns, given by the values of their first rows, and what hides each of them on its last rows; commits to
    /// them.
    ///
    /// # Panics
    /// If values and what hides them do not fit each other.
    pub fn commit(
        &mut self,
        bases: &Bases<C>,
        values: &[Vec<C::ScalarExt>],
        hiding: &[Vec<C::ScalarExt>],
        cancel: &Cancel,
    ) -> Result<(), ProveError> {
        let fits = |(values, hiding): (&Vec<_>, &Vec<_>)| values.len() + hiding.len() <= bases.rows();
        assert!(values.len() == hiding.len() && values.iter().zip(hiding).all(fits), "columns and what hides them");
        self.rows = bases.rows();
        self.advice.reserve_exact(self.blinds.len() * self.rows - self.advice.len());
        for (values, hiding) in values.iter().zip(hiding) {
            self.advice.extend(hidden(values, hiding, self.rows));
        }
        let first = self.points.len();
        let columns = self.advice().skip(first).zip(self.blinds[first..].iter().copied());
        let points = commit_columns(bases, &columns.collect::<Vec<_>>(), cancel)?;
        self.points.extend(points);
        Ok(())
    }
}

/// Commits to columns and their blinds, on all threads.
pub fn commit_columns<C: PastaCurve>(
    bases: &Bases<C>,
    columns: &[(&[C::ScalarExt], C::ScalarExt)],
    cancel: &Cancel,
) -> Result<Vec<C>, ProveError> {
    let commit = |room: &mut Room<C>, (values, blind): &(&[C::ScalarExt], C::ScalarExt)| {
        cancel.check()?;
        Ok(bases.commit_column(values, blind, room))
    };
    let points: Result<Vec<C::CurveExt>, ProveError> =
        columns.par_iter().map_init(Room::<C>::default, commit).collect();
    Ok(affine(&points?))
}
