//! The verifying keys of a model: made from its circuits, or read from a file that an earlier process wrote.
//!
//! Whoever verifies under a key believes that it is that of the circuits. Of a key that was made, the program that made it
//! says so. Of one that was read, a digest says so: that of a preset is pinned in the program ([`pinned()`]), that of a
//! chain's model stands in its genesis. Any other file is as good as its directory: it is not used if others may write to
//! it. So is that of a chain's model, as a genesis may be anyone's. [`VerifyingKeys::by_halo2`] makes the keys from what
//! halo2 says of the circuits, to be compared with.

use backend::cache::{Cache, Fault, Origin};
use backend::curve::{CURVE, Params};
use backend::keys::{Blank, KeyError, VerifyingKey};
use circuits::model::Config;
use circuits::segments::{Circuits, SegmentKind, Variant};
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::Deref;
use std::path::PathBuf;

mod pinned;

pub use pinned::pinned;

/// Largest file of keys: those of `mini` take 200 KiB.
const MOST: u64 = 64 << 20;

/// Digest of a model's verifying keys: of all that a verifier reads of them, in our encoding.
pub type KeysDigest = [u8; codec::CHECKSUM_BYTES];

/// The verifying keys of a model's three circuits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyingKeys {
    /// Version of the circuits, other for each variant.
    circuits: u32,
    /// The model's configuration, as JSON.
    #[serde(deserialize_with = "codec::text")]
    config: String,
    /// Layer segment.
    pub layer: VerifyingKey,
    /// Head segment.
    pub head: VerifyingKey,
    /// Update segment.
    pub update: VerifyingKey,
}

impl Encoded for VerifyingKeys {
    const MAGIC: [u8; 8] = *b"GCverkey";
    const VERSION: u32 = 1;
    const NAME: &'static str = "file of verifying keys";
    const CHECKSUM: bool = true;
}

/// As large as [`VerifyingKeys`], and nothing else.
#[derive(Serialize)]
struct BlankKeys {
    circuits: u32,
    config: String,
    layer: Blank,
    head: Blank,
    update: Blank,
}

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// They cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// They cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The circuits of this program are not those that the keys' digest is of.
    #[error("the verifying keys made by this program are not those with the digest that {0}")]
    Digest(Expected),
    /// The genesis names other keys than the program knows for the preset.
    #[error("the digest of the verifying keys that the genesis names is not that which is pinned for the preset")]
    Conflict,
    /// The keys in the cache are whole, and not those that halo2 makes.
    #[error(
        "the verifying keys in {} are not those that halo2 makes of the circuits: another build of this program wrote them, \
         or somebody exchanged them. Nothing was verified; once the file is deleted, the keys are made again",
        .0.display()
    )]
    Exchanged(PathBuf),
    /// The keys that this program makes are not those that halo2 makes.
    #[error("the verifying keys made by this program are not those that halo2 makes of the circuits")]
    Differ,
}

/// What names the digest that keys must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This program.
    Pinned,
    /// Whoever asks for them.
    Named,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Expected::Pinned => "is pinned for the preset",
            Expected::Named => "the genesis names",
        })
    }
}

/// Told how many keys are made, and of how many.
pub type Told<'t> = dyn FnMut(usize, usize) + 't;

impl VerifyingKeys {
    /// Makes the keys of a model.
    pub fn make(params: &Params, circuits: &Circuits, config: &Config, told: &mut Told<'_>) -> Result<Self, KeyError> {
        let publics = |kind: SegmentKind| kind.publics(circuits.variant);
        let of = (circuits.variant, config);
        Self::made_by(of, told, &|kind| VerifyingKey::with_publics(params, circuits.plan(kind), publics(kind)))
    }

    /// The same keys, made by halo2.
    pub fn by_halo2(
        params: &Params,
        circuits: &Circuits,
        config: &Config,
        told: &mut Told<'_>,
    ) -> Result<Self, KeyError> {
        let publics = |kind: SegmentKind| kind.publics(circuits.variant);
        let of = (circuits.variant, config);
        Self::made_by(of, told, &|kind| VerifyingKey::by_halo2(params, circuits.plan(kind), publics(kind)))
    }

    fn made_by(
        (variant, config): (Variant, &Config),
        told: &mut Told<'_>,
        make: &dyn Fn(SegmentKind) -> Result<VerifyingKey, KeyError>,
    ) -> Result<Self, KeyError> {
        let [layer, head, update] = SegmentKind::try_each(make, told)?;
        Ok(VerifyingKeys { circuits: variant.circuits(), config: config.to_json(), layer, head, update })
    }

    /// Bytes of the file of a configuration's keys, none of which is made.
    pub fn file_length(circuits: &Circuits, config: &Config) -> Result<usize, KeysError> {
        let variant = circuits.variant;
        let blank = |kind: SegmentKind| Blank::of(circuits.plan(kind), kind.publics(variant));
        let [layer, head, update] = SegmentKind::try_each(&blank, &mut |_, _| {})?;
        let blank = BlankKeys { circuits: variant.circuits(), config: config.to_json(), layer, head, update };
        Ok(codec::length::<Self>(&blank)?)
    }

    /// The key of a segment.
    pub fn of(&self, kind: SegmentKind) -> &VerifyingKey {
        match kind {
            SegmentKind::Layer => &self.layer,
            SegmentKind::Head => &self.head,
            SegmentKind::Update => &self.update,
        }
    }

    /// Their digest.
    pub fn digest(&self) -> Result<KeysDigest, CodecError> {
        Ok(self.encoded()?.1)
    }

    /// The file that they are in, and their digest, with which it ends.
    fn encoded(&self) -> Result<(Vec<u8>, KeysDigest), CodecError> {
        let file = codec::encode(self)?;
        let digest = *file.last_chunk().ok_or(CodecError::Checksum(Self::NAME))?;
        Ok((file, digest))
    }

    /// The circuits that they are of, if they are of this configuration and of this program's circuits.
    pub fn variant(&self, config: &Config) -> Option<Variant> {
        Variant::all().find(|&variant| self.are_of(variant, config))
    }

    /// Whether they are of this configuration and of this program's circuits of a variant.
    pub fn are_of(&self, variant: Variant, config: &Config) -> bool {
        self.circuits == variant.circuits() && self.config == config.to_json()
    }
}

/// Name of the file in a cache that a model's keys are in.
pub fn file_name(variant: Variant, config: &Config) -> String {
    let of_config = codec::digest(b"gradcoin-k-file", config.to_json().as_bytes());
    let name: String = of_config[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("keys-{CURVE}-{}-{}-{name}.bin", config.k(), variant.circuits())
}

/// Keys, and how they were come by.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub keys: VerifyingKeys,
    /// Where they are from.
    pub origin: Origin,
    /// What vouches for keys from the cache besides the directory.
    pub expected: Option<Expected>,
    /// Why they could not be written to the cache, if they could not; nothing else is amiss.
    pub not_written: Option<io::Error>,
}

/// A model's keys, wanted.
pub struct Wanted<'a> {
    /// Parameters.
    pub params: &'a Params,
    /// Which circuits.
    pub variant: Variant,
    /// The model.
    pub config: &'a Config,
    /// Digest that the keys must have, where a chain's genesis names it.
    pub named: Option<KeysDigest>,
}

impl Wanted<'_> {
    /// What the keys must be.
    fn expected(&self) -> Result<Option<(KeysDigest, Expected)>, KeysError> {
        match (pinned(self.variant, self.config), self.named) {
            (Some(pinned), Some(named)) if pinned != named => Err(KeysError::Conflict),
            (Some(pinned), _) => Ok(Some((pinned, Expected::Pinned))),
            (None, named) => Ok(named.map(|digest| (digest, Expected::Named))),
        }
    }

    /// The file of keys that were made, which must be those that are expected.
    fn vouched(&self, keys: &VerifyingKeys, expected: Option<(KeysDigest, Expected)>) -> Result<Vec<u8>, KeysError> {
        let (file, digest) = keys.encoded()?;
        match expected {
            Some((expected, by)) if expected != digest => Err(KeysError::Digest(by)),
            _ => Ok(file),
        }
    }

    /// Reads the keys from the cache, or makes them and writes them there. Without a cache they are made. `circuits` are
    /// looked at only if keys are made: a `LazyCell` will do.
    pub fn load(
        &self,
        cache: Option<&Cache>,
        circuits: &dyn Deref<Target = Circuits>,
        told: &mut Told<'_>,
    ) -> Result<Loaded, KeysError> {
        let expected = self.expected()?;
        let by = expected.map(|(_, by)| by);
        let origin = match Origin::of(cache.map(|cache| self.read(cache, expected))) {
            Ok(keys) => return Ok(Loaded { keys, origin: Origin::Cache, expected: by, not_written: None }),
            Err(origin) => origin,
        };
        let keys = VerifyingKeys::make(self.params, circuits, self.config, told)?;
        let file = self.vouched(&keys, expected)?;
        let not_written = cache.and_then(|cache| cache.write(&file_name(self.variant, self.config), &[&file]).err());
        Ok(Loaded { keys, origin, expected: by, not_written })
    }

    /// Makes the keys by halo2, and requires that this program makes the same, and that those in the cache, if it has any
    /// that are whole, are the same. What is not is replaced.
    pub fn fresh(
        &self,
        cache: Option<&Cache>,
        circuits: &dyn Deref<Target = Circuits>,
        told: &mut Told<'_>,
    ) -> Result<Loaded, KeysError> {
        let expected = self.expected()?;
        let keys = VerifyingKeys::by_halo2(self.params, circuits, self.config, told)?;
        if VerifyingKeys::make(self.params, circuits, self.config, &mut |_, _| {})? != keys {
            return Err(KeysError::Differ);
        }
        let (file, name) = (self.vouched(&keys, expected)?, file_name(self.variant, self.config));
        let origin = match Origin::of(cache.map(|cache| cache.read(&name, MOST))) {
            Ok(found) if found == file => Origin::Cache,
            Ok(found) => match decode(&found) {
                Ok(found) if found.are_of(self.variant, self.config) => {
                    return Err(KeysError::Exchanged(cache.map_or_else(PathBuf::new, |cache| cache.path(&name))));
                }
                Ok(_) => Origin::Replaced(Fault::Foreign),
                Err(fault) => Origin::Replaced(fault),
            },
            Err(origin) => origin,
        };
        let write = cache.filter(|_| origin != Origin::Cache);
        let not_written = write.and_then(|cache| cache.write(&name, &[&file]).err());
        Ok(Loaded { keys, origin, expected: expected.map(|(_, by)| by), not_written })
    }

    fn read(&self, cache: &Cache, expected: Option<(KeysDigest, Expected)>) -> Result<Option<VerifyingKeys>, Fault> {
        let name = file_name(self.variant, self.config);
        let bytes = match expected {
            Some((_, Expected::Pinned)) => cache.read(&name, MOST)?,
            _ => cache.read_private(&name, MOST)?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let digest = *bytes.last_chunk().ok_or(Fault::Size)?;
        let keys = decode(&bytes)?;
        // The digest is that of what was decoded: decoding compares it.
        if !keys.are_of(self.variant, self.config) || expected.is_some_and(|(expected, _)| expected != digest) {
            return Err(Fault::Foreign);
        }
        for kind in SegmentKind::ALL {
            let key = keys.of(kind);
            let fits = key.shape.k == self.params.k() && key.shape.publics == kind.publics(self.variant);
            if !fits || key.shape.ports.len() != kind.ports(self.variant) || key.check_consistent().is_err() {
                return Err(Fault::Points);
            }
        }
        Ok(Some(keys))
    }
}

fn decode(bytes: &[u8]) -> Result<VerifyingKeys, Fault> {
    codec::decode(bytes).map_err(|error| match error {
        CodecError::Magic(_) | CodecError::Version { .. } => Fault::Header,
        CodecError::Checksum(_) => Fault::Digest,
        _ => Fault::Points,
    })
}
