//! Digests of the presets' keys.

use super::KeysDigest;
use circuits::model::{Config, UpdateKind};
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

/// Of public circuits with SGD by clipped gradients.
const PUBLIC_CLIPPED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("ec2d2d1767acf96fb3435d021aea14d547c80fd2d5f88ec6ef7f604e7fbeedd0")),
    (Config::MICRO, bytes("e32df46a201e67bf0cb981b880efc019e23f1e3aeae58f407ecb1bae72d08ce4")),
    (Config::MINI, bytes("f319f2bed24f0f18daf60652620c23d30a38013eab6d612956cf68f5bb5ff848")),
];

/// Of private ones with SGD by clipped gradients.
const PRIVATE_CLIPPED: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("ff6a0ecff16081908779743c2349efd2db59f3f5acba6da5c70a85f3d03e185a")),
    (Config::MICRO, bytes("e2561c7a7fc8174493a1ffd6932500542927ce95fe7ed16461bb4e34433f52d0")),
    (Config::MINI, bytes("35d3d151dbfc1d815aaf9255c1813fea8f1d3802840cfe22acf93d8ac849a2d4")),
];

/// Of public circuits with AdamW.
const PUBLIC_ADAMW: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("a78de767bccae95d8dafcc590c03806f43f77492b0d98cec11d8a37a9289c29b")),
    (Config::MICRO, bytes("ed855841048504bba2819052e2cd56f5ef3d290954c02a420ec54339320fb219")),
    (Config::MINI, bytes("506420299f58b9a4b2a6547aa58a02e0b7b645d8bde4b1f31a916d68cc1f1e20")),
];

/// Of private ones with AdamW.
const PRIVATE_ADAMW: [(Config, KeysDigest); 3] = [
    (Config::NANO, bytes("b840f9c21e41790dab3632c2b06956fdccf6d4c1d3a3c098b917c96393ac95de")),
    (Config::MICRO, bytes("8458dc5694dd79805b27fa27d164ab28a78a03d0fe4d9557c965d8861351ed84")),
    (Config::MINI, bytes("356e669be53472a30bd7fd3f010e8f5da8d61e43f32f3478e999051bd2fd1191")),
];

/// The digest of the keys of a preset.
pub fn pinned(variant: Variant, config: &Config) -> Option<KeysDigest> {
    let pinned: &[(Config, KeysDigest)] = match (variant.privacy, variant.update) {
        (Privacy::Public, UpdateKind::Sgd) => &PUBLIC,
        (Privacy::Private, UpdateKind::Sgd) => &PRIVATE,
        (Privacy::Public, UpdateKind::ClippedSgd) => &PUBLIC_CLIPPED,
        (Privacy::Private, UpdateKind::ClippedSgd) => &PRIVATE_CLIPPED,
        (Privacy::Public, UpdateKind::AdamW) => &PUBLIC_ADAMW,
        (Privacy::Private, UpdateKind::AdamW) => &PRIVATE_ADAMW,
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
