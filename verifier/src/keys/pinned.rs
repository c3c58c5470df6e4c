//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;

/// By preset.
const PINNED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("6ff8d641fbf7f6357413706a373e5131daaa34883502e1bee6da651b4496c578")),
    (Config::MICRO, bytes("bc42d92aac32705c8b86f1501d925f34222e86b4f639577e01248b1844344c91")),
    (Config::MINI, bytes("2f42049f3bc1dc27f3c2bbaabbe1e2370741dea8194fc119a49ba47184895fa9")),
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
