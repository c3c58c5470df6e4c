//! Engines: what makes a proof from filled instances. An engine is trusted with nothing: what it gives is verified.

pub mod halo2;
pub mod script;

pub use halo2::Halo2;

use crate::blinding::PortBlinding;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::Witness;
use backend::challenge::Challenges;
use backend::curve::{F, Params, Point, ProofReader};
use halo2_proofs::plonk::{self, SingleVerifier};
use plonkish::check_witness;

/// One instance of the circuit.
#[derive(Clone, Debug)]
pub struct ProofInstance {
    /// Values; phase 1 is filled, but for multiplicities.
    pub witness: Witness,
    /// Public values, without the challenges.
    pub publics: Vec<F>,
    /// Blinding of each port.
    pub ports: Vec<PortBlinding>,
}

/// A proof of some instances of one circuit.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What a verifier reads.
    pub bytes: Vec<u8>,
    /// The challenges, which a verifier draws again.
    pub challenges: Challenges,
    /// Whole instance columns: challenges, then public values.
    pub instances: Vec<Vec<F>>,
    /// Commitments: `ports[instance][port][column]`.
    pub ports: Vec<Vec<Vec<Point>>>,
}

/// How far a proof has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Phase 1 of so many instances, of all, is committed to.
    Committed {
        /// Instances done.
        done: usize,
        /// All instances.
        of: usize,
    },
    /// Phase 2 of all instances is filled.
    Filled,
    /// So many bytes of the proof, of all, are written. Most time passes after the last commitment of the quotient's
    /// predecessors is written, not evenly.
    Proving {
        /// Bytes written.
        written: usize,
        /// All bytes.
        of: usize,
    },
    /// The proof is checked.
    Checked,
}

/// A proof system's prover.
pub trait Engine: Sync {
    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// Proves some instances of one circuit. Their witnesses hold phase 1 but for multiplicities; all else is filled in.
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Proof, ProveError>;
}

/// Proves instances of one circuit with an engine, and verifies the proof: none leaves that a verifier would refuse. If
/// there is one, the broken constraint is named.
pub fn prove_with(
    engine: &dyn Engine,
    params: &Params,
    key: &ProverKey,
    mut instances: Vec<ProofInstance>,
    progress: &mut dyn FnMut(Stage),
) -> Result<Proof, ProveError> {
    let proof = engine.prove(params, key, &mut instances, progress)?;
    self_check(params, key, &instances, &proof)?;
    progress(Stage::Checked);
    Ok(proof)
}

/// As [`prove_with`], with the stock engine.
pub fn prove(
    params: &Params,
    key: &ProverKey,
    instances: Vec<ProofInstance>,
    progress: &mut dyn FnMut(Stage),
) -> Result<Proof, ProveError> {
    prove_with(&Halo2, params, key, instances, progress)
}

/// An engine may make a proof of any witness; only a verified proof leaves.
fn self_check(params: &Params, key: &ProverKey, instances: &[ProofInstance], proof: &Proof) -> Result<(), ProveError> {
    if proof.bytes.len() != key.verifying.shape.proof_length(instances.len()) {
        return Err(ProveError::SelfCheck);
    }
    let mut transcript = ProofReader::init(&proof.bytes[..]);
    let verified = halo2::with_columns(&proof.instances, |columns| {
        plonk::verify_proof(params, key.verifying.halo2(), SingleVerifier::new(params), columns, &mut transcript)
    });
    if verified.is_ok() {
        return Ok(());
    }
    for (i, (instance, column)) in instances.iter().zip(&proof.instances).enumerate() {
        if let Some(violation) = check_witness(&key.plan, &instance.witness, column).into_iter().next() {
            return Err(ProveError::Unsatisfied { instance: i, violation });
        }
    }
    Err(ProveError::SelfCheck)
}
