//! Shows that commitments have blind 1: one opening for all output ports of a block.

use crate::blinding::fresh;
use crate::engine::Cancel;
use crate::engine::native::open_at;
use crate::error::ProveError;
use backend::curve::{F, Params, Point, ProofWriter, columns_domain};
use backend::permutation::powers;
use backend::ports::{absorb_canonical, canonical_length};
use ff::Field;
use halo2_proofs::arithmetic::eval_polynomial;
use halo2_proofs::plonk;
use halo2_proofs::transcript::TranscriptWrite;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, TryRng};
use std::convert::Infallible;

/// Opens `Σ ρⁱ (Cᵢ − W)` at a point drawn from the commitments, without any blinding, where `columns[i]` are the rows
/// that `commitments[i]` commits to with blind 1.
pub fn prove_canonical<C: AsRef<[F]>>(
    params: &Params,
    columns: &[C],
    commitments: &[Point],
) -> Result<Vec<u8>, ProveError> {
    let rows = 1usize << params.k();
    if columns.len() != commitments.len() || columns.iter().any(|c| c.as_ref().len() > rows) {
        return Err(ProveError::Mismatch { what: "a column" });
    }
    if columns.is_empty() {
        return Err(ProveError::NoInstances);
    }
    let mut transcript = ProofWriter::init(vec![]);
    let (rho, point) = absorb_canonical(&mut transcript, params.k(), commitments).map_err(plonk::Error::from)?;
    let mut total = vec![F::ZERO; rows];
    let mut weight = F::ONE;
    for column in columns {
        for (sum, value) in total.iter_mut().zip(column.as_ref()) {
            *sum += weight * value;
        }
        weight *= rho;
    }
    let domain = columns_domain(params.k());
    let total = domain.lagrange_to_coeff(domain.lagrange_from_vec(total));
    let value = eval_polynomial(&total, point);
    transcript.write_scalar(value).map_err(plonk::Error::from)?;
    let mut rng = Unblinded { words: 8 * rows, mask: fresh()? };
    // The blinds cancel: Σ ρⁱ (1 − 1).
    let at = powers(point, rows);
    open_at(&params.bases(), (total.to_vec(), F::ZERO), at, &mut transcript, &mut rng, &Cancel::default())?;
    let proof = transcript.finalize();
    // The last scalar is the blind of all, and must have stayed 0.
    if proof.len() != canonical_length(params.k()) || !proof.ends_with(&[0; 32]) {
        return Err(ProveError::SelfCheck);
    }
    Ok(proof)
}

/// Random coefficients for the masking polynomial (were it zero, its commitment would be the point at infinity), and
/// zero for every blind that is drawn after it.
struct Unblinded {
    words: usize,
    mask: ChaCha20Rng,
}

impl TryRng for Unblinded {
    type Error = Infallible;

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self.words.checked_sub(1) {
            Some(left) => {
                self.words = left;
                Ok(self.mask.next_u64())
            }
            None => Ok(0),
        }
    }

    // Field elements are drawn by words of 64 bits.
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}
