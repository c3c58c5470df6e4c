//! What is in a light client's file, without a client: nothing of it is verified.

use super::file::{Beginning, FileError};
use super::frame::{self, BEFORE, Fault};
use circuits::statements::codec::{self, Encoded};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Its first record.
    pub beginning: Beginning,
    /// Whole records after it: a block each.
    pub blocks: u64,
    /// Bytes up to the end of the last whole record.
    pub bytes: u64,
    /// What follows, if it is no record.
    pub fault: Option<Fault>,
}

/// Whether a file begins as those of light clients do.
pub fn is_light_file(path: &Path) -> bool {
    let mut start = [0; BEFORE + Beginning::MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[BEFORE..] == Beginning::MAGIC
}

/// Counts a file's records, by their lengths and checksums.
pub fn survey(path: &Path) -> Result<Survey, FileError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let content = frame::read(&mut reader, length)?.map_err(FileError::Beginning)?;
    let mut survey =
        Survey { beginning: codec::decode(&content)?, blocks: 0, bytes: (BEFORE + content.len()) as u64, fault: None };
    while survey.bytes < length {
        match frame::read(&mut reader, length - survey.bytes)? {
            Ok(content) => {
                survey.blocks += 1;
                survey.bytes += (BEFORE + content.len()) as u64;
            }
            Err(fault) => {
                survey.fault = Some(fault);
                break;
            }
        }
    }
    Ok(survey)
}
