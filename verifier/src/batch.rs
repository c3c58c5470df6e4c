//! Many proofs, over several keys, ending in one multi-scalar multiplication.

use crate::error::{BatchError, VerifyError};
use crate::proof::{Ports, check};
use circuits::curve::{F, Msm, Params};
use circuits::keys::VerifyingKey;
use ff::{FromUniformBytes, PrimeField};

/// Proofs that are checked together. All keys share the parameters.
///
/// Each proof's claim is scaled by a scalar drawn from a hash of all proofs and instances, so that errors of different
/// proofs cannot cancel: whoever changes one proof changes every scalar. The result is the same on every machine.
pub struct Batch<'params> {
    params: &'params Params,
    hash: blake2b_simd::State,
    claims: Vec<Msm<'params>>,
}

impl<'params> Batch<'params> {
    /// An empty batch.
    pub fn new(params: &'params Params) -> Self {
        let hash = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-a-batch").to_state();
        Batch { params, hash, claims: vec![] }
    }

    /// Checks all of a proof but its final multi-scalar multiplication, which is left for [`Batch::finish`]. The ports
    /// mean nothing before that. A refused proof is not in the batch.
    pub fn add(
        &mut self,
        key: &VerifyingKey,
        expected: usize,
        proof: &[u8],
        instances: &[Vec<F>],
    ) -> Result<Ports, VerifyError> {
        let claim = check(self.params, key, expected, proof, instances)?;
        self.absorb(&key.digest);
        self.absorb(&(instances.len() as u64).to_le_bytes());
        for instance in instances {
            self.absorb(&instance.iter().flat_map(PrimeField::to_repr).collect::<Vec<u8>>());
        }
        self.absorb(proof);
        self.claims.push(claim.msm);
        Ok(claim.ports)
    }

    /// Adds a claim of another kind, an opening for instance. `bytes` must hold all that determines `msm`.
    pub fn add_claim(&mut self, bytes: &[u8], msm: Msm<'params>) {
        self.absorb(b"claim");
        self.absorb(bytes);
        self.claims.push(msm);
    }

    pub(crate) fn params(&self) -> &'params Params {
        self.params
    }

    /// Proofs and claims in the batch.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether nothing is in the batch.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Checks all claims at once. If that fails, each is checked by itself to name those at fault, by their number in
    /// the order in which they were added.
    pub fn finish(self) -> Result<(), BatchError> {
        if self.claims.is_empty() {
            return Err(BatchError::Empty);
        }
        let seed = self.hash.finalize();
        let mut total = Msm::new(self.params);
        for (i, claim) in self.claims.iter().enumerate() {
            let mut scaled = claim.clone();
            scaled.scale(scalar(seed.as_array(), i));
            total.add_msm(&scaled);
        }
        if total.eval() {
            return Ok(());
        }
        let culprits = self.claims.into_iter().enumerate().filter_map(|(i, claim)| (!claim.eval()).then_some(i));
        Err(BatchError::Invalid(culprits.collect()))
    }

    fn absorb(&mut self, bytes: &[u8]) {
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }
}

fn scalar(seed: &[u8; 64], index: usize) -> F {
    let hash = blake2b_simd::Params::new()
        .hash_length(64)
        .personal(b"GradCoin-scaling")
        .to_state()
        .update(seed)
        .update(&(index as u64).to_le_bytes())
        .finalize();
    F::from_uniform_bytes(hash.as_array())
}
