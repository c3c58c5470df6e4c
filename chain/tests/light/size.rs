//! How many bytes of a file a block takes.

use crate::common::*;
use backend::curve::DEFAULT_K;
use backend::ports::canonical_length;
use chain::address::Signature;
use chain::block::Update;
use chain::consensus::structural;
use chain::contribution::{Contribution, Seat, TensorsDigest};
use chain::light::Keep;
use chain::light::{LightFile, Proofs};
use chain::unmined::{Parts, UnminedBlock};
use circuits::model::{Config, Spec};
use circuits::statements::dataset::{DatasetRoot, MerkleProof};
use circuits::statements::{self, Layouts, MAX_INSTANCES_PER_PROOF, codec};
use prover::step::commit_state;
use verifier::StepVerifier;

/// Most bytes that a block of the smallest preset takes, with two contributions of one sequence each.
const MOST: usize = 80_000;

/// A block with nothing but zeros in its proofs, which have the lengths that proofs have; its digests and work are right.
#[test]
fn a_nano_block_of_two_contributions() {
    let model = Spec::new(Config::NANO);
    let keys = StepVerifier::new(&PARAMS, &model.config).unwrap();
    let layouts = Layouts::new(&model.config);
    let state = commit_state(&PARAMS, &model, &circuits::model::State::init(&model.config, 1)).unwrap();
    // Of a data set of a million sequences.
    let dataset = DatasetRoot::new([1; 32], 1 << 20).unwrap();
    let spec = spec(|genesis| {
        (genesis.config, genesis.state, genesis.dataset) = (model.config.to_json(), state.clone(), dataset);
        genesis.keys = chain::genesis::keys_digest(&keys);
    });
    let columns = |of: &dyn Fn(usize) -> usize| (0..layouts.segments()).map(of).collect::<Vec<_>>();
    let gradient: Vec<_> =
        columns(&|segment| layouts.of(segment).columns()).into_iter().map(|n| vec![[0xff; 32]; n]).collect();
    let branch = Branch::new(&spec);
    let proof = |key: &backend::keys::VerifyingKey, instances: usize| vec![0xff; key.shape.proof_length(instances)];
    let contribution = |slot| Contribution {
        seat: Seat { parent: branch.id(), contributor: contributor().address(), slot },
        gradient: gradient.clone(),
        proofs: statements::Contribution {
            losses: vec![u64::MAX],
            layers: vec![proof(&keys.keys().layer, 1)],
            heads: vec![proof(&keys.keys().head, 1)],
        },
        leaves: vec![MerkleProof(vec![0xff; dataset.proof_length(7).unwrap()])],
        tensors: TensorsDigest::from_bytes([0xff; 32]),
        stamp: u64::MAX,
        signature: Signature([0xff; 64]),
    };
    let instances = layouts.updates().len();
    let per_proof = MAX_INSTANCES_PER_PROOF as usize;
    let lengths = (0..instances).step_by(per_proof).map(|at| (instances - at).min(per_proof));
    let update = Update {
        squares: vec![],
        after: state,
        proofs: lengths.map(|n| proof(&keys.keys().update, n)).collect(),
        canonical: vec![0xff; canonical_length(DEFAULT_K)],
    };
    let parts =
        Parts { contributions: vec![contribution(0), contribution(1)], update: Some(update), ..branch.parts(1) };
    let block = UnminedBlock::new(&spec, branch.tip(), &branch.ancestry(), parts).unwrap().mine(u64::MAX).unwrap();
    structural::block(&spec, &block).unwrap();

    let file = tempfile::NamedTempFile::new().unwrap();
    let mut client = chain::light::LightClient::from_genesis(
        chain::consensus::semantic::Checker::unproven(&spec, &PARAMS, &keys).unwrap(),
        spec.id(),
    )
    .unwrap();
    let (mut blocks, _) = LightFile::open(file.path(), &mut client, Proofs::Trusted).unwrap();
    let before = blocks.bytes();
    blocks.replace(0, &[&codec::encode(&block).unwrap()]).unwrap();
    let bytes = (blocks.bytes() - before) as usize;
    assert!((MOST / 2..=MOST).contains(&bytes), "{bytes} bytes a block");
}
