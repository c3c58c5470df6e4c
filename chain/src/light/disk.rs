//! What a file of blocks asks of the file system.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

/// A file, or what stands for one in tests.
pub trait Disk: Read + Write + Seek {
    /// Cuts it to so many bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until everything, the length included, would survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
