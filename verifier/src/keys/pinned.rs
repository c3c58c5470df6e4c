//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;

/// By preset.
const PINNED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("0290364f1fc70a06ae291726b187f13b8a84d9fe9c575d4b465349ca0eda983e")),
    (Config::MICRO, bytes("8ec9f1d13d7fbd1ff9eb66908e22e234f8d32f5f09bdb25b035cb64d47bb2bea")),
    (Config::MINI, bytes("4245716a01e5741696ca94846197c312c689be5eff8d300df7738db0abe71b91")),
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
