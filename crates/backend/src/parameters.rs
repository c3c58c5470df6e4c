//! Parameters of the commitment scheme, and the bases prepared from them, cached on disk.
//!
//! Making them takes seconds. A file is used only if its header and digest are right and, for the sizes in
//! [`PINNED`], if its digest is the one that halo2's generators have: a file that is truncated, damaged or foreign is
//! made anew and replaced. For other sizes the digest in the file is no protection against whoever can write to the
//! directory: if others may, it is not used.

use crate::bases::Bases;
use crate::cache::{Cache, Fault, Origin, digest};
use crate::curve::{CURVE, Params, Point};
use crate::generators::Generators;
use std::io;
use std::path::{Path, PathBuf};

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

/// Digests of the files of prepared bases, by k.
pub const PINNED_BASES: &[(u32, &str)] = &[
    (12, "74d49436d026a0c2faea9345e821842b2916dc8a7f95c145a448175992e76db6"),
    (13, "ebe92ed5f3c69460e363b3c9e28ef32446a86b730395f741b08e998aab2cdf1f"),
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

/// A kind of file.
struct Kind {
    name: &'static str,
    magic: &'static [u8; 16],
    version: u32,
}

const PARAMS: Kind = Kind { name: "params", magic: b"gradientcoin prm", version: 2 };
const BASES: Kind = Kind { name: "bases", magic: b"gradientcoin bas", version: 1 };

impl Kind {
    fn file(&self, k: u32) -> String {
        format!("{}-{CURVE}-{k}.bin", self.name)
    }

    fn header(&self, k: u32, content: &[u8]) -> Vec<u8> {
        let digest = digest(content);
        [&self.magic[..], &self.version.to_le_bytes(), &k.to_le_bytes(), digest.as_bytes()].concat()
    }

    /// The content of a file that is what its header says.
    fn content<'b>(&self, k: u32, bytes: &'b [u8], length: usize) -> Result<&'b [u8], Fault> {
        let (header, content) = bytes.split_at_checked(HEADER).ok_or(Fault::Size)?;
        if content.len() != length {
            return Err(Fault::Size);
        }
        let expected = self.header(k, content);
        if header[..HEADER - 32] != expected[..HEADER - 32] {
            return Err(Fault::Header);
        }
        if header != expected { Err(Fault::Digest) } else { Ok(content) }
    }

    fn write(&self, cache: &Cache, k: u32, content: &[u8]) -> io::Result<()> {
        cache.write(&self.file(k), &[&self.header(k, content), content])
    }
}

/// File of the parameters for `k` in `dir`.
pub fn path(dir: &Path, k: u32) -> PathBuf {
    dir.join(PARAMS.file(k))
}

/// File of the prepared bases for `k` in `dir`.
pub fn bases_path(dir: &Path, k: u32) -> PathBuf {
    dir.join(BASES.file(k))
}

/// Reads the parameters for `k` from `dir`, or makes them and writes them there, which takes the feature `cache`. Without a
/// directory they are made.
pub fn load(dir: Option<&Path>, k: u32) -> Result<Loaded, ParamsError> {
    if !(1..=MAX_K).contains(&k) {
        return Err(ParamsError::Size(k));
    }
    let cache = dir.map(Cache::new);
    let origin = match Origin::of(cache.as_ref().map(|cache| read(cache, k))) {
        Ok(params) => return Ok(Loaded { params, origin: Origin::Cache, not_written: None }),
        Err(origin) => origin,
    };
    let params = Params::new(k);
    let content = params.generators().coordinates();
    if !is_pinned(k, &content) {
        return Err(ParamsError::Pinned(k));
    }
    let not_written = cache.and_then(|cache| PARAMS.write(&cache, k, &content).err());
    Ok(Loaded { params, origin, not_written })
}

fn read(cache: &Cache, k: u32) -> Result<Option<Params>, Fault> {
    let (name, most) = (PARAMS.file(k), (HEADER + 64 * Generators::<Point>::count(k)) as u64);
    let is_pinned = PINNED.iter().any(|(size, _)| *size == k);
    let bytes = if is_pinned { cache.read(&name, most)? } else { cache.read_private(&name, most)? };
    bytes.map(|bytes| decode(k, &bytes)).transpose()
}

/// The parameters for `k` from the bytes of their file: for whoever has no directory.
pub fn decode(k: u32, bytes: &[u8]) -> Result<Params, Fault> {
    if !(1..=MAX_K).contains(&k) {
        return Err(Fault::Size);
    }
    let content = PARAMS.content(k, bytes, 64 * Generators::<Point>::count(k))?;
    if !is_pinned(k, content) {
        return Err(Fault::Foreign);
    }
    Ok(Generators::from_coordinates(k, content).map_err(|_| Fault::Points)?.into())
}

/// The bytes of the parameters' file.
pub fn encode(params: &Params) -> Vec<u8> {
    let content = params.generators().coordinates();
    [PARAMS.header(params.k(), &content), content].concat()
}

/// Whether the points have the pinned digest, if one is. It is of halo2's encoding: k, then of each point its first
/// coordinate, with the parity of the second one in the highest bit.
fn is_pinned(k: u32, coordinates: &[u8]) -> bool {
    let Some((_, pinned)) = PINNED.iter().find(|(size, _)| *size == k) else { return true };
    let mut encoded = k.to_le_bytes().to_vec();
    for point in coordinates.as_chunks::<64>().0 {
        let mut x = [0; 32];
        x.copy_from_slice(&point[..32]);
        x[31] |= point[32] << 7;
        encoded.extend_from_slice(&x);
    }
    let digest = blake2b_simd::Params::new().hash_length(32).personal(b"GradCoin-params-").hash(&encoded);
    digest.to_hex().as_str() == *pinned
}

/// Prepares the bases of parameters, [`Params::bases`], from a file in `dir`, or makes them and writes them there.
pub fn prepare(dir: Option<&Path>, params: &Params) -> (Origin, Option<io::Error>) {
    let (k, cache) = (params.k(), dir.map(Cache::new));
    let origin = match Origin::of(cache.as_ref().map(|cache| read_bases(cache, k))) {
        Ok(bases) => {
            params.prepare(bases);
            return (Origin::Cache, None);
        }
        Err(origin) => origin,
    };
    let bases = params.bases();
    (origin, cache.and_then(|cache| BASES.write(&cache, k, &bases.coordinates()).err()))
}

fn read_bases(cache: &Cache, k: u32) -> Result<Option<Bases<Point>>, Fault> {
    let length = Bases::<Point>::encoded_length(k);
    let pinned = PINNED_BASES.iter().find(|(size, _)| *size == k).map(|(_, digest)| *digest);
    let (name, most) = (BASES.file(k), (HEADER + length) as u64);
    let bytes = if pinned.is_some() { cache.read(&name, most)? } else { cache.read_private(&name, most)? };
    let Some(bytes) = bytes else { return Ok(None) };
    let content = BASES.content(k, &bytes, length)?;
    // What `content` found to be the digest of the content.
    let digest: String = bytes[HEADER - 32..HEADER].iter().map(|byte| format!("{byte:02x}")).collect();
    if pinned.is_some_and(|pinned| pinned != digest) {
        return Err(Fault::Foreign);
    }
    Bases::from_coordinates(k, content).map(Some).map_err(|_| Fault::Points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    #[ignore = "takes half a minute"]
    fn pinned_digests_are_those_of_the_generators() {
        for &(k, pinned) in PINNED {
            let params = Params::new(k);
            let mut encoded = vec![];
            params.halo2().write(&mut encoded).unwrap();
            let digest = blake2b_simd::Params::new().hash_length(32).personal(b"GradCoin-params-").hash(&encoded);
            assert_eq!(digest.to_hex().as_str(), pinned, "k = {k}");
            assert!(is_pinned(k, &params.generators().coordinates()));
        }
    }

    /// Ways in which a file goes wrong, with what is said of them: first those that its header shows.
    fn faulty(kind: &Kind, k: u32, good: &[u8], foreign: Fault, points: Fault) -> Vec<(Vec<u8>, Fault)> {
        let damaged = |at: usize| {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let content = &good[HEADER..];
        let sealed = |content: Vec<u8>| [kind.header(k, &content), content].concat();
        // Two points swapped: valid, right digest, but not ours.
        let swapped = [&content[64..128], &content[..64], &content[128..]].concat();
        let mut no_point = content.to_vec();
        no_point[64] ^= 1;
        vec![
            (good[..good.len() - 1].to_vec(), Fault::Size),
            ([good, &[0]].concat(), Fault::Size),
            (vec![], Fault::Size),
            (damaged(0), Fault::Header),
            (damaged(16), Fault::Header),
            (damaged(20), Fault::Header),
            (damaged(30), Fault::Digest),
            (damaged(HEADER + 100), Fault::Digest),
            (sealed(swapped), foreign),
            (sealed(no_point), points),
        ]
    }

    #[test]
    fn files_are_written_read_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("made on demand");
        // One pinned size and one that is not.
        for (k, is_pinned) in [(5, false), (6, true)] {
            let file = path(&dir, k);
            let load = || load(Some(&dir), k).unwrap();
            let made = load();
            assert_eq!(made.origin, Origin::Made);
            assert!(made.not_written.is_none());
            let cached = load();
            assert_eq!(cached.origin, Origin::Cache);
            assert_eq!(cached.params.generators(), made.params.generators());
            let good = fs::read(&file).unwrap();
            assert_eq!(good, encode(&made.params));
            let points = if is_pinned { Fault::Foreign } else { Fault::Points };
            for (bytes, fault) in faulty(&PARAMS, k, &good, Fault::Foreign, points) {
                fs::write(&file, bytes).unwrap();
                if fault == Fault::Foreign && !is_pinned {
                    // The directory is what vouches for this size.
                    assert_eq!(load().origin, Origin::Cache);
                    fs::write(&file, &good).unwrap();
                    continue;
                }
                let again = load();
                assert_eq!(again.origin, Origin::Replaced(fault));
                assert_eq!(again.params.generators(), made.params.generators());
                assert_eq!(fs::read(&file).unwrap(), good);
            }
            // No leftovers of the writing.
            assert!(fs::read_dir(&dir).unwrap().all(|e| e.unwrap().path().extension().is_some()));
        }
    }

    #[test]
    fn prepared_bases_are_written_read_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let k = 5;
        let prepare = || {
            let params = Params::new(k);
            let (origin, not_written) = prepare(Some(dir.path()), &params);
            assert!(not_written.is_none());
            (origin, params.prepared().unwrap().coordinates())
        };
        let (origin, made) = prepare();
        assert_eq!(origin, Origin::Made);
        assert_eq!(made.len(), Bases::<Point>::encoded_length(k));
        assert_eq!(prepare(), (Origin::Cache, made.clone()));
        let file = dir.path().join(BASES.file(k));
        let good = fs::read(&file).unwrap();
        for (bytes, fault) in faulty(&BASES, k, &good, Fault::Foreign, Fault::Points) {
            fs::write(&file, bytes).unwrap();
            match fault {
                // Not of a pinned size.
                Fault::Foreign => assert_eq!(prepare().0, Origin::Cache),
                fault => assert_eq!(prepare(), (Origin::Replaced(fault), made.clone())),
            }
            fs::write(&file, &good).unwrap();
        }
    }

    /// The pinned bases are those of the parameters, and a file with others is not used though all its digests are right.
    #[test]
    fn pinned_bases_are_those_of_the_generators() {
        let dir = tempfile::tempdir().unwrap();
        for &(k, pinned) in PINNED_BASES {
            let params = Params::new(k);
            let made = params.bases().coordinates();
            assert_eq!(digest(&made).to_hex().as_str(), pinned, "k = {k}");
            let cache = Cache::new(dir.path());
            let swapped = [&made[64..128], &made[..64], &made[128..]].concat();
            BASES.write(&cache, k, &swapped).unwrap();
            assert_eq!(read_bases(&cache, k).unwrap_err(), Fault::Foreign);
            BASES.write(&cache, k, &made).unwrap();
            assert_eq!(read_bases(&cache, k).unwrap().unwrap().coordinates(), made);
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
