//! Headers: what the work is done on, and the hashes that they commit to.

use crate::address::Address;
use crate::hash::hashes;
use crate::work::CompactTarget;
use circuits::statements::StateCommitments;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};

/// Version of blocks that this program knows.
pub const BLOCK_VERSION: u32 = 1;

/// Bytes of a header: less than one block of BLAKE2b, so that an attempt costs one compression.
pub const HEADER_BYTES: usize = 84;

hashes! {
    /// Identity of a block: the hash of its header. Read as a big-endian number, it shows the work.
    BlockId;
    /// Identity of a chain: that of its genesis block.
    ChainId;
    /// What a header commits to: the digest of the block's [`Summary`], or of the genesis.
    BodyDigest;
    /// Digest of a model state's commitments.
    StateDigest;
    /// Digest of the identities of a block's contributions.
    ContributionsDigest;
    /// Digest of a block's transactions, signatures included.
    TransactionsDigest;
    /// Root of the ledger's tree.
    LedgerRoot;
    /// Digest of all that is proof in a block.
    ProofsDigest;
}

impl ChainId {
    /// Of the chain that begins with this block.
    pub const fn of(genesis: BlockId) -> Self {
        Self(genesis.0)
    }

    /// Its genesis block.
    pub const fn genesis(&self) -> BlockId {
        BlockId(self.0)
    }
}

impl StateDigest {
    /// Of these commitments.
    pub fn of(state: &StateCommitments) -> Self {
        Self(state.digest())
    }
}

/// A block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Digest of the [`Summary`].
    pub body: BodyDigest,
    /// Identity of the parent.
    pub parent: BlockId,
    /// Seconds since 1970.
    pub time: u64,
    /// The identity, as a number, is at most this.
    pub target: CompactTarget,
    /// Found by trying.
    pub nonce: u64,
}

impl Header {
    /// The bytes that are hashed.
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..32].copy_from_slice(&self.body.0);
        bytes[32..64].copy_from_slice(&self.parent.0);
        bytes[64..72].copy_from_slice(&self.time.to_le_bytes());
        bytes[72..76].copy_from_slice(&self.target.bits().to_le_bytes());
        bytes[76..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// Identity of the block.
    pub fn id(&self) -> BlockId {
        BlockId(codec::digest(b"gradcoin-header", &self.bytes()))
    }
}

/// What a block says, in digests. The header holds its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of the block.
    pub version: u32,
    /// Blocks before it.
    pub height: u64,
    /// Training steps taken, this block's included.
    pub step: u64,
    /// Digest of the model state's commitments after the block.
    pub state: StateDigest,
    /// Digest of the contributions' identities.
    pub contributions: ContributionsDigest,
    /// Digest of the transactions.
    pub transactions: TransactionsDigest,
    /// Root of the ledger after the block.
    pub ledger: LedgerRoot,
    /// Who is paid for the block, and signs nothing: the work is theirs who did it on this name.
    pub producer: Address,
    /// Digest of all proofs.
    pub proofs: ProofsDigest,
}

impl Encoded for Summary {
    const MAGIC: [u8; 8] = *b"GRADSUMM";
    const VERSION: u32 = 1;
    const NAME: &'static str = "block summary";
}

impl Summary {
    /// What the header's `body` must be.
    pub fn digest(&self) -> Result<BodyDigest, CodecError> {
        Ok(BodyDigest(codec::digest(b"gradcoin-summary", &codec::encode(self)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_identity() {
        let target = |bits| CompactTarget::from_bits(bits).unwrap();
        let header = Header {
            body: BodyDigest([1; 32]),
            parent: BlockId([2; 32]),
            time: 3,
            target: target(0x1f00ffff),
            nonce: 5,
        };
        let changed = [
            Header { body: BodyDigest([9; 32]), ..header },
            Header { parent: BlockId([9; 32]), ..header },
            Header { time: 9, ..header },
            Header { target: target(0x1e00ffff), ..header },
            Header { nonce: 9, ..header },
        ];
        let ids: std::collections::HashSet<BlockId> = changed.iter().map(Header::id).chain([header.id()]).collect();
        assert_eq!(ids.len(), 6);
    }
}
