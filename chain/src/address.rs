//! Who holds coins: addresses, the keys behind them, and signatures.
//!
//! An address is the encoding of an Ed25519 verification key. Signatures are verified under ZIP 215, which says of every
//! signature, odd ones too, whether it is valid: all nodes must agree on that.

use bech32::primitives::decode::{CharError, UncheckedHrpstring, UncheckedHrpstringError};
use bech32::{Bech32m, Hrp};
use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

const HRP: Hrp = Hrp::parse_unchecked("grad");

/// The encoding of an Ed25519 verification key, as ZIP 215 reads it.
///
/// A point may have several encodings; each is an address of its own. Of bytes that are no point, as a block may name
/// them for a receiver, nothing can ever be spent; text is refused where it encodes such bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

/// Text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the form `grad1…`, or of other characters than bech32's.
    #[error("this is not an address: {}", syntax(.0))]
    Syntax(UncheckedHrpstringError),
    /// Upper and lower case.
    #[error("the address mixes upper and lower case")]
    MixedCase,
    /// For another network.
    #[error("an address starts with `grad1`, not with `{0}1`")]
    Prefix(String),
    /// The bech32m checksum is wrong; so is bech32's.
    #[error("the address's checksum is wrong: the address has a typo")]
    Checksum,
    /// Not of 32 bytes.
    #[error("the address encodes {found} bytes, not 32")]
    Length {
        /// Whole bytes in the text.
        found: usize,
    },
    /// Bits beyond the last byte are set.
    #[error("the address's last character sets unused bits")]
    Padding,
    /// No verification key.
    #[error("the address is not a point on the curve")]
    NoPoint,
    /// Anybody can sign for it.
    #[error("the address has small order: anyone could spend its coins")]
    SmallOrder,
}

/// What is wrong with the form, in full: bech32 leaves the cause to the error's source.
fn syntax(error: &UncheckedHrpstringError) -> String {
    match error {
        UncheckedHrpstringError::Char(CharError::InvalidChar(c)) => format!("it has the character {c:?}"),
        UncheckedHrpstringError::Char(CharError::MissingSeparator) => "it has no `1` after a prefix".into(),
        UncheckedHrpstringError::Char(CharError::NothingAfterSeparator) => "nothing follows the `1`".into(),
        error => error.to_string(),
    }
}

impl Address {
    /// Whether anybody can sign for it: ZIP-215 leaves such keys valid, and consensus does too; they are refused where
    /// people write addresses.
    pub fn is_of_small_order(&self) -> bool {
        // With R the neutral element and s = 0, the equation says 8·k·A = 0.
        let mut signature = [0; 64];
        signature[0] = 1;
        self.verify(b"", &Signature(signature)).is_ok()
    }

    /// Requires a signature of a message by this address's key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = VerificationKey::try_from(self.0).map_err(|_| SignatureError::NoPoint)?;
        key.verify(&signature.0.into(), message).map_err(|_| SignatureError::Invalid)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_to_fmt::<Bech32m, _>(f, HRP, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let unchecked = UncheckedHrpstring::new(text).map_err(|e| match e {
            UncheckedHrpstringError::Char(CharError::MixedCase) => AddressError::MixedCase,
            e => AddressError::Syntax(e),
        })?;
        if unchecked.hrp() != HRP {
            return Err(AddressError::Prefix(unchecked.hrp().to_string()));
        }
        let checked = unchecked.validate_and_remove_checksum::<Bech32m>().map_err(|_| AddressError::Checksum)?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let address = Address(bytes.try_into().map_err(|b: Vec<u8>| AddressError::Length { found: b.len() })?);
        if address.to_string() != text.to_ascii_lowercase() {
            return Err(AddressError::Padding);
        }
        VerificationKey::try_from(address.0).map_err(|_| AddressError::NoPoint)?;
        if address.is_of_small_order() { Err(AddressError::SmallOrder) } else { Ok(address) }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(Address)
        }
    }
}

/// R, then s, of an Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[[u8; 32]; 2]", into = "[[u8; 32]; 2]")]
pub struct Signature(pub [u8; 64]);

/// A signature that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Of an address that is no verification key.
    #[error("the signer's address is not a point on the curve")]
    NoPoint,
    /// Not by this key, not of this message, or malformed.
    #[error("the signature is not the signer's")]
    Invalid,
}

impl From<[[u8; 32]; 2]> for Signature {
    fn from([r, s]: [[u8; 32]; 2]) -> Self {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    }
}

impl From<Signature> for [[u8; 32]; 2] {
    fn from(signature: Signature) -> Self {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().copy_from_slice(&signature.0);
        halves
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// An Ed25519 signing key; wiped from memory when dropped.
pub struct SecretKey(Zeroizing<SigningKey>);

/// The operating system gives no randomness.
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system returned no randomness")]
pub struct NoRandomness;

impl SecretKey {
    /// A fresh key, from the operating system's randomness.
    #[cfg(feature = "full")]
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| NoRandomness)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed of 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        SecretKey(Zeroizing::new(SigningKey::from_bytes(seed)))
    }

    /// The seed, to be kept secret.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0.as_bytes())
    }

    /// The address of the key.
    pub fn address(&self) -> Address {
        Address(VerificationKeyBytes::from(&*self.0).into())
    }

    /// Signs a message, which must say what it is for: a digest under a personalisation of its own.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.address())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use proptest::prelude::*;

    /// The `index`-th of some fixed keys.
    pub fn key(index: u8) -> SecretKey {
        SecretKey::from_seed(&[index; 32])
    }

    /// Any key.
    pub fn secret_key() -> impl Strategy<Value = SecretKey> {
        any::<[u8; 32]>().prop_map(|seed| SecretKey::from_seed(&seed))
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use bech32::Bech32;
    use circuits::statements::codec;
    use proptest::prelude::*;

    /// L, the order of the base point, little-endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// All encodings of the eight points of small order: canonical ones, then others.
    fn small_order() -> Vec<[u8; 32]> {
        [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ]
        .map(hex)
        .to_vec()
    }

    /// ZIP 215: every A and R of small order, in every encoding, is valid with s = 0, for any message.
    #[test]
    fn small_order_and_non_canonical_encodings_are_valid_as_zip_215_says() {
        for a in small_order() {
            for r in small_order() {
                let signature = Signature::from([r, [0; 32]]);
                assert_eq!(Address(a).verify(b"Zcash", &signature), Ok(()), "{a:02x?} {r:02x?}");
                // Not every s: the equation still counts.
                let mut one = [0; 32];
                one[0] = 1;
                assert_eq!(Address(a).verify(b"Zcash", &Signature::from([r, one])), Err(SignatureError::Invalid));
            }
        }
    }

    #[test]
    fn addresses_of_small_order_are_refused_where_people_write_them() {
        for a in small_order() {
            assert!(Address(a).is_of_small_order());
            assert_eq!(Address(a).to_string().parse::<Address>(), Err(AddressError::SmallOrder));
        }
    }

    #[test]
    fn vectors_of_rfc_8032() {
        let key = SecretKey::from_seed(&hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
        assert_eq!(key.address().0, hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
        let signature = Signature::from([
            hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"),
            hex("5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ]);
        assert_eq!(key.sign(b""), signature);
        assert_eq!(key.address().verify(b"", &signature), Ok(()));
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_refused() {
        let (key, message) = (key(1), b"message");
        let signature = key.sign(message);
        let mut malleated = signature;
        let mut carry = 0;
        for (byte, order) in malleated.0[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert_eq!(key.address().verify(message, &signature), Ok(()));
        assert_eq!(key.address().verify(message, &malleated), Err(SignatureError::Invalid));
    }

    #[test]
    fn each_rule_of_addresses() {
        let address = key(1).address();
        let text = address.to_string();
        assert!(text.starts_with("grad1") && text.len() == 5 + 52 + 6, "{text}");
        assert_eq!(text.to_uppercase().parse(), Ok(address));

        let parse = |text: &str| text.parse::<Address>().unwrap_err();
        let mixed = text.replacen("grad", "Grad", 1);
        assert_eq!(parse(&mixed), AddressError::MixedCase);
        let other = bech32::encode::<Bech32m>(Hrp::parse("bc").unwrap(), &address.0).unwrap();
        assert_eq!(parse(&other), AddressError::Prefix("bc".into()));
        let old = bech32::encode::<Bech32>(HRP, &address.0).unwrap();
        assert_eq!(parse(&old), AddressError::Checksum);
        for length in [0, 20, 31, 33] {
            let encoded = bech32::encode::<Bech32m>(HRP, &vec![1; length]).unwrap();
            assert_eq!(parse(&encoded), AddressError::Length { found: length });
        }
        for text in ["", "grad", "1", "1qqqqqq", "grad1 qqqqqq", "grad1bio"] {
            assert!(matches!(parse(text), AddressError::Syntax(_)), "{text}");
        }
        // 7.18: what is wrong is said, not left to the error's source.
        for (text, reason) in [
            ("grad1bio", "this is not an address: it has the character 'o'"),
            ("grad", "this is not an address: it has no `1` after a prefix"),
            ("1qqqqqq", "this is not an address: invalid human-readable part"),
        ] {
            assert_eq!(parse(text).to_string(), reason);
        }
        assert_eq!(parse(&other).to_string(), "an address starts with `grad1`, not with `bc1`");
        for text in ["grad1", "grad1qqq", &text[..62], &format!("{text}q")] {
            assert_eq!(parse(text), AddressError::Checksum, "{text}");
        }
        // y = 2 is on no point of the curve.
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert_eq!(parse(&Address(no_point).to_string()), AddressError::NoPoint);
        assert_eq!(Address(no_point).verify(b"", &key(1).sign(b"")), Err(SignatureError::NoPoint));
        // y = 0 has order 4, y = 1 is the neutral element.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        for small in [Address([0; 32]), Address(neutral)] {
            assert!(small.is_of_small_order());
            assert_eq!(parse(&small.to_string()), AddressError::SmallOrder);
        }
        assert!(!address.is_of_small_order());
    }

    #[test]
    fn bits_that_stand_for_nothing_must_be_clear() {
        use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
        let mut symbols: Vec<bech32::Fe32> = key(1).address().0.into_iter().bytes_to_fes().collect();
        let last = symbols.pop().unwrap();
        symbols.push(bech32::Fe32::try_from(last.to_u8() | 1).unwrap());
        let text: String = symbols.into_iter().with_checksum::<Bech32m>(&HRP).chars().collect();
        assert_eq!(text.parse::<Address>(), Err(AddressError::Padding));
    }

    #[test]
    fn a_secret_key_shows_no_secret() {
        let key = key(7);
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SecretKey(of {})", key.address()));
        assert_eq!(*SecretKey::from_seed(&key.seed()).seed(), [7; 32]);
        assert_ne!(*SecretKey::generate().unwrap().seed(), *SecretKey::generate().unwrap().seed());
    }

    #[test]
    fn signatures_are_64_bytes_when_encoded() {
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        struct Signed(Address, Signature);
        impl codec::Encoded for Signed {
            const MAGIC: [u8; 8] = *b"TESTSIGN";
            const VERSION: u32 = 1;
            const NAME: &'static str = "signed test";
        }
        let signed = Signed(key(1).address(), key(1).sign(b"x"));
        let bytes = codec::encode(&signed).unwrap();
        assert_eq!(bytes[12..], [&signed.0.0[..], &signed.1.0[..]].concat());
        assert_eq!(codec::decode(&bytes), Ok(signed));
    }

    proptest! {
        #[test]
        fn shown_and_parsed_again(key in secret_key()) {
            let address = key.address();
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn one_wrong_character_is_found(seed in any::<u8>(), at in 5usize..63, by in 1u8..32) {
            let mut text = key(seed).address().to_string().into_bytes();
            let alphabet = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
            let value = alphabet.iter().position(|&c| c == text[at]).unwrap();
            text[at] = alphabet[value ^ usize::from(by)];
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(text.parse::<Address>(), Err(AddressError::Checksum));
        }

        #[test]
        fn a_signature_is_of_one_key_and_one_message(
            key in secret_key(), other in secret_key(), message in any::<[u8; 16]>(), flip in 0usize..512,
        ) {
            let signature = key.sign(&message);
            prop_assert_eq!(key.address().verify(&message, &signature), Ok(()));
            prop_assert_eq!(other.address().verify(&message, &signature), Err(SignatureError::Invalid));
            prop_assert_eq!(key.address().verify(&message[1..], &signature), Err(SignatureError::Invalid));
            let mut changed = signature;
            changed.0[flip / 8] ^= 1 << (flip % 8);
            prop_assert_eq!(key.address().verify(&message, &changed), Err(SignatureError::Invalid));
        }

        #[test]
        fn never_panics_on_text(text in "(grad1)?.{0,80}") {
            let _ = text.parse::<Address>();
        }
    }
}
