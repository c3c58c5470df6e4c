//! `tokenizer.json` beside a model. Without one, bytes are tokens.

use crate::error::{CliError, FileError};
use crate::files::{self, Readers};
use crate::format::hex;
use crate::run_dir::RunDir;
use crate::stray::Stray;
use crate::ui::Ui;
use circuits::model::Config;
use circuits::statements::codec;
use std::path::{Path, PathBuf};
use tokenizer::{MAX_FILE, Tokenizer};

/// The file's name, as in a directory of `transformers`.
pub const TOKENIZER: &str = "tokenizer.json";

/// Reads one.
pub fn read(path: &Path) -> Result<Tokenizer, CliError> {
    let json = files::read(path, MAX_FILE)?;
    if let Some(stray) = Stray::of_text(&json) {
        return Err(CliError::file(path)(stray));
    }
    Tokenizer::from_json(json).map_err(CliError::file(path))
}

/// Texts of the kinds that tokenizers lose: of capitals, of spaces, of characters of several bytes.
const PROBES: [&str; 3] = ["Once", " two  spaces\n", "caf\u{e9} \u{ff41}"];

/// Says what of a tokenizer is not applied here, and is elsewhere; and that there are texts which it loses.
pub fn warn_unused(path: &Path, tokenizer: &Tokenizer, ui: &Ui) {
    for key in tokenizer.unused() {
        let path = path.display();
        ui.warn(&format!("{path}: `{key}` is not applied: a text has its own tokens, all of them and no others"));
    }
    let refused = PROBES.into_iter().find_map(|probe| Some((tokenizer.encode(probe.as_bytes()).err()?, probe)));
    if let Some((error, probe)) = refused {
        ui.warn(&format!("{}: texts like {probe:?} will be refused: {error}", path.display()));
    }
}

/// Says that a model's larger vocabulary has no tokenizer, which its directory may have lost.
pub fn warn_missing(path: &Path, tokenizer: &Tokenizer, config: &Config, ui: &Ui) {
    if tokenizer.is_bytes() && config.vocab > tokenizer.size() {
        let (path, size) = (path.display(), tokenizer.size());
        ui.warn(&format!("{path}: no {TOKENIZER} beside it: bytes are tokens, and those from {size} on have no text"));
    }
}

/// Requires a model to have all its tokens.
pub fn check(path: &Path, tokenizer: &Tokenizer, config: &Config) -> Result<(), CliError> {
    tokenizer.check(config.vocab).map_err(CliError::file(path))
}

/// Reads one that was named, or has bytes for tokens.
pub fn given(path: Option<&Path>, config: &Config) -> Result<Tokenizer, CliError> {
    let Some(path) = path else { return Ok(Tokenizer::bytes()) };
    let tokenizer = read(path)?;
    check(path, &tokenizer, config)?;
    Ok(tokenizer)
}

/// The directory that a model's tokenizer is in: of a model, a run or a checkpoint; of a state's file that is in one of them.
fn directory(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => RunDir::new(path).own().to_owned(),
        false => path.parent().unwrap_or(Path::new("")).to_owned(),
    }
}

/// That of a model: what lies beside it. Of a run that says which it has, no other, nor none.
pub fn of_model(path: &Path, config: &Config) -> Result<Tokenizer, CliError> {
    let dir = directory(path);
    let file = dir.join(TOKENIZER);
    let tokenizer = if file.exists() { read(&file)? } else { Tokenizer::bytes() };
    check(&file, &tokenizer, config)?;
    // A model in a directory of files of a private run is as it is in the run's.
    let run = RunDir::public(&dir);
    if run.settings_file().exists() && run.settings()?.tokenizer != digest(&tokenizer) {
        let reason = "the run was not trained with this tokenizer";
        let source = FileError::Foreign(if file.exists() { reason } else { "the run's tokenizer is missing" }.into());
        return Err(CliError::File { path: file, source });
    }
    Ok(tokenizer)
}

/// Digest of a file, by which a run knows it; none if bytes are tokens.
pub fn digest(tokenizer: &Tokenizer) -> Option<String> {
    tokenizer.json().map(|json| hex(&codec::digest(b"gradcoin-tokfile", json)))
}

/// Puts a tokenizer in a directory: the file itself, or none, whatever was there.
pub fn keep(dir: &Path, readers: Readers, tokenizer: &Tokenizer) -> Result<(), CliError> {
    let file = dir.join(TOKENIZER);
    match tokenizer.json() {
        Some(json) => files::write_for(readers, &file, json, true),
        None if file.exists() => files::remove(&file),
        None => Ok(()),
    }
}
