//! Corpora as commands read them: the only place where a file becomes tokens.

use crate::error::CliError;
use crate::files::{self, MAX_CORPUS};
use crate::ui::Ui;
use circuits::model::{Config, check_corpus};
use circuits::statements::Corpus;
use std::path::Path;

/// Reads a whole corpus.
pub fn read(path: &Path, ui: &Ui) -> Result<Corpus, CliError> {
    Ok(Corpus::of_bytes(&files::read_shown(path, MAX_CORPUS, "reading the corpus", ui)?))
}

/// The same, looking at every token: what no step could be taken with is refused.
pub fn read_for(config: &Config, path: &Path, ui: &Ui) -> Result<Corpus, CliError> {
    let corpus = read(path, ui)?;
    check_corpus(corpus.tokens(), config).map_err(CliError::file(path))?;
    Ok(corpus)
}
