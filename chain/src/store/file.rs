//! The file of a store, which a crash cannot leave half made.

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;

/// Bytes that a database begins with; they are written last when it is made.
const MAGIC_BYTES: usize = 9;
/// Bytes of the header, which are written first.
const HEADER_BYTES: u64 = 4096;
/// More bytes than a database that was never written to has.
const MOST_NEW_BYTES: u64 = 64 << 20;

/// A file. One whose making was interrupted, so that it has bytes but no magic yet, counts as empty: `redb` would take it
/// for something that is no database. As `redb` holds its lock when it asks, nobody else is making it.
#[derive(Debug)]
pub struct StoreFile<B> {
    pub backend: B,
}

/// Opens a file, or makes it.
pub fn open(path: &Path) -> Result<FileBackend, DatabaseError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    FileBackend::new(file)
}

impl<B: StorageBackend> StoreFile<B> {
    fn is_half_made(&self, len: u64) -> io::Result<bool> {
        if len > MOST_NEW_BYTES {
            return Ok(false);
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.backend.read(0, &mut bytes)?;
        let (header, rest) = bytes.split_at(bytes.len().min(HEADER_BYTES as usize));
        Ok(header.iter().take(MAGIC_BYTES).chain(rest).all(|&byte| byte == 0))
    }
}

impl<B: StorageBackend> StorageBackend for StoreFile<B> {
    fn len(&self) -> io::Result<u64> {
        let len = self.backend.len()?;
        let mut magic = [0; MAGIC_BYTES];
        if len >= HEADER_BYTES {
            self.backend.read(0, &mut magic)?;
        }
        if len > 0 && magic == [0; MAGIC_BYTES] && self.is_half_made(len)? { Ok(0) } else { Ok(len) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
