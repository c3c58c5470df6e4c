//! What a producer does to a block's content: leaves out, repeats, invents, reorders; updates that should not be there.

use crate::common::golden::GOLDEN;
use crate::common::tip::Refused;
use crate::common::{NANO, key, key_of, mine_content, resign, sign};
use chain::block::Block;
use chain::consensus::{SemanticError, StructuralError, structural};
use chain::contribution::Contribution;
use chain::header::BlockId;
use circuits::model::Slot;
use circuits::segments::UpdatePort;
use circuits::statements::StateCommitments;
use verifier::{BatchError, StepError, VerifyError};

/// What block `height` is refused for once it was altered and everything made right that can be.
fn refused(height: usize, alter: impl FnOnce(&mut Block)) -> Refused {
    let mut block = GOLDEN.block(height);
    alter(&mut block);
    mine_content(&GOLDEN.spec, &mut block);
    GOLDEN.before(height).check(&NANO, &GOLDEN.spec, &block).map(|_| ()).unwrap_err()
}

/// As [`refused`], with the ledger's root that belongs to the content.
fn refused_with_root(height: usize, alter: impl FnOnce(&mut Block)) -> Refused {
    refused(height, |block| {
        alter(block);
        let contributors: Vec<_> = block.contributions.iter().map(|c| c.seat.contributor).collect();
        let executed =
            GOLDEN.before(height).execute(&GOLDEN.spec, &block.transactions, &contributors, &block.summary.producer);
        block.summary.ledger = executed.unwrap().root;
    })
}

/// As [`refused`], of an alteration that the contributors make themselves, and sign. A producer who makes it without their
/// keys is refused by a seal.
fn refused_signed(height: usize, alter: impl Fn(&mut Block)) -> Refused {
    let error = refused(height, &alter);
    let sealed = matches!(error, Refused::Semantic(SemanticError::Signature { .. } | SemanticError::Stamp { .. }));
    assert!(sealed, "{error:?}");
    refused(height, |block| {
        alter(block);
        block.contributions.iter_mut().for_each(|c| resign(&GOLDEN.spec, c));
    })
}

#[test]
fn a_block_worked_on_anew_is_the_block() {
    for height in 1..=3 {
        let mut block = GOLDEN.block(height);
        block.header.nonce = 0;
        mine_content(&GOLDEN.spec, &mut block);
        assert_eq!(block, GOLDEN.block(height));
    }
}

#[test]
fn a_contribution_is_left_out() {
    for index in [0, 1] {
        let error = refused_with_root(1, |b| drop(b.contributions.remove(index)));
        // The update is by both.
        assert!(
            matches!(
                error,
                Refused::Semantic(SemanticError::Step(StepError::Entering { segment: 0, port: UpdatePort::Dividends }))
            ),
            "{error:?}"
        );
    }
    let error = refused_with_root(1, |b| b.contributions.clear());
    assert!(matches!(error, Refused::Structural(StructuralError::Update)), "{error:?}");
}

#[test]
fn a_contribution_is_repeated_or_invented() {
    for index in [0, 1] {
        let error = refused(1, |b| b.contributions.insert(index, b.contributions[index].clone()));
        let Refused::Structural(StructuralError::Order(at)) = error else { panic!("{error:?}") };
        assert_eq!(at, index + 1);
        // Under another slot, by the contributor: the batch is another.
        let error = refused_with_root(1, |b| {
            let mut again = b.contributions[index].clone();
            again.seat.slot = 1;
            let key = key_of(&again.seat.contributor);
            sign(&GOLDEN.spec, &mut again, &key);
            b.contributions.insert(index + 1, again);
        });
        let Refused::Semantic(SemanticError::Batch { index: at, sequence: 0, .. }) = error else { panic!("{error:?}") };
        assert_eq!(at, index + 1);
    }
    // By a contributor that has none in the block, with the proofs of one that has.
    let error = refused_with_root(1, |b| {
        let mut invented = b.contributions[0].clone();
        sign(&GOLDEN.spec, &mut invented, &key(3));
        b.contributions.push(invented);
        b.contributions.sort_by_key(|c| c.seat);
    });
    let Refused::Semantic(SemanticError::Batch { index, .. }) = error else { panic!("{error:?}") };
    let names: Vec<_> = GOLDEN.block(1).contributions.iter().map(|c| c.seat.contributor).collect();
    assert_eq!(index, names.iter().filter(|name| **name < key(3).address()).count());
}

#[test]
fn contributions_out_of_order_or_too_many() {
    let error = refused(1, |b| b.contributions.reverse());
    assert!(matches!(error, Refused::Structural(StructuralError::Order(1))), "{error:?}");
    let error = refused(1, |b| {
        b.contributions = vec![b.contributions[0].clone(); 5];
    });
    assert!(matches!(error, Refused::Structural(StructuralError::Contributions { found: 5, most: 4 })), "{error:?}");
    let error = refused(1, |b| b.contributions[1].seat.parent = BlockId::from_bytes([1; 32]));
    assert!(matches!(error, Refused::Structural(StructuralError::Parent { index: 1 })), "{error:?}");
    let error = refused(2, |b| b.transactions = vec![b.transactions[0]; 5]);
    assert!(matches!(error, Refused::Structural(StructuralError::Transactions { found: 5, most: 4 })), "{error:?}");
}

/// Proofs beyond the limit are refused by their number of bytes, before anything in them is looked at.
#[test]
fn too_many_bytes_of_proofs() {
    let (spec, most) = (&GOLDEN.spec, GOLDEN.spec.rules().max_proof_bytes);
    let proof_bytes = |error| match error {
        StructuralError::ProofBytes { found, most } => (found, most),
        error => panic!("{error:?}"),
    };
    let pad = |bytes: &mut Vec<u8>, by: u64| bytes.resize(bytes.len() + by as usize, 1);
    let honest = GOLDEN.block(1);
    // A contribution alone: proofs and paths count.
    let room = most - honest.contributions[0].proof_bytes();
    type Part = fn(&mut Contribution) -> &mut Vec<u8>;
    let parts: [Part; 3] = [|c| &mut c.proofs.layers[0], |c| &mut c.proofs.heads[0], |c| &mut c.leaves[0].0];
    for part in parts {
        let mut c = honest.contributions[0].clone();
        pad(part(&mut c), room);
        structural::contribution(spec, 0, &c).unwrap();
        part(&mut c).push(1);
        assert_eq!(proof_bytes(structural::contribution(spec, 0, &c).unwrap_err()), (most + 1, most));
    }
    // A block: its contributions together, though none is beyond the limit, and its update.
    let room = most - honest.proof_bytes();
    type InBlock = fn(&mut Block) -> &mut Vec<u8>;
    let parts: [InBlock; 4] = [
        |b| &mut b.contributions[0].proofs.layers[0],
        |b| &mut b.contributions[1].leaves[0].0,
        |b| &mut b.update.as_mut().unwrap().proofs[0],
        |b| &mut b.update.as_mut().unwrap().canonical,
    ];
    for part in parts {
        let mut block = honest.clone();
        pad(part(&mut block), room);
        mine_content(spec, &mut block);
        structural::block(spec, &block).unwrap();
        let error = refused(1, |b| {
            *b = block;
            part(b).push(1);
            assert!(b.contributions.iter().all(|c| structural::contribution(spec, 0, c).is_ok()));
        });
        let Refused::Structural(error) = error else { panic!("{error:?}") };
        assert_eq!(proof_bytes(error), (most + 1, most));
    }
}

#[test]
fn an_update_without_contributions_and_contributions_without_an_update() {
    let update = GOLDEN.block(1).update;
    let error = refused(2, |b| b.update = update.clone());
    assert!(matches!(error, Refused::Structural(StructuralError::Update)), "{error:?}");
    for height in [1, 3] {
        let error = refused(height, |b| b.update = None);
        assert!(matches!(error, Refused::Structural(StructuralError::Update)), "{error:?}");
    }
    // Training steps count blocks with contributions: one that hides its own is refused as well.
    let error = refused(3, |b| {
        (b.contributions, b.update) = (vec![], None);
        b.summary.state = GOLDEN.before(3).record.summary.state;
    });
    let expected = chain::consensus::ContextualError::Step { expected: 1, found: 2 };
    let Refused::Contextual(error) = error else { panic!("{error:?}") };
    assert_eq!(error, expected);
}

#[test]
fn the_state_after() {
    type Alter = fn(&mut StateCommitments);
    let permuted: [Alter; 6] = [
        |s| s.segments[0].w.swap(0, 1),
        |s| s.segments[1].slots.get_mut(&Slot::Low).unwrap().swap(0, 1),
        |s| s.segments[1].slots.get_mut(&Slot::Momentum).unwrap().swap(0, 1),
        |s| s.segments.swap(0, 1),
        |s| s.segments[0].w = s.segments[1].w.clone(),
        // The model stays where it was.
        |s| *s = GOLDEN.chain.genesis.state.clone(),
    ];
    for (i, alter) in permuted.into_iter().enumerate() {
        let error = refused(1, |b| alter(&mut b.update.as_mut().unwrap().after));
        assert!(matches!(error, Refused::Semantic(SemanticError::After)), "{i}: {error:?}");
    }
    let misshapen: [Alter; 4] = [
        |s| drop(s.segments.pop()),
        |s| s.segments.push(Default::default()),
        |s| s.segments[0].slots.get_mut(&Slot::Momentum).unwrap().truncate(1),
        |s| s.segments[1].slots.get_mut(&Slot::Low).unwrap().push([0; 32]),
    ];
    for (i, alter) in misshapen.into_iter().enumerate() {
        let error = refused(1, |b| alter(&mut b.update.as_mut().unwrap().after));
        assert!(matches!(error, Refused::Structural(StructuralError::Shape)), "{i}: {error:?}");
    }
    // The summary names the state that the update leads to.
    let mut block = GOLDEN.block(1);
    block.update.as_mut().unwrap().after.segments[0].w.swap(0, 1);
    let digests = block.digests(GOLDEN.spec.id()).unwrap();
    block.summary.proofs = digests.proofs;
    crate::common::mine_summary(&mut block);
    let error = GOLDEN.before(1).check(&NANO, &GOLDEN.spec, &block).map(|_| ()).unwrap_err();
    assert!(matches!(error, Refused::Structural(StructuralError::State)), "{error:?}");
}

#[test]
fn the_opening_of_the_outputs() {
    let refused = |alter: &dyn Fn(&mut Vec<u8>)| {
        let error = refused(1, |b| alter(&mut b.update.as_mut().unwrap().canonical));
        let Refused::Semantic(error) = error else { panic!("{error:?}") };
        error
    };
    let honest = GOLDEN.block(1).update.unwrap().canonical;
    let step = |error| match error {
        SemanticError::Step(StepError::Canonical { source }) => source,
        error => panic!("{error:?}"),
    };
    // Of another block.
    let moved = refused(&|opening| *opening = GOLDEN.block(3).update.unwrap().canonical);
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = moved else { panic!("{moved:?}") };
    assert_eq!(culprits, [5]);
    // Another value, another scalar.
    for at in [0, honest.len() - 64] {
        let error = refused(&|opening| opening[at] ^= 1);
        let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
        assert_eq!(culprits, [5]);
    }
    // A blind that is left.
    let at = honest.len() - 32;
    assert!(matches!(step(refused(&|opening| opening[at] = 1)), VerifyError::Blind));
    assert!(matches!(step(refused(&|opening| opening.truncate(at))), VerifyError::ProofLength { .. }));
    assert!(matches!(step(refused(&|opening| opening.push(0))), VerifyError::ProofLength { .. }));
    assert!(matches!(step(refused(&Vec::clear)), VerifyError::ProofLength { found: 0, .. }));
    assert!(matches!(step(refused(&|opening| opening[32..64].fill(0))), VerifyError::Identity { item: 1 }));
    assert!(matches!(step(refused(&|opening| opening[..32].fill(0xff))), VerifyError::Scalar { item: 0 }));
}

#[test]
fn proofs_of_two_contributions_are_swapped() {
    let honest = GOLDEN.block(1);
    // Whole proofs, signed anew by both: each has the other's batch, or the other's gradient.
    let error = refused_signed(1, |b| {
        let [x, y] = &mut b.contributions[..] else { panic!("two") };
        std::mem::swap(&mut x.proofs, &mut y.proofs);
        std::mem::swap(&mut x.gradient, &mut y.gradient);
    });
    assert!(matches!(error, Refused::Semantic(SemanticError::Batch { index: 0, sequence: 0, .. })), "{error:?}");
    let error = refused_signed(1, |b| {
        let [x, y] = &mut b.contributions[..] else { panic!("two") };
        std::mem::swap(&mut x.proofs, &mut y.proofs);
    });
    assert!(matches!(error, Refused::Semantic(SemanticError::Gradient { index: 0 })), "{error:?}");
    // Only the layers', only the heads': the wires between them are secret, and blinded differently.
    for layers in [true, false] {
        let error = refused_signed(1, |b| {
            let [x, y] = &mut b.contributions[..] else { panic!("two") };
            let (x, y) = (&mut x.proofs, &mut y.proofs);
            if layers {
                std::mem::swap(&mut x.layers, &mut y.layers);
            } else {
                std::mem::swap(&mut x.heads, &mut y.heads);
            }
        });
        let Refused::Semantic(SemanticError::Step(error)) = error else { panic!("{error:?}") };
        assert!(matches!(error, StepError::Wire { contribution: 0, sequence: 0, boundary: 0 }), "{error:?}");
    }
    // A layer where a head should be.
    let error = refused_signed(1, |b| {
        let proofs = &mut b.contributions[0].proofs;
        std::mem::swap(&mut proofs.layers, &mut proofs.heads);
    });
    let Refused::Semantic(SemanticError::Step(StepError::Proof { part: "layer", index: 0, source })) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(source, VerifyError::ProofLength { .. }), "{source:?}");
    // Proofs of another block's update and contribution.
    let later = GOLDEN.block(3);
    let error = refused(1, |b| b.update.as_mut().unwrap().proofs = later.update.clone().unwrap().proofs);
    let Refused::Semantic(SemanticError::Step(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, StepError::Entering { segment: 0, port: UpdatePort::Dividends }), "{error:?}");
    let error = refused_signed(1, |b| b.contributions[1].proofs.layers = later.contributions[0].proofs.layers.clone());
    let Refused::Semantic(SemanticError::Step(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, StepError::State { contribution: 1, port: "weights", .. }), "{error:?}");
    assert_eq!(honest.update.unwrap().proofs.len(), 1);
}
