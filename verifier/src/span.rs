//! Checks that the differences of a private step's ends lie in the span of what hides columns ([`backend::span`]).

use crate::batch::Batch;
use crate::error::VerifyError;
use crate::proof::refuse_identities;
use crate::reader::{Items, Reader};
use backend::curve::{F, Msm, Params, Point};
use backend::keys::Item;
use backend::span::{SPAN, SPAN_PROOF, SpanStatement, generators};
use ff::Field;
use group::GroupEncoding;

/// Pairs of commitments, each of which must be of one column.
pub type Pairs = Vec<(Point, Point)>;

/// Checks all of a proof but its multi-scalar multiplication, which must still be evaluated.
pub fn check_span<'params>(
    params: &'params Params,
    statement: &SpanStatement,
    pairs: &[(Point, Point)],
    proof: &[u8],
) -> Result<Msm<'params>, VerifyError> {
    if proof.len() != SPAN_PROOF {
        return Err(VerifyError::ProofLength { expected: SPAN_PROOF, found: proof.len() });
    }
    let kinds = || [Item::Point].into_iter().chain([Item::Scalar; SPAN]);
    refuse_identities(kinds(), proof)?;
    let items = Items::decode(kinds(), proof)?;
    let mut reader = Reader::new(&items);
    let (commitment, answers) = (reader.point()?, reader.scalars(SPAN)?);
    reader.end()?;
    // Σ zⱼ·Bⱼ = R + c·Σ ρⁱ·(foundᵢ − expectedᵢ).
    let mut msm = Msm::new(params);
    answers.iter().zip(generators(params)).for_each(|(answer, generator)| msm.append_term(*answer, generator));
    msm.append_term(-F::ONE, commitment);
    let (rho, mut weight) = (statement.rho(), statement.challenge(&commitment));
    for (found, expected) in pairs {
        msm.append_term(-weight, *found);
        msm.append_term(weight, *expected);
        weight *= rho;
    }
    Ok(msm)
}

/// Verifies that the differences of all pairs lie in the span.
pub fn verify_span(
    params: &Params,
    statement: &SpanStatement,
    pairs: &[(Point, Point)],
    proof: &[u8],
) -> Result<(), VerifyError> {
    if check_span(params, statement, pairs, proof)?.eval() { Ok(()) } else { Err(VerifyError::Invalid) }
}

impl Batch<'_> {
    /// Adds a proof that the differences of all pairs lie in the span.
    pub fn add_span(
        &mut self,
        statement: &SpanStatement,
        pairs: &[(Point, Point)],
        proof: &[u8],
    ) -> Result<(), VerifyError> {
        let msm = check_span(self.params(), statement, pairs, proof)?;
        let mut bytes = statement.bytes().to_vec();
        bytes.extend(pairs.iter().flat_map(|(found, expected)| [found.to_bytes(), expected.to_bytes()]).flatten());
        bytes.extend_from_slice(proof);
        self.add_claim(&bytes, msm);
        Ok(())
    }
}
