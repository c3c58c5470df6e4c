//! The one binary codec: versioned, bounded, canonical.
//!
//! A file is a magic of eight bytes, a version and a body. A decoder reads no more than its limit, refuses bytes that
//! follow, and refuses a body that does not encode back to itself. What it allocates is bounded by what it reads, not by
//! the lengths that stand there; for that, a `String` is deserialized by [`text`].

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use std::fmt;

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

/// Deserializes a `String`. bincode makes room for an owned one before it looks whether the bytes are there; of a borrowed
/// one it looks first.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    deserializer.deserialize_str(Text)
}

/// Blake2b-256 of an encoding, under a personalisation of at most 16 bytes.
pub fn digest(personal: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(
        blake2b_simd::Params::new().hash_length(32).personal(personal).to_state().update(bytes).finalize().as_bytes(),
    );
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Name(#[serde(deserialize_with = "text")] String);

    impl Encoded for Name {
        const MAGIC: [u8; 8] = *b"GRADTEST";
        const VERSION: u32 = 1;
        const NAME: &'static str = "name";
    }

    #[test]
    fn text_is_looked_for_before_there_is_room_for_it() {
        let name = Name("é".into());
        let bytes = encode(&name).unwrap();
        assert_eq!(decode(&bytes), Ok(name));
        let body = |body: &[u8]| decode::<Name>(&[&bytes[..HEADER], body].concat());
        let malformed = |reason: &str| Err(CodecError::Malformed { name: "name", reason: reason.into() });
        assert_eq!(body(&[0xfc, 0, 0, 0, 0x10, b'a']), malformed("UnexpectedEnd { additional: 268435455 }"));
        assert!(matches!(body(&[1, 0xff]), Err(CodecError::Malformed { .. })));
        assert_eq!(body(&[0xfb, 1, 0, b'a']), Err(CodecError::NotCanonical("name")));
    }
}
