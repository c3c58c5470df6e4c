//! Canonical commitments of many short columns of tokens.
//!
//! A commitment is W + Σ bᵢ·Lᵢ, with W that of the zero column (its blind is 1) and W + Lᵢ that of the column whose only
//! entry is 1 in row i. A table of the 256 multiples of each Lᵢ leaves one addition for each byte of a token; the upper byte has
//! tables where any token has one. Of a private data set, a secret
//! multiple of W takes the place of W: tables for each byte of a scalar leave 32 additions.

use super::Told;
use crate::model::Token;
use crate::statements::Encoding;
use backend::curve::{ENCODED, F, Params, Point, PointSum, affine};
use backend::ports::{PortError, commit_canonical, refuse_identity};
use ff::{Field, PrimeField};
use group::{Curve, CurveAffine, Group, GroupEncoding};
use rayon::prelude::*;

/// Sequences that one inversion serves.
const CHUNK: usize = 256;
const BYTES: usize = 256;

struct Multiples {
    zero: Point,
    /// Of each Lᵢ.
    rows: Vec<[Point; BYTES]>,
    /// Of each `256·Lᵢ`, where tokens have an upper byte.
    upper: Vec<[Point; BYTES]>,
    /// Of `256^i·W`, where leaves have blinds of their own.
    blinds: Vec<[Point; BYTES]>,
}

/// What blinds the commitment of a sequence, given its number and tokens.
pub(super) type Blind<'b> = dyn Fn(usize, &[Token]) -> F + Sync + 'b;

/// 0 to 255 times a point.
fn multiples(of: PointSum) -> [Point; BYTES] {
    let mut multiples = [PointSum::identity(); BYTES];
    let mut sum = PointSum::identity();
    for multiple in multiples.iter_mut().skip(1) {
        sum += of;
        *multiple = sum;
    }
    let mut affine = [Point::identity(); BYTES];
    PointSum::batch_normalize(&multiples, &mut affine);
    affine
}

impl Multiples {
    fn new(params: &Params, rows: usize, wide: bool, blinded: bool) -> Result<Self, PortError> {
        let zero = commit_canonical(params, &[])?;
        let row = |i: usize, value: u64| -> Result<[Point; BYTES], PortError> {
            let mut unit = vec![F::ZERO; i];
            unit.push(F::from(value));
            Ok(multiples(commit_canonical(params, &unit)? - zero.to_curve()))
        };
        // The last row first: where it does not fit, nothing is computed.
        let table = |rows: usize, value: u64| -> Result<Vec<_>, PortError> {
            let last = rows.checked_sub(1).map(|i| row(i, value)).transpose()?;
            let mut table = (1..rows).into_par_iter().map(|i| row(i - 1, value)).collect::<Result<Vec<_>, _>>()?;
            table.extend(last);
            Ok(table)
        };
        let (low, upper) = (table(rows, 1)?, table(if wide { rows } else { 0 }, 1 << 8)?);
        let mut powers = vec![zero.to_curve()];
        for _ in 1..if blinded { ENCODED } else { 0 } {
            powers.extend(powers.last().map(|last| (0..8).fold(*last, |power, _| power.double())));
        }
        let blinds = if blinded { powers.into_par_iter().map(multiples).collect() } else { vec![] };
        Ok(Self { zero, rows: low, upper, blinds })
    }

    fn commit(&self, tokens: &[Token], blind: Option<F>) -> PointSum {
        let plus = |sum: PointSum, table: &[[Point; BYTES]], shift: u32| {
            let byte = |token: Token| usize::from((token >> shift) as u8);
            table.iter().zip(tokens).fold(sum, |sum, (row, &token)| sum + row[byte(token)])
        };
        let blinded = match blind {
            None => self.zero.to_curve(),
            Some(blind) => {
                let bytes = blind.to_repr();
                let blinds = self.blinds.iter().zip(bytes.as_ref()).map(|(table, &byte)| table[usize::from(byte)]);
                blinds.fold(PointSum::identity(), |sum, term| sum + term)
            }
        };
        plus(plus(blinded, &self.rows, 0), &self.upper, 8)
    }
}

/// Chunks after which it is told how far the commitments are.
const TOLD: usize = 16;

/// Encoded commitments of the columns [`crate::segments::head::batch_column`] of each sequence, as
/// [`commit_canonical`] gives them, or with other blinds. Sequence i is the `context + 1` tokens from `i · context` on; `context` is not zero.
pub(super) fn commitments(
    params: &Params,
    context: usize,
    corpus: &[Token],
    blind: Option<&Blind<'_>>,
    told: &mut Told<'_>,
) -> Result<Vec<Encoding>, PortError> {
    let wide = corpus.iter().any(|&token| usize::from(token) >= BYTES);
    let multiples = Multiples::new(params, context.saturating_add(1), wide, blind.is_some())?;
    let leaves = corpus.len().saturating_sub(1) / context;
    let sequence = |i: usize| Some((i, corpus.get(i * context..)?.get(..context + 1)?));
    let sequences: Vec<(usize, &[Token])> = (0..leaves).filter_map(sequence).collect();
    let of_chunk = |chunk: &[(usize, &[Token])]| {
        let commit = |&(i, tokens): &(usize, &[Token])| multiples.commit(tokens, blind.map(|blind| blind(i, tokens)));
        let sums: Vec<PointSum> = chunk.iter().map(commit).collect();
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
