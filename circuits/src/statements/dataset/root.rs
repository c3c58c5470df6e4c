//! The Merkle tree over commitments: RFC 6962, section 2.1, with BLAKE2b-256.

use super::DatasetError;
use crate::statements::Encoding;
use blake2::Blake2b256;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{InclusionProof, InclusionVerifError, RootHash, indices_for_inclusion_proof};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most leaves of a data set. The arithmetic of the tree's indices is far from overflow.
pub const MAX_LEAVES: u64 = 1 << 32;

const NODE: usize = 32;

pub(super) type Tree = MemoryBackedTree<Blake2b256, Encoding>;

/// The path from a leaf to the root: the hashes beside it, the lowest first (`PATH` of RFC 6962, section 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerkleProof(pub Vec<u8>);

/// A leaf of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Commitment of its sequence.
    pub commitment: Encoding,
    /// That it is a leaf; which one, who assigned it knows.
    pub path: MerkleProof,
}

/// What names a data set: the tree's root and its number of leaves, from 1 to [`MAX_LEAVES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct DatasetRoot {
    root: [u8; 32],
    leaves: u64,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    root: [u8; 32],
    leaves: u64,
}

impl TryFrom<Fields> for DatasetRoot {
    type Error = DatasetError;

    fn try_from(fields: Fields) -> Result<Self, DatasetError> {
        Self::new(fields.root, fields.leaves)
    }
}

impl From<DatasetRoot> for Fields {
    fn from(root: DatasetRoot) -> Self {
        Self { root: root.root, leaves: root.leaves }
    }
}

/// `<64 hexadecimal digits>:<leaves>`.
impl fmt::Display for DatasetRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ":{}", self.leaves)
    }
}

/// What is displayed, and nothing else.
impl FromStr for DatasetRoot {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let (digits, leaves) = text.split_once(':').ok_or(DatasetError::Text)?;
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let hash = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        let (hash, leaves) = hash.zip(leaves.parse().ok()).ok_or(DatasetError::Text)?;
        let root = Self::new(hash, leaves)?;
        if root.to_string() == text { Ok(root) } else { Err(DatasetError::Text) }
    }
}

impl DatasetRoot {
    /// Refuses no leaf and more than [`MAX_LEAVES`].
    pub fn new(root: [u8; 32], leaves: u64) -> Result<Self, DatasetError> {
        if (1..=MAX_LEAVES).contains(&leaves) {
            Ok(Self { root, leaves })
        } else {
            Err(DatasetError::Leaves { leaves })
        }
    }

    pub(super) fn of(tree: &Tree) -> Result<Self, DatasetError> {
        Self::new((*tree.root().as_bytes()).into(), tree.len())
    }

    /// The tree's root.
    pub fn hash(&self) -> &[u8; 32] {
        &self.root
    }

    /// Leaves of the tree.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Bytes of a leaf's proof.
    pub fn proof_length(&self, index: u64) -> Result<usize, DatasetError> {
        if index >= self.leaves {
            return Err(DatasetError::Index { index, leaves: self.leaves });
        }
        Ok(indices_for_inclusion_proof(self.leaves, index).len() * NODE)
    }

    /// Checks that a batch commitment, encoded, is a leaf.
    pub fn verify(&self, index: u64, commitment: &Encoding, proof: &MerkleProof) -> Result<(), DatasetError> {
        let expected = self.proof_length(index)?;
        let wrong_length = || DatasetError::ProofLength { index, expected, found: proof.0.len() };
        if proof.0.len() != expected {
            return Err(wrong_length());
        }
        let path = InclusionProof::<Blake2b256>::try_from_bytes(proof.0.clone()).map_err(|_| wrong_length())?;
        RootHash::<Blake2b256>::new(self.root.into(), self.leaves).verify_inclusion(commitment, index, &path).map_err(
            |error| match error {
                InclusionVerifError::IncorrectHash => DatasetError::NotIncluded { index },
                InclusionVerifError::MalformedProof => wrong_length(),
                InclusionVerifError::IndexOutOfRange | InclusionVerifError::TreeEmpty => {
                    DatasetError::Index { index, leaves: self.leaves }
                }
            },
        )
    }
}

pub(super) fn prove(tree: &Tree, index: u64) -> Result<MerkleProof, DatasetError> {
    let missing = DatasetError::Index { index, leaves: tree.len() };
    // `prove_inclusion` panics on what is no leaf.
    let leaf = usize::try_from(index).ok().filter(|&leaf| tree.get(leaf).is_some()).ok_or(missing)?;
    Ok(MerkleProof(tree.prove_inclusion(leaf).as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::codec::{CodecError, Encoded, decode, encode};
    use blake2::Digest;
    use proptest::prelude::*;

    /// What a file that holds one looks like.
    #[derive(Serialize, Deserialize)]
    struct Sent<T>(T);

    impl<T: Serialize + serde::de::DeserializeOwned> Encoded for Sent<T> {
        const MAGIC: [u8; 8] = *b"gradtest";
        const VERSION: u32 = 1;
        const NAME: &'static str = "test";
    }

    fn leaf(i: u64) -> [u8; 32] {
        crate::statements::codec::digest(b"leaf", &i.to_le_bytes())
    }

    fn tree(leaves: u64) -> (Tree, DatasetRoot) {
        let mut tree = Tree::new();
        (0..leaves).for_each(|i| tree.push(leaf(i)));
        let root = DatasetRoot::of(&tree).unwrap();
        (tree, root)
    }

    /// MTH of RFC 6962, section 2.1.
    fn tree_hash(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [leaf] => Blake2b256::new().chain_update([0]).chain_update(leaf).finalize().into(),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                let (left, right) = (tree_hash(left), tree_hash(right));
                Blake2b256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_rfc_and_every_leaf_is_proved() {
        for leaves in 1..=40 {
            let (tree, root) = tree(leaves);
            assert_eq!(*root.hash(), tree_hash(tree.items()));
            for index in 0..leaves {
                let proof = prove(&tree, index).unwrap();
                assert_eq!(Ok(proof.0.len()), root.proof_length(index));
                assert_eq!(root.verify(index, &leaf(index), &proof), Ok(()));
            }
            assert_eq!(prove(&tree, leaves), Err(DatasetError::Index { index: leaves, leaves }));
        }
    }

    #[test]
    fn the_number_of_leaves_is_bounded_also_in_encodings() {
        for leaves in [0, MAX_LEAVES + 1, u64::MAX] {
            assert_eq!(DatasetRoot::new([7; 32], leaves), Err(DatasetError::Leaves { leaves }));
            let sent = encode(&Sent(Fields { root: [7; 32], leaves })).unwrap();
            let Err(CodecError::Malformed { reason, .. }) = decode::<Sent<DatasetRoot>>(&sent) else { panic!("read") };
            assert!(reason.contains(&DatasetError::Leaves { leaves }.to_string()), "{reason}");
        }
        for leaves in [1, MAX_LEAVES] {
            let root = DatasetRoot::new([7; 32], leaves).unwrap();
            let sent = encode(&Sent(root)).unwrap();
            assert_eq!(sent, encode(&Sent(Fields { root: [7; 32], leaves })).unwrap());
            assert_eq!(decode::<Sent<DatasetRoot>>(&sent).unwrap().0, root);
        }
    }

    #[test]
    fn a_root_is_read_as_it_is_written() {
        let root = DatasetRoot::new(leaf(1), 1000).unwrap();
        let text = root.to_string();
        assert_eq!(text.parse(), Ok(root));
        let (digits, leaves) = text.split_once(':').unwrap();
        let upper = text.to_uppercase();
        let others = [digits, leaves, "", ":", &text[1..], &upper, &format!("{digits}:0{leaves}"), &format!("{text} ")];
        for other in
            others.into_iter().map(str::to_owned).chain([format!("+{}", &text[1..]), format!("é{}", &text[2..])])
        {
            assert_eq!(other.parse::<DatasetRoot>(), Err(DatasetError::Text), "{other}");
        }
        assert_eq!(format!("{digits}:0").parse::<DatasetRoot>(), Err(DatasetError::Leaves { leaves: 0 }));
    }

    proptest! {
        #[test]
        fn every_mutation_is_refused(leaves in 2u64..200, at in any::<u64>(), mask in 1u8..) {
            let index = at % leaves;
            let (tree, root) = tree(leaves);
            let proof = prove(&tree, index).unwrap();
            let refused = Err(DatasetError::NotIncluded { index });
            for byte in 0..proof.0.len() {
                let mut forged = proof.clone();
                forged.0[byte] ^= mask;
                prop_assert_eq!(root.verify(index, &leaf(index), &forged), refused.clone());
            }
            for byte in 0..32 {
                let (mut commitment, mut hash) = (leaf(index), *root.hash());
                commitment[byte] ^= mask;
                hash[byte] ^= mask;
                prop_assert_eq!(root.verify(index, &commitment, &proof), refused.clone());
                let other = DatasetRoot::new(hash, leaves).unwrap();
                prop_assert_eq!(other.verify(index, &leaf(index), &proof), refused.clone());
            }
            for other in (0..leaves).filter(|&i| i != index) {
                let expected = root.proof_length(other).unwrap();
                let found = proof.0.len();
                let error = if expected == found {
                    DatasetError::NotIncluded { index: other }
                } else {
                    DatasetError::ProofLength { index: other, expected, found }
                };
                prop_assert_eq!(root.verify(other, &leaf(index), &proof), Err(error));
                prop_assert_eq!(root.verify(index, &leaf(other), &proof), refused.clone());
            }
        }

        #[test]
        fn proofs_have_the_length_of_the_path(leaves in 1u64..200, at in any::<u64>(), cut in any::<usize>(), more in 1usize..70) {
            let index = at % leaves;
            let (tree, root) = tree(leaves);
            let proof = prove(&tree, index).unwrap().0;
            let expected = proof.len();
            let longer = [&proof[..], &vec![0; more]].concat();
            let shorter = proof[..cut % expected.max(1)].to_vec();
            for forged in [longer, shorter].into_iter().filter(|p| p.len() != expected) {
                let error = DatasetError::ProofLength { index, expected, found: forged.len() };
                prop_assert_eq!(root.verify(index, &leaf(index), &MerkleProof(forged)), Err(error));
            }
        }

        #[test]
        fn no_input_panics_or_passes(
            leaves in prop_oneof![1..=MAX_LEAVES, 1u64..10], index in prop_oneof![any::<u64>(), 0..=MAX_LEAVES, 0u64..10],
            hash in any::<[u8; 32]>(), commitment in any::<[u8; 32]>(), bytes in proptest::collection::vec(any::<u8>(), 34 * NODE),
            length in 0usize..34 * NODE,
        ) {
            let root = DatasetRoot::new(hash, leaves).unwrap();
            prop_assert!(root.verify(index, &commitment, &MerkleProof(bytes[..length].to_vec())).is_err());
            if let Ok(exact) = root.proof_length(index) {
                let refused = root.verify(index, &commitment, &MerkleProof(bytes[..exact].to_vec()));
                prop_assert_eq!(refused, Err(DatasetError::NotIncluded { index }));
            } else {
                prop_assert!(index >= leaves);
            }
        }
    }
}
