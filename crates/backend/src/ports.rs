//! Commitments of port columns outside of proofs: what any node computes from a tensor, and adds up.
//!
//! A *canonical* commitment of a column has rows as given, zero in every other row (the blinding rows included) and
//! blind 1. The blind is not 0 because a zero column would then commit to the point at infinity, which a transcript
//! cannot hold. Commitments add: a sum of N canonical commitments is that of the sum of the columns, with blind N.

use crate::bases::Room;
use crate::curve::{CIRCUIT_VERSION, ENCODED, F, Params, Point, PointSum, TranscriptChallenge, affine};
use ff::{Field, FromUniformBytes};
use group::{Curve, CurveAffine};
use halo2_proofs::transcript::Transcript;
use plonkish::RESERVED_ROWS;
use rayon::prelude::*;
use std::io;

/// Blinding rows that a secret wire has, whatever circuit stands at its ends: the least that any circuit has. All
/// published proofs together may open a wire's column at no more points, the combined opening of each proof included.
pub const WIRE_BLINDING_ROWS: usize = 6;

/// What a port column or a commitment can be refused for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// A column has more rows than ports may use.
    #[error("a port column of {rows} rows exceeds the {usable} that a port may use")]
    TooManyRows {
        /// Rows given.
        rows: usize,
        /// Rows that a port may use.
        usable: usize,
    },
    /// Columns of circuits of another height than the parameters'.
    #[error("columns of {rows} rows under parameters for {usable}")]
    OtherRows {
        /// Rows that a column has.
        rows: usize,
        /// Rows that a column of the parameters' circuits has.
        usable: usize,
    },
    /// A commitment is the point at infinity.
    #[error("the commitment of column {column} is the point at infinity")]
    Identity {
        /// The column.
        column: usize,
    },
    /// Two ports with different numbers of columns are added or compared.
    #[error("the port has {found} columns, not {expected}")]
    Columns {
        /// Columns expected.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// Bytes that encode no point.
    #[error("commitment {column} is not a point on the curve")]
    NoPoint {
        /// The commitment.
        column: usize,
    },
    /// A sum of no commitments.
    #[error("there are no commitments to add up")]
    NothingToAdd,
}

/// The canonical commitment of one column; rows that are not given are zero.
pub fn commit_canonical(params: &Params, rows: &[F]) -> Result<Point, PortError> {
    commit_with_blind(params, rows, F::ONE)
}

/// As [`commit_canonical`], with another blind: N for a sum of N canonical commitments.
pub fn commit_with_blind(params: &Params, rows: &[F], blind: F) -> Result<Point, PortError> {
    check_rows(params, rows)?;
    let point = params.commit_column(rows, blind).to_affine();
    refuse_identity(&[point])?;
    Ok(point)
}

/// The canonical commitments of a port's columns.
pub fn commit_port<C: AsRef<[F]> + Sync>(params: &Params, columns: &[C]) -> Result<Vec<Point>, PortError> {
    let Some(bases) = params.bases_for(columns.len()) else {
        return columns.par_iter().map(|rows| commit_canonical(params, rows.as_ref())).collect();
    };
    columns.iter().try_for_each(|rows| check_rows(params, rows.as_ref()))?;
    let commit = |room: &mut Room<Point>, rows: &C| bases.commit_column(rows.as_ref(), &F::ONE, room);
    let points: Vec<PointSum> = columns.par_iter().map_init(Room::<Point>::default, commit).collect();
    let points = affine(&points);
    refuse_identity(&points)?;
    Ok(points)
}

/// Refuses parameters for circuits of another height than `rows` rows, in which other commitments would result.
pub fn check_height(params: &Params, rows: usize) -> Result<(), PortError> {
    let usable = usable(params);
    if rows == usable { Ok(()) } else { Err(PortError::OtherRows { rows, usable }) }
}

fn usable(params: &Params) -> usize {
    (1usize << params.k()).saturating_sub(RESERVED_ROWS)
}

fn check_rows(params: &Params, rows: &[F]) -> Result<(), PortError> {
    let usable = usable(params);
    if rows.len() > usable { Err(PortError::TooManyRows { rows: rows.len(), usable }) } else { Ok(()) }
}

/// Adds ports column by column.
pub fn sum<'a>(ports: impl IntoIterator<Item = &'a [Point]>) -> Result<Vec<Point>, PortError> {
    let mut ports = ports.into_iter();
    let first = ports.next().ok_or(PortError::NothingToAdd)?;
    refuse_identity(first)?;
    let mut total: Vec<PointSum> = first.iter().map(|p| p.to_curve()).collect();
    for port in ports {
        if port.len() != total.len() {
            return Err(PortError::Columns { expected: total.len(), found: port.len() });
        }
        refuse_identity(port)?;
        for (sum, point) in total.iter_mut().zip(port) {
            *sum += *point;
        }
    }
    let total = affine(&total);
    // Contributions that cancel are no commitment that a proof could open.
    refuse_identity(&total)?;
    Ok(total)
}

/// Refuses a port in which some column's commitment is the point at infinity.
pub fn refuse_identity(port: &[Point]) -> Result<(), PortError> {
    match port.iter().position(|p| bool::from(p.is_identity())) {
        Some(column) => Err(PortError::Identity { column }),
        None => Ok(()),
    }
}

/// What the opening that shows commitments to be canonically blinded begins with, at both ends: the commitments go into
/// the transcript, and ρ, which weighs them, and the point of the opening come out of it.
pub fn absorb_canonical<T: Transcript<Point, TranscriptChallenge>>(
    transcript: &mut T,
    k: u32,
    commitments: &[Point],
) -> io::Result<(F, F)> {
    let label = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-blinds-").to_state();
    transcript.common_scalar(F::from_uniform_bytes(label.finalize().as_array()))?;
    transcript.common_scalar(F::from(u64::from(CIRCUIT_VERSION)))?;
    transcript.common_scalar(F::from(u64::from(k)))?;
    transcript.common_scalar(F::from(commitments.len() as u64))?;
    for commitment in commitments {
        transcript.common_point(*commitment)?;
    }
    let rho = *transcript.squeeze_challenge_scalar::<()>();
    let point = *transcript.squeeze_challenge_scalar::<()>();
    Ok((rho, point))
}

/// Bytes of such an opening: the value, then halo2's commitment to a mask, its rounds, and two scalars.
pub fn canonical_length(k: u32) -> usize {
    (1 + 1 + 2 * k as usize + 2) * ENCODED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_add_and_refuse() {
        let params = Params::new(6);
        let column = |seed: u64| -> Vec<F> { (0..20).map(|i| F::from(seed * i + 3)).collect() };
        let (a, b) = ([column(3), column(4)], [column(8), column(9)]);
        // Bases that are prepared commit to the same.
        let stock = commit_port(&params, &a).unwrap();
        params.bases();
        assert_eq!(commit_port(&params, &a).unwrap(), stock);
        assert_eq!(commit_port(&params, &[vec![F::ONE; 49]]), Err(PortError::TooManyRows { rows: 49, usable: 48 }));
        let (ca, cb) = (commit_port(&params, &a).unwrap(), commit_port(&params, &b).unwrap());
        let total = sum([&ca[..], &cb[..]]).unwrap();
        for i in 0..2 {
            let added: Vec<F> = a[i].iter().zip(&b[i]).map(|(x, y)| x + y).collect();
            assert_eq!(total[i], commit_with_blind(&params, &added, F::from(2)).unwrap());
            assert_ne!(total[i], commit_canonical(&params, &added).unwrap());
        }
        assert_eq!(sum([]), Err(PortError::NothingToAdd));
        assert_eq!(sum([&ca[..], &cb[..1]]), Err(PortError::Columns { expected: 2, found: 1 }));
        let opposite: Vec<Point> = ca.iter().map(|p| -*p).collect();
        assert_eq!(sum([&ca[..], &opposite[..]]), Err(PortError::Identity { column: 0 }));
        assert_eq!(commit_with_blind(&params, &[], F::ZERO), Err(PortError::Identity { column: 0 }));
        assert_eq!(commit_canonical(&params, &[F::ONE; 49]), Err(PortError::TooManyRows { rows: 49, usable: 48 }));
        assert!(!bool::from(commit_canonical(&params, &[]).unwrap().is_identity()));
    }
}
