//! A data set's root on the command line.

use crate::error::{CliError, FileError};
use crate::files;
use circuits::statements::dataset::DatasetRoot;
use std::path::Path;

/// The root that was given: as `dataset commit` prints it, or a file that holds it.
pub fn given(text: &str) -> Result<DatasetRoot, CliError> {
    let path = Path::new(text);
    match text.parse() {
        Ok(root) => Ok(root),
        Err(_) if path.exists() => {
            files::read_text(path)?.trim_end().parse().map_err(|e| CliError::file(path)(FileError::Dataset(e)))
        }
        Err(error) => Err(CliError::Usage(format!("{text}: {error}, nor is there such a file"))),
    }
}
