//! Who watches a proof is told how far it is, and may stop it.

use super::Stage;
use crate::error::ProveError;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops proofs that are under way: they end with [`ProveError::Cancelled`] and leave nothing behind. Copies stop the same
/// proofs.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Stops them, soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error if they are to stop.
    pub fn check(&self) -> Result<(), ProveError> {
        if self.0.load(Ordering::Relaxed) { Err(ProveError::Cancelled) } else { Ok(()) }
    }
}

/// Who watches.
pub struct Watch<'a> {
    /// Is told of each stage.
    pub progress: &'a mut dyn FnMut(Stage),
    /// Stops the proof.
    pub cancel: &'a Cancel,
}

/// Collects a proof and tells how much of it there is. Writing fails once the proof is to stop.
pub(super) struct Tally<'a, 'w> {
    pub bytes: Vec<u8>,
    of: usize,
    watch: &'a mut Watch<'w>,
}

impl<'a, 'w> Tally<'a, 'w> {
    /// For a proof of so many bytes.
    pub fn new(of: usize, watch: &'a mut Watch<'w>) -> Self {
        Tally { bytes: Vec::with_capacity(of), of, watch }
    }
}

impl Write for Tally<'_, '_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.watch.cancel.check().map_err(io::Error::other)?;
        self.bytes.extend_from_slice(data);
        (self.watch.progress)(Stage::Proving { written: self.bytes.len(), of: self.of });
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
