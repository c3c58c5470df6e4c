//! What a client trusts, and the rules that it holds blocks to.

use crate::common::*;
use chain::block::Block;
use chain::consensus::{BlockError, ContextualError, StructuralError};
use chain::header::{BlockId, ChainId, LedgerRoot, StateDigest};
use chain::ledger::{self, BalanceProof, MemoryNodes, ProofError};
use chain::light::{Checkpoint, CheckpointDigest, CheckpointError, LightClient, LightError, Nowhere, Report};
use chain::work::CompactTarget;
use circuits::statements::codec;

#[test]
fn the_genesis_is_the_one_that_is_trusted() {
    let refused = LightClient::from_genesis(checker(&SPEC), &ChainId::from_bytes([1; 32])).map(|_| ());
    assert!(matches!(refused, Err(CheckpointError::Genesis)));
    let client = client(&SPEC);
    assert_eq!((client.tip().id, client.tip().height()), (SPEC.id().genesis(), 0));
    assert_eq!(client.tip().id, client.first().id);
}

#[test]
fn many_windows_of_blocks() {
    let branch = Branch::new(&SPEC).grow(150, 1);
    let mut kept = Kept::default();
    let mut client = client(&SPEC);
    let report = client.extend(branch.blocks.clone(), NOW, &mut kept).unwrap();
    let bytes = kept.blocks.iter().map(|block| block.len() as u64).sum();
    // Blocks without contributions have nothing to multiply.
    assert_eq!(report, Report { taken: 150, known: 0, bytes, batches: 0, proofs: 0, switch: None });
    assert_eq!(kept.writes, 3);
    assert_eq!(kept.ids(), ids_of(&branch.blocks));
    assert_eq!(ids(&client), kept.ids());
    assert_eq!((client.tip().id, client.tip().work), (branch.id(), branch.tip().work));
    assert_eq!(client.finalised(), 130);
    // States only where a block may follow.
    let with_state: Vec<u64> = (0..=150).filter(|&height| client.at(height).unwrap().state.is_some()).collect();
    assert_eq!(with_state, (130..=150).collect::<Vec<u64>>());
    assert!(client.at(151).is_none());

    let again = client.extend(branch.blocks.clone(), NOW, &mut kept).unwrap();
    assert_eq!(again, Report { known: 150, ..Report::default() });
    assert_eq!(kept.writes, 3);
    assert_eq!(client.extend(vec![], NOW, &mut kept).unwrap(), Report::default());

    let locator = client.locator();
    assert_eq!((locator[0], locator[1]), (branch.id(), branch.records[149].header.id()));
    assert_eq!(locator.last(), Some(&SPEC.id().genesis()));
    assert!(locator.len() < 20, "{}", locator.len());
}

/// What becomes of five good blocks with something in the place of the sixth, and one after it.
fn sixth(change: impl FnOnce(&Branch<'_>, Block) -> Block, now: u64) -> BlockError {
    let branch = Branch::new(&SPEC).grow(7, 1);
    let before = branch.up_to(5);
    let changed = change(&before, branch.blocks[5].clone());
    let blocks = [&before.blocks[..], &[changed.clone(), branch.blocks[6].clone()]].concat();
    let (mut client, mut kept) = (client(&SPEC), Kept::default());
    let error = client.extend(blocks, now, &mut kept).unwrap_err();
    // The prefix is kept.
    assert_eq!(client.tip().id, before.id());
    assert_eq!(kept.ids(), ids_of(&before.blocks));
    let LightError::Block { height, id, source } = error else { panic!("{error}") };
    assert_eq!((height, id), (changed.summary.height, changed.id()));
    *source
}

#[test]
fn each_rule_of_headers_and_the_prefix_before() {
    let with = |change: fn(&mut Block)| sixth(|_, block| remined(&SPEC, block, change), NOW);
    assert!(matches!(with(|b| b.summary.version = 2), BlockError::Structural(StructuralError::Version(2))));
    assert!(matches!(
        with(|b| b.summary.height = 7),
        BlockError::Contextual(ContextualError::Height { expected: 6, found: 7 })
    ));
    assert!(matches!(
        with(|b| b.summary.step = 1),
        BlockError::Contextual(ContextualError::Step { expected: 0, found: 1 })
    ));
    assert!(matches!(
        with(|b| b.summary.state = StateDigest::from_bytes([0xee; 32])),
        BlockError::Contextual(ContextualError::StateChanged)
    ));
    assert!(matches!(
        with(|b| b.header.parent = BlockId::from_bytes([0xee; 32])),
        BlockError::Contextual(ContextualError::Parent)
    ));
    let old = BEGIN + 3 * SPACING;
    match with(|b| b.header.time = BEGIN + 3 * SPACING) {
        BlockError::Contextual(ContextualError::TimeTooOld { median, found }) => {
            assert_eq!((median, found), (old, old))
        }
        other => panic!("{other}"),
    }
    let easier = |b: &mut Block| b.header.target = CompactTarget::from_bits(0x2100_ffff).unwrap();
    assert!(matches!(with(easier), BlockError::Structural(StructuralError::Floor)));
    let harder = |b: &mut Block| b.header.target = CompactTarget::from_bits(0x203f_ffff).unwrap();
    assert!(matches!(with(harder), BlockError::Contextual(ContextualError::Target { .. })));

    // Work done on something else.
    let idle = |_: &Branch<'_>, mut block: Block| {
        while block.id().as_bytes()[0] < 0x80 {
            block.header.nonce += 1;
        }
        block
    };
    assert!(matches!(sixth(idle, NOW), BlockError::Structural(StructuralError::Work)));
    let other_summary = |_: &Branch<'_>, mut block: Block| {
        block.summary.ledger = LedgerRoot::from_bytes([0xee; 32]);
        block
    };
    assert!(matches!(sixth(other_summary, NOW), BlockError::Structural(StructuralError::Summary)));

    // Ahead of the clock: valid later.
    let now = BEGIN + 5 * SPACING - 95;
    let early = sixth(|_, block| block, now);
    assert!(early.is_temporary(), "{early}");
}

#[test]
fn the_target_follows_the_times() {
    let mut fast = Branch::new(&SPEC);
    fast.spacing = 1;
    let fast = fast.grow(2 * INTERVAL as usize + 2, 1);
    // Twice too fast by more than four.
    assert!(fast.tip().header.target.target() < SPEC.rules().floor.target());
    let mut client = client(&SPEC);
    client.extend(fast.blocks.clone(), NOW, &mut Nowhere).unwrap();
    assert_eq!(client.tip().work, fast.tip().work);
    // Without the retarget.
    let before = fast.up_to(INTERVAL as usize - 1);
    let easy = remined(&SPEC, fast.blocks[INTERVAL as usize - 1].clone(), |b| b.header.target = SPEC.rules().floor);
    let mut client = crate::common::client(&SPEC);
    client.extend(before.blocks, NOW, &mut Nowhere).unwrap();
    let error = client.extend(vec![easy], NOW, &mut Nowhere).unwrap_err();
    let LightError::Block { height: INTERVAL, source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, BlockError::Contextual(ContextualError::Target { .. })));
}

#[test]
fn a_checkpoint_stands_for_all_before_it() {
    let mut branch = Branch::new(&SPEC);
    branch.spacing = 3;
    let branch = branch.grow(60, 1);
    // In all phases of the retarget interval, and where there are fewer blocks before it than rules look at.
    for height in [1, 5, 11, 12, 13, 23, 24, 25, 30] {
        let checkpoint = branch.checkpoint(height);
        let encoded = codec::encode(&checkpoint).unwrap();
        assert_eq!(codec::decode::<Checkpoint>(&encoded).unwrap(), checkpoint);
        let digest = checkpoint.digest().unwrap();
        let mut client = LightClient::from_checkpoint(checker(&SPEC), checkpoint.clone(), &digest).unwrap();
        assert_eq!(client.checkpoint(), Some(&checkpoint));
        client.extend(branch.above(height), NOW, &mut Nowhere).unwrap();
        assert_eq!((client.tip().id, client.tip().work), (branch.id(), branch.tip().work));
        // What is below it is not known.
        let error = client.balance(height as u64 - 1, &contributor().address(), &proof().1).unwrap_err();
        assert!(matches!(error, LightError::Height { last: 60, .. }), "{error}");
    }
    // A client hands on what it could itself have started from.
    let mut client = client(&SPEC);
    client.extend(branch.blocks.clone(), NOW, &mut Nowhere).unwrap();
    assert_eq!(client.checkpoint_at(45), Some(branch.checkpoint(45)));
    assert_eq!(client.checkpoint_at(client.finalised() - 1), None);
}

#[test]
fn checkpoints_that_are_refused() {
    let branch = Branch::new(&SPEC).grow(40, 1);
    let good = branch.checkpoint(30);
    let start = |checkpoint: Checkpoint| {
        let digest = checkpoint.digest().unwrap();
        LightClient::from_checkpoint(checker(&SPEC), checkpoint, &digest).map(|_| ()).unwrap_err()
    };
    let other =
        LightClient::from_checkpoint(checker(&SPEC), good.clone(), &CheckpointDigest::from_bytes([0; 32])).map(|_| ());
    assert!(matches!(other, Err(CheckpointError::Digest)));

    let mut bad = good.clone();
    bad.record.summary.ledger = LedgerRoot::from_bytes([0xee; 32]);
    assert!(matches!(start(bad), CheckpointError::Summary));
    let mut bad = good.clone();
    bad.record.state.segments[0].w[0][0] ^= 1;
    assert!(matches!(start(bad), CheckpointError::State));
    let mut bad = good.clone();
    bad.record.state.segments.pop();
    assert!(matches!(start(bad), CheckpointError::Shape(_)));
    let mut bad = good.clone();
    bad.ancestors.pop();
    assert!(
        matches!(start(bad), CheckpointError::Count { expected, found } if (expected, found) == (INTERVAL + 10, INTERVAL as usize + 9))
    );
    let mut bad = good.clone();
    bad.ancestors[4].nonce ^= 1;
    assert!(matches!(start(bad), CheckpointError::Link(4)));
    // Of a chain with another genesis.
    let elsewhere = spec(|genesis| genesis.name = "elsewhere".into());
    let foreign = Branch::new(&elsewhere).grow(5, 1);
    assert!(matches!(start(foreign.checkpoint(3)), CheckpointError::Link(2)));
    assert!(matches!(start(Checkpoint::genesis(&elsewhere).unwrap()), CheckpointError::Genesis));
}

/// Root of the first ledger, and what the contributor has under it.
fn proof() -> (LedgerRoot, BalanceProof) {
    let mut nodes = MemoryNodes::default();
    let (root, batch) = ledger::update(&nodes, 0, &SPEC.genesis().accounts()).unwrap();
    nodes.insert(batch);
    (root, ledger::prove(&nodes, 0, &contributor().address()).unwrap())
}

#[test]
fn balances_are_those_of_a_verified_root() {
    let (root, proof) = proof();
    let mut branch = Branch::new(&SPEC).grow(2, 1);
    let mut parts = branch.parts(1);
    parts.ledger = root;
    let block = branch.mine(parts);
    branch.push(block);
    let mut client = client(&SPEC);
    client.extend(branch.blocks.clone(), NOW, &mut Nowhere).unwrap();
    let (holder, stranger) = (contributor().address(), chain::address::Address([9; 32]));
    let account = client.balance(3, &holder, &proof).unwrap().unwrap();
    assert_eq!((account.balance.grains(), account.registered), (5, Some(0)));
    let refused = |height, address| client.balance(height, address, &proof).unwrap_err();
    assert!(matches!(refused(2, &holder), LightError::Balance(ProofError::Path(_))));
    assert!(matches!(refused(3, &stranger), LightError::Balance(ProofError::Path(_))));
    assert!(matches!(refused(4, &holder), LightError::Height { height: 4, first: 0, last: 3 }));
    let mut richer = proof.clone();
    richer.account.as_mut().unwrap().nonce += 1;
    let error = client.balance(3, &holder, &richer).unwrap_err();
    assert!(matches!(error, LightError::Balance(ProofError::Path(_))));
}
