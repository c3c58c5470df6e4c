//! A data set: a corpus cut into sequences, their commitments in a Merkle tree. Those of a public data set are canonical, those of a
//! private one blinded by a secret.
//!
//! Sequence i is the T + 1 tokens from i·T on: each token but the first of the corpus is predicted once. What a run or a
//! chain names is the [`DatasetRoot`]; proofs of a batch show its commitment to be the leaf that was assigned.

mod commit;
mod root;
mod secret;

pub use root::{DatasetRoot, Leaf, MAX_LEAVES, MerkleProof};
pub use secret::{DatasetSecret, LeafSecret, RevealedLeaf};

use crate::model::Token;
use crate::statements::Encoding;
use backend::curve::{F, Params};
use backend::ports::PortError;
use ff::Field;
use root::Tree;

/// Told how many sequences are committed to, and of how many.
pub type Told<'t> = dyn FnMut(usize, usize) + 't;

/// Why a data set, or a proof about it, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// A context of no token.
    #[error("the context must be at least one token")]
    Context,
    /// The corpus does not hold one sequence.
    #[error("a corpus of {tokens} tokens is too short for a sequence of {context} tokens and the next one")]
    TooShort {
        /// Tokens of the corpus.
        tokens: usize,
        /// Tokens of a sequence's context.
        context: usize,
    },
    /// No leaf, or more than [`MAX_LEAVES`].
    #[error("the data set has {leaves} leaves; it must have 1 to {MAX_LEAVES}")]
    Leaves {
        /// Leaves found.
        leaves: u64,
    },
    /// A text that is no root.
    #[error("this is not a data set's root: 64 hexadecimal digits, a colon, the number of sequences")]
    Text,
    /// A sequence does not fit a column, or its commitment is the point at infinity.
    #[error(transparent)]
    Port(#[from] PortError),
    /// There is no such leaf.
    #[error("leaf {index} does not exist among {leaves}")]
    Index {
        /// The leaf.
        index: u64,
        /// Leaves of the data set.
        leaves: u64,
    },
    /// A proof has another length than the leaf's path.
    #[error("the proof of leaf {index} has {found} bytes, not {expected}")]
    ProofLength {
        /// The leaf.
        index: u64,
        /// Bytes of its path.
        expected: usize,
        /// Bytes of the proof.
        found: usize,
    },
    /// The commitment is not that of the tokens.
    #[error("the tokens are not those of leaf {index}")]
    OtherTokens {
        /// The leaf.
        index: u64,
    },
    /// The proof leads from the commitment to another root.
    #[error("the proof does not show that the commitment is leaf {index}")]
    NotIncluded {
        /// The leaf.
        index: u64,
    },
}

/// A corpus with the commitments of its sequences.
#[derive(Clone)]
pub struct Dataset {
    context: usize,
    corpus: Vec<Token>,
    tree: Tree,
    root: DatasetRoot,
    secret: Option<LeafSecret>,
}

impl Dataset {
    /// Commits to every sequence of `context` tokens of a corpus. Tokens at its end that fill no sequence are left out.
    pub fn new(params: &Params, context: usize, corpus: &[Token]) -> Result<Self, DatasetError> {
        Self::new_told(params, context, corpus, None, &mut |_, _| {})
    }

    /// The same, telling how far it is; private, if there is a secret.
    pub fn new_told(
        params: &Params,
        context: usize,
        corpus: &[Token],
        secret: Option<LeafSecret>,
        told: &mut Told<'_>,
    ) -> Result<Self, DatasetError> {
        let too_short = DatasetError::TooShort { tokens: corpus.len(), context };
        let predicted = corpus.len().saturating_sub(1);
        let leaves = predicted.checked_div(context).ok_or(DatasetError::Context)?;
        if leaves == 0 {
            return Err(too_short);
        }
        if leaves as u64 > MAX_LEAVES {
            return Err(DatasetError::Leaves { leaves: leaves as u64 });
        }
        let corpus = corpus.get(..leaves * context + 1).ok_or(too_short)?.to_vec();
        let mut tree = Tree::new();
        let blind = |secret: LeafSecret| move |index: usize, tokens: &[Token]| secret.blind(index as u64, tokens);
        let blind = secret.clone().map(blind);
        let blind = blind.as_ref().map(|blind| blind as &commit::Blind<'_>);
        for commitment in commit::commitments(params, context, &corpus, blind, told)? {
            tree.push(commitment);
        }
        let root = DatasetRoot::of(&tree)?;
        Ok(Self { context, corpus, tree, root, secret })
    }

    /// What names it.
    pub fn root(&self) -> DatasetRoot {
        self.root
    }

    /// Tokens of a sequence's context, T.
    pub fn context(&self) -> usize {
        self.context
    }

    /// A sequence: T + 1 tokens.
    pub fn tokens(&self, index: u64) -> Result<&[Token], DatasetError> {
        let missing = DatasetError::Index { index, leaves: self.root.leaves() };
        let start = usize::try_from(index).ok().and_then(|i| i.checked_mul(self.context));
        let end = start.and_then(|start| start.checked_add(self.context)?.checked_add(1));
        start.zip(end).and_then(|(start, end)| self.corpus.get(start..end)).ok_or(missing)
    }

    /// The blind of a sequence's commitment; its last rows are zero.
    pub fn blind(&self, index: u64) -> Result<F, DatasetError> {
        let tokens = self.tokens(index)?;
        Ok(self.secret.as_ref().map_or(F::ONE, |secret| secret.blind(index, tokens)))
    }

    /// A sequence's commitment, encoded.
    pub fn commitment(&self, index: u64) -> Result<Encoding, DatasetError> {
        let leaf = usize::try_from(index).ok().and_then(|i| self.tree.get(i));
        leaf.copied().ok_or(DatasetError::Index { index, leaves: self.root.leaves() })
    }

    /// A sequence's commitment with that proof.
    pub fn leaf(&self, index: u64) -> Result<Leaf, DatasetError> {
        Ok(Leaf { commitment: self.commitment(index)?, path: self.proof(index)? })
    }

    /// The proof that a sequence's commitment is its leaf.
    pub fn proof(&self, index: u64) -> Result<MerkleProof, DatasetError> {
        root::prove(&self.tree, index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tokens_of_bytes;
    use crate::segments::head::batch_column;
    use backend::ports::commit_canonical;
    use group::GroupEncoding;
    use plonkish::field;
    use proptest::prelude::*;

    const CONTEXT: usize = 16;
    const CORPUS: &[u8] = include_bytes!("../../../../fixtures/corpus/stories.txt");

    fn check(params: &Params, dataset: &Dataset, index: u64) {
        let column: Vec<_> = batch_column(dataset.tokens(index).unwrap()).into_iter().map(field).collect();
        let commitment = dataset.commitment(index).unwrap();
        assert_eq!(commitment, commit_canonical(params, &column).unwrap().to_bytes());
        let proof = dataset.proof(index).unwrap();
        dataset.root().verify(index, &commitment, &proof).unwrap();
        let leaves = dataset.root().leaves();
        for other in [index.checked_sub(1), Some(index + 1).filter(|&i| i < leaves)].into_iter().flatten() {
            let length = dataset.root().proof_length(other).unwrap();
            let error = match proof.0.len() {
                found if found == length => DatasetError::NotIncluded { index: other },
                found => DatasetError::ProofLength { index: other, expected: length, found },
            };
            assert_eq!(dataset.root().verify(other, &commitment, &proof), Err(error));
            let found = dataset.commitment(other).unwrap();
            let refused = dataset.root().verify(index, &found, &proof);
            assert_eq!(refused, Err(DatasetError::NotIncluded { index }));
        }
    }

    #[test]
    fn a_corpus_is_cut_committed_and_proved() {
        let params = Params::new(6);
        let corpus = tokens_of_bytes(CORPUS);
        let dataset = Dataset::new(&params, CONTEXT, &corpus).unwrap();
        let leaves = dataset.root().leaves();
        assert_eq!(leaves, (CORPUS.len() as u64 - 1) / CONTEXT as u64);
        for index in (0..leaves).step_by(977).chain([1, leaves - 2, leaves - 1]) {
            let start = index as usize * CONTEXT;
            assert_eq!(dataset.tokens(index).unwrap(), &corpus[start..=start + CONTEXT]);
            check(&params, &dataset, index);
        }
        for index in [leaves, leaves + 1, u64::MAX] {
            let missing = DatasetError::Index { index, leaves };
            assert_eq!(dataset.tokens(index), Err(missing.clone()));
            assert_eq!(dataset.commitment(index), Err(missing.clone()));
            assert_eq!(dataset.proof(index), Err(missing.clone()));
            assert_eq!(dataset.root().verify(index, &[0; 32], &MerkleProof(vec![])), Err(missing));
        }
    }

    #[test]
    fn corpora_without_a_sequence_are_refused() {
        let params = Params::new(6);
        let refused =
            |context, text: &[u8]| Dataset::new(&params, context, &tokens_of_bytes(text)).map(|_| ()).unwrap_err();
        assert_eq!(refused(0, b"some text"), DatasetError::Context);
        assert_eq!(refused(4, b""), DatasetError::TooShort { tokens: 0, context: 4 });
        assert_eq!(refused(4, b"four"), DatasetError::TooShort { tokens: 4, context: 4 });
        assert_eq!(refused(usize::MAX, b"four"), DatasetError::TooShort { tokens: 4, context: usize::MAX });
        // 49 rows; a port may use 48 of 64.
        let rows = DatasetError::Port(PortError::TooManyRows { rows: 49, usable: 48 });
        assert_eq!(refused(48, &[7; 60]), rows);
        // One sequence, whose proof is empty.
        let one = Dataset::new(&params, 4, &tokens_of_bytes(b"fivexxx")).unwrap();
        assert_eq!((one.root().leaves(), one.tokens(0)), (1, Ok(&tokens_of_bytes(b"fivex")[..])));
        assert_eq!(one.proof(0), Ok(MerkleProof(vec![])));
        check(&params, &one, 0);
    }

    #[test]
    fn private_leaves_have_blinds_of_their_own() {
        let params = Params::new(6);
        // Equal sequences among them.
        let corpus = [b"abababababababab".repeat(3), b"other words".to_vec()].concat();
        let of = |secret| Dataset::new_told(&params, 4, &tokens_of_bytes(&corpus), secret, &mut |_, _| {}).unwrap();
        let (public, a, b) = (of(None), of(Some(LeafSecret::new([1; 32]))), of(Some(LeafSecret::new([2; 32]))));
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..public.root().leaves() {
            let column: Vec<F> = batch_column(public.tokens(index).unwrap()).into_iter().map(field).collect();
            assert_eq!(public.blind(index), Ok(F::ONE));
            for private in [&a, &b] {
                let blind = private.blind(index).unwrap();
                let expected = backend::ports::commit_with_blind(&params, &column, blind).unwrap().to_bytes();
                let leaf = private.leaf(index).unwrap();
                assert_eq!(leaf.commitment, expected);
                private.root().verify(index, &leaf.commitment, &leaf.path).unwrap();
                assert!(seen.insert(expected));
            }
            assert!(!seen.contains(&public.commitment(index).unwrap()));
        }
        assert_eq!(format!("{:?}", LeafSecret::new([1; 32])), "LeafSecret");
        // Tokens beyond bytes are not hashed as the bytes that they are made of.
        let secret = LeafSecret::new([1; 32]);
        assert_ne!(secret.blind(0, &[0x0101]), secret.blind(0, &[1, 1]));
        assert_ne!(secret.blind(0, &[256]), secret.blind(0, &[0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn any_tokens_commit_as_their_column(
            context in 1usize..=47,
            corpus in prop_oneof![
                proptest::collection::vec(prop_oneof![Just(0), Just(255), 0..=255 as Token], 48..120),
                proptest::collection::vec(prop_oneof![Just(0), Just(256), Just(Token::MAX), any::<Token>()], 48..120),
            ],
        ) {
            let params = Params::new(6);
            let dataset = Dataset::new(&params, context, &corpus).unwrap();
            for index in 0..dataset.root().leaves() {
                let column: Vec<_> = dataset.tokens(index).unwrap().iter().map(|&t| field(t.into())).collect();
                prop_assert_eq!(dataset.commitment(index), Ok(commit_canonical(&params, &column).unwrap().to_bytes()));
            }
        }
    }
}
