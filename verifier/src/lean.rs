//! What halo2's verifier makes of one proof, as a Lean file: the key, the proof, the challenges and the sum of points that must
//! vanish, with theorems that Lean's own model of the verifier arrives at the same sum, and that it vanishes
//! (`halo2_proofs`, feature `unstable-verifier-fingerprint`).

use crate::error::VerifyError;
use crate::oracle::Oracle;
use backend::curve::{ENCODED, F, Params, Point, TranscriptChallenge};
use backend::halo2::with_columns;
use backend::keys::VerifyingKey;
use group::{CurveAffine, GroupEncoding};
use halo2_proofs::plonk::fingerprint::{ChallengeRecorder, capture_proof_fingerprint};
use std::collections::HashSet;

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum LeanError {
    /// The proof is not accepted.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The verifier's sum has fewer terms than points: Lean's model adds each point by itself.
    #[error(
        "{repeated} of the {points} points that halo2's verifier adds are equal to others or at infinity: Lean's model of the \
         verifier counts each point"
    )]
    Repeated {
        /// Points that are no terms of their own.
        repeated: usize,
        /// All of them.
        points: usize,
    },
}

impl Oracle {
    /// The Lean file of a proof that halo2 accepts, in the namespace `GradientCoin.<name>`.
    ///
    /// # Panics
    /// If the name is no identifier of ASCII letters, digits and underscores that begins with no digit.
    pub fn lean(
        &self,
        (params, key): (&Params, &VerifyingKey),
        name: &str,
        proof: &[u8],
        instances: &[Vec<F>],
    ) -> Result<String, LeanError> {
        self.check(params, key, instances.len(), proof, instances)?;
        let mut transcript = ChallengeRecorder::<_, Point, TranscriptChallenge>::init(proof);
        with_columns((&self.uniform, self.k), instances, |columns| {
            let sum = capture_proof_fingerprint(params.halo2(), &self.key, columns, &mut transcript)
                .map_err(VerifyError::Halo2)?;
            check_distinct([&transcript.points, &transcript.common_points, &key.fixed, &key.sigma])?;
            Ok(self.key.dump_vesta_lean_fixture_honest_with_proof_bytes(
                &format!("GradientCoin.{name}"),
                name,
                self.k,
                columns,
                &transcript,
                &sum,
                proof,
            ))
        })
    }
}

/// Refuses points that occur twice.
fn check_distinct(points: [&Vec<Point>; 4]) -> Result<(), LeanError> {
    let mut seen = HashSet::<[u8; ENCODED]>::new();
    let again = |point: &&Point| bool::from(point.is_identity()) || !seen.insert(point.to_bytes());
    let repeated = points.into_iter().flatten().filter(again).count();
    if repeated > 0 { Err(LeanError::Repeated { repeated, points: points.map(Vec::len).iter().sum() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_points_are_refused() {
        let points = Params::new(4).generators().lagrange.clone();
        let (some, others) = (points[..4].to_vec(), points[4..9].to_vec());
        let none = vec![];
        assert!(check_distinct([&some, &none, &others, &none]).is_ok());
        let repeated = |error| matches!(error, Err(LeanError::Repeated { repeated: 1, points: 10 }));
        assert!(repeated(check_distinct([&some, &vec![points[6]], &others, &none])));
        assert!(repeated(check_distinct([&some, &others, &vec![Point::identity()], &none])));
    }
}
