//! A byte-level BPE from a text. The same text gives the same file, wherever and however often.

use crate::alphabet::{Bytes, spelling};
use crate::pieces::pieces;
use circuits::model::MAX_VOCAB;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// Fewest tokens: the bytes and one more.
pub const MIN_VOCAB: usize = 257;

/// A pair that is seen once teaches nothing.
const LEAST: u64 = 2;

/// A tokenizer that cannot be trained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// Too few tokens, or too many.
    #[error("a vocabulary of {0} tokens: it must have {MIN_VOCAB} to {MAX_VOCAB}")]
    Vocab(usize),
    /// The text has not so many.
    #[error("the corpus is too small for {wanted} tokens: after {found}, no two of them are next to each other twice")]
    Small {
        /// Asked for.
        wanted: usize,
        /// What the text gives.
        found: usize,
    },
    /// The library fails.
    #[error("the tokenizer fails: {0}")]
    Library(String),
}

/// How far training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So many bytes are cut into words.
    Words(usize),
    /// There are so many tokens.
    Tokens(usize),
}

/// A token: its bytes.
type Bytestring = Vec<u8>;
type Pair = (u32, u32);

/// `tokenizer.json` of so many tokens: token b < 256 is the byte b, the others are merged of two, the most frequent pair first, and of
/// equally frequent ones that of the lower numbers. No token is special. Words are cut as GPT-2 cuts them; merges stay within a word.
pub fn train(text: &str, vocab: usize, told: &mut dyn FnMut(Stage)) -> Result<Vec<u8>, TrainError> {
    if !(MIN_VOCAB..=MAX_VOCAB).contains(&vocab) {
        return Err(TrainError::Vocab(vocab));
    }
    let words = words(text, told)?;
    let mut counts = Counts::new(&words);
    let mut tokens = bytes();
    let mut number: HashMap<Bytestring, u32> = tokens.iter().cloned().zip(0..).collect();
    let (mut merges, mut merged) = (vec![], HashSet::new());
    while tokens.len() < vocab {
        let pair = counts.most_frequent().ok_or(TrainError::Small { wanted: vocab, found: tokens.len() })?;
        let whole = [&tokens[pair.0 as usize][..], &tokens[pair.1 as usize]].concat();
        // Two pairs may make the same token.
        let new = *number.entry(whole.clone()).or_insert(tokens.len() as u32);
        if new as usize == tokens.len() {
            tokens.push(whole);
            told(Stage::Tokens(tokens.len()));
        }
        if merged.insert(pair) {
            merges.push(pair);
        }
        counts.merge(pair, new);
    }
    json(&tokens, &merges)
}

/// The tokens that are bytes.
pub fn bytes() -> Vec<Bytestring> {
    (0..=255).map(|byte| vec![byte]).collect()
}

/// The file of tokens and merges.
pub fn json(tokens: &[Bytestring], merges: &[Pair]) -> Result<Vec<u8>, TrainError> {
    let library = |error: tokenizers::Error| TrainError::Library(error.to_string());
    let spelling = spelling();
    let spelled: Vec<String> =
        tokens.iter().map(|token| token.iter().map(|&byte| spelling[usize::from(byte)]).collect()).collect();
    let merges = merges.iter().map(|&(a, b)| (spelled[a as usize].clone(), spelled[b as usize].clone())).collect();
    let vocab: Vocab = spelled.iter().cloned().zip(0..).collect();
    let model = BPE::builder().vocab_and_merges(vocab, merges).build().map_err(library)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let byte_level = ByteLevel::new(false, false, true);
    tokenizer.with_pre_tokenizer(Some(byte_level)).with_decoder(Some(byte_level));
    Ok((tokenizer.to_string(true).map_err(library)? + "\n").into_bytes())
}

/// The different words of a text, and how often it has each, in the order of their bytes.
fn words(text: &str, told: &mut dyn FnMut(Stage)) -> Result<BTreeMap<Bytestring, u64>, TrainError> {
    let (cut, spelled) = (ByteLevel::new(false, false, true), Bytes::new());
    let (mut words, mut done) = (BTreeMap::new(), 0);
    for piece in pieces(text) {
        let mut pretokenized = PreTokenizedString::from(piece);
        cut.pre_tokenize(&mut pretokenized).map_err(|error| TrainError::Library(error.to_string()))?;
        for (word, ..) in pretokenized.get_splits(OffsetReferential::Original, OffsetType::None) {
            *words.entry(spelled.of(word)).or_default() += 1;
        }
        done += piece.len();
        told(Stage::Words(done));
    }
    Ok(words)
}

/// How often two tokens are next to each other.
struct Counts {
    /// Words as tokens, and how often the text has each.
    words: Vec<(Vec<u32>, u64)>,
    /// Of each pair, how often it occurs, and in which words it did.
    pairs: HashMap<Pair, (u64, HashSet<usize>)>,
    /// Pairs by how often they occurred once; the present number is in `pairs`.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Counts {
    fn new(words: &BTreeMap<Bytestring, u64>) -> Self {
        let tokens = |word: &Bytestring| word.iter().map(|&byte| u32::from(byte)).collect();
        let words: Vec<(Vec<u32>, u64)> = words.iter().map(|(word, &count)| (tokens(word), count)).collect();
        let mut pairs: HashMap<Pair, (u64, HashSet<usize>)> = HashMap::new();
        for (index, (word, count)) in words.iter().enumerate() {
            for pair in of_word(word) {
                let (sum, places) = pairs.entry(pair).or_default();
                *sum += count;
                places.insert(index);
            }
        }
        let queue = pairs.iter().map(|(&pair, &(count, _))| (count, Reverse(pair))).collect();
        Counts { words, pairs, queue }
    }

    /// The pair that occurs most often, at least [`LEAST`] times; of equal ones the first.
    fn most_frequent(&mut self) -> Option<Pair> {
        loop {
            let (count, Reverse(pair)) = self.queue.pop()?;
            let present = self.pairs.get(&pair).map_or(0, |&(count, _)| count);
            if present == count {
                return (count >= LEAST).then_some(pair);
            }
            // It was overtaken.
            if present > 0 {
                self.queue.push((present, Reverse(pair)));
            }
        }
    }

    /// Makes one token of a pair, wherever it occurs.
    fn merge(&mut self, pair: Pair, new: u32) {
        let places = self.pairs.get_mut(&pair).map(|(_, places)| std::mem::take(places)).unwrap_or_default();
        let mut grown = HashSet::new();
        for index in places {
            let (word, count) = &mut self.words[index];
            for pair in of_word(word) {
                if let Some((sum, _)) = self.pairs.get_mut(&pair) {
                    *sum -= *count;
                }
            }
            merge_word(word, pair, new);
            for pair in of_word(word) {
                let (sum, places) = self.pairs.entry(pair).or_default();
                *sum += *count;
                places.insert(index);
                if pair.0 == new || pair.1 == new {
                    grown.insert(pair);
                }
            }
        }
        if self.pairs.get(&pair).is_some_and(|&(sum, _)| sum == 0) {
            self.pairs.remove(&pair);
        }
        self.queue.extend(grown.iter().filter_map(|pair| Some((self.pairs.get(pair)?.0, Reverse(*pair)))));
    }
}

fn of_word(word: &[u32]) -> impl Iterator<Item = Pair> {
    word.windows(2).map(|two| (two[0], two[1]))
}

/// Makes one token of a pair, from the left.
fn merge_word(word: &mut Vec<u32>, (first, second): Pair, new: u32) {
    let (mut from, mut to) = (0, 0);
    while from < word.len() {
        let is_pair = word[from] == first && word.get(from + 1) == Some(&second);
        word[to] = if is_pair { new } else { word[from] };
        from += if is_pair { 2 } else { 1 };
        to += 1;
    }
    word.truncate(to);
}
