//! The items of a proof, and the transcript that they are read into.

use crate::error::VerifyError;
use backend::curve::{ENCODED, F, Point, ProofReader};
use backend::keys::Item;
use ff::PrimeField;
use group::GroupEncoding;
use halo2_proofs::plonk;
use halo2_proofs::transcript::Transcript;
use rayon::prelude::*;
use std::io;

/// Points that a thread decodes at a time: each takes a square root.
const SHARE: usize = 16;

/// The items of a proof, decoded.
#[derive(Debug)]
pub(crate) struct Items {
    /// Its points, in order.
    pub points: Vec<Point>,
    scalars: Vec<F>,
}

impl Items {
    /// Decodes a proof of these items, of which no point is the one at infinity.
    pub fn decode(kinds: impl IntoIterator<Item = Item>, proof: &[u8]) -> Result<Self, VerifyError> {
        let (mut points, mut scalars) = (vec![], vec![]);
        for (item, (kind, bytes)) in kinds.into_iter().zip(proof.as_chunks::<ENCODED>().0).enumerate() {
            match kind {
                Item::Point => points.push((item, bytes)),
                Item::Scalar => {
                    scalars.push(Option::from(F::from_repr(*bytes)).ok_or(VerifyError::Scalar { item })?);
                }
            }
        }
        let decode = |&(item, bytes): &(usize, &[u8; ENCODED])| {
            Option::from(Point::from_bytes(bytes)).ok_or(VerifyError::Point { item })
        };
        // Of several that are no points, the first is named.
        let points: Vec<Result<Point, VerifyError>> = points.par_iter().with_min_len(SHARE).map(decode).collect();
        Ok(Items { points: points.into_iter().collect::<Result<_, _>>()?, scalars })
    }
}

/// Hands out the items of a proof in order, and absorbs each.
pub(crate) struct Reader<'i> {
    transcript: ProofReader<io::Empty>,
    points: &'i [Point],
    scalars: &'i [F],
}

impl<'i> Reader<'i> {
    /// At the beginning.
    pub fn new(items: &'i Items) -> Self {
        Reader { transcript: ProofReader::init(io::empty()), points: &items.points, scalars: &items.scalars }
    }

    /// What is absorbed besides what stands in the proof.
    pub fn transcript(&mut self) -> &mut ProofReader<io::Empty> {
        &mut self.transcript
    }

    /// The next points.
    pub fn points(&mut self, count: usize) -> Result<&'i [Point], VerifyError> {
        let (points, rest) = self.points.split_at_checked(count).ok_or(VerifyError::Items)?;
        self.points = rest;
        points.iter().try_for_each(|point| self.transcript.common_point(*point)).map_err(absorbed)?;
        Ok(points)
    }

    /// The next point.
    pub fn point(&mut self) -> Result<Point, VerifyError> {
        self.points(1).map(|points| points[0])
    }

    /// The next scalars.
    pub fn scalars(&mut self, count: usize) -> Result<&'i [F], VerifyError> {
        let (scalars, rest) = self.scalars.split_at_checked(count).ok_or(VerifyError::Items)?;
        self.scalars = rest;
        scalars.iter().try_for_each(|scalar| self.transcript.common_scalar(*scalar)).map_err(absorbed)?;
        Ok(scalars)
    }

    /// The next scalar.
    pub fn scalar(&mut self) -> Result<F, VerifyError> {
        self.scalars(1).map(|scalars| scalars[0])
    }

    /// Draws a challenge.
    pub fn challenge(&mut self) -> F {
        *self.transcript.squeeze_challenge_scalar::<()>()
    }

    /// Requires that all was read.
    pub fn end(self) -> Result<(), VerifyError> {
        if self.points.is_empty() && self.scalars.is_empty() { Ok(()) } else { Err(VerifyError::Items) }
    }
}

/// The transcript refuses the point at infinity alone.
pub(crate) fn absorbed(error: io::Error) -> VerifyError {
    VerifyError::Halo2(plonk::Error::Transcript(error))
}
