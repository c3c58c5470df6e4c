//! The proof that a fold of differences lies in the span of what hides columns.

use super::hedge::Hedge;
use crate::error::ProveError;
use backend::curve::{F, Params};
use backend::span::{Hiding, SpanStatement};
use ff::{Field, PrimeField};
use group::{Curve, GroupEncoding};
use plonkish::RESERVED_ROWS;

/// Proves that `Σ ρⁱ·(foundᵢ − expectedᵢ)` lies in the span, given what hides both ends of each pair.
pub fn prove_span(
    params: &Params,
    secret: &[u8; 32],
    statement: &SpanStatement,
    pairs: &[(Hiding, Hiding)],
) -> Result<Vec<u8>, ProveError> {
    let (rho, mut weight) = (statement.rho(), F::ONE);
    let mut fold = Hiding::blind(F::ZERO);
    for (found, expected) in pairs {
        fold.add_multiple(found, &weight);
        fold.add_multiple(expected, &-weight);
        weight *= rho;
    }
    let hedge = Hedge::new(secret, statement.bytes())?;
    // Nonces depend on what they hide, too.
    let mut answers = Hiding::blind(F::ZERO);
    hedge.hidings(&fold.0.map(|x| x.to_repr()).concat(), 1, RESERVED_ROWS).iter().for_each(|nonces| answers += nonces);
    let commitment = answers.commit(params).to_affine();
    let challenge = statement.challenge(&commitment);
    answers.add_multiple(&fold, &challenge);
    let mut proof = commitment.to_bytes().to_vec();
    proof.extend(answers.0.iter().flat_map(PrimeField::to_repr));
    Ok(proof)
}
