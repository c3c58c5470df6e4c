//! The tensors of a `safetensors` file, taken out one by one.

use super::error::InterchangeError;
use crate::stray::Stray;
use safetensors::{SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

/// What nobody has taken of a file yet.
pub struct Views<'a> {
    tensors: BTreeMap<String, TensorView<'a>>,
    metadata: HashMap<String, String>,
}

impl<'a> Views<'a> {
    /// All of a file.
    pub fn of(bytes: &'a [u8]) -> Result<Self, InterchangeError> {
        if let Some(stray) = Stray::of_safetensors(bytes) {
            return Err(stray.into());
        }
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let tensors = SafeTensors::deserialize(bytes)?.tensors().into_iter().collect();
        Ok(Views { tensors, metadata: header.metadata().clone().unwrap_or_default() })
    }

    /// What the file says of itself under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A tensor that must be there, of this shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, InterchangeError> {
        let Some(view) = self.remove(name) else {
            return Err(InterchangeError::Missing { name: name.to_owned() });
        };
        if view.shape() != shape {
            let (expected, found) = (shape.to_vec(), view.shape().to_vec());
            return Err(InterchangeError::Shape { name: name.to_owned(), expected, found });
        }
        Ok(view)
    }

    /// A tensor that may be there.
    pub fn remove(&mut self, name: &str) -> Option<TensorView<'a>> {
        self.tensors.remove(name)
    }

    /// A tensor that may be there, left where it is.
    pub fn get(&self, name: &str) -> Option<&TensorView<'a>> {
        self.tensors.get(name)
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Puts those of another file in.
    pub fn append(&mut self, mut others: Self) {
        self.tensors.append(&mut others.tensors);
    }

    /// Puts a tensor in.
    pub fn insert(&mut self, name: &str, view: TensorView<'a>) {
        self.tensors.insert(name.to_owned(), view);
    }

    /// Refuses tensors that were not taken.
    pub fn nothing_left(self) -> Result<(), InterchangeError> {
        match self.tensors.into_keys().next() {
            Some(name) => Err(InterchangeError::Unknown { name }),
            None => Ok(()),
        }
    }
}
