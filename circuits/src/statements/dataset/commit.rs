//! Canonical commitments of many short columns of bytes.
//!
//! A commitment is W + Σ bᵢ·Lᵢ, with W that of the zero column (its blind is 1) and W + Lᵢ that of the column whose only
//! entry is 1 in row i. A table of the 256 multiples of each Lᵢ leaves one addition for each byte.

use super::Told;
use crate::statements::Encoding;
use backend::curve::{F, Params, Point, PointSum, affine};
use backend::ports::{PortError, commit_canonical, refuse_identity};
use ff::Field;
use group::{Curve, CurveAffine, Group, GroupEncoding};
use rayon::prelude::*;

/// Sequences that one inversion serves.
const CHUNK: usize = 256;
const BYTES: usize = 256;

struct Multiples {
    zero: Point,
    rows: Vec<[Point; BYTES]>,
}

impl Multiples {
    fn new(params: &Params, rows: usize) -> Result<Self, PortError> {
        let zero = commit_canonical(params, &[])?;
        let row = |i: usize| -> Result<[Point; BYTES], PortError> {
            let mut unit = vec![F::ZERO; i];
            unit.push(F::ONE);
            let generator = commit_canonical(params, &unit)? - zero.to_curve();
            let mut multiples = [PointSum::identity(); BYTES];
            let mut sum = PointSum::identity();
            for multiple in multiples.iter_mut().skip(1) {
                sum += generator;
                *multiple = sum;
            }
            let mut affine = [Point::identity(); BYTES];
            PointSum::batch_normalize(&multiples, &mut affine);
            Ok(affine)
        };
        // The last row first: where it does not fit, nothing is computed.
        let last = rows.checked_sub(1).map(row).transpose()?;
        let mut table = (1..rows).into_par_iter().map(|i| row(i - 1)).collect::<Result<Vec<_>, _>>()?;
        table.extend(last);
        Ok(Self { zero, rows: table })
    }

    fn commit(&self, tokens: &[u8]) -> PointSum {
        let terms = self.rows.iter().zip(tokens).map(|(row, &token)| row[usize::from(token)]);
        terms.fold(self.zero.to_curve(), |sum, term| sum + term)
    }
}

/// Chunks after which it is told how far the commitments are.
const TOLD: usize = 16;

/// Encoded commitments of the columns [`crate::segments::head::batch_column`] of each sequence, as
/// [`commit_canonical`] gives them. Sequence i is the `context + 1` bytes from `i · context` on; `context` is not zero.
pub(super) fn commitments(
    params: &Params,
    context: usize,
    corpus: &[u8],
    told: &mut Told<'_>,
) -> Result<Vec<Encoding>, PortError> {
    let multiples = Multiples::new(params, context.saturating_add(1))?;
    let leaves = corpus.len().saturating_sub(1) / context;
    let sequences: Vec<&[u8]> = (0..leaves).filter_map(|i| corpus.get(i * context..)?.get(..context + 1)).collect();
    let of_chunk = |chunk: &[&[u8]]| {
        let sums: Vec<PointSum> = chunk.iter().map(|tokens| multiples.commit(tokens)).collect();
        let points = affine(&sums);
        refuse_identity(&points)?;
        Ok(points.iter().map(GroupEncoding::to_bytes).collect::<Vec<Encoding>>())
    };
    let mut commitments = Vec::with_capacity(leaves);
    for some in sequences.chunks(CHUNK * TOLD) {
        let chunks: Vec<_> = some.par_chunks(CHUNK).map(of_chunk).collect::<Result<_, PortError>>()?;
        commitments.extend(chunks.into_iter().flatten());
        told(commitments.len(), leaves);
    }
    Ok(commitments)
}
