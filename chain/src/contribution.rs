//! Contributions: gradients at the parent's state, proven and signed.

use crate::address::{Address, SecretKey, Signature};
use crate::hash::hashes;
use crate::header::{BlockId, ChainId, ContributionsDigest, StateDigest};
use backend::curve::Point;
use circuits::statements::codec::{self, CodecError, Encoded};
use circuits::statements::dataset::MerkleProof;
use circuits::statements::domain::Domain;
use circuits::statements::{self, Encoding, poseidon};
use group::GroupEncoding;
use serde::{Deserialize, Serialize};

hashes! {
    /// Identity of a contribution: a hash of what it states, not of the proofs, which can be made anew.
    ContributionId;
    /// Digest of a gradient's tensors.
    TensorsDigest;
}

/// What tells contributions apart: a contributor has one for each parent and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// The block whose state the gradient is taken at.
    pub parent: BlockId,
    /// Who computed it, and is paid for it.
    pub contributor: Address,
    /// Number among the contributor's contributions to one block.
    pub slot: u32,
}

/// A gradient at the parent's state on the batch that its seat is assigned, with its proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Its seat.
    pub seat: Seat,
    /// Canonical commitments of the gradient, by segment; the proofs' ports must be these.
    pub gradient: Vec<Vec<Encoding>>,
    /// Losses and proofs.
    pub proofs: statements::Contribution,
    /// That the commitments of its sequences are the assigned leaves of the data set.
    pub leaves: Vec<MerkleProof>,
    /// Digest of the gradient's tensors: whoever passes on others is found out without looking at a commitment.
    pub tensors: TensorsDigest,
    /// A small proof of work: making others verify is not free.
    pub stamp: u64,
    /// The contributor's signature of all of it: [`Self::message`].
    pub signature: Signature,
}

impl Encoded for Contribution {
    const MAGIC: [u8; 8] = *b"GRADCONT";
    const VERSION: u32 = 1;
    const NAME: &'static str = "contribution";
}

impl Contribution {
    /// Identity.
    pub fn id(&self, chain: &ChainId) -> ContributionId {
        let mut message = self.seat.bytes(chain);
        let losses = &self.proofs.losses;
        message.extend((losses.len() as u64).to_le_bytes());
        message.extend(losses.iter().flat_map(|loss| loss.to_le_bytes()));
        message.extend(self.gradient.iter().flatten().flatten());
        ContributionId(poseidon::digest_bytes("gradientcoin contribution", &message))
    }

    /// Digest of which the stamp's leading zeros are counted.
    pub fn stamp_digest(id: &ContributionId, stamp: u64) -> [u8; 32] {
        codec::digest(b"gradcoin-stamp", &[&id.0[..], &stamp.to_le_bytes()].concat())
    }

    /// What the contributor signs: everything, so that a copy with other proofs or tensors is refused before they are
    /// looked at, and keeps no one from the seat.
    pub fn message(&self, chain: &ChainId) -> Result<[u8; 32], CodecError> {
        let unsigned = Contribution { signature: Signature([0; 64]), ..self.clone() };
        Ok(codec::digest(b"gradcoin-seal", &[&chain.as_bytes()[..], &codec::encode(&unsigned)?].concat()))
    }

    /// Finds a stamp and signs.
    pub fn sign(&mut self, chain: &ChainId, stamp_bits: u32, key: &SecretKey) -> Result<(), CodecError> {
        let id = self.id(chain);
        self.stamp = 0;
        while leading_zeros(&Self::stamp_digest(&id, self.stamp)) < stamp_bits {
            self.stamp = self.stamp.wrapping_add(1);
        }
        self.signature = key.sign(&self.message(chain)?);
        Ok(())
    }

    /// Bytes of its proofs and paths.
    pub fn proof_bytes(&self) -> u64 {
        let proofs = self.proofs.layers.iter().chain(&self.proofs.heads).map(Vec::len);
        proofs.chain(self.leaves.iter().map(|leaf| leaf.0.len())).map(|bytes| bytes as u64).sum()
    }

    /// Sum of the losses over its predictions, frac 24.
    pub fn loss(&self) -> u128 {
        self.proofs.losses.iter().map(|&loss| u128::from(loss)).sum()
    }
}

impl Seat {
    fn bytes(&self, chain: &ChainId) -> Vec<u8> {
        [&chain.as_bytes()[..], self.parent.as_bytes(), &self.contributor.0, &self.slot.to_le_bytes()].concat()
    }

    /// Domain of the proofs of a contribution to the block of this height, at this state. It binds the proofs to chain,
    /// height, parent, contributor and slot; the version of the circuits is in every domain.
    pub fn domain(&self, chain: &ChainId, height: u64, before: &StateDigest) -> Domain {
        let (height, slot) = (height.to_le_bytes(), self.slot.to_le_bytes());
        let parts: [&[u8]; 6] =
            [chain.as_bytes(), &height, self.parent.as_bytes(), before.as_bytes(), &self.contributor.0, &slot];
        Domain::new("gradientcoin contribution to a block", &parts)
    }
}

/// Digest of the identities of a block's contributions.
pub fn digest(ids: &[ContributionId]) -> ContributionsDigest {
    let message: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
    ContributionsDigest::from_bytes(poseidon::digest_bytes("gradientcoin contributions", &message))
}

/// Domain of a block's update proofs: of chain, height, parent, state before, producer and contributions.
pub fn update_domain(
    chain: &ChainId,
    height: u64,
    (parent, before): (&BlockId, &StateDigest),
    producer: &Address,
    all: &ContributionsDigest,
) -> Domain {
    let parts: [&[u8]; 6] =
        [chain.as_bytes(), &height.to_le_bytes(), parent.as_bytes(), before.as_bytes(), &producer.0, all.as_bytes()];
    Domain::new("gradientcoin update of a block", &parts)
}

/// Leading zero bits of a hash.
pub fn leading_zeros(hash: &[u8; 32]) -> u32 {
    let whole = hash.iter().take_while(|&&byte| byte == 0).count();
    8 * whole as u32 + hash.get(whole).map_or(0, |byte| byte.leading_zeros())
}

/// Encodes commitments by segment.
pub fn encode_points(points: &[Vec<Point>]) -> Vec<Vec<Encoding>> {
    points.iter().map(|port| port.iter().map(GroupEncoding::to_bytes).collect()).collect()
}
