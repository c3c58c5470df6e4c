//! Parameters of the commitment scheme, cached on disk.
//!
//! Making them takes seconds. A file is used only if its header and digest are right and, for the sizes in
//! [`PINNED`], if its digest is the one that halo2's generators have: a file that is truncated, damaged or foreign is
//! made anew and replaced. For other sizes the digest in the file is no protection against whoever can write to the
//! directory.

use crate::curve::{CURVE, Params};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"gradientcoin prm";
const VERSION: u32 = 1;
/// Magic, version, k, digest of the content.
const HEADER: usize = 16 + 4 + 4 + 32;
/// Largest k that is read or made: beyond it a proof would not be practical, and a file not of sensible size.
pub const MAX_K: u32 = 20;

/// Digests of the generators, by k.
pub const PINNED: &[(u32, &str)] = &[
    (6, "fd09301e8f6f91f1feeaf69abc89aae0d54520e2ce9af954c857452a353fd8dd"),
    (7, "ba9b0332e45abf0482d4a3e51c6146bc5449af7bac07a3aae90b57bb7a6b2e11"),
    (8, "eaf6d998c60260c068f785786db001ab058dc978d77d9954fd94d5162d45cb4f"),
    (9, "056f2a518e4c38aa1d999092c089fd50dc2fb924d814b01e55808849777e711f"),
    (10, "0220f5310f47b033fd4a6bbd2f01c551997915217496b2afa3f4ee874df8a791"),
    (11, "9c6b48d44bdcf0367beb3f11b0e1e0a8c7a611c22eb7c0899769f132bbef86cd"),
    (12, "20fb8fe31b80d07fe9d722f54fe711c1be6881d82825129b1f8d9a0de740fd26"),
    (13, "1bed93f11d3efc9dc23cd60f0aa42b0f6910cff590395e6d33ad46043a51932c"),
    (14, "8290f98c3fdbf6b0df9f941c02acb7725ea6aee84e311f3cfddb20653aed1e4c"),
];

/// Parameters, and how they were come by.
#[derive(Debug)]
pub struct Loaded {
    /// The parameters.
    pub params: Params,
    /// Where they are from.
    pub origin: Origin,
    /// Why they could not be written to the cache, if they could not; nothing else is amiss.
    pub not_written: Option<io::Error>,
}

/// Where parameters are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The cache.
    Cache,
    /// Made, as there was no file.
    Made,
    /// Made, as the file was not what it should be.
    Replaced(Fault),
}

/// What is wrong with a file of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable,
    /// Its size is not that of parameters of this k.
    #[error("the file has the wrong size")]
    Size,
    /// Its header is not that of this version, curve and k.
    #[error("the file has another kind or version")]
    Header,
    /// Its content does not have the digest that the header says.
    #[error("the file is damaged")]
    Digest,
    /// Its content does not have the pinned digest.
    #[error("the file contains other generators")]
    Foreign,
    /// Its content does not decode.
    #[error("the file cannot be decoded")]
    Points,
}

/// Parameters that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// No such size.
    #[error("parameters of 2^{0} rows are not supported (1 to {MAX_K})")]
    Size(u32),
    /// The generators that were made are not the pinned ones: this build of halo2 or of the curve is not the right one.
    #[error("the generators computed for 2^{0} rows are not the pinned ones")]
    Pinned(u32),
}

/// File of the parameters for `k` in `dir`.
pub fn path(dir: &Path, k: u32) -> PathBuf {
    dir.join(format!("params-{CURVE}-{k}.bin"))
}

/// Reads the parameters for `k` from `dir`, or makes them and writes them there, which takes the feature `cache`. Without a
/// directory they are made.
pub fn load(dir: Option<&Path>, k: u32) -> Result<Loaded, ParamsError> {
    if !(1..=MAX_K).contains(&k) {
        return Err(ParamsError::Size(k));
    }
    let origin = match dir.map(|dir| read(&path(dir, k), k)) {
        Some(Ok(Some(params))) => {
            return Ok(Loaded { params, origin: Origin::Cache, not_written: None });
        }
        Some(Err(fault)) => Origin::Replaced(fault),
        Some(Ok(None)) | None => Origin::Made,
    };
    let params = Params::new(k);
    let content = encode(&params);
    if pinned(k).is_some_and(|pinned| pinned != digest(&content).to_hex().as_str()) {
        return Err(ParamsError::Pinned(k));
    }
    let not_written = dir.and_then(|dir| write(dir, k, &content).err());
    Ok(Loaded { params, origin, not_written })
}

fn read(path: &Path, k: u32) -> Result<Option<Params>, Fault> {
    // The size is checked before anything is read into memory.
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(Fault::Unreadable),
    };
    if size != (HEADER + content_length(k)) as u64 {
        return Err(Fault::Size);
    }
    let bytes = fs::read(path).map_err(|_| Fault::Unreadable)?;
    let (header, content) = bytes.split_at_checked(HEADER).ok_or(Fault::Size)?;
    if content.len() != content_length(k) {
        return Err(Fault::Size);
    }
    let hash = digest(content);
    let expected = encode_header(k, &hash);
    if header[..HEADER - 32] != expected[..HEADER - 32] || content[..4] != k.to_le_bytes() {
        return Err(Fault::Header);
    }
    if header != expected {
        return Err(Fault::Digest);
    }
    if pinned(k).is_some_and(|pinned| pinned != hash.to_hex().as_str()) {
        return Err(Fault::Foreign);
    }
    let params = halo2_proofs::poly::commitment::Params::read(&mut &content[..]);
    params.map(|params| Some(params.into())).map_err(|_| Fault::Points)
}

/// Readers see the old file or the new one, never part of one.
#[cfg(feature = "cache")]
fn write(dir: &Path, k: u32, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&encode_header(k, &digest(content)))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path(dir, k))?;
    Ok(())
}

#[cfg(not(feature = "cache"))]
fn write(_: &Path, _: u32, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn encode(params: &Params) -> Vec<u8> {
    let mut content = Vec::with_capacity(content_length(params.k()));
    params.halo2().write(&mut content).expect("writing to memory does not fail");
    content
}

/// k, two bases of `2^k` points, two more points.
fn content_length(k: u32) -> usize {
    4 + 32 * (2 * (1usize << k) + 2)
}

fn encode_header(k: u32, hash: &blake2b_simd::Hash) -> Vec<u8> {
    [&MAGIC[..], &VERSION.to_le_bytes(), &k.to_le_bytes(), hash.as_bytes()].concat()
}

fn digest(content: &[u8]) -> blake2b_simd::Hash {
    blake2b_simd::Params::new().hash_length(32).personal(b"GradCoin-params-").hash(content)
}

fn pinned(k: u32) -> Option<&'static str> {
    PINNED.iter().find(|(size, _)| *size == k).map(|(_, digest)| *digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "takes half a minute"]
    fn pinned_digests_are_those_of_the_generators() {
        for &(k, pinned) in PINNED {
            assert_eq!(digest(&encode(&Params::new(k))).to_hex().as_str(), pinned, "k = {k}");
        }
    }

    #[test]
    fn files_are_written_read_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("made on demand");
        // One pinned size and one that is not.
        for k in [5, 6] {
            let file = path(&dir, k);
            let load = || load(Some(&dir), k).unwrap();
            let made = load();
            assert_eq!(made.origin, Origin::Made);
            assert!(made.not_written.is_none());
            let cached = load();
            assert_eq!(cached.origin, Origin::Cache);
            assert_eq!(encode(&cached.params), encode(&made.params));

            let good = fs::read(&file).unwrap();
            let damaged = |at: usize| {
                let mut bytes = good.clone();
                bytes[at] ^= 1;
                bytes
            };
            let mut foreign = encode(&made.params);
            // Two generators swapped: valid points, right digest, but not ours.
            let (a, b) = foreign[4..68].split_at_mut(32);
            a.swap_with_slice(b);
            let foreign = [encode_header(k, &digest(&foreign)), foreign].concat();
            let mut points = encode(&made.params);
            points[4..36].fill(0xff);
            let points = [encode_header(k, &digest(&points)), points].concat();
            for (bytes, fault) in [
                (good[..good.len() - 1].to_vec(), Fault::Size),
                ([&good[..], &[0]].concat(), Fault::Size),
                (vec![], Fault::Size),
                (damaged(0), Fault::Header),
                (damaged(16), Fault::Header),
                (damaged(20), Fault::Header),
                (damaged(30), Fault::Digest),
                (damaged(HEADER + 100), Fault::Digest),
                (points, if pinned(k).is_some() { Fault::Foreign } else { Fault::Points }),
            ] {
                fs::write(&file, bytes).unwrap();
                let again = load();
                assert_eq!(again.origin, Origin::Replaced(fault));
                assert_eq!(encode(&again.params), encode(&made.params));
                assert_eq!(fs::read(&file).unwrap(), good);
            }
            if pinned(k).is_some() {
                fs::write(&file, foreign).unwrap();
                assert_eq!(load().origin, Origin::Replaced(Fault::Foreign));
            }
            // No leftovers of the writing.
            assert!(fs::read_dir(&dir).unwrap().all(|e| e.unwrap().path().extension().is_some()));
        }
    }

    #[test]
    fn an_unusable_directory_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a file, not a directory");
        fs::write(&file, b"").unwrap();
        let loaded = load(Some(&file), 6).unwrap();
        assert!(loaded.not_written.is_some());
        assert_eq!(loaded.params.k(), 6);
        assert_eq!(load(None, 6).unwrap().origin, Origin::Made);
        assert_eq!(load(None, 0).unwrap_err(), ParamsError::Size(0));
        assert_eq!(load(None, MAX_K + 1).unwrap_err(), ParamsError::Size(MAX_K + 1));
    }
}
