//! Records of a file: length, checksum, content.

use std::io::{self, Read};

/// Longest content of a record: 64 MiB.
pub const MAX_RECORD: usize = 64 << 20;

/// Bytes before the content: a length, little-endian, and a checksum.
pub(super) const BEFORE: usize = 4 + 32;

/// How the bytes at some place of a file are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends in the midst of it, or with it and its checksum is wrong: what a crash leaves.
    #[error("it ends in the middle of a record")]
    Torn,
    /// Its checksum is wrong, or its length is impossible, and more follows: what was written has changed since.
    #[error("a record's checksum or length is wrong")]
    Damaged,
}

/// BLAKE2b-256 of length and content.
fn checksum(content: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut state = blake2b_simd::Params::new().hash_length(32).personal(b"gradcoin-record").to_state();
    state.update(&(content.len() as u64).to_le_bytes()).update(content);
    sum.copy_from_slice(state.finalize().as_bytes());
    sum
}

/// A record's bytes; none if the content is too long.
pub(super) fn record(content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= MAX_RECORD)?;
    Some([&length.to_le_bytes()[..], &checksum(content), content].concat())
}

/// Reads the record at which the reader stands, of at most `left` bytes. Never allocates more than that.
pub(super) fn read(reader: &mut impl Read, left: u64) -> io::Result<Result<Vec<u8>, Fault>> {
    if left < BEFORE as u64 {
        return Ok(Err(Fault::Torn));
    }
    let (mut length, mut sum) = ([0; 4], [0; 32]);
    reader.read_exact(&mut length)?;
    reader.read_exact(&mut sum)?;
    let length = u32::from_le_bytes(length) as usize;
    let left = left - BEFORE as u64;
    if length > MAX_RECORD {
        return Ok(Err(Fault::Damaged));
    }
    if length as u64 > left {
        return Ok(Err(Fault::Torn));
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content)?;
    let last = length as u64 == left;
    Ok(match checksum(&content) == sum {
        true => Ok(content),
        false if last => Err(Fault::Torn),
        false => Err(Fault::Damaged),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        read(&mut &bytes[..], bytes.len() as u64).unwrap()
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        assert_eq!(record(&vec![0; MAX_RECORD + 1]), None);
        let claim = |length: u32| [&length.to_le_bytes()[..], &[0; 40]].concat();
        assert_eq!(read_all(&claim(MAX_RECORD as u32 + 1)), Err(Fault::Damaged));
        assert_eq!(read_all(&claim(u32::MAX)), Err(Fault::Damaged));
        assert_eq!(read_all(&claim(MAX_RECORD as u32)), Err(Fault::Torn));
    }

    proptest! {
        #[test]
        fn records_round_trip_and_nothing_else_does(
            content in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(),
            bit in 0u8..8, after in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let whole = record(&content).unwrap();
            prop_assert_eq!(read_all(&[&whole[..], &after].concat()), Ok(content));
            let mut flipped = whole.clone();
            let i = at.index(whole.len());
            flipped[i] ^= 1 << bit;
            prop_assert!(read_all(&flipped).is_err());
            prop_assert!(read_all(&[&flipped[..], &after].concat()).is_err());
            prop_assert_eq!(read_all(&whole[..i]), Err(Fault::Torn));
        }
    }
}
