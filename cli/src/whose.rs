//! Whom a text means: an address, or a key file.

use crate::default_key;
use crate::error::CliError;
use crate::key_file::KeyFile;
use chain::address::Address;
use std::path::Path;

/// Shortest text that is taken for another network's address: Bitcoin's oldest have 26 characters.
const LIKE_AN_ADDRESS: usize = 26;

/// An address, or that of a key file. What looks like an address and is none is not taken for a file's name.
pub fn address(text: &str) -> Result<Address, CliError> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(error) if looks_like_address(text) && !Path::new(text).exists() => {
            Err(CliError::Usage(format!("{text}: {error}")))
        }
        Err(_) => Ok(KeyFile::read(Path::new(text))?.address()),
    }
}

/// The same, or the address of the default key.
pub fn address_or_default(text: Option<&str>) -> Result<Address, CliError> {
    match text {
        Some(text) => address(text),
        None => Ok(default_key::read(None)?.1.address()),
    }
}

/// Ours begin with `grad1`. Those of other networks are as long, and neither has a dot or a slash as files' names do.
fn looks_like_address(text: &str) -> bool {
    let ours = text.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("grad1"));
    ours || text.len() >= LIKE_AN_ADDRESS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain::address::SecretKey;

    /// 7.18: no address, whatever is wrong with it, is called a missing file; nor a file an address.
    #[test]
    fn what_looks_like_an_address_is_one() {
        let ours = SecretKey::from_seed(&[1; 32]).address().to_string();
        assert_eq!(address(&ours).unwrap().to_string(), ours);
        let refused = |text: &str| match address(text).unwrap_err() {
            CliError::Usage(message) => message.strip_prefix(&format!("{text}: ")).unwrap().to_owned(),
            other => panic!("{text}: {other}"),
        };
        let with = |from: &str, to: &str| ours.replacen(from, to, 1);
        // Bitcoin's, in both of its forms; a typing error in the prefix, in the middle, at the end.
        let segwit = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
        assert_eq!(refused(segwit), "an address starts with `grad1`, not with `bc1`");
        assert!(
            refused("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa").starts_with("this is not an address: it has the character ")
        );
        assert_eq!(refused(&with("grad1", "gard1")), "an address starts with `grad1`, not with `gard1`");
        assert_eq!(refused(&with("grad1", "grad")), "this is not an address: it has no `1` after a prefix");
        assert_eq!(refused(&(ours.clone() + "b")), "this is not an address: it has the character 'b'");
        assert_eq!(refused(&(ours.clone() + "q")), "the address's checksum is wrong: the address has a typo");
        assert_eq!(refused("GRAD1"), "the address's checksum is wrong: the address has a typo");
        for file in ["none.key", "key1", "keys/grad", "a-rather-long-name-of-a-file.key", "grad"] {
            assert!(matches!(address(file), Err(CliError::Io { action: "read", .. })), "{file}");
        }
    }
}
