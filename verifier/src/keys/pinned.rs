//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;

/// By preset, in hexadecimal digits.
const PINNED: [(Config, &str); 3] = [
    (Config::NANO, "c5758faddd3a77384f68bf61850b88110deafd0bfc6b2306e9a449fa83bed0af"),
    (Config::MICRO, "671afa9b4ea7e7ba889631492bc7e5fbbf33464f1b160c771121aee9ac18ec43"),
    (Config::MINI, "8156ba9d099370d808ea711f3c1743e12bb130b00f4a5e5417c6adeadeef0623"),
];

/// The digest of the keys of a preset.
pub fn pinned(config: &Config) -> Option<KeysDigest> {
    let (_, digits) = PINNED.iter().find(|(preset, _)| preset == config)?;
    let mut digest = KeysDigest::default();
    let pairs = digits.as_bytes().as_chunks::<2>().0;
    if pairs.len() != digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
