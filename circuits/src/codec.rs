//! The one binary codec: versioned, bounded, canonical.
//!
//! A file is a magic of eight bytes, a version and a body. A decoder reads no more than its limit, refuses bytes that
//! follow, and refuses a body that does not encode back to itself.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};

/// Largest body of any file: 512 MiB.
pub const LIMIT: usize = 512 << 20;

/// What is encoded: its magic and version.
pub trait Encoded: Serialize + DeserializeOwned {
    /// First eight bytes.
    const MAGIC: [u8; 8];
    /// Version of the body's layout.
    const VERSION: u32;
    /// Name, for errors.
    const NAME: &'static str;
}

/// Bytes that are not the canonical encoding of what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Another kind of file.
    #[error("this is no {0}")]
    Magic(&'static str),
    /// A version that this program does not know.
    #[error("the {name} has version {found}; this program knows {known}")]
    Version {
        /// Kind of file.
        name: &'static str,
        /// In the file.
        found: u32,
        /// Of this program.
        known: u32,
    },
    /// The body is malformed, truncated or larger than its limit.
    #[error("the {name} is malformed: {reason}")]
    Malformed {
        /// Kind of file.
        name: &'static str,
        /// What bincode says.
        reason: String,
    },
    /// Bytes follow the body.
    #[error("{extra} bytes follow the {name}")]
    Trailing {
        /// Kind of file.
        name: &'static str,
        /// How many.
        extra: usize,
    },
    /// The body decodes, but does not encode to the same bytes.
    #[error("the {0} is not canonical")]
    NotCanonical(&'static str),
}

const HEADER: usize = 12;

fn config() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Encodes with magic and version.
pub fn encode<T: Encoded>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = [&T::MAGIC[..], &T::VERSION.to_le_bytes()].concat();
    let malformed = |e: bincode::error::EncodeError| CodecError::Malformed { name: T::NAME, reason: e.to_string() };
    bytes.extend(bincode::serde::encode_to_vec(value, config()).map_err(malformed)?);
    Ok(bytes)
}

/// Decodes what [`encode`] gives, and nothing else.
pub fn decode<T: Encoded>(bytes: &[u8]) -> Result<T, CodecError> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(CodecError::Magic(T::NAME))?;
    let (magic, version) = header.split_at(T::MAGIC.len());
    if magic != T::MAGIC {
        return Err(CodecError::Magic(T::NAME));
    }
    let found = version.iter().rev().fold(0u32, |v, &b| (v << 8) | u32::from(b));
    if found != T::VERSION {
        return Err(CodecError::Version { name: T::NAME, found, known: T::VERSION });
    }
    let (value, read): (T, usize) = bincode::serde::decode_from_slice(body, config())
        .map_err(|e| CodecError::Malformed { name: T::NAME, reason: e.to_string() })?;
    if read != body.len() {
        return Err(CodecError::Trailing { name: T::NAME, extra: body.len() - read });
    }
    if encode(&value)? != bytes {
        return Err(CodecError::NotCanonical(T::NAME));
    }
    Ok(value)
}

/// Blake2b-256 of an encoding, under a personalisation of at most 16 bytes.
pub fn digest(personal: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(
        blake2b_simd::Params::new().hash_length(32).personal(personal).to_state().update(bytes).finalize().as_bytes(),
    );
    digest
}
