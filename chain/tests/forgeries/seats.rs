//! Contributions that are stolen, moved, replayed or invented, and the domains that bind them.

use crate::common::golden::GOLDEN;
use crate::common::tip::Refused;
use crate::common::{
    NANO, PARAMS, address, assert_unsealed, flipped, key, key_of, mine, mine_content, resign, restamp, sign, tried_keys,
};
use chain::address::{Address, SecretKey, SignatureError};
use chain::assignment::assigned;
use chain::block::Block;
use chain::consensus::semantic::Parent;
use chain::consensus::{ContextualError, SemanticError, StructuralError, structural};
use chain::contribution::{Contribution, Seat, TensorsDigest, update_domain};
use chain::genesis::ChainSpec;
use chain::header::{BlockId, ContributionsDigest, StateDigest};
use circuits::model::SquareSum;
use circuits::ops::hyper::HyperError;
use circuits::statements::dataset::DatasetError;
use circuits::statements::domain::Domain;
use verifier::step::{Claimed, ClaimedUpdate};
use verifier::{Batch, BatchError, StepError};

fn leaf_of(spec: &ChainSpec, seat: &Seat) -> u64 {
    assigned(&spec.genesis().dataset, &seat.parent, &seat.contributor, seat.slot, 0)
}

/// What a pool checks of a contribution alone.
fn refused(spec: &ChainSpec, parent: &Parent, c: &Contribution) -> SemanticError {
    structural::contribution(spec, 0, c).unwrap();
    NANO.checker(spec).verify_contribution(parent, c).map(|_| ()).unwrap_err()
}

/// What a pool refuses an honest contribution for that its contributor altered, and signed. Without the key the copy is
/// refused by its seal.
fn refused_signed(spec: &ChainSpec, parent: &Parent, mut altered: Contribution) -> SemanticError {
    assert_unsealed(spec, &altered);
    resign(spec, &mut altered);
    refused(spec, parent, &altered)
}

/// A contribution to another leaf than the one that its seat, of this key, is assigned.
fn assert_other_leaf(spec: &ChainSpec, parent: &Parent, c: &Contribution, key: &SecretKey) {
    // Under the path of the leaf that the seat is assigned.
    let mut with_path = c.clone();
    with_path.leaves[0] = NANO.dataset.proof(leaf_of(spec, &c.seat)).unwrap();
    assert_unsealed(spec, &with_path);
    sign(spec, &mut with_path, key);
    let error = refused(spec, parent, &with_path);
    let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
    assert_eq!(source, DatasetError::NotIncluded { index: leaf_of(spec, &c.seat) });
    // Under the path of the leaf that is proven.
    let error = refused(spec, parent, c);
    assert!(matches!(error, SemanticError::Batch { index: 0, sequence: 0, .. }), "{error:?}");
}

/// Layer and head: both proofs are of another domain.
fn assert_other_domain(error: SemanticError) {
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
    restamp(spec, &mut named);
    let error = refused(spec, &parent, &named);
    assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");

    // Signed by the thief, who is assigned another batch.
    let mut signed = honest.clone();
    sign(spec, &mut signed, &key(7));
    assert_other_leaf(spec, &parent, &signed, &key(7));

    // The thief ground a key that is assigned the same batch; the proofs still name the victim.
    let leaf = leaf_of(spec, &honest.seat);
    let thief = tried_keys().find(|k| leaf_of(spec, &Seat { contributor: k.address(), ..honest.seat }) == leaf);
    let thief = thief.unwrap();
    let mut ground = honest.clone();
    sign(spec, &mut ground, &thief);
    assert_other_domain(refused(spec, &parent, &ground));

    // So it is in a block; and before that, the thief is not registered.
    let mut block = GOLDEN.block(1);
    block.contributions[0] = ground;
    block.contributions.sort_by_key(|c| c.seat);
    let stolen = block.contributions.iter().position(|c| c.seat.contributor == thief.address()).unwrap();
    mine_content(spec, &mut block);
    let Err(Refused::Contextual(error)) = GOLDEN.before(1).check(&NANO, spec, &block).map(|_| ()) else { panic!() };
    let contributor = thief.address();
    assert_eq!(error, ContextualError::NotRegistered { index: stolen, contributor });
    let error = NANO.checker(spec).verify(&parent, &block.into()).map(|_| ()).unwrap_err();
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    // The update's proofs name the contributions that it sums up; the opening of all gradients, their order.
    let mut expected = vec![2 * stolen, 2 * stolen + 1, 4];
    if stolen > 0 {
        expected.push(5);
    }
    assert_eq!(culprits, expected);
}

#[test]
fn a_contribution_in_another_slot() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    for honest in &GOLDEN.block(1).contributions {
        let mut moved = honest.clone();
        moved.seat.slot = 1;
        let key = key_of(&honest.seat.contributor);
        sign(spec, &mut moved, &key);
        assert_other_leaf(spec, &parent, &moved, &key);
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
    assert_other_domain(refused(spec, &parent, &replayed));

    let mut block = Block { contributions: vec![replayed], ..honest };
    block.header.parent = sibling.id();
    block.header.target = fork.ancestry(spec).target(spec.rules(), fork.record.header.target);
    mine_content(spec, &mut block);
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
    let other =
        { other }.find(|spec| leaf_of(spec, &Seat { parent: spec.id().genesis(), ..honest.seat }) == leaf).unwrap();
    let on = Parent::new(other.id().genesis(), 0, 0, parent.state.clone());
    replayed.seat.parent = on.id;
    // The old signature names the chain.
    restamp(&other, &mut replayed);
    let error = refused(&other, &on, &replayed);
    assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");
    // The contributor replays it.
    sign(&other, &mut replayed, &key_of(&honest.seat.contributor));
    assert_other_domain(refused(&other, &on, &replayed));
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
    restamp(spec, &mut nobody);
    let error = refused(spec, &parent, &nobody);
    assert!(matches!(error, SemanticError::Signature { index: 0, .. }), "{error:?}");
    // Signed anew: the loss is a public value of the head, the gradient is that of the ports.
    let mut lying = honest.clone();
    lying.proofs.losses[0] -= 1;
    let error = refused_signed(spec, &parent, lying);
    let SemanticError::Proofs(BatchError::Invalid(culprits)) = error else { panic!("{error:?}") };
    assert_eq!(culprits, [1]);
    let mut lying = honest.clone();
    lying.gradient[0].swap(0, 1);
    let error = refused_signed(spec, &parent, lying);
    assert!(matches!(error, SemanticError::Gradient { index: 0 }), "{error:?}");
}

/// Whoever has not the contributor's key passes on a contribution as it is, or not at all: everything in it is signed.
#[test]
fn nobody_else_alters_a_contribution() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let honest = &GOLDEN.block(1).contributions[0];
    let other = &GOLDEN.block(1).contributions[1];
    // What its identity names, which takes another stamp.
    let stated: [fn(&mut Contribution); 9] = [
        |c| c.seat.parent = flipped(c.seat.parent),
        |c| c.seat.contributor = address(3),
        |c| c.seat.slot = 1,
        |c| c.proofs.losses[0] += 1,
        |c| c.proofs.losses.push(0),
        |c| c.gradient[0][0][0] ^= 1,
        |c| c.gradient[1][0] = c.gradient[0][0],
        |c| c.gradient[0].swap(0, 1),
        |c| c.gradient[1].truncate(1),
    ];
    for alter in stated {
        let mut altered = honest.clone();
        alter(&mut altered);
        assert_ne!(altered.id(spec.id()), honest.id(spec.id()));
        assert_unsealed(spec, &altered);
    }
    // What it does not: the stamp holds, the signature does not.
    let refused_by_signature = |altered: Contribution| {
        assert_eq!(altered.id(spec.id()), honest.id(spec.id()));
        let error = NANO.checker(spec).verify_contribution(&parent, &altered).map(|_| ()).unwrap_err();
        assert!(matches!(error, SemanticError::Signature { index: 0, source: SignatureError::Invalid }), "{error:?}");
    };
    let parts: [fn(&mut Contribution) -> &mut [u8]; 3] =
        [|c| &mut c.proofs.layers[0], |c| &mut c.proofs.heads[0], |c| &mut c.leaves[0].0];
    for part in parts {
        // A byte of every point and scalar, of every place in one.
        for at in (0..part(&mut honest.clone()).len()).step_by(31) {
            let mut altered = honest.clone();
            part(&mut altered)[at] ^= 1 << (at % 8);
            refused_by_signature(altered);
        }
    }
    for at in [0, 31] {
        let mut tensors = *honest.tensors.as_bytes();
        tensors[at] ^= 1 << (at % 8);
        refused_by_signature(Contribution { tensors: TensorsDigest::from_bytes(tensors), ..honest.clone() });
    }
    let lists: [fn(&mut Contribution) -> &mut Vec<u8>; 3] =
        [|c| &mut c.proofs.layers[0], |c| &mut c.proofs.heads[0], |c| &mut c.leaves[0].0];
    for list in lists {
        let resized: [fn(&mut Vec<u8>); 3] =
            [|bytes| bytes.truncate(bytes.len() - 1), |bytes| bytes.push(0), Vec::clear];
        for resize in resized {
            let mut altered = honest.clone();
            resize(list(&mut altered));
            refused_by_signature(altered);
        }
    }
    let exchanged: [fn(&mut Contribution, &Contribution); 8] = [
        |c, other| c.proofs.layers = other.proofs.layers.clone(),
        |c, other| c.proofs.heads = other.proofs.heads.clone(),
        |c, other| c.leaves = other.leaves.clone(),
        |c, other| c.tensors = other.tensors,
        |c, other| c.signature = other.signature,
        |c, _| std::mem::swap(&mut c.proofs.layers, &mut c.proofs.heads),
        |c, _| c.proofs.layers.append(&mut c.proofs.heads),
        |c, _| c.leaves.clear(),
    ];
    for exchange in exchanged {
        let mut altered = honest.clone();
        exchange(&mut altered, other);
        refused_by_signature(altered);
    }
    // Another stamp that is as good.
    let id = honest.id(spec.id());
    let mut stamped = honest.clone();
    stamped.stamp = (honest.stamp + 1..).find(|&s| Contribution::stamp_digest(&id, s)[0] == 0).unwrap();
    refused_by_signature(stamped);

    // In a block all seals are checked before any proof: a producer's copy is found out before the proofs that a
    // contributor signed are.
    let mut block = GOLDEN.block(1);
    block.contributions[0].proofs.layers[0][0] ^= 1;
    resign(spec, &mut block.contributions[0]);
    block.contributions[1].proofs.heads[0][0] ^= 1;
    mine_content(spec, &mut block);
    let error = GOLDEN.before(1).check(&NANO, spec, &block).map(|_| ()).unwrap_err();
    let Refused::Semantic(SemanticError::Signature { index: 1, source }) = error else { panic!("{error:?}") };
    assert_eq!(source, SignatureError::Invalid);
}

/// Proofs of an honest contribution under another domain.
fn contribution_under(domain: &Domain) -> Result<(), BatchError> {
    let (parent, c) = (GOLDEN.before(1).parent(), &GOLDEN.block(1).contributions[0]);
    let mut batch = Batch::new(&PARAMS);
    let claimed = Claimed { domain, index: 0, before: &parent.state, sequences: 1, instances_per_proof: 8 };
    NANO.keys.contribution(&mut batch, claimed, &c.proofs).unwrap();
    batch.finish()
}

#[test]
fn each_field_of_a_contributions_domain() {
    let (chain, parent) = (GOLDEN.spec.id(), GOLDEN.before(1).parent());
    let seat = GOLDEN.block(1).contributions[0].seat;
    assert_eq!(contribution_under(&seat.domain(chain, 1, &parent.digest)), Ok(()));
    let none = ContributionsDigest::from_bytes([0; 32]);
    let others = [
        seat.domain(&flipped(*chain), 1, &parent.digest),
        seat.domain(chain, 2, &parent.digest),
        seat.domain(chain, 0, &parent.digest),
        seat.domain(chain, 1, &flipped(parent.digest)),
        Seat { parent: flipped(seat.parent), ..seat }.domain(chain, 1, &parent.digest),
        Seat { contributor: address(3), ..seat }.domain(chain, 1, &parent.digest),
        Seat { slot: 1, ..seat }.domain(chain, 1, &parent.digest),
        // Of an update with the same parts' lengths, and of a run.
        update_domain(chain, 1, (&seat.parent, &parent.digest), &seat.contributor, &none),
        circuits::statements::Run::contribution_domain(chain.as_bytes(), 1, parent.digest.as_bytes(), 0),
    ];
    for (i, domain) in others.iter().enumerate() {
        assert_eq!(contribution_under(domain), Err(BatchError::Invalid(vec![0, 1])), "{i}");
    }
}

/// The update proofs of an honest block under another domain.
fn update_under(domain: &Domain) -> Result<(), BatchError> {
    let (parent, block) = (GOLDEN.before(1).parent(), GOLDEN.block(1));
    let proven = NANO.checker(&GOLDEN.spec);
    let mut aside = Batch::new(&PARAMS);
    let gradients = block.contributions.iter().enumerate();
    let gradients: Vec<_> = gradients.map(|(i, c)| proven.contribution(&mut aside, &parent, i, c).unwrap()).collect();
    let hyper = GOLDEN.spec.hyper(0, 2, SquareSum::ZERO).unwrap();
    let mut batch = Batch::new(&PARAMS);
    let proofs = &block.update.as_ref().unwrap().proofs;
    let claimed = ClaimedUpdate { domain, hyper: &hyper, before: &parent.state, instances_per_proof: 8, squares: &[] };
    NANO.keys.update(&mut batch, claimed, &gradients, proofs).unwrap();
    batch.finish()
}

#[test]
fn each_field_of_an_updates_domain() {
    let (chain, parent, block) = (GOLDEN.spec.id(), GOLDEN.before(1).parent(), GOLDEN.block(1));
    let (id, before, producer, all) = (parent.id, parent.digest, block.summary.producer, block.summary.contributions);
    assert_eq!(update_under(&update_domain(chain, 1, (&id, &before), &producer, &all)), Ok(()));
    let seat = block.contributions[0].seat;
    let swapped = (BlockId::from_bytes(*before.as_bytes()), StateDigest::from_bytes(*id.as_bytes()));
    let others = [
        update_domain(&flipped(*chain), 1, (&id, &before), &producer, &all),
        update_domain(chain, 2, (&id, &before), &producer, &all),
        update_domain(chain, 1, (&flipped(id), &before), &producer, &all),
        update_domain(chain, 1, (&id, &flipped(before)), &producer, &all),
        update_domain(chain, 1, (&swapped.0, &swapped.1), &producer, &all),
        update_domain(chain, 1, (&id, &before), &address(8), &all),
        update_domain(chain, 1, (&id, &before), &producer, &flipped(all)),
        seat.domain(chain, 1, &before),
        circuits::statements::Run::update_domain(chain.as_bytes(), 1, before.as_bytes()),
    ];
    for (i, domain) in others.iter().enumerate() {
        assert_eq!(update_under(domain), Err(BatchError::Invalid(vec![0])), "{i}");
    }
}

#[test]
fn a_batch_that_was_not_assigned() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let [a, b] = &GOLDEN.block(1).contributions[..] else { panic!("two") };
    let leaf = leaf_of(spec, &a.seat);
    assert_ne!(leaf, leaf_of(spec, &b.seat));
    // Paths of a tree that is not full differ in length: one as long as the right one.
    let length = |leaf: u64| NANO.dataset.proof(leaf).map(|path| path.0.len()).ok();
    let other = (0..leaf ^ 1).find(|&other| other != leaf && length(other) == length(leaf)).unwrap();
    let with = |proof| {
        let mut c = a.clone();
        c.leaves[0] = proof;
        refused_signed(spec, &parent, c)
    };
    let not_included = |error: SemanticError| {
        let SemanticError::Batch { index: 0, sequence: 0, source } = error else { panic!("{error:?}") };
        assert_eq!(source, DatasetError::NotIncluded { index: leaf });
    };
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
    let key = key_of(&a.seat.contributor);
    sign(spec, &mut borrowed, &key);
    assert_other_leaf(spec, &parent, &borrowed, &key);
}

#[test]
fn contributors_are_registered_and_matured() {
    let (spec, tip) = (&GOLDEN.spec, GOLDEN.before(3));
    let contributed_by = |i: u8| {
        let mut block = GOLDEN.block(3);
        sign(spec, &mut block.contributions[0], &key(i));
        mine_content(spec, &mut block);
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
    mine_content(spec, &mut block);
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
    for alter in [(|c| c.proofs.layers.clear()) as fn(&mut Contribution), |c| c.proofs.heads.clear()] {
        let mut c = honest.clone();
        alter(&mut c);
        let error = refused_signed(spec, &parent, c);
        assert!(
            matches!(error, SemanticError::Step(StepError::Count { what: "proofs", expected: 1, .. })),
            "{error:?}"
        );
    }
    // More than there are instances is seen without keys.
    for (alter, named) in [
        ((|c| c.proofs.layers.push(c.proofs.layers[0].clone())) as fn(&mut Contribution), "layer proofs"),
        (|c| c.proofs.heads.push(vec![]), "head proofs"),
    ] {
        let mut c = honest.clone();
        alter(&mut c);
        let error = structural::contribution(spec, 0, &c).unwrap_err();
        let StructuralError::Count { index: 0, what, expected: 1, found: 2 } = error else { panic!("{error:?}") };
        assert_eq!(what, named);
    }
    // Whoever forgets to count gets no contribution without its path, and no block without its update.
    let checker = NANO.checker(spec);
    let mut pathless = Contribution { leaves: vec![], ..honest.clone() };
    assert_unsealed(spec, &pathless);
    resign(spec, &mut pathless);
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
        mine_content(spec, &mut block);
        let error = structural::block(spec, &block).unwrap_err();
        let StructuralError::Count { index: 1, what: w, expected: e, found: f } = error else { panic!("{error:?}") };
        assert_eq!((w, e, f), (what, expected, found));
    }
}
