//! The key that commands use unless another is named.

use crate::error::CliError;
use crate::key_file::KeyFile;
use etcetera::BaseStrategy;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The environment variable that names it; an empty one counts as none.
const VARIABLE: &str = "GRADIENTCOIN_KEY";

/// Where the default key is, or would be: `$GRADIENTCOIN_KEY`, or in the platform's data directory.
pub fn path() -> Result<PathBuf, CliError> {
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let of_platform =
        || Some(etcetera::choose_base_strategy().ok()?.data_dir().join("gradientcoin").join("wallet.key"));
    named.or_else(of_platform).ok_or_else(|| {
        CliError::Usage(format!(
            "there is no home directory for the default key: specify a key file, or set {VARIABLE}"
        ))
    })
}

/// Reads the named key file, or the default one; gives its path too.
pub fn read(named: Option<&Path>) -> Result<(PathBuf, KeyFile), CliError> {
    if let Some(path) = named {
        return Ok((path.to_owned(), KeyFile::read(path)?));
    }
    let path = path()?;
    match KeyFile::read(&path) {
        Err(CliError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Err(CliError::NoKey(path)),
        file => Ok((path, file?)),
    }
}
