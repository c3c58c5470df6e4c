//! Why weights cannot be exchanged.

use super::float::RoundingError;
use super::layout::{EMBEDDING, HEAD};
use super::{INDEX_FILE, WEIGHTS_FILE};
use crate::stray::Stray;
use circuits::model::StateError;
use safetensors::{Dtype, SafeTensorError};

/// Why weights cannot be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum InterchangeError {
    /// Not the file that was meant.
    #[error(transparent)]
    Stray(#[from] Stray),
    /// Not a `safetensors` file.
    #[error("safetensors: {0}")]
    Format(#[from] SafeTensorError),
    /// Weights in several files, without the list of them.
    #[error(
        "{INDEX_FILE} is missing: the weights are split into several files ({file}), and it says which tensor is in which"
    )]
    NoIndex {
        /// One of them.
        file: String,
    },
    /// An index that is none.
    #[error("the index is malformed: {fault}")]
    Index {
        /// What is wrong with it.
        fault: String,
    },
    /// A file that the index names is not there.
    #[error("{file} is missing; the index has `{name}` in it")]
    MissingShard {
        /// A tensor of it.
        name: String,
        /// Its name.
        file: String,
    },
    /// A file that the index names is not in the directory.
    #[error("the index has `{name}` in {file:?}, which is not a file of this directory")]
    Outside {
        /// A tensor of it.
        name: String,
        /// What it is called.
        file: String,
    },
    /// A tensor is in two files.
    #[error("`{name}` is in both {} and {}", files[0], files[1])]
    Twice {
        /// Its name.
        name: String,
        /// The files.
        files: [String; 2],
    },
    /// A tensor is not in the file in which the index has it.
    #[error("`{name}` is not in {file}, in which the index has it")]
    NotInShard {
        /// Its name.
        name: String,
        /// The file.
        file: String,
    },
    /// A tensor that the index does not list.
    #[error("`{name}` is in {file}, and the index does not list it")]
    Unlisted {
        /// Its name.
        name: String,
        /// The file.
        file: String,
    },
    /// Weights of another kind.
    #[error(
        "the weights are a PyTorch pickle, which is not supported ({file}); `save_pretrained` of `transformers` writes {WEIGHTS_FILE}"
    )]
    Pickled {
        /// Its name.
        file: String,
    },
    /// Weights that are added to those of a model.
    #[error(
        "these are the weights of an adapter ({file}), not of a model; `merge_and_unload` of `peft` merges the two"
    )]
    Adapter {
        /// Its name.
        file: String,
    },
    /// A directory that needs no import.
    #[error("there is no {WEIGHTS_FILE}: this is already a GradientCoin model or run")]
    Own,
    /// A tensor of the model is not in the file.
    #[error("`{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A model that is not tied has no head.
    #[error("`{HEAD}` is missing; if the head is the embedding, config.json must say `\"tie_word_embeddings\": true`")]
    NoHead,
    /// A tied model has a head of its own.
    #[error(
        "`{HEAD}` differs from `{EMBEDDING}`, but config.json says `\"tie_word_embeddings\": true`; with `false` it is read as a separate head"
    )]
    OtherHead,
    /// A tensor in the file is not one of the model.
    #[error("`{name}` is not a tensor of this configuration")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A tensor of another shape.
    #[error("`{name}` has the shape {found:?}, not {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// Numbers that are not read.
    #[error("`{name}` holds {found}, not {expected}")]
    Dtype {
        /// Its name.
        name: String,
        /// The type.
        found: String,
        /// What is read.
        expected: String,
    },
    /// A number that is infinite or none.
    #[error("`{name}`, element {index}: not a finite number")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Its place in the file's order.
        index: usize,
    },
    /// A number that no state has there.
    #[error("`{name}`, element {index}: {value} is out of range")]
    Range {
        /// The tensor's name.
        name: String,
        /// Its place in the file's order.
        index: usize,
        /// The number.
        value: i64,
    },
    /// A file beside the weights that says nothing of itself, or not what it should.
    #[error("the metadata `{key}` {fault}")]
    Metadata {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// A file of another version of this program.
    #[error("the file has version {found}; only version {read} is supported")]
    Version {
        /// In the file.
        found: u64,
        /// Of this program.
        read: u64,
    },
    /// A file that changed after it was written.
    #[error("the file is damaged: its checksum does not match its content")]
    Damaged,
    /// The state is not one of the configuration.
    #[error(transparent)]
    State(#[from] StateError),
}

impl InterchangeError {
    /// A tensor of another type.
    pub fn dtype(name: &str, found: Dtype, expected: impl Into<String>) -> Self {
        InterchangeError::Dtype { name: name.to_owned(), found: format!("{found:?}"), expected: expected.into() }
    }
}

/// What is not exact about a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inexact {
    /// Elements beyond ±16.
    #[error("`{name}`: {count} beyond ±16 would be clipped")]
    Clipped {
        /// The tensor's name.
        name: String,
        /// How many.
        count: u64,
    },
    /// Elements are rounded by more than the tensor's size allows.
    #[error("`{name}` would be rounded by {:.1e}, which is more than 2^-24 of its largest value", error.to_f64())]
    Rounded {
        /// The tensor's name.
        name: String,
        /// The largest error.
        error: RoundingError,
    },
}

/// Why `--strict` refuses weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExact {
    /// The first tensor.
    pub first: Inexact,
    /// How many more.
    pub others: usize,
}

impl std::error::Error for NotExact {}

impl std::fmt::Display for NotExact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.others {
            0 => write!(f, "{}", self.first),
            1 => write!(f, "{}; and 1 more tensor", self.first),
            n => write!(f, "{}; and {n} more tensors", self.first),
        }
    }
}
