//! Contributions to the tip: offered, verified elsewhere, selected for a block.
//!
//! An identity is of what a contribution states; proofs and tensors are not in it, but they are signed, so that nobody
//! else can use up a seat's tries. What is refused is remembered by a digest of everything.

use crate::consensus::semantic::{Checker, Parent, seal};
use crate::consensus::{ContextualError, SemanticError, StructuralError, contextual, structural};
use crate::contribution::Seat;
use crate::genesis::ChainSpec;
use crate::header::BlockId;
use crate::ledger::Accounts;
use crate::message::FullContribution;
use crate::tensors::{self, TensorError};
use circuits::model::Gradients;
use circuits::statements::codec::{self, CodecError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a pool holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Contributions, verified or in verification.
    pub contributions: usize,
    /// Bytes of all of them: their encodings, and 16 for each entry of a tensor.
    pub bytes: usize,
    /// Contributions for one seat, in verification or refused, at least 1.
    pub tries: usize,
    /// Refused contributions that are remembered; the oldest is forgotten first.
    pub refused: usize,
}

/// Names a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// A contribution to verify.
#[derive(Clone, Debug)]
pub struct Job {
    /// What [`ContributionPool::resolve`] is told the outcome by.
    pub ticket: Ticket,
    /// The block that it is to.
    pub parent: Parent,
    /// The contribution and its tensors.
    pub offered: Arc<FullContribution>,
}

/// Why a contribution does not hold.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Its proofs, or the assigned leaves.
    #[error(transparent)]
    Semantic(#[from] SemanticError),
    /// Its tensors.
    #[error(transparent)]
    Tensors(#[from] TensorError),
}

impl Job {
    /// Verifies; takes long.
    pub fn run(&self, checker: &Checker<'_>) -> Result<Gradients, JobError> {
        let FullContribution { contribution, tensors } = &*self.offered;
        checker.verify_contribution(&self.parent, contribution)?;
        Ok(tensors::check(checker.params, checker.spec, 0, contribution, tensors)?)
    }
}

/// What becomes of a contribution that was offered.
#[derive(Clone, Debug)]
pub enum Offer {
    /// It has to be verified.
    Verify(Job),
    /// Nothing is to be done.
    Known(Known),
}

/// What is known of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is being verified.
    Pending,
    /// Its seat has a verified contribution, this one or another.
    Verified,
    /// It was refused.
    Refused,
}

/// Why a contribution is not taken: one variant for each rule, in the order in which they are checked.
#[derive(Debug, thiserror::Error)]
pub enum PoolError<E> {
    /// It is to another block than the tip.
    #[error("the contribution is not for the tip")]
    StaleParent {
        /// The tip.
        tip: BlockId,
        /// Its parent.
        found: BlockId,
    },
    /// It contradicts itself.
    #[error(transparent)]
    Structural(#[from] StructuralError),
    /// It has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Too many were tried for its seat.
    #[error("{limit} contributions were already tried for this seat")]
    Tries {
        /// By the limits.
        limit: usize,
    },
    /// The accounts cannot be read.
    #[error("the accounts cannot be read: {0}")]
    Accounts(E),
    /// The contributor is not registered, or not long enough.
    #[error(transparent)]
    Contextual(ContextualError),
    /// There is no room for one more.
    #[error("the pool already holds {limit} contributions")]
    Full {
        /// By the limits.
        limit: usize,
    },
    /// There is no room for so many bytes.
    #[error("adding {found} bytes to the pool's {held} exceeds {limit}")]
    Bytes {
        /// Held already.
        held: usize,
        /// In this contribution.
        found: usize,
        /// By the limits.
        limit: usize,
    },
    /// Stamp or signature.
    #[error(transparent)]
    Seal(SemanticError),
    /// The tensors are not the signed ones: whoever sent them changed them.
    #[error(transparent)]
    Tensors(TensorError),
}

/// Why a resolved contribution is not in the pool.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Of a tip that is no more, or resolved before.
    #[error("this verification is unknown")]
    Unknown,
    /// Another contribution for the seat was verified before.
    #[error("another contribution already took the seat")]
    Superseded,
    /// It does not hold.
    #[error(transparent)]
    Refused(#[from] JobError),
}

/// A contribution that was verified, with its gradient.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The contribution and its tensors.
    pub offered: Arc<FullContribution>,
    /// The gradient, frac 36, which has the commitments that the contribution states.
    pub gradients: Arc<Gradients>,
}

struct Pending {
    digest: [u8; 32],
    bytes: usize,
    offered: Arc<FullContribution>,
}

/// What is known of a seat; one without any knowledge is not kept.
#[derive(Default)]
struct State {
    pending: BTreeMap<[u8; 32], Ticket>,
    refused: Vec<[u8; 32]>,
    /// With the number of verifications before.
    verified: Option<(u64, Verified)>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.refused.is_empty() && self.verified.is_none()
    }
}

/// Contributions to one block: the tip.
pub struct ContributionPool {
    limits: Limits,
    parent: Parent,
    seats: BTreeMap<Seat, State>,
    pending: BTreeMap<Ticket, Pending>,
    /// Oldest first.
    refused: VecDeque<(Seat, [u8; 32])>,
    bytes: usize,
    verified: usize,
    tickets: u64,
    verifications: u64,
}

impl ContributionPool {
    /// An empty pool for contributions to `parent`.
    pub fn new(limits: Limits, parent: Parent) -> Self {
        let (seats, pending, refused) = Default::default();
        let (bytes, verified, tickets, verifications) = Default::default();
        Self { limits, parent, seats, pending, refused, bytes, verified, tickets, verifications }
    }

    /// The block that contributions are to.
    pub fn parent(&self) -> &Parent {
        &self.parent
    }

    /// Contributions that are verified.
    pub fn verified(&self) -> usize {
        self.verified
    }

    /// Contributions that are in verification.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes held, as [`Limits::bytes`] counts them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The verified contribution of a seat.
    pub fn get(&self, seat: &Seat) -> Option<&Verified> {
        Some(&self.seats.get(seat)?.verified.as_ref()?.1)
    }

    /// Another tip: nothing that was known counts any more, and no ticket. The same tip again changes nothing.
    pub fn retarget(&mut self, parent: Parent) {
        if parent.id != self.parent.id {
            let (tickets, fresh) = (self.tickets, Self::new(self.limits, parent));
            *self = Self { tickets, ..fresh };
        }
    }

    /// Checks what is cheap; `accounts` are those of the tip. A contributor has at most as many seats as the rules give
    /// slots, each with so many tries, so no further bound on contributors is needed.
    pub fn offer<A: Accounts>(
        &mut self,
        spec: &ChainSpec,
        accounts: &A,
        offered: Arc<FullContribution>,
    ) -> Result<Offer, PoolError<A::Error>> {
        let (c, seat) = (&offered.contribution, offered.contribution.seat);
        let (tip, found) = (self.parent.id, seat.parent);
        if found != tip {
            return Err(PoolError::StaleParent { tip, found });
        }
        structural::contribution(spec, 0, c)?;

        let state = self.seats.get(&seat);
        if state.is_some_and(|state| state.verified.is_some()) {
            return Ok(Offer::Known(Known::Verified));
        }
        let (contribution, tensors) = (codec::encode(c)?, codec::encode(&offered.tensors)?);
        let parts = [&contribution, &tensors].map(|part| codec::digest(b"gradcoin-offered", part));
        let digest = codec::digest(b"gradcoin-offer", &parts.concat());
        if let Some(state) = state {
            if state.pending.contains_key(&digest) {
                return Ok(Offer::Known(Known::Pending));
            }
            if state.refused.contains(&digest) {
                return Ok(Offer::Known(Known::Refused));
            }
            let limit = self.limits.tries;
            if state.pending.len() + state.refused.len() >= limit {
                return Err(PoolError::Tries { limit });
            }
        }

        // No block of this height is that high.
        let height = self.parent.height.saturating_add(1);
        let matured = contextual::contributor(accounts, spec.rules(), height, (0, &seat.contributor));
        matured.map_err(PoolError::Accounts)?.map_err(PoolError::Contextual)?;

        let limit = self.limits.contributions;
        if self.verified + self.pending.len() >= limit {
            return Err(PoolError::Full { limit });
        }
        // In memory, where an entry may take more than in an encoding.
        let entries: usize = offered.tensors.0.iter().map(Vec::len).sum();
        let bytes = contribution.len().saturating_add(entries.saturating_mul(size_of::<i128>()));
        let (held, limit) = (self.bytes, self.limits.bytes);
        if held.saturating_add(bytes) > limit {
            return Err(PoolError::Bytes { held, found: bytes, limit });
        }
        seal(spec, 0, c).map_err(PoolError::Seal)?;
        tensors::check_digest(0, c, &offered.tensors).map_err(PoolError::Tensors)?;

        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.bytes += bytes;
        self.seats.entry(seat).or_default().pending.insert(digest, ticket);
        self.pending.insert(ticket, Pending { digest, bytes, offered: offered.clone() });
        Ok(Offer::Verify(Job { ticket, parent: self.parent.clone(), offered }))
    }

    /// Learns how a verification ended: [`Job::run`]'s outcome.
    pub fn resolve(&mut self, ticket: Ticket, outcome: Result<Gradients, JobError>) -> Result<&Verified, ResolveError> {
        let pending = self.remove(ticket).ok_or(ResolveError::Unknown)?;
        let seat = pending.offered.contribution.seat;
        let gradients = match outcome {
            Ok(gradients) => Arc::new(gradients),
            Err(error) => {
                self.seats.entry(seat).or_default().refused.push(pending.digest);
                self.refused.push_back((seat, pending.digest));
                self.forget();
                return Err(error.into());
            }
        };
        let state = self.seats.entry(seat).or_default();
        if state.verified.is_some() {
            return Err(ResolveError::Superseded);
        }
        let verified = Verified { offered: pending.offered, gradients };
        let (_, verified) = state.verified.insert((self.verifications, verified));
        self.verifications += 1;
        self.verified += 1;
        self.bytes += pending.bytes;
        Ok(verified)
    }

    /// Gives up a verification without an outcome; the contribution may be offered again.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.remove(ticket);
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.pending.remove(&ticket)?;
        self.bytes -= pending.bytes;
        self.change(&pending.offered.contribution.seat, |state| {
            state.pending.remove(&pending.digest);
        });
        Some(pending)
    }

    fn forget(&mut self) {
        while self.refused.len() > self.limits.refused
            && let Some((seat, digest)) = self.refused.pop_front()
        {
            self.change(&seat, |state| state.refused.retain(|refused| *refused != digest));
        }
    }

    fn change(&mut self, seat: &Seat, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.seats.get_mut(seat) {
            change(state);
            if state.is_empty() {
                self.seats.remove(seat);
            }
        }
    }

    /// What a block should hold: those that were verified first, at most `max_contributions`, ascending by seat.
    pub fn select(&self, max_contributions: usize) -> Vec<Verified> {
        let verified = self.seats.iter().filter_map(|(seat, state)| state.verified.as_ref().map(|v| (v.0, seat, &v.1)));
        let mut verified: Vec<(u64, &Seat, &Verified)> = verified.collect();
        verified.sort_by_key(|(order, _, _)| *order);
        verified.truncate(max_contributions);
        verified.sort_by_key(|(_, seat, _)| *seat);
        verified.into_iter().map(|(_, _, verified)| verified.clone()).collect()
    }

    /// How many refused contributions are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.refused.len(), self.seats.len())
    }
}
