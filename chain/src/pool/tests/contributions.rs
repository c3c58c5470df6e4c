//! Contributions of garbage: the pool does not look at proofs, the driver does.

use crate::address::Signature;
use crate::address::testing::key;
use crate::amount::Amount;
use crate::consensus::semantic::Parent;
use crate::consensus::{ContextualError, SemanticError, StructuralError};
use crate::contribution::{Contribution, Seat, leading_zeros};
use crate::genesis::ChainSpec;
use crate::genesis::testing::{CONTRIBUTORS, spec};
use crate::header::BlockId;
use crate::ledger::Account;
use crate::message::FullContribution;
use crate::pool::contributions::{
    ContributionPool, Job, JobError, Known, Limits, Offer, PoolError, ResolveError, Ticket,
};
use crate::tensors::{GradientTensors, TensorError};
use circuits::model::Gradients;
use circuits::statements;
use circuits::statements::dataset::MerkleProof;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

const TIP: BlockId = BlockId::from_bytes([7; 32]);
/// Another block.
const OTHER: BlockId = BlockId::from_bytes([8; 32]);

struct Fixture {
    spec: ChainSpec,
    accounts: BTreeMap<crate::address::Address, Account>,
    pool: ContributionPool,
}

fn limits() -> Limits {
    Limits { contributions: 4, bytes: 1 << 20, tries: 2, refused: 3 }
}

fn parent(spec: &ChainSpec, id: BlockId) -> Parent {
    Parent::new(id, 9, 3, Arc::new(spec.genesis().state.clone()))
}

fn fixture(limits: Limits) -> Fixture {
    let spec = spec();
    let pool = ContributionPool::new(limits, parent(&spec, TIP));
    Fixture { accounts: spec.genesis().accounts(), pool, spec }
}

/// What is stated is told by `loss`, what is not by `proof`.
fn contribution(spec: &ChainSpec, who: u8, slot: u32, loss: u64, proof: u8) -> FullContribution {
    let layouts = spec.layouts();
    let batch = spec.genesis().batch as usize;
    let gradient = (0..layouts.segments()).map(|s| vec![[0; 32]; layouts.of(s).columns()]).collect();
    let tensors = GradientTensors(vec![vec![1]]);
    let mut contribution = Contribution {
        seat: Seat { parent: TIP, contributor: key(who).address(), slot },
        gradient,
        proofs: statements::Contribution { losses: vec![loss; batch], layers: vec![vec![proof]], heads: vec![] },
        leaves: vec![MerkleProof(vec![]); batch],
        tensors: tensors.digest().unwrap(),
        stamp: 0,
        signature: Signature([0; 64]),
    };
    contribution.sign(spec.id(), spec.rules().stamp_bits, &key(who)).unwrap();
    FullContribution { contribution, tensors }
}

fn refused() -> Result<Gradients, JobError> {
    Err(JobError::Tensors(TensorError::Shape))
}

impl Fixture {
    fn make(&self, who: u8, slot: u32, loss: u64, proof: u8) -> FullContribution {
        contribution(&self.spec, who, slot, loss, proof)
    }

    fn offer(&mut self, full: &FullContribution) -> Result<Offer, PoolError<Infallible>> {
        self.pool.offer(&self.spec, &self.accounts, Arc::new(full.clone()))
    }

    fn job(&mut self, full: &FullContribution) -> Job {
        match self.offer(full) {
            Ok(Offer::Verify(job)) => job,
            other => panic!("{other:?}"),
        }
    }

    fn known(&mut self, full: &FullContribution) -> Known {
        match self.offer(full) {
            Ok(Offer::Known(known)) => known,
            other => panic!("{other:?}"),
        }
    }

    fn good(&self) -> Result<Gradients, JobError> {
        Ok(Gradients::zeros(self.spec.config()))
    }

    fn verify(&mut self, full: &FullContribution) {
        let ticket = self.job(full).ticket;
        let good = self.good();
        assert_eq!(self.pool.resolve(ticket, good).unwrap().offered.contribution, full.contribution);
    }
}

#[test]
fn stale_or_malformed() {
    let mut f = fixture(limits());
    let mut other = f.make(0, 0, 1, 0);
    other.contribution.seat.parent = OTHER;
    assert!(matches!(f.offer(&other), Err(PoolError::StaleParent { tip: TIP, found }) if found == OTHER));
    let slots = f.spec.rules().slots;
    let wrong = f.make(0, slots, 1, 0);
    let refused = f.offer(&wrong);
    assert!(
        matches!(refused, Err(PoolError::Structural(StructuralError::Slot { slot, slots: s, .. })) if (slot, s) == (slots, slots))
    );
    let mut short = f.make(0, 0, 1, 0);
    short.contribution.proofs.losses.pop();
    let refused = f.offer(&short);
    assert!(matches!(refused, Err(PoolError::Structural(StructuralError::Count { what: "losses", found: 1, .. }))));
}

#[test]
fn contributors_are_registered_and_matured_at_the_next_height() {
    let mut f = fixture(limits());
    let full = f.make(CONTRIBUTORS, 0, 1, 0);
    let contributor = key(CONTRIBUTORS).address();
    let not = ContextualError::NotRegistered { index: 0, contributor };
    assert!(matches!(f.offer(&full), Err(PoolError::Contextual(e)) if e == not));
    // Height 10, two blocks to mature.
    let account = |registered| Account { balance: Amount::ZERO, registered: Some(registered), ..Account::default() };
    f.accounts.insert(contributor, account(9));
    let immature = ContextualError::Immature { index: 0, contributor, registered: 9 };
    assert!(matches!(f.offer(&full), Err(PoolError::Contextual(e)) if e == immature));
    f.accounts.insert(contributor, account(8));
    assert_eq!(f.job(&full).parent.id, TIP);
}

#[test]
fn stamp_and_signature() {
    let mut f = fixture(limits());
    let mut forged = f.make(0, 0, 1, 0);
    forged.contribution.sign(f.spec.id(), f.spec.rules().stamp_bits, &key(1)).unwrap();
    assert!(matches!(f.offer(&forged), Err(PoolError::Seal(SemanticError::Signature { index: 0, .. }))));
    let mut cheap = f.make(0, 0, 1, 0);
    let id = cheap.contribution.id(f.spec.id());
    let zeros = |stamp| leading_zeros(&Contribution::stamp_digest(&id, stamp));
    cheap.contribution.stamp = (0..).find(|&stamp| zeros(stamp) == 0).unwrap();
    assert!(matches!(f.offer(&cheap), Err(PoolError::Seal(SemanticError::Stamp { found: 0, needed: 4, .. }))));
    assert_eq!((f.pool.pending(), f.pool.bytes()), (0, 0));
}

#[test]
fn what_is_known_is_not_verified_again() {
    let mut f = fixture(limits());
    let full = f.make(0, 0, 1, 0);
    let job = f.job(&full);
    assert_eq!(*job.offered, full);
    assert_eq!(f.known(&full), Known::Pending);
    let held = f.pool.bytes();
    let good = f.good();
    f.pool.resolve(job.ticket, good).unwrap();
    assert_eq!((f.pool.pending(), f.pool.verified(), f.pool.bytes()), (0, 1, held));
    assert_eq!(f.known(&full), Known::Verified);
    // A seat has one contribution, whatever else is signed for it.
    let another = f.make(0, 0, 2, 0);
    assert_eq!(f.known(&another), Known::Verified);
    assert_eq!(f.pool.get(&full.contribution.seat).unwrap().offered.contribution, full.contribution);

    let bad = f.make(0, 1, 1, 0);
    let job = f.job(&bad);
    let outcome = f.pool.resolve(job.ticket, refused());
    assert!(matches!(outcome, Err(ResolveError::Refused(JobError::Tensors(TensorError::Shape)))));
    assert_eq!(f.known(&bad), Known::Refused);
    assert_eq!(f.pool.bytes(), held);
    let good = f.good();
    assert!(matches!(f.pool.resolve(job.ticket, good), Err(ResolveError::Unknown)));
    f.pool.abandon(job.ticket);

    // Given up is not refused.
    let third = f.make(1, 0, 1, 0);
    let ticket = f.job(&third).ticket;
    f.pool.abandon(ticket);
    assert_eq!(f.pool.bytes(), held);
    f.verify(&third);
}

#[test]
fn a_forgery_does_not_keep_the_honest_contribution_out() {
    // Others' copies, altered: refused without a try.
    let mut f = fixture(limits());
    for _ in 0..limits().tries + 1 {
        let mut copy = f.make(0, 0, 1, 0);
        copy.contribution.proofs.layers[0][0] ^= 1;
        assert!(matches!(f.offer(&copy), Err(PoolError::Seal(SemanticError::Signature { .. }))));
        let mut copy = f.make(0, 0, 1, 0);
        copy.contribution.leaves[0].0.push(1);
        assert!(matches!(f.offer(&copy), Err(PoolError::Seal(SemanticError::Signature { .. }))));
        let mut copy = f.make(0, 0, 1, 0);
        copy.tensors = GradientTensors(vec![vec![2]]);
        assert!(matches!(f.offer(&copy), Err(PoolError::Tensors(TensorError::Digest { .. }))));
    }
    let honest = f.make(0, 0, 1, 0);
    f.verify(&honest);

    // The contributor's own: the same identity with other proofs, and another one of the same seat.
    let forgeries = [contribution(&spec(), 0, 0, 1, 9), contribution(&spec(), 0, 0, 2, 0)];
    for forged in forgeries {
        let mut f = fixture(limits());
        let honest = f.make(0, 0, 1, 0);
        let ticket = f.job(&forged).ticket;
        assert!(f.pool.resolve(ticket, refused()).is_err());
        f.verify(&honest);
        assert_eq!(f.pool.select(9)[0].offered.contribution, honest.contribution);

        // Or while it is being verified; then the first that holds takes the seat.
        let mut f = fixture(limits());
        let (first, second) = (f.job(&forged).ticket, f.job(&honest).ticket);
        let (good, late) = (f.good(), f.good());
        f.pool.resolve(second, good).unwrap();
        assert!(matches!(f.pool.resolve(first, late), Err(ResolveError::Superseded)));
        assert_eq!((f.pool.pending(), f.pool.verified()), (0, 1));
        assert_eq!(f.pool.select(9)[0].offered.contribution, honest.contribution);
    }
}

#[test]
fn tries_are_bounded_and_forgotten_in_the_end() {
    let mut f = fixture(limits());
    for proof in 0..2 {
        let forged = f.make(0, 0, 1, proof);
        let ticket = f.job(&forged).ticket;
        assert!(f.pool.resolve(ticket, refused()).is_err());
    }
    let third = f.make(0, 0, 1, 2);
    assert!(matches!(f.offer(&third), Err(PoolError::Tries { limit: 2 })));
    // Three are remembered.
    for slot in [0, 1] {
        let forged = f.make(1, slot, 1, 0);
        let ticket = f.job(&forged).ticket;
        assert!(f.pool.resolve(ticket, refused()).is_err());
    }
    f.verify(&third);
}

#[test]
fn room_is_bounded() {
    let mut f = fixture(limits());
    for (who, slot) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let full = f.make(who, slot, 1, 0);
        f.job(&full);
    }
    let full = f.make(2, 0, 1, 0);
    assert!(matches!(f.offer(&full), Err(PoolError::Full { limit: 4 })));
    let size = f.pool.bytes() / 4;

    let limit = 2 * size - 1;
    let mut f = fixture(Limits { bytes: limit, ..limits() });
    f.verify(&full);
    let next = f.make(1, 0, 1, 0);
    let refused = f.offer(&next);
    let expected = (size, size, limit);
    assert!(matches!(refused, Err(PoolError::Bytes { held, found, limit }) if (held, found, limit) == expected));
}

#[test]
fn those_verified_first_are_selected_ascending_by_seat() {
    let mut f = fixture(limits());
    let all: Vec<FullContribution> = [(2, 1), (0, 0), (1, 1), (1, 0)].map(|(who, slot)| f.make(who, slot, 1, 0)).into();
    let tickets: Vec<Ticket> = all.iter().map(|full| f.job(full).ticket).collect();
    for at in [3, 0, 2, 1] {
        let good = f.good();
        f.pool.resolve(tickets[at], good).unwrap();
    }
    for (most, of) in [(9, vec![0, 1, 2, 3]), (3, vec![3, 0, 2]), (1, vec![3]), (0, vec![])] {
        let mut seats: Vec<Seat> = of.iter().map(|&at| all[at].contribution.seat).collect();
        seats.sort();
        let selected: Vec<Seat> = f.pool.select(most).iter().map(|v| v.offered.contribution.seat).collect();
        assert_eq!(selected, seats);
    }
}

#[test]
fn another_tip_empties_the_pool() {
    let mut f = fixture(limits());
    let (first, second) = (f.make(0, 0, 1, 0), f.make(0, 1, 1, 0));
    f.verify(&first);
    let ticket = f.job(&second).ticket;
    f.pool.retarget(parent(&f.spec, TIP));
    assert_eq!((f.pool.pending(), f.pool.verified()), (1, 1));
    f.pool.retarget(parent(&f.spec, OTHER));
    assert_eq!((f.pool.pending(), f.pool.verified(), f.pool.bytes(), f.pool.remembered()), (0, 0, 0, (0, 0)));
    assert!(matches!(f.offer(&second), Err(PoolError::StaleParent { .. })));
    // A ticket of before is not taken for one of now.
    let mut new = f.make(0, 1, 1, 0);
    new.contribution.seat.parent = OTHER;
    new.contribution.sign(f.spec.id(), f.spec.rules().stamp_bits, &key(0)).unwrap();
    let now = f.job(&new).ticket;
    let good = f.good();
    assert!(matches!(f.pool.resolve(ticket, good), Err(ResolveError::Unknown)));
    assert_ne!(now, ticket);
    assert_eq!(f.pool.pending(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn limits_hold_under_a_flood(
        flood in prop::collection::vec((0..CONTRIBUTORS, 0u32..2, 0u64..2, 0u8..6, 0u8..4), 1..60),
    ) {
        let size = {
            let mut f = fixture(limits());
            let full = f.make(0, 0, 1, 0);
            f.job(&full);
            f.pool.bytes()
        };
        // Bytes for three, of which a few more come for the largest.
        let limits = Limits { bytes: 3 * size + 10, ..limits() };
        let mut f = fixture(limits);
        let (mut open, mut jobs) = (vec![], BTreeMap::new());
        for (who, slot, loss, proof, then) in flood {
            let full = f.make(who, slot, loss, proof);
            if let Ok(Offer::Verify(job)) = f.offer(&full) {
                *jobs.entry((who, slot)).or_insert(0) += 1;
                open.push((job.ticket, who, slot));
            }
            if then < 2 && !open.is_empty() {
                let (ticket, who, slot) = open.remove(usize::from(proof) % open.len());
                let outcome = if then == 0 { f.good() } else { refused() };
                let _ = f.pool.resolve(ticket, outcome);
                prop_assert!(!open.iter().any(|(t, _, _)| *t == ticket), "{} {}", who, slot);
            }
            prop_assert_eq!(f.pool.pending(), open.len());
            prop_assert!(f.pool.pending() + f.pool.verified() <= limits.contributions);
            prop_assert!(f.pool.bytes() <= limits.bytes);
            let (remembered, seats) = f.pool.remembered();
            prop_assert!(remembered <= limits.refused);
            prop_assert!(seats <= limits.refused + limits.contributions);
            let selected = f.pool.select(9);
            prop_assert_eq!(selected.len(), f.pool.verified());
            prop_assert!(selected.is_sorted_by(|a, b| a.offered.contribution.seat < b.offered.contribution.seat));
        }
        for (ticket, _, _) in open {
            f.pool.abandon(ticket);
        }
        prop_assert_eq!(f.pool.pending(), 0);
        let seats = f.pool.select(9).len();
        prop_assert!(jobs.len() >= seats);
    }
}
