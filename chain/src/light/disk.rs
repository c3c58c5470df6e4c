//! A light client's file in a file system.

use super::file::{Beginning, first};
use super::{Disk, FileError, LightClient, LightFile, Opened, Proofs};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader};
use std::path::Path;

impl Disk for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The first record of a file, to make a client from; none if it is not whole. Whether that is what a full disk left of
/// it, or another file altogether, is for [`LightFile::open`] to see, which knows what would have been written.
pub fn beginning(path: &Path) -> Result<Option<Beginning>, FileError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    match first(&mut BufReader::new(file), length) {
        Ok(beginning) => Ok(Some(beginning)),
        Err(FileError::Beginning(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl LightFile<File> {
    /// Opens or makes a file, and gives its blocks to a new client.
    pub fn open(path: &Path, client: &mut LightClient<'_>, proofs: Proofs) -> Result<(Self, Opened), FileError> {
        let disk = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        disk.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FileError::Locked,
            TryLockError::Error(error) => FileError::Io(error),
        })?;
        let opened = Self::open_on(disk, client, proofs)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // So that a new file's name survives too. Not every system can sync a folder.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(opened)
    }
}
