//! A wallet's key in a file, under a passphrase.
//!
//! The seed is encrypted with XChaCha20-Poly1305 under Argon2id of the passphrase. Everything else in the file stands
//! there in the clear and is authenticated: it cannot be changed without the passphrase being refused.

use crate::error::{CliError, KeyFileError};
use crate::files;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{Key, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use chain::address::{Address, SecretKey};
use circuits::statements::codec::{self, Encoded};
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

/// Largest file.
const MAX_FILE: u64 = 1 << 10;
/// Most memory that a file can make its reader use: 1 GiB, in KiB.
pub const MAX_MEMORY: u32 = 1 << 20;
/// Most passes over that memory.
pub const MAX_PASSES: u32 = 16;
/// Most lanes.
pub const MAX_LANES: u32 = 16;
/// Least memory of a lane, in KiB: Argon2's own bound.
const LANE: u32 = 8;

/// What a guess of the passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB, from 8 for each lane to [`MAX_MEMORY`].
    pub memory_kib: u32,
    /// Passes, 1 to [`MAX_PASSES`].
    pub passes: u32,
    /// Lanes, 1 to [`MAX_LANES`].
    pub lanes: u32,
}

impl Default for Cost {
    /// 64 MiB, three passes, one lane: a fraction of a second.
    fn default() -> Self {
        Cost { memory_kib: 64 << 10, passes: 3, lanes: 1 }
    }
}

impl Cost {
    /// Keeps a hostile file from taking all memory and time.
    fn check(&self) -> Result<(), KeyFileError> {
        let bounds = [
            ("lanes", self.lanes, 1, MAX_LANES),
            ("passes", self.passes, 1, MAX_PASSES),
            ("memory", self.memory_kib, LANE.saturating_mul(self.lanes), MAX_MEMORY),
        ];
        match bounds.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((name, value, min, max)) => Err(KeyFileError::Cost { name, value, min, max }),
            None => Ok(()),
        }
    }
}

/// A key under a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    /// What a guess of the passphrase costs.
    pub cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 24],
    /// The public address, to be read without the passphrase; authenticated only by [`KeyFile::open`].
    address: [u8; 32],
    /// The seed, encrypted.
    sealed: [u8; 32],
    tag: [u8; 16],
}

impl Encoded for KeyFile {
    const MAGIC: [u8; 8] = *b"GRADWKEY";
    const VERSION: u32 = 1;
    const NAME: &'static str = "key file";
}

impl KeyFile {
    /// Encrypts an ed25519 seed; `address` is its public key.
    fn seal(seed: &[u8; 32], address: [u8; 32], passphrase: &str, cost: Cost) -> Result<Self, KeyFileError> {
        let mut file = KeyFile { cost, salt: random()?, nonce: random()?, address, sealed: [0; 32], tag: [0; 16] };
        let cipher = file.cipher(passphrase)?;
        let mut buffer = Zeroizing::new(*seed);
        let tag = cipher
            .encrypt_inout_detached(&XNonce::from(file.nonce), &file.associated(), buffer.as_mut_slice().into())
            .map_err(|_| KeyFileError::Refused)?;
        (file.sealed, file.tag) = (*buffer, tag.into());
        Ok(file)
    }

    /// Encrypts a key.
    pub fn of(key: &SecretKey, passphrase: &str, cost: Cost) -> Result<Self, KeyFileError> {
        Self::seal(&key.seed(), key.address().0, passphrase, cost)
    }

    /// The address.
    pub fn address(&self) -> Address {
        Address(self.address)
    }

    /// Decrypts the key, and requires the address to be its own.
    pub fn secret_key(&self, passphrase: &str) -> Result<SecretKey, KeyFileError> {
        let key = SecretKey::from_seed(&*self.open(passphrase)?);
        if key.address() == self.address() { Ok(key) } else { Err(KeyFileError::Address) }
    }

    /// Decrypts the seed.
    fn open(&self, passphrase: &str) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
        let cipher = self.cipher(passphrase)?;
        let mut seed = Zeroizing::new(self.sealed);
        cipher
            .decrypt_inout_detached(
                &XNonce::from(self.nonce),
                &self.associated(),
                seed.as_mut_slice().into(),
                &Tag::from(self.tag),
            )
            .map_err(|_| KeyFileError::Refused)?;
        Ok(seed)
    }

    /// Reads a file, its parameters checked.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        Self::decode(&files::read(path, MAX_FILE)?).map_err(CliError::file(path))
    }

    /// Writes a new file that only its owner may read; refuses to replace any file.
    pub fn create(&self, path: &Path) -> Result<(), CliError> {
        files::create_private(path, &codec::encode(self).map_err(CliError::file(path))?)
    }

    fn decode(bytes: &[u8]) -> Result<Self, KeyFileError> {
        let file: Self = codec::decode(bytes)?;
        file.cost.check()?;
        Ok(file)
    }

    /// The cipher under Argon2id of the passphrase.
    fn cipher(&self, passphrase: &str) -> Result<XChaCha20Poly1305, KeyFileError> {
        self.cost.check()?;
        let Cost { memory_kib, passes, lanes } = self.cost;
        // `check` is stricter than Argon2; the tag's error is out of reach.
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| KeyFileError::Refused)?;
        let mut blocks: Zeroizing<Vec<Block>> = Zeroizing::new(vec![]);
        let count = params.block_count();
        blocks.try_reserve_exact(count).map_err(|_| KeyFileError::Memory(memory_kib))?;
        blocks.resize(count, Block::default());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase.as_bytes(), &self.salt, key.as_mut_slice(), &mut *blocks)
            .map_err(|_| KeyFileError::Refused)?;
        let key: &Key = (&*key).into();
        Ok(XChaCha20Poly1305::new(key))
    }

    /// All that is authenticated and not encrypted; every part has a fixed length.
    fn associated(&self) -> Vec<u8> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let mut bytes = Self::MAGIC.to_vec();
        for word in [Self::VERSION, memory_kib, passes, lanes] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.salt);
        bytes.extend(self.nonce);
        bytes.extend(self.address);
        bytes
    }
}

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| KeyFileError::Random(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileError;
    use circuits::statements::codec::CodecError;
    use proptest::prelude::*;

    /// As cheap as Argon2 can be.
    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    const SEED: [u8; 32] = [7; 32];
    const ADDRESS: [u8; 32] = [9; 32];

    fn sealed() -> KeyFile {
        KeyFile::seal(&SEED, ADDRESS, "open sesame", CHEAP).unwrap()
    }

    fn opened(bytes: &[u8]) -> Result<[u8; 32], KeyFileError> {
        Ok(*KeyFile::decode(bytes)?.open("open sesame")?)
    }

    proptest! {
        #[test]
        fn seeds_round_trip(seed: [u8; 32], address: [u8; 32], passphrase in ".{0,40}", wrong in ".{0,40}") {
            let file = KeyFile::seal(&seed, address, &passphrase, CHEAP).unwrap();
            let file = KeyFile::decode(&codec::encode(&file).unwrap()).unwrap();
            prop_assert_eq!(file.address, address);
            prop_assert_eq!(file.open(&passphrase).map(|s| *s), Ok(seed));
            if wrong != passphrase {
                prop_assert_eq!(file.open(&wrong), Err(KeyFileError::Refused));
            }
        }
    }

    #[test]
    fn keys_have_the_address_of_their_file() {
        let key = SecretKey::from_seed(&SEED);
        let file = KeyFile::of(&key, "p", CHEAP).unwrap();
        assert_eq!((file.address(), file.secret_key("p").unwrap().address()), (key.address(), key.address()));
        assert_eq!(file.secret_key("q").unwrap_err(), KeyFileError::Refused);
        // Sealed under an address that is not the seed's.
        assert_eq!(sealed().secret_key("open sesame").unwrap_err(), KeyFileError::Address);
    }

    #[test]
    fn salt_and_nonce_are_new_each_time() {
        let (a, b) = (sealed(), sealed());
        assert!(a.salt != b.salt && a.nonce != b.nonce && a.sealed != b.sealed && a.sealed != SEED);
    }

    #[test]
    fn the_default_cost_serves() {
        let file = KeyFile::seal(&SEED, ADDRESS, "p", Cost::default()).unwrap();
        assert_eq!((file.cost.memory_kib, file.cost.passes, file.cost.lanes), (65_536, 3, 1));
        assert_eq!(file.open("p").map(|s| *s), Ok(SEED));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = codec::encode(&sealed()).unwrap();
        // Header, three small numbers, the rest.
        assert_eq!(bytes.len(), 12 + 3 + 16 + 24 + 32 + 32 + 16);
        assert_eq!(opened(&bytes), Ok(SEED));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let error = opened(&bytes).unwrap_err();
                let expected = match at {
                    0..8 => matches!(error, KeyFileError::Codec(CodecError::Magic(_))),
                    8..12 => matches!(error, KeyFileError::Codec(CodecError::Version { .. })),
                    // The memory: below 8, or another.
                    12 if bit == 3 => matches!(error, KeyFileError::Cost { name: "memory", value: 0, .. }),
                    12 => error == KeyFileError::Refused,
                    13 if bit >= 4 || bit == 0 => matches!(error, KeyFileError::Cost { name: "passes", .. }),
                    13 => error == KeyFileError::Refused,
                    14 if bit >= 4 || bit == 0 => matches!(error, KeyFileError::Cost { name: "lanes", .. }),
                    // More lanes than 8 KiB suffice for.
                    14 => matches!(error, KeyFileError::Cost { name: "memory", .. }),
                    _ => error == KeyFileError::Refused,
                };
                assert!(expected, "byte {at}, bit {bit}: {error:?}");
            }
        }
        for length in 0..bytes.len() {
            assert!(matches!(opened(&bytes[..length]), Err(KeyFileError::Codec(_))), "{length}");
        }
        let long = [&bytes[..], &[0]].concat();
        assert!(matches!(opened(&long), Err(KeyFileError::Codec(CodecError::Trailing { extra: 1, .. }))));
    }

    #[test]
    fn costs_are_bounded() {
        let refused = |name, value, min, max, cost: Cost| {
            let expected = KeyFileError::Cost { name, value, min, max };
            assert_eq!(KeyFile::seal(&SEED, ADDRESS, "p", cost), Err(expected.clone()));
            // In a file, before anything is allocated.
            let file = KeyFile { cost, ..sealed() };
            assert_eq!(opened(&codec::encode(&file).unwrap()), Err(expected.clone()));
            assert_eq!(file.open("p"), Err(expected));
        };
        refused("memory", 7, 8, MAX_MEMORY, Cost { memory_kib: 7, ..CHEAP });
        refused("memory", 31, 32, MAX_MEMORY, Cost { memory_kib: 31, lanes: 4, ..CHEAP });
        refused("memory", MAX_MEMORY + 1, 8, MAX_MEMORY, Cost { memory_kib: MAX_MEMORY + 1, ..CHEAP });
        refused("memory", u32::MAX, 8, MAX_MEMORY, Cost { memory_kib: u32::MAX, ..CHEAP });
        for passes in [0, MAX_PASSES + 1, u32::MAX] {
            refused("passes", passes, 1, MAX_PASSES, Cost { passes, ..CHEAP });
        }
        for lanes in [0, MAX_LANES + 1, u32::MAX] {
            refused("lanes", lanes, 1, MAX_LANES, Cost { lanes, ..CHEAP });
        }
        assert!(KeyFile::seal(&SEED, ADDRESS, "p", Cost { memory_kib: 128, passes: 16, lanes: 16 }).is_ok());
    }

    #[test]
    fn files_are_private_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let file = sealed();
        file.create(&path).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap(), file);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        match sealed().create(&path).unwrap_err() {
            CliError::Io { action: "create", source, .. } => {
                assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
            }
            other => panic!("{other}"),
        }
        assert_eq!(KeyFile::read(&path).unwrap(), file);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::write(&path, vec![0; MAX_FILE as usize + 1]).unwrap();
        assert!(matches!(KeyFile::read(&path), Err(CliError::File { source: FileError::TooLarge(MAX_FILE), .. })));
    }
}
