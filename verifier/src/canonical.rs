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
use crate::opening::verify_opening;
use crate::proof::refuse_identities;
use crate::reader::{Items, Reader, absorbed};
use backend::curve::{ENCODED, F, Msm, Params, Point};
use backend::keys::Item;
use backend::permutation::powers;
use backend::ports::{absorb_canonical, canonical_length};
use group::{CurveAffine, GroupEncoding};

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
    // The value, then points, then two scalars.
    let points = expected / ENCODED - 3;
    let kinds = [(Item::Scalar, 1), (Item::Point, points), (Item::Scalar, 2)];
    let kinds = kinds.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
    refuse_identities(kinds.clone(), proof)?;
    let items = Items::decode(kinds, proof)?;
    let mut reader = Reader::new(&items);
    let (rho, point) = absorb_canonical(reader.transcript(), params.k(), commitments).map_err(absorbed)?;
    let mut msm = Msm::new(params);
    let weights = powers(rho, commitments.len());
    weights.iter().zip(commitments).for_each(|(weight, commitment)| msm.append_term(*weight, *commitment));
    msm.add_to_w_scalar(-weights.iter().sum::<F>());
    let value = reader.scalar()?;
    verify_opening(params.k(), (point, value), &mut reader, &mut msm)?;
    reader.end()?;
    Ok(msm)
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
