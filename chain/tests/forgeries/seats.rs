//! Contributions that are stolen, moved, replayed or invented, and the scopes that bind them.

use crate::common::golden::GOLDEN;
use crate::common::tip::Refused;
use crate::common::{NANO, PARAMS, address, flipped, key, key_of, mine, reseal, sign, tried_keys};

use chain::address::{Address, SignatureError};
use chain::block::Block;
use chain::consensus::semantic::Parent;
use chain::consensus::{ContextualError, SemanticError, StructuralError, structural};
use chain::contribution::{Contribution, Seat, update_scope};
use chain::dataset::{DatasetError, assigned};
use chain::genesis::ChainSpec;
use circuits::ops::sgd::HyperError;
use circuits::scope::Scope;
use verifier::step::Claimed;
use verifier::{Batch, BatchError, StepError};

fn leaf_of(spec: &ChainSpec, seat: &Seat) -> u64 {
    assigned(&spec.genesis().dataset, &seat.parent, &seat.contributor.0, seat.slot, 0)
}

/// What a pool checks of a contribution alone.
fn refused(spec: &ChainSpec, parent: &Parent, c: &Contribution) -> SemanticError {
    structural::contribution(spec, 0, c).unwrap();
    NANO.checker(spec).verify_contribution(parent, c).map(|_| ()).unwrap_err()
}

/// The path of the leaf that the seat is assigned; what is proven is another leaf.
fn with_path(spec: &ChainSpec, mut c: Contribution) -> Contribution {
    c.leaves[0] = NANO.dataset.proof(leaf_of(spec, &c.seat)).unwrap();
    c
}

fn assert_other_leaf(spec: &ChainSpec, parent: &Parent, c: &Contribution) {
    let error = refused(spec, parent, &with_path(spec, c.clone()));
    let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
    assert_eq!(source, DatasetError::NotIncluded { index: leaf_of(spec, &c.seat) });
    // Under the path of the leaf that is proven.
    let error = refused(spec, parent, c);
    assert!(matches!(error, SemanticError::Batch { index: 0, sequence: 0, .. }), "{error:?}");
}

/// Layer and head: both proofs are of another scope.
fn assert_other_scope(error: SemanticError) {
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    assert_eq!(culprits, [0, 1]);
}

#[test]
fn an_honest_contribution_is_accepted_alone() {
    let parent = GOLDEN.before(1).parent();
    for c in &GOLDEN.block(1).contributions {
        structural::contribution(&GOLDEN.spec, 0, c).unwrap();
        NANO.checker(&GOLDEN.spec).verify_contribution(&parent, c).unwrap();
    }
}

#[test]
fn a_stolen_contribution() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let honest = &GOLDEN.block(1).contributions[0];
    // Named for the thief, with the victim's signature: the name is signed.
    let mut named = honest.clone();
    named.seat.contributor = address(7);
    let id = named.id(spec.id());
    named.stamp = (0..).find(|&s| Contribution::stamp_digest(&id, s)[0] == 0).unwrap();
    let error = refused(spec, &parent, &named);
    assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");

    // Signed by the thief, who is assigned another batch.
    let mut signed = honest.clone();
    sign(spec, &mut signed, &key(7));
    assert_other_leaf(spec, &parent, &signed);

    // The thief ground a key that is assigned the same batch; the proofs still name the victim.
    let leaf = leaf_of(spec, &honest.seat);
    let thief = tried_keys().find(|k| leaf_of(spec, &Seat { contributor: k.address(), ..honest.seat }) == leaf);
    let thief = thief.unwrap();
    let mut ground = honest.clone();
    sign(spec, &mut ground, &thief);
    assert_other_scope(refused(spec, &parent, &ground));

    // So it is in a block; and before that, the thief is not registered.
    let mut block = GOLDEN.block(1);
    block.contributions[0] = ground;
    block.contributions.sort_by_key(|c| c.seat);
    let stolen = block.contributions.iter().position(|c| c.seat.contributor == thief.address()).unwrap();
    reseal(spec, &mut block);
    let Err(Refused::Contextual(error)) = GOLDEN.before(1).check(&NANO, spec, &block).map(|_| ()) else { panic!() };
    let contributor = thief.address();
    assert_eq!(error, ContextualError::NotRegistered { index: stolen, contributor });
    let error = NANO.checker(spec).verify(&parent, &block.into()).map(|_| ()).unwrap_err();
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    // The update's proofs name the contributions that it sums up.
    assert_eq!(culprits, [2 * stolen, 2 * stolen + 1, 4]);
}

#[test]
fn a_contribution_in_another_slot() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    for honest in &GOLDEN.block(1).contributions {
        let mut moved = honest.clone();
        moved.seat.slot = 1;
        sign(spec, &mut moved, &key_of(&honest.seat.contributor));
        assert_other_leaf(spec, &parent, &moved);
        for slot in [2, u32::MAX] {
            moved.seat.slot = slot;
            let error = structural::contribution(spec, 3, &moved).unwrap_err();
            let StructuralError::Slot { index: 3, slot: found, slots: 2 } = error else { panic!("{error:?}") };
            assert_eq!(found, slot);
        }
    }
}

#[test]
fn a_contribution_replayed_on_a_sibling_parent() {
    let (spec, tip) = (&GOLDEN.spec, GOLDEN.before(2));
    let honest = GOLDEN.block(3);
    let mut replayed = honest.contributions[0].clone();
    let leaf = leaf_of(spec, &replayed.seat);
    // A sibling of block 2, of the same height and with the same state; among all with enough work, one that assigns the
    // contributor the same batch.
    let mut sibling = GOLDEN.block(2);
    sibling.header.time += 1;
    loop {
        mine(&mut sibling);
        replayed.seat.parent = sibling.id();
        if leaf_of(spec, &replayed.seat) == leaf {
            break;
        }
        sibling.header.nonce += 1;
    }
    assert_ne!(sibling.id(), GOLDEN.block(2).id());
    tip.cheap(spec, &sibling, sibling.header.time).map(|_| ()).unwrap();
    let mut fork = tip.clone();
    fork.push(spec, &sibling, &tip.record.state);
    let parent = fork.parent();
    assert_eq!((parent.height, parent.step, &parent.state), (2, 1, &GOLDEN.before(3).parent().state));

    sign(spec, &mut replayed, &key(3));
    assert_other_scope(refused(spec, &parent, &replayed));

    let mut block = Block { contributions: vec![replayed], ..honest };
    block.header.parent = sibling.id();
    block.header.target = fork.ancestry(spec).target(spec.rules(), fork.record.header.target);
    reseal(spec, &mut block);
    let error = fork.check(&NANO, spec, &block).map(|_| ()).unwrap_err();
    let Refused::Semantic(SemanticError::Proofs(BatchError::Invalid(culprits))) = error else { panic!("{error:?}") };
    assert_eq!(culprits, [0, 1, 2]);
}

#[test]
fn a_contribution_replayed_on_another_chain() {
    let (parent, honest) = (GOLDEN.before(1).parent(), &GOLDEN.block(1).contributions[0]);
    let mut replayed = honest.clone();
    // Among chains of other names, one whose genesis assigns the same batch.
    let leaf = leaf_of(&GOLDEN.spec, &honest.seat);
    let other = (0..).map(|i| {
        let genesis = chain::genesis::Genesis { name: format!("golden {i}"), ..GOLDEN.chain.genesis.clone() };
        ChainSpec::new(genesis).unwrap()
    });
    let other = { other }.find(|spec| leaf_of(spec, &Seat { parent: *spec.id(), ..honest.seat }) == leaf).unwrap();
    let on = Parent::new(*other.id(), 0, 0, parent.state.clone());
    replayed.seat.parent = on.id;
    // The old signature names the chain.
    let id = replayed.id(other.id());
    replayed.stamp = (0..).find(|&s| Contribution::stamp_digest(&id, s)[0] == 0).unwrap();
    let error = refused(&other, &on, &replayed);
    assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");
    // The contributor replays it.
    sign(&other, &mut replayed, &key_of(&honest.seat.contributor));
    assert_other_scope(refused(&other, &on, &replayed));
}

#[test]
fn stamps_and_signatures() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let honest = &GOLDEN.block(1).contributions[0];
    let id = honest.id(spec.id());
    let zeros = |stamp| chain::contribution::leading_zeros(&Contribution::stamp_digest(&id, stamp));
    let mut unstamped = honest.clone();
    unstamped.stamp = (0..).find(|&s| zeros(s) == 7).unwrap();
    let error = refused(spec, &parent, &unstamped);
    assert!(matches!(error, SemanticError::Stamp { index: 0, found: 7, needed: 8 }), "{error:?}");
    for byte in [0, 31, 32, 63] {
        let mut unsigned = honest.clone();
        unsigned.signature.0[byte] ^= 4;
        let error = refused(spec, &parent, &unsigned);
        assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");
    }
    // 2 is no point's encoding: nobody signs for it.
    let mut nobody = honest.clone();
    nobody.seat.contributor = Address([2; 32]);
    let id = nobody.id(spec.id());
    nobody.stamp = (0..).find(|&s| Contribution::stamp_digest(&id, s)[0] == 0).unwrap();
    let error = refused(spec, &parent, &nobody);
    assert!(matches!(error, SemanticError::Signature { index: 0, .. }), "{error:?}");
    // What is signed: seat, losses and gradient.
    for alter in [
        (|c| c.proofs.losses[0] += 1) as fn(&mut Contribution),
        |c| c.gradient[1][0] = c.gradient[0][0],
        |c| c.gradient[0].swap(0, 1),
    ] {
        let mut altered = honest.clone();
        alter(&mut altered);
        assert_ne!(altered.id(spec.id()), honest.id(spec.id()));
        let error = refused(spec, &parent, &altered);
        assert!(matches!(error, SemanticError::Stamp { .. } | SemanticError::Signature { .. }), "{error:?}");
    }
    // Signed anew: the loss is a public value of the head, the gradient is that of the ports.
    let mut lying = honest.clone();
    lying.proofs.losses[0] -= 1;
    sign(spec, &mut lying, &key_of(&honest.seat.contributor));
    let error = refused(spec, &parent, &lying);
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    assert_eq!(culprits, [1]);
    let mut lying = honest.clone();
    lying.gradient[0].swap(0, 1);
    sign(spec, &mut lying, &key_of(&honest.seat.contributor));
    let error = refused(spec, &parent, &lying);
    assert!(matches!(error, SemanticError::Gradient { index: 0 }), "{error:?}");
}

/// Proofs of an honest contribution under another scope.
fn contribution_under(scope: &Scope) -> Result<(), BatchError> {
    let (parent, c) = (GOLDEN.before(1).parent(), &GOLDEN.block(1).contributions[0]);
    let mut batch = Batch::new(&PARAMS);
    let claimed = Claimed { scope, index: 0, before: &parent.state, sequences: 1 };
    NANO.keys.contribution(&mut batch, claimed, &c.proofs).unwrap();
    batch.finish()
}

#[test]
fn each_field_of_a_contributions_scope() {
    let (chain, parent) = (GOLDEN.spec.id(), GOLDEN.before(1).parent());
    let seat = GOLDEN.block(1).contributions[0].seat;
    assert_eq!(contribution_under(&seat.scope(chain, 1, &parent.digest)), Ok(()));
    let others = [
        seat.scope(&flipped(*chain), 1, &parent.digest),
        seat.scope(chain, 2, &parent.digest),
        seat.scope(chain, 0, &parent.digest),
        seat.scope(chain, 1, &flipped(parent.digest)),
        Seat { parent: flipped(seat.parent), ..seat }.scope(chain, 1, &parent.digest),
        Seat { contributor: address(3), ..seat }.scope(chain, 1, &parent.digest),
        Seat { slot: 1, ..seat }.scope(chain, 1, &parent.digest),
        // Of an update with the same parts' lengths, and of a run.
        update_scope(chain, 1, (&seat.parent, &parent.digest), &seat.contributor, &[0; 32]),
        circuits::statement::Run::contribution_scope(chain, 1, &parent.digest, 0),
    ];
    for (i, scope) in others.iter().enumerate() {
        assert_eq!(contribution_under(scope), Err(BatchError::Invalid(vec![0, 1])), "{i}");
    }
}

/// The update proofs of an honest block under another scope.
fn update_under(scope: &Scope) -> Result<(), BatchError> {
    let (parent, block) = (GOLDEN.before(1).parent(), GOLDEN.block(1));
    let proven = NANO.checker(&GOLDEN.spec);
    let mut aside = Batch::new(&PARAMS);
    let gradients = block.contributions.iter().enumerate();
    let gradients: Vec<_> = gradients.map(|(i, c)| proven.contribution(&mut aside, &parent, i, c).unwrap()).collect();
    let hyper = GOLDEN.spec.hyper(0, 2).unwrap();
    let mut batch = Batch::new(&PARAMS);
    let proofs = &block.update.as_ref().unwrap().proofs;
    NANO.keys.update(&mut batch, (scope, &hyper, &parent.state), &gradients, proofs).unwrap();
    batch.finish()
}

#[test]
fn each_field_of_an_updates_scope() {
    let (chain, parent, block) = (GOLDEN.spec.id(), GOLDEN.before(1).parent(), GOLDEN.block(1));
    let (id, before, producer, all) = (parent.id, parent.digest, block.summary.producer, block.summary.contributions);
    assert_eq!(update_under(&update_scope(chain, 1, (&id, &before), &producer, &all)), Ok(()));
    let seat = block.contributions[0].seat;
    let others = [
        update_scope(&flipped(*chain), 1, (&id, &before), &producer, &all),
        update_scope(chain, 2, (&id, &before), &producer, &all),
        update_scope(chain, 1, (&flipped(id), &before), &producer, &all),
        update_scope(chain, 1, (&id, &flipped(before)), &producer, &all),
        update_scope(chain, 1, (&before, &id), &producer, &all),
        update_scope(chain, 1, (&id, &before), &address(8), &all),
        update_scope(chain, 1, (&id, &before), &producer, &flipped(all)),
        seat.scope(chain, 1, &before),
        circuits::statement::Run::update_scope(chain, 1, &before),
    ];
    for (i, scope) in others.iter().enumerate() {
        assert_eq!(update_under(scope), Err(BatchError::Invalid(vec![0])), "{i}");
    }
}

#[test]
fn a_batch_that_was_not_assigned() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let [a, b] = &GOLDEN.block(1).contributions[..] else { panic!("two") };
    let (leaf, other) = (leaf_of(spec, &a.seat), leaf_of(spec, &b.seat));
    let with = |proof| {
        let mut c = a.clone();
        c.leaves[0] = proof;
        // The path is not signed: it follows from the seat.
        NANO.checker(spec).verify_contribution(&parent, &c).map(|_| ()).unwrap_err()
    };
    let not_included = |error: SemanticError| {
        let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
        assert_eq!(source, DatasetError::NotIncluded { index: leaf });
    };
    assert_ne!(leaf, other);
    not_included(with(NANO.dataset.proof(other).unwrap()));
    not_included(with(NANO.dataset.proof(leaf ^ 1).unwrap()));
    let mut bent = a.leaves[0].clone();
    bent.0[40] ^= 1;
    not_included(with(bent));
    let mut short = a.leaves[0].clone();
    let expected = short.0.len();
    short.0.truncate(expected - 32);
    let SemanticError::Batch { source, .. } = with(short) else { panic!("another rule") };
    assert_eq!(source, DatasetError::ProofLength { index: leaf, expected, found: expected - 32 });

    // The proofs of another contribution, valid on a valid leaf, in this seat.
    let mut borrowed = Contribution { seat: a.seat, ..b.clone() };
    sign(spec, &mut borrowed, &key_of(&a.seat.contributor));
    assert_other_leaf(spec, &parent, &borrowed);
}

#[test]
fn contributors_are_registered_and_matured() {
    let (spec, tip) = (&GOLDEN.spec, GOLDEN.before(3));
    let contributed_by = |i: u8| {
        let mut block = GOLDEN.block(3);
        sign(spec, &mut block.contributions[0], &key(i));
        reseal(spec, &mut block);
        let Err(Refused::Contextual(error)) = tip.cheap(spec, &block, block.header.time).map(|_| ()) else { panic!() };
        error
    };
    let not = |i| ContextualError::NotRegistered { index: 0, contributor: address(i) };
    assert_eq!([contributed_by(4), contributed_by(7)], [not(4), not(7)]);
    // Registered in block 2, matured for block 4.
    let immature = ContextualError::Immature { index: 0, contributor: address(5), registered: 2 };
    assert_eq!(contributed_by(5), immature);
    assert!(tip.accounts[&address(5)].matured(4, spec.rules().ledger.registration_maturity));
    // In the block of the registration itself.
    let mut block = GOLDEN.block(2);
    block.contributions = vec![GOLDEN.block(1).contributions[0].clone()];
    block.contributions[0].seat.parent = block.header.parent;
    sign(spec, &mut block.contributions[0], &key(5));
    block.update = GOLDEN.block(1).update;
    block.summary.step = 2;
    reseal(spec, &mut block);
    let Err(Refused::Contextual(error)) = GOLDEN.before(2).cheap(spec, &block, block.header.time).map(|_| ()) else {
        panic!()
    };
    assert_eq!(error, ContextualError::NotRegistered { index: 0, contributor: address(5) });
}

#[test]
fn keys_are_the_chains() {
    let mut genesis = GOLDEN.chain.genesis.clone();
    genesis.keys = flipped(genesis.keys);
    let other = ChainSpec::new(genesis).unwrap();
    let refused = chain::consensus::semantic::Checker::new(&other, &PARAMS, &NANO.keys).map(|_| ());
    assert!(matches!(refused, Err(SemanticError::Keys)));
    assert_eq!(other.check_keys(&NANO.keys), Err(chain::genesis::GenesisError::Keys));
}

/// Proofs that are too few, too many or of another length are named with their place.
#[test]
fn counts_of_proofs() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let honest = &GOLDEN.block(1).contributions[0];
    for alter in [
        (|c| c.proofs.layers.clear()) as fn(&mut Contribution),
        |c| c.proofs.heads.clear(),
        |c| c.proofs.layers.push(c.proofs.layers[0].clone()),
        |c| c.proofs.heads.push(vec![]),
    ] {
        let mut c = honest.clone();
        alter(&mut c);
        let error = refused(spec, &parent, &c);
        assert!(
            matches!(error, SemanticError::Step(StepError::Count { what: "proofs", expected: 1, .. })),
            "{error:?}"
        );
    }
    // Whoever forgets to count gets no contribution without its path, and no block without its update.
    let checker = NANO.checker(spec);
    let pathless = Contribution { leaves: vec![], ..honest.clone() };
    let error = checker.verify_contribution(&parent, &pathless).map(|_| ()).unwrap_err();
    let SemanticError::Batch { sequence: 0, source: DatasetError::ProofLength { index, found: 0, .. }, .. } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(index, leaf_of(spec, &honest.seat));
    let error = checker.verify(&parent, &Block { update: None, ..GOLDEN.block(1) }.into()).map(|_| ()).unwrap_err();
    let SemanticError::Step(StepError::Count { what: "updates", expected: 1, found: 0 }) = error else {
        panic!("{error:?}")
    };
    let idle = Block { update: GOLDEN.block(1).update, ..GOLDEN.block(2) };
    let error = checker.verify(&GOLDEN.before(2).parent(), &idle.into()).map(|_| ()).unwrap_err();
    assert!(matches!(error, SemanticError::Hyper(HyperError::Predictions(0))), "{error:?}");
    type Case = (fn(&mut Contribution), &'static str, usize, usize);
    let cases: [Case; 7] = [
        (|c| c.proofs.losses.clear(), "losses", 1, 0),
        (|c| c.proofs.losses.push(0), "losses", 1, 2),
        (|c| c.leaves.clear(), "leaves", 1, 0),
        (|c| c.leaves.push(c.leaves[0].clone()), "leaves", 1, 2),
        (|c| c.gradient.push(vec![]), "gradient ports", 2, 3),
        (|c| drop(c.gradient.pop()), "gradient ports", 2, 1),
        (|c| c.gradient[1].push([0; 32]), "gradient columns", 2, 3),
    ];
    for (alter, what, expected, found) in cases {
        let mut block = GOLDEN.block(1);
        alter(&mut block.contributions[1]);
        reseal(spec, &mut block);
        let error = structural::block(spec, &block).unwrap_err();
        let StructuralError::Count { index: 1, what: w, expected: e, found: f } = error else { panic!("{error:?}") };
        assert_eq!((w, e, f), (what, expected, found));
    }
}
