//! halo2's own verifier, which ours is compared with.

use crate::error::VerifyError;
use backend::Plan;
use backend::curve::{F, Params, Point, ProofReader};
use backend::halo2::with_columns;
use backend::keys::{KeyError, VerifyingKey, stock_key};
use halo2_proofs::plonk::{self, SingleVerifier};
use plonkish::Uniform;
use std::sync::Arc;

/// halo2's key of a plan.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub(crate) key: plonk::VerifyingKey<Point>,
    /// What the instance columns behind that of the instance's values hold.
    pub(crate) uniform: Vec<Uniform>,
    pub(crate) k: u32,
}

impl Oracle {
    /// Makes the key.
    pub fn new(params: &Params, plan: &Arc<Plan>) -> Result<Self, KeyError> {
        Ok(Oracle { key: stock_key(params, plan)?, uniform: plan.uniform.clone(), k: plan.k })
    }

    /// What halo2 says of a proof: it knows nothing of challenges between the passes, nor of exact lengths.
    pub fn verify(&self, params: &Params, proof: &[u8], instances: &[Vec<F>]) -> Result<(), plonk::Error> {
        let mut transcript = ProofReader::init(proof);
        let strategy = SingleVerifier::new(params.halo2());
        with_columns((&self.uniform, self.k), instances, |columns| {
            plonk::verify_proof(params.halo2(), &self.key, strategy, columns, &mut transcript)
        })
    }

    /// What our verifier says where halo2's is asked the same: without the rule that challenges are those drawn from the
    /// proof, which halo2 does not know. It proves nothing by itself, and is for tests.
    #[cfg(feature = "testing")]
    pub fn ours(
        params: &Params,
        key: &VerifyingKey,
        expected: usize,
        proof: &[u8],
        instances: &[Vec<F>],
    ) -> Result<(), VerifyError> {
        crate::proof::well_formed(key, expected, proof, instances)?;
        crate::proof::argument(params, key, expected, proof, instances)?.evaluate().map(drop)
    }

    /// [`crate::verify`] without what it computes itself: the rules on form and challenges, then halo2's verifier.
    pub fn check(
        &self,
        params: &Params,
        key: &VerifyingKey,
        expected: usize,
        proof: &[u8],
        instances: &[Vec<F>],
    ) -> Result<(), VerifyError> {
        crate::proof::statement(params, key, expected, proof, instances)?;
        self.verify(params, proof, instances).map_err(VerifyError::Halo2)
    }
}
