//! That a first state is in range, and canonically committed where it is public.

use super::wires::encode;
use super::{StepVerifier, named};
use crate::batch::Batch;
use crate::error::{Part, StepError};
use backend::curve::{Params, Point};
use circuits::model::{Hyper, Slot, SquareSum};
use circuits::segments::{Privacy, UpdatePort, update};
use circuits::statements::domain::Place;
use circuits::statements::squares::sums_of;
use circuits::statements::{GenesisProof, StateCommitments, check_instances, commit_movement, commit_whole};

impl StepVerifier {
    /// Checks all of a genesis proof of this state but the claims that it adds to `batch`.
    ///
    /// An update leaves weights of 17 bits and low parts of 24, whatever enters it: they are made of limbs (`ops/sgd`,
    /// `ops/adamw`), and so are AdamW's moments. So what is left by any update is in range, and a movement between two such
    /// weights has 42 bits. The updates' contexts are of a domain of its own, so that no step's update passes for them. The
    /// opening shows that the commitments have blind 1.
    pub fn genesis(
        &self,
        batch: &mut Batch<'_>,
        state: &StateCommitments,
        proof: &GenesisProof,
    ) -> Result<(), StepError> {
        let (kind, optimizer) = (self.variant.update, self.variant.update.optimizer());
        state.check(&self.spec_config, optimizer)?;
        check_instances(proof.instances_per_proof)?;
        let domain = GenesisProof::domain(&self.spec_config, state);
        let statement = (&domain, proof.instances_per_proof);
        let places = self.genesis_places(state);
        let identity = Hyper::identity(kind);
        // No gradient.
        let squares = vec![SquareSum::ZERO; sums_of(kind, Privacy::Public, places.len())];
        let squares = if self.variant.privacy == Privacy::Public { &squares[..] } else { &[] };
        let ports =
            self.update_ports(batch, "genesis update", statement, (&places, &proof.updates), (&identity, squares))?;
        let (now, before) = ports.split_at(self.layouts.updates().len().min(ports.len()));
        for (segment, claimed) in state.segments.iter().enumerate() {
            let refused = |port| StepError::Genesis { segment, port };
            let new = |ports: &[Vec<Vec<Point>>], which| {
                update::port(kind, which).map(|port| self.layouts.join(ports, port, segment))
            };
            if encode(&new(now, UpdatePort::NewWeights).unwrap_or_default()) != claimed.w {
                return Err(refused("weights"));
            }
            for &slot in optimizer.slots() {
                let Some(points) = new(now, UpdatePort::NewSlot(slot)) else { continue };
                if encode(&points) != claimed.slot(slot) {
                    return Err(refused(slot.name()));
                }
            }
            if before.is_empty() {
                continue;
            }
            // What moved to these weights: both ends are shown.
            let of_before = |which| new(before, which).unwrap_or_default();
            let (w, lo) = (of_before(UpdatePort::NewWeights), of_before(UpdatePort::NewSlot(Slot::Low)));
            let after = claimed.decode(optimizer).map_err(StepError::Commitments)?;
            let moved = commit_movement(commit_whole(&w, &lo), after.whole(), &self.blind);
            if encode(&moved) != claimed.slot(Slot::Momentum) {
                return Err(refused(Slot::Momentum.name()));
            }
        }
        match self.variant.privacy {
            Privacy::Public => self.outputs(batch, &[], state, &proof.canonical),
            // They are those of proofs, which were verified: nothing else needs to be shown.
            Privacy::Private if proof.canonical.is_empty() => Ok(()),
            Privacy::Private => Err(StepError::Kind),
        }
    }

    /// What the updates of a genesis proof are of: the weights now, and where a movement may have led to them those before.
    fn genesis_places(&self, state: &StateCommitments) -> Vec<Place> {
        let before = |(segment, group): (usize, usize)| Place::Before { segment: segment as u32, group: group as u32 };
        let mut places = self.update_places();
        if !state.unmoved(&self.blind) {
            places.extend(self.layouts.updates().into_iter().map(before));
        }
        places
    }

    /// Verifies a genesis proof alone: [`Self::genesis`] and the multi-scalar multiplication.
    pub fn verify_genesis(
        &self,
        params: &Params,
        state: &StateCommitments,
        proof: &GenesisProof,
    ) -> Result<(), StepError> {
        let mut batch = Batch::new(params);
        self.genesis(&mut batch, state, proof)?;
        let parts = genesis_parts(proof);
        batch.finish().map_err(|error| named(error, &parts))
    }
}

/// Places of a genesis proof's claims, in the order in which they are checked.
pub fn genesis_parts(proof: &GenesisProof) -> Vec<Part> {
    let updates = (0..proof.updates.len()).map(|index| Part::Update { index });
    updates.chain((!proof.canonical.is_empty()).then_some(Part::Canonical)).collect()
}
