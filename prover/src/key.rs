//! Proving keys.

use crate::error::ProveError;
use backend::Plan;
use backend::curve::{Params, Point};
use backend::halo2::{PlanCircuit, with_plan};
use backend::keys::VerifyingKey;
use halo2_proofs::plonk::{self, ProvingKey};
use std::sync::Arc;

/// What proofs of one plan are made with.
pub struct ProverKey {
    /// The circuit.
    pub plan: Arc<Plan>,
    /// The key that verifiers hold.
    pub verifying: VerifyingKey,
    pk: ProvingKey<Point>,
}

impl ProverKey {
    /// Makes the proving key beside a verifying key of the same plan.
    pub fn new(params: &Params, plan: &Arc<Plan>, verifying: VerifyingKey) -> Result<Self, ProveError> {
        if params.k() != plan.k || verifying.shape.k != plan.k {
            return Err(ProveError::Mismatch { what: "the number of rows" });
        }
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let pk = with_plan(plan, || plonk::keygen_pk(params, verifying.halo2().clone(), &circuit))?;
        Ok(ProverKey { plan: plan.clone(), verifying, pk })
    }

    /// Makes both keys of a plan whose instances hold exactly the public values that it reads.
    pub fn generate(params: &Params, plan: &Arc<Plan>) -> Result<Self, ProveError> {
        Self::new(params, plan, VerifyingKey::new(params, plan)?)
    }

    /// halo2's own key.
    pub fn halo2(&self) -> &ProvingKey<Point> {
        &self.pk
    }
}
