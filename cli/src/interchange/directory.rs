//! What a directory has instead of `model.safetensors`.

use super::error::InterchangeError;
use crate::model_dir::STATE;
use std::fs;
use std::path::Path;

/// Why a directory has no weights, as far as the names of its files tell.
pub fn instead(dir: &Path) -> Option<InterchangeError> {
    let mut names: Vec<String> =
        fs::read_dir(dir).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let first = |is: fn(&str) -> bool| names.iter().find(|name| is(name)).cloned();
    let shard = |name: &str| name.starts_with("model-") && name.contains("-of-") && name.ends_with(".safetensors");
    if let Some(file) = first(shard) {
        return Some(InterchangeError::NoIndex { file });
    }
    if let Some(file) = first(|name| name.starts_with("pytorch_model") || name.ends_with(".pth")) {
        return Some(InterchangeError::Pickled { file });
    }
    if let Some(file) = first(|name| name.starts_with("adapter_model.")) {
        return Some(InterchangeError::Adapter { file });
    }
    first(|name| name == STATE).map(|_| InterchangeError::Own)
}
