//! Engines: what makes a proof from filled instances. No engine is believed, but that it hides what it should: what it
//! gives is verified, for the public values that were asked for. That it blinded ports as it was told is seen where they
//! are compared: in the verifier of a step. Nobody can see whether the rest is blinded; a test compares the engines.

pub mod draws;
pub mod halo2;
pub mod native;
mod phases;
pub mod script;
mod watch;

pub use halo2::Halo2;
pub use native::Native;
pub use watch::{Cancel, Watch};

use crate::blinding::PortBlinding;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::Witness;
use backend::challenge::{self, Challenges};
use backend::curve::{ENCODED, F, Params, Point};
use group::GroupEncoding;
use plonkish::check_witness;
use verifier::verify;

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

impl ProofInstance {
    /// Whether the witness has the size of the key's grid.
    fn fits(&self, key: &ProverKey) -> bool {
        let values = &self.witness.values;
        values.len() == key.verifying.shape.advice && values.iter().all(|column| column.len() == key.plan.usable)
    }
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
    Checked {
        /// Instances that it proves.
        instances: usize,
    },
}

/// A proof system's prover.
pub trait Engine: Sync {
    /// Proves some instances of one circuit. Their witnesses hold phase 1 but for multiplicities; all else is filled in.
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError>;
}

/// Proves instances of one circuit with an engine, and verifies the proof: none leaves that a verifier would refuse. If
/// there is one, the broken constraint is named.
pub fn prove_with(
    engine: &dyn Engine,
    params: &Params,
    key: &ProverKey,
    mut instances: Vec<ProofInstance>,
    watch: &mut Watch<'_>,
) -> Result<Proof, ProveError> {
    let shape = &key.verifying.shape;
    if instances.is_empty() {
        return Err(ProveError::NoInstances);
    }
    for (instance, found) in instances.iter().map(|i| i.publics.len()).enumerate() {
        if found != shape.publics {
            return Err(ProveError::Publics { instance, expected: shape.publics, found });
        }
    }
    let publics: Vec<Vec<F>> = instances.iter().map(|instance| instance.publics.clone()).collect();
    let proof = engine.prove(params, key, &mut instances, watch)?;
    watch.cancel.check()?;
    self_check(params, key, (&instances, &publics), &proof)?;
    (watch.progress)(Stage::Checked { instances: instances.len() });
    Ok(proof)
}

/// As [`prove_with`], with the native engine, and nobody to stop it.
pub fn prove(
    params: &Params,
    key: &ProverKey,
    instances: Vec<ProofInstance>,
    progress: &mut dyn FnMut(Stage),
) -> Result<Proof, ProveError> {
    prove_with(&Native, params, key, instances, &mut Watch { progress, cancel: &Cancel::default() })
}

/// An engine may make a proof of any witness, and say anything beside it: only a proof leaves that verifies for the public
/// values that were asked for, with the challenges that a verifier draws, and whose ports are those that stand in it.
fn self_check(
    params: &Params,
    key: &ProverKey,
    (instances, publics): (&[ProofInstance], &[Vec<F>]),
    proof: &Proof,
) -> Result<(), ProveError> {
    let shape = &key.verifying.shape;
    if proof.bytes.len() != shape.proof_length(publics.len()) {
        return Err(ProveError::SelfCheck);
    }
    let drawn = key.verifying.challenges(&proof.bytes, &challenge::unset(publics));
    let columns: Vec<Vec<F>> = publics.iter().map(|publics| challenge::instance(&drawn, publics)).collect();
    let ports = shape.by_port(publics.len(), proof.bytes.as_chunks::<ENCODED>().0);
    let encode = |ports: &Vec<Vec<Point>>| ports.iter().map(|p| p.iter().map(Point::to_bytes).collect()).collect();
    let claimed: Vec<Vec<Vec<[u8; ENCODED]>>> = proof.ports.iter().map(encode).collect();
    if proof.challenges != drawn || proof.instances != columns || ports != Some(claimed) {
        return Err(ProveError::SelfCheck);
    }
    if verify(params, &key.verifying, publics.len(), &proof.bytes, &proof.instances).is_ok() {
        return Ok(());
    }
    for (i, (instance, column)) in instances.iter().zip(&proof.instances).enumerate() {
        if !instance.fits(key) {
            return Err(ProveError::SelfCheck);
        }
        if let Some(violation) = check_witness(&key.plan, &instance.witness, column).into_iter().next() {
            return Err(ProveError::Unsatisfied { instance: i, violation });
        }
    }
    Err(ProveError::SelfCheck)
}
