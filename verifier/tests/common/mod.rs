//! What the tests of this crate share: keys of the small circuits, honest proofs, and a prover that forges.
#![allow(dead_code, clippy::unwrap_used)]

use backend::Witness;
use backend::challenge::{self, Challenges};
use backend::curve::{ENCODED, F, Params, ProofWriter};
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use backend::keys::VerifyingKey;
use backend::testing::{TOY_K, TOY_PUBLICS, Toy, toy, toy_sink};
use circuits::model::{Config, Spec};
use ff::PrimeField;
use halo2_proofs::plonk;
use halo2_proofs::transcript::Transcript;
use prover::blinding::{PortBlinding, derive_wire};
use prover::engine::draws::Draws;
use prover::engine::native::{self, Columns};
use prover::engine::script::ScriptedRng;
use prover::engine::{Cancel, Proof, ProofInstance, prove};
use prover::key::ProverKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::{Arc, LazyLock};
use verifier::{Oracle, VerifyError};

pub static PARAMS: LazyLock<Params> = LazyLock::new(|| Params::new(TOY_K));
pub static KEY: LazyLock<ProverKey> = LazyLock::new(|| {
    let plan = toy(0).plan;
    let key = VerifyingKey::with_publics(&PARAMS, &plan, TOY_PUBLICS).unwrap();
    ProverKey::new(&PARAMS, &plan, key).unwrap()
});
pub static SINK: LazyLock<ProverKey> = LazyLock::new(|| ProverKey::generate(&PARAMS, &toy_sink(0).plan).unwrap());
/// halo2's verifier of [`KEY`].
pub static ORACLE: LazyLock<Oracle> = LazyLock::new(|| Oracle::new(&PARAMS, &KEY.plan).unwrap());
/// Proofs of one instance and of three.
pub static ONE: LazyLock<Proof> = LazyLock::new(|| honest(&[1]));
pub static THREE: LazyLock<Proof> = LazyLock::new(|| honest(&[1, 2, 3]));

/// Two layers and few cells.
pub fn small() -> Spec {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (16, 8, 12);
    (config.layers, config.heads, config.context) = (2, 2, 4);
    config.check().unwrap();
    Spec::new(config)
}

/// Blinding of the wire of the instance with this seed.
pub fn wire(seed: u64) -> PortBlinding {
    derive_wire(&[42; 32], b"statement", &seed.to_le_bytes(), 4)
}

pub fn instance(toy: Toy, seed: u64) -> ProofInstance {
    ProofInstance { witness: toy.witness, publics: toy.publics, ports: vec![PortBlinding::CANONICAL, wire(seed)] }
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

/// What a cheater runs: a proof of any witnesses as they are, with no check of anything. The blinding is the same each
/// time, so that the same phase 1 gives the same commitments.
pub fn forge(witnesses: &[Witness], instances: &[Vec<F>]) -> Vec<u8> {
    forge_blinded(witnesses, instances, &mut |_| {})
}

/// As [`forge`], with blinding that the cheater alters. A cheater has two engines: of proofs by either, both verifiers say
/// the same.
pub fn forge_blinded(witnesses: &[Witness], instances: &[Vec<F>], alter: &mut dyn FnMut(&mut Draws)) -> Vec<u8> {
    let (plan, shape) = (&KEY.plan, &KEY.verifying.shape);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ports = [PortBlinding::CANONICAL, wire(1)];
    let mut draws: Vec<Draws> = witnesses.iter().map(|_| Draws::new(plan, shape, &ports, &mut rng).unwrap()).collect();
    draws.iter_mut().for_each(alter);
    let stock = forge_by_stock(witnesses, instances, &draws, rng.clone());
    let native = forge_by_native(witnesses, instances, &draws, rng);
    let head = witnesses.len() * shape.advice * ENCODED;
    assert_eq!((stock.len(), &stock[..head]), (native.len(), &native[..head]));
    let accepted = stock_accepts(&stock, instances);
    for proof in [&stock, &native] {
        assert_eq!(stock_accepts(proof, instances), accepted);
        let ours = Oracle::ours(&PARAMS, &KEY.verifying, witnesses.len(), proof, instances);
        assert!(accepted || matches!(ours, Err(VerifyError::Invalid)), "{ours:?}");
        assert_eq!(ours.is_ok(), accepted);
    }
    // Of a witness that holds they are the same proof; of another, each has its own quotient that is none.
    assert!(!accepted || stock == native);
    stock
}

fn forge_by_stock(witnesses: &[Witness], instances: &[Vec<F>], draws: &[Draws], rng: ChaCha20Rng) -> Vec<u8> {
    let plan = &KEY.plan;
    let circuits: Vec<PlanCircuit<F>> =
        witnesses.iter().map(|w| PlanCircuit { plan: plan.clone(), witness: Some(Arc::new(w.clone())) }).collect();
    let scripted = ScriptedRng::new(draws, rng);
    let key = KEY.halo2(&PARAMS).unwrap();
    let mut transcript = ProofWriter::init(vec![]);
    with_columns((&plan.uniform, plan.k), instances, |columns| {
        with_plan(plan, || {
            plonk::create_proof(PARAMS.halo2(), key, &circuits, columns, scripted, &mut transcript).unwrap();
        });
    });
    transcript.finalize()
}

fn forge_by_native(witnesses: &[Witness], instances: &[Vec<F>], draws: &[Draws], mut rng: ChaCha20Rng) -> Vec<u8> {
    let (bases, never) = (PARAMS.bases(), Cancel::default());
    let columns = |((witness, instance), draws): ((&Witness, &Vec<F>), &Draws)| {
        let mut columns = Columns::new(draws.blinds.clone());
        columns.commit(&bases, &witness.values, &draws.rows, &never).unwrap();
        columns.instance = instance.clone();
        columns.uniform = KEY.plan.uniform_values(instance);
        columns
    };
    let columns = witnesses.iter().zip(instances).zip(draws).map(columns).collect();
    let mut transcript = ProofWriter::init(vec![]);
    transcript.common_scalar(KEY.verifying.transcript).unwrap();
    native::create_proof(&bases, KEY.native(), columns, &mut transcript, &mut rng, &never).unwrap();
    transcript.finalize()
}

/// The phase-1 commitments that [`forge`] makes, instance by instance.
pub fn phase1_points(witnesses: &[Witness], publics: &[Vec<F>]) -> Vec<Vec<u8>> {
    let none = challenge::scalars(&[0; 64]);
    let proof = forge(witnesses, &under(&none, publics));
    let shape = &KEY.verifying.shape;
    let heads = proof.chunks(shape.advice * ENCODED).take(witnesses.len());
    heads.map(|head| head[..shape.phase1 * ENCODED].to_vec()).collect()
}

/// The digest as the verifier makes it, of whatever is given.
pub fn digest_of(key: &[u8; 64], instances: &[Vec<F>], points: &[Vec<u8>]) -> challenge::Digest {
    let points: Vec<&[u8]> = points.iter().map(Vec::as_slice).collect();
    challenge::digest(TOY_K, key, instances, &points)
}

/// The challenges that belong to these witnesses' phase 1, when [`forge`] proves them.
pub fn drawn(witnesses: &[Witness], publics: &[Vec<F>]) -> Challenges {
    let unset = under(&challenge::scalars(&[0; 64]), publics);
    challenge::scalars(&digest_of(&KEY.verifying.digest, &unset, &phase1_points(witnesses, publics)))
}

/// Fills phase 2 of all witnesses.
pub fn fill(witnesses: &mut [Witness], challenges: &Challenges) {
    witnesses.iter_mut().for_each(|w| w.fill_phase2(&KEY.plan, challenges));
}

/// Advice column by name.
pub fn column(name: &str) -> usize {
    KEY.plan.advice.iter().position(|c| c.name == name).unwrap()
}

/// Whether the stock verifier, which knows nothing of phases, accepts.
pub fn stock_accepts(proof: &[u8], instances: &[Vec<F>]) -> bool {
    ORACLE.verify(&PARAMS, proof, instances).is_ok()
}

/// Instance columns of these public values under given challenges.
pub fn under(challenges: &Challenges, publics: &[Vec<F>]) -> Vec<Vec<F>> {
    publics.iter().map(|p| challenge::instance(challenges, p)).collect()
}

/// Overwrites an item of a proof.
pub fn put(proof: &mut [u8], item: usize, bytes: &[u8; ENCODED]) {
    proof[item * ENCODED..][..ENCODED].copy_from_slice(bytes);
}

/// The proof with its last scalar changed, which enters the claim alone, times one fixed point.
pub fn shifted(proof: &Proof, by: F) -> Vec<u8> {
    let mut bytes = proof.bytes.clone();
    let last = bytes.len() / ENCODED - 1;
    let old: [u8; ENCODED] = bytes[last * ENCODED..].try_into().unwrap();
    put(&mut bytes, last, &(F::from_repr(old).unwrap() + by).to_repr());
    bytes
}
