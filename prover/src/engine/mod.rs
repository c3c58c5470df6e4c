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
use ff::PrimeField;
use group::GroupEncoding;
use plonkish::check_witness;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use verifier::verify;

/// The generator of all else that is random in a proof, hashed from fresh randomness, from what hides ports, which is hashed from
/// what they hold, and from the contexts: proofs of different statements or values share nothing, even if the system's randomness repeats.
pub(crate) fn randomness(instances: &[ProofInstance]) -> Result<ChaCha20Rng, ProveError> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|_| ProveError::NoRandomness)?;
    Ok(ChaCha20Rng::from_seed(seed(&fresh, instances)))
}

fn seed(fresh: &[u8; 32], instances: &[ProofInstance]) -> [u8; 32] {
    let mut state = blake2b_simd::Params::new().hash_length(32).key(fresh).personal(b"GradCoin-a-proof").to_state();
    let mut add = |values: &[F]| {
        state.update(&(values.len() as u64).to_le_bytes());
        for value in values {
            state.update(value.to_repr().as_ref());
        }
    };
    for instance in instances {
        add(&instance.publics);
        for port in &instance.ports {
            match port {
                PortBlinding::Canonical(blind) => add(&[*blind]),
                PortBlinding::Secret(columns) => columns.iter().for_each(|column| {
                    add(&column.rows);
                    add(&[column.blind]);
                }),
            }
        }
    }
    let mut seed = [0; 32];
    seed.copy_from_slice(state.finalize().as_bytes());
    seed
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blinding::derive_wire;
    use backend::testing::toy;
    use rand_core::Rng;

    /// What is random in a proof depends on fresh randomness, on the context and on what hides ports.
    #[test]
    fn proofs_of_other_statements_are_random_otherwise() {
        let instance = |publics: &[u64], wire: &[u8]| ProofInstance {
            witness: toy(0).witness,
            publics: publics.iter().map(|&x| F::from(x)).collect(),
            ports: vec![PortBlinding::CANONICAL, derive_wire(&[1; 32], b"statement", wire, 4)],
        };
        let of = |fresh: u8, instances: &[ProofInstance]| seed(&[fresh; 32], instances);
        let (a, b) = (instance(&[1, 2], b"a"), instance(&[1, 2], b"b"));
        let base = of(1, std::slice::from_ref(&a));
        assert_eq!(base, of(1, std::slice::from_ref(&a)));
        let others = [
            of(2, std::slice::from_ref(&a)),
            of(1, &[instance(&[1, 3], b"a")]),
            of(1, std::slice::from_ref(&b)),
            of(1, &[a.clone(), b.clone()]),
            of(1, &[b, a.clone()]),
        ];
        for (i, other) in others.iter().enumerate() {
            assert!(*other != base && !others[..i].contains(other), "{i}");
        }
        let drawn = || randomness(std::slice::from_ref(&a)).unwrap().next_u64();
        assert_ne!(drawn(), drawn());
    }
}
