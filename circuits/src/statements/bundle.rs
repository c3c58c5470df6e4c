//! What is handed to a verifier: the proofs of a step, and of a first state.

use super::codec::{self, CodecError, Encoded};
use super::dataset::Leaf;
use super::{Domain, Encoding, Run, RunError, StateCommitments, model_digest};
use crate::model::{Config, SquareSum};
use backend::span::SpanStatement;
use serde::{Deserialize, Serialize};

/// Most instances of one circuit in one proof: it bounds the prover's memory. So many are in a proof where nothing else
/// is said: fewer share less of its fixed cost, and travel further to other machines.
pub const MAX_INSTANCES_PER_PROOF: u32 = 8;

/// Refuses a number of instances that no proof may have.
pub fn check_instances(per_proof: u32) -> Result<(), RunError> {
    if (1..=MAX_INSTANCES_PER_PROOF).contains(&per_proof) { Ok(()) } else { Err(RunError::Instances(per_proof)) }
}

/// One contribution's proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Sum of the losses of each sequence, frac 24; none in a private run.
    pub losses: Vec<u64>,
    /// Layer proofs, each of as many instances as the run says, ordered by sequence, then layer.
    pub layers: Vec<Vec<u8>>,
    /// Head proofs, ordered by sequence.
    pub heads: Vec<Vec<u8>>,
}

/// A sum of losses that a private run discloses: of a step, or of some steps of which it is the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosedLoss {
    /// The sum, frac 24.
    pub sum: u128,
    /// Commitment of the sum of the losses of the steps before that belong to it; none if it is of one step.
    pub before: Option<Encoding>,
}

/// What a private step's bundle has where a public one shows commitments to be canonical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateStep {
    /// Sum of losses, where the run discloses one at this step.
    pub loss: Option<DisclosedLoss>,
    /// Proof that all that is wired differs in what hides it alone ([`backend::span`]).
    pub span: Vec<u8>,
}

/// A proven step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The run.
    pub run: Run,
    /// Number of the step, from 0.
    pub step: u64,
    /// State before the step.
    pub before: StateCommitments,
    /// The gradient, in parts.
    pub contributions: Vec<Contribution>,
    /// Of a run on a data set: its leaves that the sequences are, ordered by contribution, then sequence.
    pub leaves: Vec<Leaf>,
    /// Sums of the squares of the step's gradient, where it is clipped: of each instance of the update in its order, or, of a private run,
    /// of all of them.
    pub squares: Vec<SquareSum>,
    /// Update proofs, ordered by segment, then lane group.
    pub updates: Vec<Vec<u8>>,
    /// Opening which shows that the commitments of the gradients and of the new state have the canonical blind; empty in a
    /// private run.
    pub canonical: Vec<u8>,
    /// Of a private run.
    pub private: Option<PrivateStep>,
}

impl Bundle {
    /// What a private step's differences are folded by: all of the bundle but the proof of that.
    pub fn span_statement(&self) -> Result<SpanStatement, CodecError> {
        let without = |private: &PrivateStep| PrivateStep { span: vec![], ..private.clone() };
        let statement = Bundle { private: self.private.as_ref().map(without), ..self.clone() };
        Ok(SpanStatement::new(&codec::encode(&statement)?))
    }

    /// Bytes of everything that is proof.
    pub fn proof_bytes(&self) -> u64 {
        let gradients = self.contributions.iter().flat_map(|c| c.layers.iter().chain(&c.heads));
        let span = self.private.iter().map(|private| &private.span);
        gradients.chain(&self.updates).chain([&self.canonical]).chain(span).map(|proof| proof.len() as u64).sum()
    }
}

impl Encoded for Bundle {
    const MAGIC: [u8; 8] = *b"GRADSTEP";
    // 2: optimizers by name, instances per proof, named slots; 3: leaves of a data set, private steps; 4: the run's;
    // 5: sums of squares.
    const VERSION: u32 = 5;
    const NAME: &'static str = "bundle";
}

/// Shows that a first state is in range and canonically committed: updates whose new weights and low parts are this state's, and
/// those before its last movement where there was one; an honest prover's are by the identity
/// ([`Hyper::identity`](crate::model::Hyper::identity)). The weights that an update leaves have the widths that the next step relies on, whatever
/// entered it, and a movement between two such has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisProof {
    /// Instances that share a proof, 1 to [`MAX_INSTANCES_PER_PROOF`].
    pub instances_per_proof: u32,
    /// Update proofs, ordered by segment, then lane group; behind them as many of the weights before the last movement.
    pub updates: Vec<Vec<u8>>,
    /// Opening which shows that the commitments of the state have the canonical blind; empty of a private run.
    pub canonical: Vec<u8>,
}

impl GenesisProof {
    /// Its domain: of a model. It says the same of the model wherever a run or a chain begins with it.
    pub fn domain(config: &Config, state: &StateCommitments) -> Domain {
        Domain::new("gradientcoin genesis", &[&model_digest(config, &state.digest())])
    }

    /// Bytes of everything that is proof.
    pub fn proof_bytes(&self) -> u64 {
        self.updates.iter().chain([&self.canonical]).map(|proof| proof.len() as u64).sum()
    }
}

impl Encoded for GenesisProof {
    const MAGIC: [u8; 8] = *b"GRADGPRF";
    // 2: instances per proof; 3: weights before the last movement.
    const VERSION: u32 = 3;
    const NAME: &'static str = "genesis proof";
}
