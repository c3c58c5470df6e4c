//! The one binary codec: versioned, bounded, canonical.
//!
//! A file is a magic of eight bytes, a version and a body; where [`Encoded::CHECKSUM`] says so, a checksum of all of it
//! follows. A decoder reads no more than its limit, refuses bytes that follow, and refuses a body that does not encode
//! back to itself. What it allocates is bounded by what it reads, not by the lengths that stand there; for that, a
//! `String` is deserialized by [`text`].

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::error::DecodeError;
use serde::Serialize;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use std::fmt;

/// Largest body of any file but a state's, numbers counted at the width that they have in memory: 512 MiB.
pub const LIMIT: usize = 512 << 20;
/// Largest body of a file with a state in it ([`Encoded::LARGE`]): 1 GiB.
pub const LARGE_LIMIT: usize = 1 << 30;

/// What is encoded: its magic and version.
pub trait Encoded: Serialize + DeserializeOwned {
    /// First eight bytes.
    const MAGIC: [u8; 8];
    /// Version of the body's layout.
    const VERSION: u32;
    /// Name, for errors.
    const NAME: &'static str;
    /// Whether a checksum follows the body: for what is written, kept and read again, and would be believed with any bit
    /// flipped.
    const CHECKSUM: bool = false;
    /// Whether its body may have [`LARGE_LIMIT`] bytes: for what its owner wrote, not for what others send.
    const LARGE: bool = false;
}

/// Bytes that are not the canonical encoding of what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Another kind of file.
    #[error("this is not a valid {0}")]
    Magic(&'static str),
    /// A version that this program does not know.
    #[error("the {name} has version {found}; this program supports {known}")]
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
        /// What is wrong with it.
        reason: String,
    },
    /// The checksum is not that of the content.
    #[error("the {0} is damaged: its checksum does not match its content")]
    Checksum(&'static str),
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
/// Bytes of a checksum, after the body.
pub const CHECKSUM_BYTES: usize = 32;

/// Checksum of magic, version and body.
pub fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    digest(b"gradcoin-checks", bytes)
}

fn config<const LIMIT: usize>() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Encodes with magic and version.
pub fn encode<T: Encoded>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = [&T::MAGIC[..], &T::VERSION.to_le_bytes()].concat();
    bytes.extend(body::<T>(value)?);
    if T::CHECKSUM {
        bytes.extend(checksum(&bytes));
    }
    Ok(bytes)
}

/// Bytes of a `T` whose body is as long as that of something like it.
pub fn length<T: Encoded>(like: &impl Serialize) -> Result<usize, CodecError> {
    Ok(HEADER + body::<T>(like)?.len() + if T::CHECKSUM { CHECKSUM_BYTES } else { 0 })
}

fn body<T: Encoded>(value: &impl Serialize) -> Result<Vec<u8>, CodecError> {
    let malformed = |e: bincode::error::EncodeError| CodecError::Malformed { name: T::NAME, reason: e.to_string() };
    bincode::serde::encode_to_vec(value, config::<LIMIT>()).map_err(malformed)
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
    let mut body = body;
    if T::CHECKSUM {
        let damaged = CodecError::Checksum(T::NAME);
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(damaged.clone())?;
        if checksum(content) != *sum {
            return Err(damaged);
        }
        body = content.get(HEADER..).ok_or(damaged)?;
    }
    let (decoded, limit) = if T::LARGE {
        (bincode::serde::decode_from_slice(body, config::<LARGE_LIMIT>()), LARGE_LIMIT)
    } else {
        (bincode::serde::decode_from_slice(body, config::<LIMIT>()), LIMIT)
    };
    let (value, read): (T, usize) =
        decoded.map_err(|e| CodecError::Malformed { name: T::NAME, reason: reason(&e, limit) })?;
    if read != body.len() {
        return Err(CodecError::Trailing { name: T::NAME, extra: body.len() - read });
    }
    if encode(&value)? != bytes {
        return Err(CodecError::NotCanonical(T::NAME));
    }
    Ok(value)
}

/// What bincode says, for people: its own words are Rust's.
fn reason(error: &DecodeError, limit: usize) -> String {
    match error {
        DecodeError::UnexpectedEnd { .. } => "it is truncated".into(),
        DecodeError::LimitExceeded => format!("it is larger than {limit} bytes"),
        DecodeError::OtherString(reason) => reason.clone(),
        DecodeError::Other(reason) => (*reason).into(),
        DecodeError::Utf8 { .. } => "a text in it is not UTF-8".into(),
        DecodeError::InvalidBooleanValue(value) => format!("{value} where 0 or 1 is expected"),
        DecodeError::InvalidIntegerType { .. } | DecodeError::OutsideUsizeRange(_) => {
            "a number in it is out of range".into()
        }
        other => format!("it cannot be decoded ({other})"),
    }
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

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept(u64, Vec<i64>);

    impl Encoded for Kept {
        const MAGIC: [u8; 8] = *b"GRADKEPT";
        const VERSION: u32 = 2;
        const NAME: &'static str = "kept thing";
        const CHECKSUM: bool = true;
    }

    #[test]
    fn no_flipped_bit_and_no_cut_passes_a_checksum() {
        let kept = Kept(7, (-40..40).collect());
        let bytes = encode(&kept).unwrap();
        assert_eq!(decode(&bytes), Ok(kept));
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0..8 => matches!(decode::<Kept>(&flipped), Err(CodecError::Magic(_))),
                8..12 => matches!(decode::<Kept>(&flipped), Err(CodecError::Version { .. })),
                _ => decode::<Kept>(&flipped) == Err(CodecError::Checksum("kept thing")),
            };
            assert!(expected, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode::<Kept>(&bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(decode::<Kept>(&[&bytes[..], &[0]].concat()), Err(CodecError::Checksum("kept thing")));
        // A checksum that was made right hides nothing else.
        let mut longer = bytes[..bytes.len() - CHECKSUM_BYTES].to_vec();
        longer.push(0);
        longer.extend(checksum(&longer));
        assert_eq!(decode::<Kept>(&longer), Err(CodecError::Trailing { name: "kept thing", extra: 1 }));
    }

    #[test]
    fn text_is_looked_for_before_there_is_room_for_it() {
        let name = Name("é".into());
        let bytes = encode(&name).unwrap();
        assert_eq!(decode(&bytes), Ok(name));
        let body = |body: &[u8]| decode::<Name>(&[&bytes[..HEADER], body].concat());
        let malformed = |reason: &str| Err(CodecError::Malformed { name: "name", reason: reason.into() });
        assert_eq!(body(&[0xfc, 0, 0, 0, 0x10, b'a']), malformed("it is truncated"));
        assert!(matches!(body(&[1, 0xff]), Err(CodecError::Malformed { .. })));
        assert_eq!(body(&[0xfb, 1, 0, b'a']), Err(CodecError::NotCanonical("name")));
    }
}
