//! Keys of the step's circuit, its proofs, and their verification.

use crate::circuit::{PORTS, circuit};
use crate::shape::Mlp;
use crate::step::{InputError, Inputs, Values};
use backend::Circuit;
use backend::curve::{F, Params};
use backend::keys::VerifyingKey;
use circuits::statements::codec::{self, CodecError, Encoded};
use prover::ProveError;
use prover::blinding::{PortBlinding, derive_wire, fresh};
use prover::engine::{Cancel, Engine, ProofInstance, Watch, prove_with};
use prover::key::ProverKey;
use serde::{Deserialize, Serialize};
use verifier::{Ports, VerifyError, instances, verify};

/// Why a step is not proven.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The tensors are none of the MLP.
    #[error(transparent)]
    Input(#[from] InputError),
    /// There is no proof of it.
    #[error(transparent)]
    Prove(#[from] ProveError),
}

/// A verifying key as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile(pub VerifyingKey);

impl Encoded for KeyFile {
    const MAGIC: [u8; 8] = *b"GCpeerky";
    const VERSION: u32 = 1;
    const NAME: &'static str = "verifying key of an MLP's step";
    const CHECKSUM: bool = true;
}

/// Bytes of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBytes {
    /// Of the file of the verifying key.
    pub verifying: u64,
    /// Of what the prover holds beside it: see [`NativeKey::bytes`](prover::engine::native::NativeKey::bytes).
    pub proving: u64,
}

/// What proves steps of one MLP.
pub struct Prover {
    mlp: Mlp,
    circuit: Circuit<Values>,
    /// Both keys.
    pub key: ProverKey,
}

/// A proven step.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The proof.
    pub bytes: Vec<u8>,
    /// N·O times the mean squared error, frac 24: its public value.
    pub total: u64,
}

impl Prover {
    /// Compiles the circuit and makes its keys; the parameters are of [`k`](crate::Shape::k).
    pub fn new(params: &Params, mlp: Mlp) -> Result<Self, ProveError> {
        let circuit = circuit(&mlp, params.k());
        let key = ProverKey::generate(params, &circuit.plan)?;
        Ok(Prover { mlp, circuit, key })
    }

    /// Bytes of both keys.
    pub fn key_bytes(&self) -> Result<KeyBytes, CodecError> {
        let verifying = codec::encode(&KeyFile(self.key.verifying.clone()))?.len() as u64;
        Ok(KeyBytes { verifying, proving: self.key.native().bytes() as u64 })
    }

    /// An instance of values, each port hidden by fresh blinding.
    pub fn instance(&self, values: &Values) -> Result<ProofInstance, ProveError> {
        let witness = self.circuit.fill(values).map_err(|source| ProveError::Witness { instance: 0, source })?;
        let mut secret = [0; 32];
        rand_core::Rng::fill_bytes(&mut fresh()?, &mut secret);
        let columns = self.key.verifying.shape.ports.iter().map(ExactSizeIterator::len);
        let blinding =
            |(port, columns): (usize, usize)| derive_wire(&secret, b"a step of an MLP", &[port as u8], columns);
        let ports: Vec<PortBlinding> = columns.enumerate().map(blinding).collect();
        debug_assert_eq!(ports.len(), PORTS);
        Ok(ProofInstance { witness, publics: publics(values.loss.total), ports })
    }

    /// Takes the step and proves it: both passes, and the check of the proof that every engine's must pass.
    pub fn prove(&self, params: &Params, engine: &dyn Engine, inputs: Inputs) -> Result<Proven, StepError> {
        let values = Values::of(&self.mlp, inputs)?;
        let watch = &mut Watch { progress: &mut |_| {}, cancel: &Cancel::default() };
        let proof = prove_with(engine, params, &self.key, vec![self.instance(&values)?], watch)?;
        Ok(Proven { bytes: proof.bytes, total: values.loss.total })
    }
}

fn publics(total: u64) -> Vec<F> {
    vec![F::from(total)]
}

/// Verifies a step: gives the commitments of its ports.
pub fn verify_step(params: &Params, key: &VerifyingKey, proven: &Proven) -> Result<Ports, VerifyError> {
    let instances = instances(key, &proven.bytes, &[publics(proven.total)])?;
    verify(params, key, 1, &proven.bytes, &instances)
}
