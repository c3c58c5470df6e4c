//! A disk in memory that fails when it is told to, and loses what was not synced when the power fails.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Resize(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Resize(len) => bytes.resize(*len as usize, 0),
            Change::Write(offset, data) => {
                let end = *offset as usize + data.len();
                // A file grows by a write beyond its end.
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset as usize..end].copy_from_slice(data);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    synced: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<Change>,
    /// Changes and syncs that still succeed.
    left: Option<u64>,
    /// Changes and syncs that succeeded.
    done: u64,
}

/// A disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    /// A disk with these bytes, of which so many changes and syncs succeed.
    pub fn new(bytes: Vec<u8>, left: Option<u64>) -> Self {
        Disk(Arc::new(Mutex::new(Inner { synced: bytes.clone(), now: bytes, left, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Changes and syncs that succeeded.
    pub fn done(&self) -> u64 {
        self.inner().done
    }

    /// Lets so many more changes and syncs succeed, then none.
    pub fn fail_after(&self, left: u64) {
        self.inner().left = Some(left);
    }

    /// All that was written.
    pub fn written(&self) -> Vec<u8> {
        self.inner().now.clone()
    }

    /// What is there after the power failed: what was synced, and those later changes that `kept` says.
    pub fn after_power_failure(&self, mut kept: impl FnMut() -> bool) -> Vec<u8> {
        let inner = self.inner();
        let mut bytes = inner.synced.clone();
        inner.unsynced.iter().filter(|_| kept()).for_each(|change| change.apply(&mut bytes));
        bytes
    }
}

impl Inner {
    fn take(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left -= 1;
                self.done += 1;
                Ok(())
            }
            None => {
                self.done += 1;
                Ok(())
            }
        }
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.take()?;
        change.apply(&mut self.now);
        self.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner();
        let found = inner.now.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner().change(Change::Resize(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.take()?;
        inner.synced = inner.now.clone();
        inner.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner().change(Change::Write(offset, data.to_vec()))
    }
}
