//! What the tests of this crate share: keys of the small circuits, honest proofs, and a prover that forges.
#![allow(dead_code, clippy::unwrap_used)]

use circuits::challenge::{self, Challenges};
use circuits::curve::{ENCODED, F, Params, ProofWriter};
use circuits::keys::VerifyingKey;
use circuits::plan::halo::{PlanCircuit, with_plan};
use circuits::plan::{Plan, Witness};
use circuits::testing::{TOY_K, TOY_PUBLICS, Toy, toy, toy_sink};
use halo2_proofs::plonk;
use prover::proof::{Proof, ProofInstance, ProverKey, prove};
use prover::rng::{PortBlinding, derive_wire};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::{Arc, LazyLock};

pub static PARAMS: LazyLock<Params> = LazyLock::new(|| Params::new(TOY_K));
pub static KEY: LazyLock<ProverKey> = LazyLock::new(|| {
    let plan = toy(0).plan;
    let key = VerifyingKey::with_publics(&PARAMS, &plan, TOY_PUBLICS).unwrap();
    ProverKey::new(&PARAMS, &plan, key).unwrap()
});
pub static SINK: LazyLock<ProverKey> = LazyLock::new(|| ProverKey::generate(&PARAMS, &toy_sink(0).plan).unwrap());
/// Proofs of one instance and of three.
pub static ONE: LazyLock<Proof> = LazyLock::new(|| honest(&[1]));
pub static THREE: LazyLock<Proof> = LazyLock::new(|| honest(&[1, 2, 3]));

/// Blinding of the wire of the instance with this seed.
pub fn wire(seed: u64) -> PortBlinding {
    derive_wire(&[42; 32], b"statement", &seed.to_le_bytes(), 4)
}

pub fn instance(toy: Toy, seed: u64) -> ProofInstance {
    ProofInstance {
        witness: toy.witness,
        publics: toy.publics,
        ports: vec![PortBlinding::Canonical(1), wire(seed)],
    }
}

pub fn honest(seeds: &[u64]) -> Proof {
    let instances = seeds.iter().map(|&s| instance(toy(s), s)).collect();
    prove(&PARAMS, &KEY, instances, &mut |_| {}).unwrap()
}

/// A witness with multiplicities, ready for phase 2.
pub fn counted(seed: u64) -> Witness {
    let toy = toy(seed);
    let mut witness = toy.witness;
    assert!(witness.count_lookups(&toy.plan).is_empty());
    witness
}

/// A proof of any witnesses, whole and as they are, with all blinding random (ports must be canonical: zero) and no
/// check of anything: what a cheater runs.
pub fn forge(key: &ProverKey, witnesses: &[Witness], instances: &[Vec<F>]) -> Vec<u8> {
    forge_in(&key.plan, key, witnesses, instances)
}

fn forge_in(plan: &Arc<Plan>, key: &ProverKey, witnesses: &[Witness], instances: &[Vec<F>]) -> Vec<u8> {
    let circuits: Vec<PlanCircuit> = witnesses
        .iter()
        .map(|w| PlanCircuit { plan: plan.clone(), witness: Some(Arc::new(w.clone())) })
        .collect();
    let shape = &key.verifying.shape;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ports = [PortBlinding::Canonical(1), wire(1)];
    let draws: Vec<_> = witnesses
        .iter()
        .map(|_| prover::rng::Draws::new(plan, shape, &ports, &mut rng).unwrap())
        .collect();
    let scripted = prover::rng::ScriptedRng::new(&draws, rng);
    let columns: Vec<[&[F]; 1]> = instances.iter().map(|i| [i.as_slice()]).collect();
    let columns: Vec<&[&[F]]> = columns.iter().map(|c| &c[..]).collect();
    let mut transcript = ProofWriter::init(vec![]);
    with_plan(plan, || {
        let pk = plonk::keygen_pk(&PARAMS, key.verifying.halo2().clone(), &circuits[0]).unwrap();
        plonk::create_proof(&PARAMS, &pk, &circuits, &columns, scripted, &mut transcript).unwrap();
    });
    transcript.finalize()
}

/// Whether the stock verifier, which knows nothing of phases, accepts.
pub fn stock_accepts(key: &ProverKey, proof: &[u8], instances: &[Vec<F>]) -> bool {
    let columns: Vec<[&[F]; 1]> = instances.iter().map(|i| [i.as_slice()]).collect();
    let columns: Vec<&[&[F]]> = columns.iter().map(|c| &c[..]).collect();
    let mut transcript = circuits::curve::ProofReader::init(proof);
    let strategy = plonk::SingleVerifier::new(&PARAMS);
    plonk::verify_proof(&PARAMS, key.verifying.halo2(), strategy, &columns, &mut transcript).is_ok()
}

/// The challenges that a verifier draws from a proof of these public values.
pub fn drawn(key: &ProverKey, proof: &[u8], publics: &[Vec<F>]) -> Challenges {
    let columns = verifier::instances(&key.verifying, proof, publics).unwrap();
    circuits::plan::Challenge::ALL.iter().copied().zip(columns[0].iter().copied()).collect()
}

/// Instance columns of these public values under given challenges.
pub fn under(challenges: &Challenges, publics: &[Vec<F>]) -> Vec<Vec<F>> {
    publics.iter().map(|p| challenge::instance(challenges, p)).collect()
}

/// Overwrites an item of a proof.
pub fn put(proof: &mut [u8], item: usize, bytes: &[u8; ENCODED]) {
    proof[item * ENCODED..][..ENCODED].copy_from_slice(bytes);
}
