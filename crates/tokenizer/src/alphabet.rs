//! How a `tokenizer.json` spells bytes: as GPT-2 did, each by a character that is visible.

use std::collections::BTreeMap;

/// The character of each byte: itself, if it is visible in Latin-1; the others follow from U+0100 on.
pub fn spelling() -> [char; 256] {
    let mut next = 256;
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

/// The other way round.
pub struct Bytes(BTreeMap<char, u8>);

impl Bytes {
    pub fn new() -> Self {
        Bytes(spelling().into_iter().zip(0..=255).collect())
    }

    /// The bytes that a token is spelled for. One with any other character stands for itself, as in the library.
    pub fn of(&self, token: &str) -> Vec<u8> {
        let spelled: Option<Vec<u8>> = token.chars().map(|c| self.0.get(&c).copied()).collect();
        spelled.unwrap_or_else(|| token.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn the_spelling_is_the_librarys() {
        let spelling = spelling();
        assert_eq!(spelling.iter().copied().collect::<std::collections::BTreeSet<_>>().len(), 256);
        let library = ByteLevel::alphabet();
        assert!(spelling.iter().all(|c| library.contains(c)));
        assert_eq!([spelling[b' ' as usize], spelling[b'\n' as usize], spelling[b'a' as usize]], ['Ġ', 'Ċ', 'a']);
        let bytes = Bytes::new();
        assert_eq!(bytes.of("ĠaÃ©"), " aé".as_bytes());
        assert_eq!(bytes.of("▁a"), "▁a".as_bytes());
    }
}
