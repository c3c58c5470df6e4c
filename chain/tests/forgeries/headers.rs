//! Every field of header and summary, without new work and with it; work, target and time.

use crate::common::golden::GOLDEN;
use crate::common::tip::{Refused, Tip};
use crate::common::{Altered, NANO, address, flipped, mine, mine_content, mine_summary};
use chain::block::Block;
use chain::consensus::{BlockError, ContextualError, SemanticError, StructuralError, structural};
use chain::header::StateDigest;
use chain::work::{CompactTarget, meets};
use verifier::BatchError;

fn bits(bits: u32) -> CompactTarget {
    CompactTarget::from_bits(bits).unwrap()
}

/// Block 1, whose state is trained, and block 2, whose is not.
fn golden(height: usize) -> (&'static Tip, Block) {
    (GOLDEN.before(height), GOLDEN.block(height))
}

fn refused(height: usize, alter: impl FnOnce(&mut Block)) -> Refused {
    let (tip, mut block) = golden(height);
    alter(&mut block);
    tip.check(&NANO, &GOLDEN.spec, &block).map(|_| ()).unwrap_err()
}

#[test]
fn a_header_that_was_altered_lacks_its_work() {
    let alterations: [fn(&mut Block, u8); 6] = [
        |b, by| b.header.parent = b.header.parent.altered(by),
        |b, by| b.header.time += u64::from(by),
        |b, by| b.header.time -= u64::from(by),
        |b, by| b.header.target = bits(0x1f3f_ffff - u32::from(by)),
        |b, by| b.header.nonce += u64::from(by),
        |b, by| b.header.body = b.header.body.altered(by),
    ];
    for height in 1..=3 {
        for (i, alter) in alterations.iter().enumerate() {
            let mut lucky = 0;
            for by in 1..=16 {
                let (_, mut block) = golden(height);
                alter(&mut block, by);
                assert_ne!(block.header, GOLDEN.block(height).header);
                // One in a thousand alterations has the work by chance: such a header is as good as any.
                if meets(block.id().as_bytes(), block.header.target.target()) {
                    lucky += 1;
                    continue;
                }
                let error = structural::block(&GOLDEN.spec, &block);
                assert!(matches!(error, Err(StructuralError::Work)), "{height} {i} {by}: {error:?}");
            }
            assert!(lucky <= 2, "{height} {i}: {lucky} of 16");
        }
    }
}

#[test]
fn a_summary_that_was_altered_is_not_the_headers() {
    let alterations: [fn(&mut Block); 8] = [
        |b| b.summary.height += 1,
        |b| b.summary.step += 1,
        |b| b.summary.state = flipped(b.summary.state),
        |b| b.summary.contributions = flipped(b.summary.contributions),
        |b| b.summary.transactions = flipped(b.summary.transactions),
        |b| b.summary.ledger = flipped(b.summary.ledger),
        |b| b.summary.producer = address(8),
        |b| b.summary.proofs = flipped(b.summary.proofs),
    ];
    for height in 1..=3 {
        for alter in alterations {
            let error = refused(height, alter);
            assert!(matches!(error, Refused::Structural(StructuralError::Summary)), "{error:?}");
            // The header names the summary, but nobody worked on it.
            let error = refused(height, |b| {
                alter(b);
                b.header.body = b.summary.digest().unwrap();
                while meets(b.id().as_bytes(), b.header.target.target()) {
                    b.header.nonce += 1;
                }
            });
            assert!(matches!(error, Refused::Structural(StructuralError::Work)), "{error:?}");
        }
    }
    for version in [0, 2, u32::MAX] {
        let error = refused(1, |b| {
            b.summary.version = version;
            mine_summary(b);
        });
        assert!(matches!(error, Refused::Structural(StructuralError::Version(v)) if v == version), "{error:?}");
    }
}

#[test]
fn headers_with_new_work() {
    let worked = |height, alter: fn(&mut Block)| {
        refused(height, |b| {
            alter(b);
            mine(b);
        })
    };
    // Contributions are bound to the parent, and a block without any to its own.
    let error = worked(1, |b| b.header.parent = flipped(b.header.parent));
    assert!(matches!(error, Refused::Structural(StructuralError::Parent { index: 0 })), "{error:?}");
    let error = worked(2, |b| b.header.parent = flipped(b.header.parent));
    assert!(matches!(error, Refused::Contextual(ContextualError::Parent)), "{error:?}");
    let error = worked(1, |b| b.header.body = flipped(b.header.body));
    assert!(matches!(error, Refused::Structural(StructuralError::Summary)), "{error:?}");

    // Easier than the floor; harder than the rule says, at a height where it stays and at one where it is corrected.
    let error = worked(1, |b| b.header.target = bits(0x1f40_0001));
    assert!(matches!(error, Refused::Structural(StructuralError::Floor)), "{error:?}");
    let error = worked(1, |b| b.header.target = bits(0x207f_ffff));
    assert!(matches!(error, Refused::Structural(StructuralError::Floor)), "{error:?}");
    for (height, target) in [(1, bits(0x1f3f_ffff)), (2, bits(0x1f3f_ffff)), (3, GOLDEN.block(2).header.target)] {
        let (tip, mut block) = golden(height);
        let expected = block.header.target;
        assert_eq!(expected, tip.ancestry(&GOLDEN.spec).target(GOLDEN.spec.rules(), tip.record.header.target));
        assert_ne!(expected, target);
        block.header.target = target;
        mine(&mut block);
        let error = tip.check(&NANO, &GOLDEN.spec, &block).map(|_| ()).unwrap_err();
        let Refused::Contextual(ContextualError::Target { expected: e, found }) = error else { panic!("{error:?}") };
        assert_eq!((e, found), (expected, target));
    }
}

#[test]
fn summaries_with_new_work() {
    let worked = |height, alter: fn(&mut Block)| {
        refused(height, |b| {
            alter(b);
            mine_summary(b);
        })
    };
    for (alter, found) in [((|b| b.summary.height += 1) as fn(&mut Block), 3), (|b| b.summary.height -= 1, 1)] {
        let error = worked(2, alter);
        let Refused::Contextual(ContextualError::Height { expected: 2, found: f }) = error else { panic!("{error:?}") };
        assert_eq!(f, found);
    }
    let error = worked(1, |b| b.summary.step = 0);
    assert!(matches!(error, Refused::Contextual(ContextualError::Step { expected: 1, found: 0 })), "{error:?}");
    let error = worked(1, |b| b.summary.step = 2);
    assert!(matches!(error, Refused::Contextual(ContextualError::Step { expected: 1, found: 2 })), "{error:?}");
    let error = worked(2, |b| b.summary.step = 2);
    assert!(matches!(error, Refused::Contextual(ContextualError::Step { expected: 1, found: 2 })), "{error:?}");

    let error = worked(1, |b| b.summary.state = flipped(b.summary.state));
    assert!(matches!(error, Refused::Structural(StructuralError::State)), "{error:?}");
    // Without contributions the model stays: also from going back to the state before.
    let error = worked(2, |b| b.summary.state = flipped(b.summary.state));
    assert!(matches!(error, Refused::Contextual(ContextualError::StateChanged)), "{error:?}");
    let error = worked(2, |b| b.summary.state = StateDigest::of(&GOLDEN.chain.genesis.state));
    assert!(matches!(error, Refused::Contextual(ContextualError::StateChanged)), "{error:?}");

    for height in 1..=3 {
        let error = worked(height, |b| b.summary.contributions = flipped(b.summary.contributions));
        assert!(matches!(error, Refused::Structural(StructuralError::Digest("contributions"))), "{error:?}");
        let error = worked(height, |b| b.summary.transactions = flipped(b.summary.transactions));
        assert!(matches!(error, Refused::Structural(StructuralError::Digest("transactions"))), "{error:?}");
        let error = worked(height, |b| b.summary.proofs = flipped(b.summary.proofs));
        assert!(matches!(error, Refused::Structural(StructuralError::Digest("proofs"))), "{error:?}");
        let error = worked(height, |b| b.summary.ledger = flipped(b.summary.ledger));
        let Refused::Contextual(ContextualError::LedgerRoot { expected, found }) = error else { panic!("{error:?}") };
        assert_eq!((expected, found), (GOLDEN.block(height).summary.ledger, flipped(expected)));
    }
}

/// The producer's name is in the domain of the update: who takes a block's proofs for a block of their own proves nothing.
#[test]
fn a_producer_cannot_take_anothers_update() {
    let error = refused(1, |b| {
        b.summary.producer = address(8);
        mine_summary(b);
    });
    // Two proofs of each contribution, then the update's.
    let Refused::Semantic(SemanticError::Proofs(BatchError::Invalid(culprits))) = error else { panic!("{error:?}") };
    assert_eq!(culprits, [4]);
    // Nobody proves anything in a block without contributions: it is the producer's who works on it.
    let (tip, mut block) = golden(2);
    block.summary.producer = address(8);
    mine_summary(&mut block);
    tip.check(&NANO, &GOLDEN.spec, &block).unwrap();
}

#[test]
fn a_stale_parent() {
    // The work and the proofs are right, but the chain has moved on.
    for (height, at) in [(1, 2), (1, 3), (2, 3)] {
        let error = GOLDEN.tips[at].check(&NANO, &GOLDEN.spec, &GOLDEN.block(height)).map(|_| ()).unwrap_err();
        assert!(matches!(error, Refused::Contextual(ContextualError::Parent)), "{error:?}");
    }
    // Work on the new parent does not help whoever contributed to the old one.
    let mut block = GOLDEN.block(1);
    let tip = GOLDEN.before(2);
    block.header.parent = tip.record.header.id();
    mine_content(&GOLDEN.spec, &mut block);
    let error = tip.check(&NANO, &GOLDEN.spec, &block).map(|_| ()).unwrap_err();
    assert!(matches!(error, Refused::Structural(StructuralError::Parent { index: 0 })), "{error:?}");
}

#[test]
fn time_is_after_the_median_and_not_in_the_future() {
    for height in 1..=3 {
        let (tip, block) = golden(height);
        let median = tip.ancestry(&GOLDEN.spec).median_time();
        for (time, valid) in [(0, false), (median - 1, false), (median, false), (median + 1, true)] {
            let mut block = block.clone();
            block.header.time = time;
            mine(&mut block);
            match tip.cheap(&GOLDEN.spec, &block, block.header.time) {
                Ok(_) => assert!(valid),
                Err(Refused::Contextual(ContextualError::TimeTooOld { median: m, found })) => {
                    assert_eq!((m, found, valid), (median, time, false));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    let (tip, block) = golden(1);
    let (time, ahead) = (block.header.time, GOLDEN.spec.rules().max_future);
    tip.cheap(&GOLDEN.spec, &block, time - ahead).map(|_| ()).unwrap();
    let error = tip.cheap(&GOLDEN.spec, &block, time - ahead - 1).map(|_| ()).unwrap_err();
    let Refused::Contextual(error) = error else { panic!("{error:?}") };
    assert_eq!(error, ContextualError::TimeTooNew { now: time - ahead - 1, found: time });
    assert!(BlockError::from(error).is_temporary());
    assert!(!BlockError::from(ContextualError::TimeTooOld { median: 1, found: 1 }).is_temporary());
    // A clock near its end does not wrap.
    let mut last = block;
    last.header.time = u64::MAX;
    mine(&mut last);
    tip.cheap(&GOLDEN.spec, &last, u64::MAX - 1).map(|_| ()).unwrap();
}
