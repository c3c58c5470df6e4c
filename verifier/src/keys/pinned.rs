//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;

/// By preset.
const PINNED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("ade8a78a21a30b3b6472fb23e7f686b7ca3fc23003aa2d7e716583db029ea66e")),
    (Config::MICRO, bytes("f3177345e61a933ddd5f781e794f5329b3a26a13cca2ce5dfc8fa706f09dea89")),
    (Config::MINI, bytes("ad56aaa7db776b078a0646673fc9d6b75b529efa5eb1974820cd57670d6961cf")),
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
