//! Rules that need the keys and the parent's model state: signatures, assigned batches, proofs.

use super::SemanticError;
use crate::assignment::assigned;
use crate::block::Block;
use crate::contribution::{Contribution, encode_points, leading_zeros, update_domain};
use crate::genesis::ChainSpec;
use crate::header::{BlockId, StateDigest};
use backend::curve::Params;
use circuits::model::SquareSum;
use circuits::statements::StateCommitments;
use circuits::statements::dataset::MerkleProof;
use group::GroupEncoding;
use std::sync::Arc;
use verifier::step::{Claimed, ClaimedUpdate};
use verifier::{Batch, CheckedContribution, StepError, StepVerifier};

/// What checking proofs takes.
#[derive(Clone, Copy)]
pub struct Checker<'p> {
    /// The chain.
    pub spec: &'p ChainSpec,
    /// Parameters.
    pub params: &'p Params,
    /// Keys; [`Checker::new`] has compared them with the chain's, and verified the genesis proof with them.
    keys: &'p StepVerifier,
}

/// What of the parent proofs depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its identity.
    pub id: BlockId,
    /// Its height.
    pub height: u64,
    /// Training steps taken.
    pub step: u64,
    /// Model state after it.
    pub state: Arc<StateCommitments>,
    /// Digest of that state.
    pub digest: StateDigest,
}

impl Parent {
    /// Of a block and the state after it.
    pub fn new(id: BlockId, height: u64, step: u64, state: Arc<StateCommitments>) -> Self {
        let digest = StateDigest::of(&state);
        Parent { id, height, step, state, digest }
    }
}

/// A block whose proofs hold.
#[derive(Clone, Debug)]
pub struct Proven {
    block: Arc<Block>,
    after: Arc<StateCommitments>,
    gradients: Vec<CheckedContribution>,
}

impl Proven {
    /// A structurally valid block without contributions, which states nothing that takes keys to check; nothing for others.
    pub fn idle(spec: &ChainSpec, parent: &Parent, block: &Arc<Block>) -> Result<Option<Self>, SemanticError> {
        if block.update.is_some() || !block.contributions.is_empty() {
            return Ok(None);
        }
        transactions(spec, parent, block)?;
        Ok(Some(Proven { block: block.clone(), after: parent.state.clone(), gradients: vec![] }))
    }

    /// A block that nobody has verified, as one that leads to this state: for tests of what comes after verification.
    #[cfg(feature = "testing")]
    pub fn unverified(block: Arc<Block>, after: Arc<StateCommitments>) -> Self {
        Proven { block, after, gradients: vec![] }
    }

    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Model state after it.
    pub fn after(&self) -> &Arc<StateCommitments> {
        &self.after
    }

    /// Commitments of the contributions' gradients.
    pub fn gradients(&self) -> &[CheckedContribution] {
        &self.gradients
    }
}

/// A contribution's stamp and signature: what is cheap, and takes no keys.
pub fn seal(spec: &ChainSpec, index: usize, c: &Contribution) -> Result<(), SemanticError> {
    let id = c.id(spec.id());
    let (found, needed) = (leading_zeros(&Contribution::stamp_digest(&id, c.stamp)), spec.rules().stamp_bits);
    if found < needed {
        return Err(SemanticError::Stamp { index, found, needed });
    }
    c.seat
        .contributor
        .verify(&c.message(spec.id())?, &c.signature)
        .map_err(|source| SemanticError::Signature { index, source })
}

/// Requires the block to be on this parent, and its transactions to be signed and of this chain.
fn transactions(spec: &ChainSpec, parent: &Parent, block: &Block) -> Result<(), SemanticError> {
    if parent.id != block.header.parent {
        return Err(SemanticError::Parent);
    }
    for (index, transaction) in block.transactions.iter().enumerate() {
        transaction.check(spec.id()).map_err(|source| SemanticError::Transaction { index, source })?;
    }
    Ok(())
}

impl<'p> Checker<'p> {
    /// Requires the keys to be the chain's, and the genesis proof to hold: what proofs of blocks say means nothing if the
    /// first state is not in range.
    pub fn new(spec: &'p ChainSpec, params: &'p Params, keys: &'p StepVerifier) -> Result<Self, SemanticError> {
        spec.check_keys(keys).map_err(|_| SemanticError::Keys)?;
        spec.check_proof(params, keys).map_err(|error| SemanticError::Genesis(Box::new(error)))?;
        Ok(Checker { spec, params, keys })
    }

    /// As [`Checker::new`], without a genesis proof: for tests of chains that begin with no one's state.
    #[cfg(feature = "testing")]
    pub fn unproven(spec: &'p ChainSpec, params: &'p Params, keys: &'p StepVerifier) -> Result<Self, SemanticError> {
        spec.check_keys(keys).map_err(|_| SemanticError::Keys)?;
        Ok(Checker { spec, params, keys })
    }

    /// Checks all of a contribution but the claims that it adds to `batch`.
    pub fn contribution(
        &self,
        batch: &mut Batch<'_>,
        parent: &Parent,
        index: usize,
        c: &Contribution,
    ) -> Result<CheckedContribution, SemanticError> {
        seal(self.spec, index, c)?;
        let genesis = self.spec.genesis();
        let domain = c.seat.domain(self.spec.id(), parent.height + 1, &parent.digest);
        let sequences = genesis.batch as usize;
        let claimed = Claimed {
            domain: &domain,
            index: index as u32,
            before: &parent.state,
            sequences,
            instances_per_proof: genesis.instances_per_proof,
        };
        let checked = self.keys.contribution(batch, claimed, &c.proofs)?;
        if encode_points(&checked.gradients) != c.gradient {
            return Err(SemanticError::Gradient { index });
        }
        let seat = &c.seat;
        let none = MerkleProof(vec![]);
        for (sequence, point) in checked.batches.iter().enumerate() {
            // A path that is missing is not a rule that is left out.
            let proof = c.leaves.get(sequence).unwrap_or(&none);
            let leaf = assigned(&genesis.dataset, &seat.parent, &seat.contributor, seat.slot, sequence as u32);
            let verified = genesis.dataset.verify(leaf, &point.to_bytes(), proof);
            verified.map_err(|source| SemanticError::Batch { index, sequence, source })?;
        }
        Ok(checked)
    }

    /// Checks all of a structurally valid block on its parent's state but the claims that it adds to `batch`.
    pub fn check<'b>(
        &self,
        batch: &mut Batch<'b>,
        parent: &Parent,
        block: &Arc<Block>,
    ) -> Result<Proven, SemanticError> {
        if let Some(proven) = Proven::idle(self.spec, parent, block)? {
            return Ok(proven);
        }
        transactions(self.spec, parent, block)?;
        for (index, c) in block.contributions.iter().enumerate() {
            seal(self.spec, index, c)?;
        }
        let Some(update) = &block.update else {
            return Err(StepError::Count { what: "updates", expected: 1, found: 0 }.into());
        };
        let contributions = block.contributions.iter().enumerate();
        let gradients = contributions.map(|(index, c)| self.contribution(batch, parent, index, c));
        let gradients = gradients.collect::<Result<Vec<_>, _>>()?;
        let (producer, all) = (&block.summary.producer, &block.summary.contributions);
        let domain = update_domain(self.spec.id(), parent.height + 1, (&parent.id, &parent.digest), producer, all);
        let squares = &update.squares[..];
        let hyper = self.spec.hyper(parent.step, gradients.len() as u32, SquareSum::total(squares))?;
        let claimed = ClaimedUpdate {
            domain: &domain,
            hyper: &hyper,
            squares,
            before: &parent.state,
            instances_per_proof: self.spec.genesis().instances_per_proof,
        };
        let after = self.keys.update(batch, claimed, &gradients, &update.proofs)?;
        if after != update.after {
            return Err(SemanticError::After);
        }
        self.keys.outputs(batch, &gradients, &after, &update.canonical)?;
        Ok(Proven { block: block.clone(), after: Arc::new(after), gradients })
    }

    /// Verifies a structurally valid block on its parent's state.
    pub fn verify(&self, parent: &Parent, block: &Arc<Block>) -> Result<Proven, SemanticError> {
        let mut batch = Batch::new(self.params);
        let proven = self.check(&mut batch, parent, block)?;
        if !batch.is_empty() {
            batch.finish()?;
        }
        Ok(proven)
    }

    /// Verifies a structurally valid contribution on its parent's state.
    pub fn verify_contribution(&self, parent: &Parent, c: &Contribution) -> Result<CheckedContribution, SemanticError> {
        let mut batch = Batch::new(self.params);
        let checked = self.contribution(&mut batch, parent, 0, c)?;
        batch.finish()?;
        Ok(checked)
    }
}
