//! Checks that commitments have blind 1, as every node that recomputes them from tensors assumes.
//!
//! # Argument
//!
//! Each commitment `Cᵢ` stands in a verified proof, so its prover knows a column and a blind `bᵢ` that open it, and can
//! find no others. The opening shows that `Σ ρⁱ (Cᵢ − W)` commits to a polynomial whose value at a drawn point is as
//! claimed. The last scalar of an opening is the sum of the blinds of the statement, of the masking polynomial (times a
//! challenge drawn after both) and of every round's commitments (times that round's challenge and its inverse, drawn
//! after them). If that sum is 0 then, with probability at most a few in |F| otherwise, each part is 0: `Σ ρⁱ (bᵢ − 1)`
//! in particular. As ρ is drawn from the commitments, all `bᵢ` are 1. Blinding *rows* are the gates' business.

use crate::batch::Batch;
use crate::error::VerifyError;
use crate::proof::Reader;
use backend::curve::{ENCODED, F, Msm, Params, Point};
use backend::ports::{absorb_canonical, canonical_length};
use ff::{Field, PrimeField};
use group::{CurveAffine, GroupEncoding};
use halo2_proofs::plonk;
use halo2_proofs::poly::commitment::verify_proof;
use halo2_proofs::transcript::TranscriptRead;

/// Checks all of an opening but its multi-scalar multiplication, which must still be evaluated.
pub fn check_canonical<'params>(
    params: &'params Params,
    commitments: &[Point],
    proof: &[u8],
) -> Result<Msm<'params>, VerifyError> {
    if commitments.is_empty() {
        return Err(VerifyError::NoInstances);
    }
    if let Some(item) = commitments.iter().position(|c| bool::from(c.is_identity())) {
        return Err(VerifyError::Identity { item });
    }
    let expected = canonical_length(params.k());
    if proof.len() != expected {
        return Err(VerifyError::ProofLength { expected, found: proof.len() });
    }
    if proof[expected - ENCODED..] != [0; ENCODED] {
        return Err(VerifyError::Blind);
    }
    let (items, _) = proof.as_chunks::<ENCODED>();
    for (item, bytes) in items.iter().enumerate() {
        // The value, then points, then two scalars.
        if item == 0 || item >= items.len() - 2 {
            if bool::from(F::from_repr(*bytes).is_none()) {
                return Err(VerifyError::Scalar { item });
            }
        } else if *bytes == [0; ENCODED] {
            return Err(VerifyError::Identity { item });
        }
    }

    let mut rest = proof;
    let mut transcript = Reader::new(&mut rest, 0);
    let io = |error| VerifyError::Halo2(plonk::Error::Transcript(error));
    let (rho, point) = absorb_canonical(&mut transcript, params.k(), commitments).map_err(io)?;
    let mut msm = Msm::new(params.halo2());
    let mut weight = F::ONE;
    let mut weights = F::ZERO;
    for commitment in commitments {
        msm.append_term(weight, *commitment);
        weights += weight;
        weight *= rho;
    }
    msm.add_to_w_scalar(-weights);
    let value = transcript.read_scalar().map_err(io)?;
    let guard = verify_proof(params.halo2(), msm, &mut transcript, point, value)
        .map_err(|_| transcript.refusal(plonk::Error::Opening))?;
    if !rest.is_empty() {
        return Err(VerifyError::Trailing);
    }
    Ok(guard.use_challenges())
}

/// Verifies that all commitments have blind 1.
pub fn verify_canonical(params: &Params, commitments: &[Point], proof: &[u8]) -> Result<(), VerifyError> {
    if check_canonical(params, commitments, proof)?.eval() { Ok(()) } else { Err(VerifyError::Invalid) }
}

impl Batch<'_> {
    /// Adds an opening that shows that all commitments have blind 1.
    pub fn add_canonical(&mut self, commitments: &[Point], proof: &[u8]) -> Result<(), VerifyError> {
        let msm = check_canonical(self.params(), commitments, proof)?;
        let mut bytes: Vec<u8> = commitments.iter().flat_map(GroupEncoding::to_bytes).collect();
        bytes.extend_from_slice(proof);
        self.add_claim(&bytes, msm);
        Ok(())
    }
}
