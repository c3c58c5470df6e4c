//! Who watches a proof is told how far it is, and may stop it.

use super::Stage;
use crate::error::ProveError;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops proofs that are under way: they end with [`ProveError::Cancelled`] and leave nothing behind. Copies stop the same
/// proofs.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    own: Arc<AtomicBool>,
    /// Of what they are part of.
    outer: Vec<Arc<AtomicBool>>,
}

impl Cancel {
    /// Stops them, soon.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Stops some of these proofs alone; they are stopped with all of them too.
    #[must_use]
    pub fn within(&self) -> Self {
        let outer = self.outer.iter().chain([&self.own]).cloned().collect();
        Cancel { own: Arc::default(), outer }
    }

    /// An error if they are to stop.
    pub fn check(&self) -> Result<(), ProveError> {
        let stopped = self.outer.iter().chain([&self.own]).any(|stopped| stopped.load(Ordering::Relaxed));
        if stopped { Err(ProveError::Cancelled) } else { Ok(()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_stops_alone_and_with_all() {
        let all = Cancel::default();
        let (part, other) = (all.within(), all.within());
        let within = part.within();
        part.cancel();
        assert!(part.check().is_err() && within.check().is_err());
        assert!(all.check().is_ok() && other.check().is_ok());
        all.clone().cancel();
        assert!(all.check().is_err() && other.check().is_err());
    }
}
