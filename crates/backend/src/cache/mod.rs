//! Files that are made once and read again by later processes.
//!
//! Readers see a whole file or none, also while two processes write the same one. A file is used only if it is what its
//! header says; what else it must be is up to who reads it. Where nothing but the directory vouches for a file's content,
//! [`Cache::read_private`] reads it only if it can.

#[cfg(feature = "cache")]
mod disk;

#[cfg(not(feature = "cache"))]
use std::io;
use std::path::PathBuf;

/// What is wrong with a file, so that it is made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable,
    /// Its size is not that of what it should hold.
    #[error("the file has the wrong size")]
    Size,
    /// Its header is not that of this version and of what it should hold.
    #[error("the file has another kind or version")]
    Header,
    /// Its content does not have the digest that the header says.
    #[error("the file is damaged")]
    Digest,
    /// Its content does not have the digest that it must have.
    #[error("the file contains something else under this name")]
    Foreign,
    /// Its content does not decode.
    #[error("the file cannot be decoded")]
    Points,
    /// Others may write to a file or directory, and nothing else vouches for the content.
    #[error("others may write to {}: it belongs to another user, or its permissions allow it (chmod go-w)", .0.display())]
    Public(PathBuf),
}

/// Where what may be cached is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The cache.
    Cache,
    /// Made, as there was no file.
    Made,
    /// Made, as the file was not what it should be.
    Replaced(Fault),
}

impl Origin {
    /// What was read from a cache, if there is one; or else where that is from which is to be made.
    pub fn of<T>(read: Option<Result<Option<T>, Fault>>) -> Result<T, Origin> {
        match read {
            Some(Ok(Some(found))) => Ok(found),
            Some(Err(fault)) => Err(Origin::Replaced(fault)),
            Some(Ok(None)) | None => Err(Origin::Made),
        }
    }
}

/// A directory of such files.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// In a directory, which is made when it is written to first, for its owner alone.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Cache { dir: dir.into() }
    }

    /// A file's path.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Without files there is nothing to be read.
#[cfg(not(feature = "cache"))]
impl Cache {
    /// There is no such file.
    pub fn read(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    /// Fails.
    pub fn write(&self, _: &str, _: &[&[u8]]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There is no such file.
    pub fn read_private(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }
}

/// Digest of what may be large: of the digests of its parts, which are made side by side.
pub fn digest(content: &[u8]) -> blake2b_simd::Hash {
    use rayon::prelude::*;
    let hash = |bytes: &[u8]| blake2b_simd::Params::new().hash_length(32).personal(b"GradCoin-a-cache").hash(bytes);
    let parts: Vec<_> = content.par_chunks(1 << 20).map(hash).collect();
    let parts: Vec<u8> = parts.iter().flat_map(|part| part.as_bytes().iter().copied()).collect();
    hash(&[&(content.len() as u64).to_le_bytes()[..], &parts].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_everything() {
        let content: Vec<u8> = (0..3u32 << 20).map(|i| (i >> 13) as u8).collect();
        let mut digests = vec![digest(&content), digest(&content[1..]), digest(&[]), digest(&[0])];
        for at in [0, 1 << 20, (2 << 20) + 5, content.len() - 1] {
            let mut other = content.clone();
            other[at] ^= 1;
            digests.push(digest(&other));
        }
        // Parts in another order.
        digests.push(digest(&[&content[1 << 20..2 << 20], &content[..1 << 20], &content[2 << 20..]].concat()));
        for (i, a) in digests.iter().enumerate() {
            assert!(digests[..i].iter().all(|b| a != b));
        }
    }
}
