//! Proving keys.

use crate::engine::native::NativeKey;
use crate::error::ProveError;
use backend::Plan;
use backend::curve::{F, Params, Point};
use backend::halo2::{PlanCircuit, with_plan};
use backend::keys::{Shape, VerifyingKey, stock_key};
use halo2_proofs::plonk::{self, ProvingKey};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What proofs of one plan are made with.
pub struct ProverKey {
    /// The circuit.
    pub plan: Arc<Plan>,
    /// The key that verifiers hold.
    pub verifying: VerifyingKey,
    native: NativeKey<F>,
    /// Made when it is asked for: the native engine does without.
    halo2: OnceLock<ProvingKey<Point>>,
    /// Held by who makes it: others wait rather than make it too.
    making: Mutex<()>,
}

impl ProverKey {
    /// Makes the proving key beside a verifying key of the same plan.
    pub fn new(params: &Params, plan: &Arc<Plan>, verifying: VerifyingKey) -> Result<Self, ProveError> {
        if params.k() != plan.k || verifying.shape.k != plan.k {
            return Err(ProveError::Mismatch { what: "the number of rows" });
        }
        let mut of_plan = Shape::of(plan)?;
        of_plan.publics = verifying.shape.publics;
        if of_plan != verifying.shape {
            return Err(ProveError::Mismatch { what: "the verifying key" });
        }
        let native = NativeKey::new(plan, &of_plan);
        Ok(ProverKey { plan: plan.clone(), verifying, native, halo2: OnceLock::new(), making: Mutex::new(()) })
    }

    /// Makes both keys of a plan whose instances hold exactly the public values that it reads.
    pub fn generate(params: &Params, plan: &Arc<Plan>) -> Result<Self, ProveError> {
        Self::new(params, plan, VerifyingKey::new(params, plan)?)
    }

    /// What the native engine knows of the plan.
    pub fn native(&self) -> &NativeKey<F> {
        &self.native
    }

    /// halo2's own key, made when it is asked for first.
    pub fn halo2(&self, params: &Params) -> Result<&ProvingKey<Point>, ProveError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.halo2.get() {
            return Ok(key);
        }
        let circuit = PlanCircuit { plan: self.plan.clone(), witness: None };
        let verifying = stock_key(params, &self.plan)?;
        let key = with_plan(&self.plan, || plonk::keygen_pk(params.halo2(), verifying, &circuit))?;
        Ok(self.halo2.get_or_init(|| key))
    }
}
