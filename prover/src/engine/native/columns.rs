//! An instance's columns and the commitments to them.

use super::Scalar;
use crate::engine::Cancel;
use crate::engine::draws::hidden;
use crate::error::ProveError;
use backend::bases::{Bases, Room};
use backend::curve::PastaCurve;
use backend::curve::affine;
use rayon::prelude::*;

/// An instance's columns by their values, committed to. Nobody has checked that they keep to the circuit.
pub struct Columns<C: PastaCurve> {
    /// The instance's values.
    pub instance: Vec<C::ScalarExt>,
    /// Values that are the same on every usable row.
    pub uniform: Vec<C::ScalarExt>,
    /// Whole advice columns: a proof has all of them.
    pub advice: Vec<Vec<C::ScalarExt>>,
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
        Columns { instance: vec![], uniform: vec![], advice: vec![], blinds, points: vec![] }
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
        let first = self.advice.len();
        self.advice.extend(values.iter().zip(hiding).map(|(values, hiding)| hidden(values, hiding, bases.rows())));
        let columns = self.advice[first..].iter().map(Vec::as_slice).zip(self.blinds[first..].iter().copied());
        self.points.extend(commit_columns(bases, &columns.collect::<Vec<_>>(), cancel)?);
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
