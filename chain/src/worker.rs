//! Proving contributions and updates: what contributors and producers do. The only part of the chain with a prover.

use crate::address::{Address, SecretKey, Signature};
use crate::assignment::assigned;
use crate::block::Update;
use crate::consensus::semantic::Parent;
use crate::contribution::{Contribution, ContributionId, Seat, encode_points, update_domain};
use crate::genesis::ChainSpec;
use crate::tensors::GradientTensors;
use backend::ports::PortError;
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Gradients, Spec, State, Token};
use circuits::ops::hyper::HyperError;
use circuits::statements::codec::CodecError;
use circuits::statements::dataset::{Dataset, DatasetError};
use prover::error::ProveError;
use prover::step::{Progress, ProvenUpdate, StepKeys, StepProver};

/// Why no contribution or block could be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The data set is not the chain's.
    #[error("the data set is not the one that the genesis names")]
    Dataset,
    /// There is no such leaf.
    #[error(transparent)]
    Leaf(#[from] DatasetError),
    /// No proof could be made.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A commitment could not be made.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The optimizer's integers are out of range.
    #[error(transparent)]
    Hyper(#[from] HyperError),
    /// The encoding failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A block needs a contribution to train on.
    #[error("there is no contribution to update with")]
    Nothing,
}

/// What proving takes.
#[derive(Clone, Copy)]
pub struct Worker<'a> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// Parameters.
    pub params: &'a backend::curve::Params,
    /// Keys.
    pub keys: &'a StepKeys,
    /// The model and its tables.
    pub model: &'a Spec,
    /// The data set.
    pub dataset: &'a Dataset,
}

/// A contribution with its gradient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The contribution.
    pub contribution: Contribution,
    /// Its gradient, frac 36.
    pub gradients: Gradients,
}

impl Proven {
    /// The tensors that go with the contribution.
    pub fn tensors(&self) -> GradientTensors {
        GradientTensors::new(&self.gradients)
    }
}

impl<'a> Worker<'a> {
    fn prover(&self) -> StepProver<'a> {
        let per_proof = self.spec.genesis().instances_per_proof;
        StepProver::new(self.params, self.keys, self.model).with_instances_per_proof(per_proof)
    }

    /// The sequences that a seat is assigned, with their leaves.
    pub fn batch(&self, seat: &Seat) -> Result<Vec<(u64, Vec<Token>)>, WorkerError> {
        let root = &self.spec.genesis().dataset;
        if self.dataset.root() != *root {
            return Err(WorkerError::Dataset);
        }
        let sequence = |sequence| -> Result<(u64, Vec<Token>), WorkerError> {
            let leaf = assigned(root, &seat.parent, &seat.contributor, seat.slot, sequence);
            Ok((leaf, self.dataset.tokens(leaf)?.to_vec()))
        };
        (0..self.spec.genesis().batch).map(sequence).collect()
    }

    /// Computes and proves a contribution to the block after `parent`, whose state is `state`.
    pub fn contribute(
        &self,
        parent: &Parent,
        state: &State,
        slot: u32,
        key: &SecretKey,
        progress: &mut Progress<'_>,
    ) -> Result<Proven, WorkerError> {
        let seat = Seat { parent: parent.id, contributor: key.address(), slot };
        let batch = self.batch(&seat)?;
        let domain = seat.domain(self.spec.id(), parent.height + 1, &parent.digest);
        let sequences: Vec<Vec<Token>> = batch.iter().map(|(_, tokens)| tokens.clone()).collect();
        let gradient = self.prover().gradient(&domain, state, &sequences, progress)?;
        let commitments = self.spec.layouts().commit_gradients(self.params, &gradient.gradients)?;
        let leaves = batch.iter().map(|(leaf, _)| self.dataset.proof(*leaf)).collect::<Result<_, _>>()?;
        let mut contribution = Contribution {
            seat,
            gradient: encode_points(&commitments),
            proofs: gradient.contribution,
            leaves,
            tensors: GradientTensors::new(&gradient.gradients).digest()?,
            stamp: 0,
            signature: Signature([0; 64]),
        };
        contribution.sign(self.spec.id(), self.spec.rules().stamp_bits, key)?;
        Ok(Proven { contribution, gradients: gradient.gradients })
    }

    /// Proves the update of the state after `parent` by these contributions, ascending by seat; `state` moves on.
    pub fn update(
        &self,
        parent: &Parent,
        state: &mut State,
        contributions: &[Proven],
        producer: &Address,
        progress: &mut Progress<'_>,
    ) -> Result<Update, WorkerError> {
        if contributions.is_empty() {
            return Err(WorkerError::Nothing);
        }
        let ids: Vec<ContributionId> = contributions.iter().map(|c| c.contribution.id(self.spec.id())).collect();
        let all = crate::contribution::digest(&ids);
        let domain = update_domain(self.spec.id(), parent.height + 1, (&parent.id, &parent.digest), producer, &all);
        let count = contributions.len() as u32;
        let mut sum = Gradients::zeros(self.spec.config());
        contributions.iter().for_each(|c| sum.add(&c.gradients));
        let hyper = self.spec.hyper(parent.step, count, self.spec.genesis().optimizer.squares(&sum))?;
        let ProvenUpdate { squares, proofs, after } =
            self.prover().update(&domain, (state, &parent.state), &sum, &hyper, progress)?;
        state.update(&hyper, &sum, &mut Saturations::default()).map_err(ProveError::from)?;
        let gradients: Vec<&Gradients> = contributions.iter().map(|c| &c.gradients).collect();
        let canonical = self.prover().outputs(&gradients, state, &after)?;
        Ok(Update { after, squares, proofs, canonical })
    }
}
