//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::Config;
use circuits::model::OptimizerKind;
use circuits::segments::{Privacy, Variant};

/// By preset: of public circuits with SGD.
const PUBLIC: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("107f2f771d3295800ef16dfb001aa81ca0a729a72a85846535efd985eeb326db")),
    (Config::MICRO, bytes("cea2c4816625fd224023a759cd21f58a0f64d2010e4079334d9f458777acdf6f")),
    (Config::MINI, bytes("7dd0115221f8e1fac31d6c10eb2ebd2f46319db7672ffcb063daf86bfc23b96c")),
];

/// Of private ones with SGD.
const PRIVATE: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("9d8b1edb7931a83640ee1f17e53b40dc9986171301937c621712033985845a72")),
    (Config::MICRO, bytes("b3641b2a9fa6a611d695f7e0cef0173325feca62f5a4349dd9b8ce29ff01fa7b")),
    (Config::MINI, bytes("2d9180e4bf42b1ea57141a649cc14074820fedf8a3950f1a91a7f7980ed76c8d")),
];

/// Of public circuits with AdamW.
const PUBLIC_ADAMW: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("b50e6e3e120f1ab038234ba748157bfcd574eb1c36344cccda13e03f202ee415")),
    (Config::MICRO, bytes("bd506dd31bb7f7bdaa6df0f5e82520375d634ff3e940dded1bb88f1f8ef172e9")),
    (Config::MINI, bytes("0641149a83d6a9b5b0fe034f9fadce16abe35d0953d841001bc4655a232a968a")),
];

/// Of private ones with AdamW.
const PRIVATE_ADAMW: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("b16e9730cb7660f1b1edba29d15650c2be4767a123df89694db7b778e91e7409")),
    (Config::MICRO, bytes("73d413ec21707f263abbdf11332d4cb8ee39cc747dfab07adb3d6d033f700721")),
    (Config::MINI, bytes("c2d32ecc3c8e0276e3c58f53226b7b81e2b971cdab973c0f9823628bc0e37ed8")),
];

/// The digest of the keys of a preset.
pub fn pinned(variant: Variant, config: &Config) -> Option<KeysDigest> {
    let pinned: &[(Config, KeysDigest)] = match (variant.privacy, variant.optimizer) {
        (Privacy::Public, OptimizerKind::Sgd) => &PUBLIC,
        (Privacy::Private, OptimizerKind::Sgd) => &PRIVATE,
        (Privacy::Public, OptimizerKind::AdamW) => &PUBLIC_ADAMW,
        (Privacy::Private, OptimizerKind::AdamW) => &PRIVATE_ADAMW,
    };
    pinned.iter().find(|(preset, _)| preset == config).map(|(_, digest)| *digest)
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
