//! A chain that was proven: what is accepted in one batch, and what is named when a proof is not valid.

use crate::common::*;
use backend::curve::{ENCODED, F};
use chain::address::Address;
use chain::block::Block;
use chain::consensus::{BlockError, SemanticError};
use chain::header::StateDigest;
use chain::light::{LightError, LightFile, Nowhere, Proofs, Report, window};
use chain::worker::{Proven, Worker};
use circuits::model::State;
use circuits::statements::codec;
use ff::{Field, PrimeField};
use prover::step::StepKeys;
use std::sync::{Arc, LazyLock};
use verifier::BatchError;

static STEPS: LazyLock<StepKeys> = LazyLock::new(|| StepKeys::generate(&PARAMS, &MODEL).unwrap());

/// Proves a block on the branch; the state moves on.
fn train(branch: &Branch<'_>, state: &mut State, contributions: u32) -> Block {
    let worker = Worker { spec: &SPEC, params: &PARAMS, keys: &STEPS, model: &MODEL, dataset: &DATASET };
    let (parent, key) = (branch.tip().parent(), contributor());
    let proven = (0..contributions).map(|slot| worker.contribute(&parent, state, slot, &key, &mut |_| {}).unwrap());
    let proven: Vec<Proven> = proven.collect();
    // The producer of `parts(1)`.
    let update = worker.update(&parent, state, &proven, &Address([1; 32]), &mut |_| {}).unwrap();
    branch.train(proven.into_iter().map(|proven| proven.contribution).collect(), update)
}

/// Adds to the last scalar of a proof: it enters the final multiplication alone, times a fixed point.
fn shift(proof: &mut [u8], by: F) {
    let (_, last) = proof.split_last_chunk_mut::<ENCODED>().unwrap();
    *last = (F::from_repr(*last).unwrap() + by).to_repr();
}

/// Shifts a proof of a block, and works on the block anew.
fn shifted(block: &Block, by: F, proof: fn(&mut Block) -> &mut Vec<u8>) -> Block {
    remined(&SPEC, block.clone(), |block| shift(proof(block), by))
}

fn head(block: &mut Block) -> &mut Vec<u8> {
    &mut block.contributions[0].proofs.heads[0]
}

fn update(block: &mut Block) -> &mut Vec<u8> {
    &mut block.update.as_mut().unwrap().proofs[0]
}

/// What becomes of a run of blocks: the height that is refused, and why. The prefix must have been kept.
fn refused(blocks: &[Block]) -> (u64, SemanticError) {
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    let error = client.extend(blocks.to_vec(), NOW, &mut kept).unwrap_err();
    let LightError::Block { height, id, source } = error else { panic!("{error}") };
    let BlockError::Semantic(source) = *source else { panic!("{source}") };
    let good = height as usize - 1;
    assert_eq!(id, blocks[good].id());
    assert_eq!(kept.ids(), ids_of(&blocks[..good]));
    assert_eq!(ids(&client), kept.ids());
    (height, source)
}

fn invalid(error: &SemanticError) -> bool {
    matches!(error, SemanticError::Proofs(BatchError::Invalid(culprits)) if culprits.len() == 1)
}

/// The branch with one more block and empty ones after it.
fn followed(branch: &Branch<'_>, block: Block) -> Vec<Block> {
    let mut longer = branch.clone();
    longer.push(block);
    longer.grow(2, 1).blocks
}

#[test]
fn a_proven_chain() {
    let mut state = STATE.clone();
    let mut branch = Branch::new(&SPEC).grow(1, 1);
    let start = branch.clone();
    let first = train(&branch, &mut state, 2);
    branch.push(first.clone());
    let (trained_once, after_first) = (branch.clone(), state.clone());
    let second = train(&branch, &mut state, 1);
    branch.push(second.clone());
    branch = branch.grow(2, 1);

    // Acceptance, in one multiplication.
    let (mut accepted, mut kept) = (client(&SPEC), Kept::default());
    let report = accepted.extend(branch.blocks.clone(), NOW, &mut kept).unwrap();
    let bytes = kept.blocks.iter().map(|block| block.len() as u64).sum();
    // Of each block that trains: a proof or more for layers and heads of a contribution, updates, one opening.
    let proofs = branch.blocks.iter().map(Block::proofs).sum();
    assert!(first.proofs() >= 4 + 2 && start.blocks[0].proofs() == 0 && proofs == first.proofs() + second.proofs());
    assert_eq!(report, Report { taken: 5, known: 0, bytes, batches: 1, proofs, switch: None });
    assert_eq!((accepted.tip().id, accepted.tip().summary.step), (branch.id(), 2));
    assert_eq!(accepted.tip().state.as_deref(), Some(&second.update.as_ref().unwrap().after));
    for (i, parent) in branch.records.iter().enumerate().take(branch.blocks.len()) {
        let verdict = window::verify(&checker(&SPEC), &[(parent.parent(), Arc::new(branch.blocks[i].clone()))]);
        let proofs = u64::from(!branch.blocks[i].contributions.is_empty());
        assert_eq!((verdict.good, verdict.refused.is_none(), verdict.batches), (1, true, proofs));
    }

    // From the file, with and without proofs.
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut written = client(&SPEC);
    let (mut blocks, _) = LightFile::open(file.path(), &mut written, Proofs::Trusted).unwrap();
    written.extend(branch.blocks.clone(), NOW, &mut blocks).unwrap();
    drop(blocks);
    for (trust, batches, count) in [(Proofs::Trusted, 0, 0), (Proofs::Verified, 1, proofs)] {
        let mut again = client(&SPEC);
        let (_, opened) = LightFile::open(file.path(), &mut again, trust).unwrap();
        assert_eq!((opened.report.taken, opened.report.batches, opened.dropped), (5, batches, None));
        // 7.23: how many proofs were checked again.
        assert_eq!(opened.report.proofs, count);
        assert_eq!(again.tip(), accepted.tip());
    }

    // From a checkpoint in the midst of training.
    let checkpoint = accepted.checkpoint_at(2).unwrap();
    let digest = checkpoint.digest().unwrap();
    let mut later = chain::light::LightClient::from_checkpoint(checker(&SPEC), checkpoint, &digest).unwrap();
    assert_eq!(later.extend(branch.above(2), NOW, &mut Nowhere).unwrap().batches, 1);
    assert_eq!(later.tip(), accepted.tip());

    // One proof is not valid: only the multiplication shows it, and the block is named, wherever it is.
    let (height, error) = refused(&followed(&trained_once, shifted(&second, F::ONE, head)));
    assert!(height == 3 && invalid(&error), "{error}");
    let (height, error) = refused(&followed(&start, shifted(&first, F::ONE, update)));
    assert!(height == 2 && invalid(&error), "{error}");
    // What shows before the multiplication is named as well, and what is before it is kept.
    let malformed = remined(&SPEC, second.clone(), |block| {
        head(block).pop();
    });
    let (height, error) = refused(&followed(&trained_once, malformed));
    assert!(height == 3 && matches!(error, SemanticError::Step(_)), "{error}");

    // The update leads to another state than the one that the block states.
    let elsewhere = SPEC.genesis().state.clone();
    let astray = remined(&SPEC, second.clone(), |block| {
        block.summary.state = StateDigest::of(&elsewhere);
        block.update.as_mut().unwrap().after = elsewhere;
    });
    let (height, error) = refused(&followed(&trained_once, astray));
    assert!(height == 3 && matches!(error, SemanticError::After), "{error}");
    // Proofs of another block, with everything around them right.
    let moved = remined(&SPEC, second.clone(), |block| block.update = first.update.clone());
    let moved = remined(&SPEC, moved, |block| {
        block.summary.state = StateDigest::of(&block.update.as_ref().unwrap().after);
    });
    let (height, error) = refused(&followed(&trained_once, moved));
    assert!(height == 3 && matches!(error, SemanticError::Step(_)), "{error}");

    // Two blocks whose errors are opposite: they do not cancel, and the first is named.
    let by = F::from(5);
    let (mut forged, mut state) = (start.clone(), after_first);
    forged.push(shifted(&first, by, head));
    let opposite = shifted(&train(&forged, &mut state, 1), -by, head);
    let (height, error) = refused(&followed(&forged, opposite.clone()));
    assert!(height == 2 && invalid(&error), "{error}");
    // Without its proofs, a file of them is believed; with them, it is not.
    forged.push(opposite);
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut blocks, _) = LightFile::open(file.path(), &mut client(&SPEC), Proofs::Trusted).unwrap();
    let encoded: Vec<Vec<u8>> = forged.blocks.iter().map(|block| codec::encode(block).unwrap()).collect();
    let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    chain::light::Keep::replace(&mut blocks, 0, &encoded).unwrap();
    drop(blocks);
    assert!(LightFile::open(file.path(), &mut client(&SPEC), Proofs::Trusted).is_ok());
    let error = LightFile::open(file.path(), &mut client(&SPEC), Proofs::Verified).map(|_| ()).unwrap_err();
    let chain::light::FileError::Refused { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, LightError::Block { height: 2, .. }), "{source}");
}
