//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;

/// By preset.
const PINNED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("c5758faddd3a77384f68bf61850b88110deafd0bfc6b2306e9a449fa83bed0af")),
    (Config::MICRO, bytes("671afa9b4ea7e7ba889631492bc7e5fbbf33464f1b160c771121aee9ac18ec43")),
    (Config::MINI, bytes("8156ba9d099370d808ea711f3c1743e12bb130b00f4a5e5417c6adeadeef0623")),
];

/// The digest of the keys of a preset.
pub fn pinned(config: &Config) -> Option<KeysDigest> {
    PINNED.into_iter().find(|(preset, _)| preset == config).map(|(_, digest)| digest)
}

/// Of hexadecimal digits; what is wrong with them stops the build.
const fn bytes(digits: &str) -> KeysDigest {
    let (digits, mut bytes, mut i) = (digits.as_bytes(), [0; 32], 0);
    assert!(digits.len() == 2 * bytes.len(), "a digest has 64 digits");
    while i < digits.len() {
        let digit = match digits[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("a digit is 0 to 9 or a to f"),
        };
        bytes[i / 2] = bytes[i / 2] << 4 | digit;
        i += 1;
    }
    bytes
}
