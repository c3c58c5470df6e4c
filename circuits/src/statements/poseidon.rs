//! Digests that a later proof of proofs must recompute: of states, contributions, contexts.
//!
//! Poseidon over [`F`] with the parameters of Zcash's Orchard (128 bits of security, width 3, rate 2, x^5), chained:
//! `h₀ = domain`, `h₁ = H(h₀, length)`, `hᵢ₊₁ = H(hᵢ, 31 bytes)`. The length comes first, so no message is the
//! beginning of another.

use backend::curve::F;
use ff::{Field, FromUniformBytes, PrimeField};
use halo2_poseidon::{ConstantLength, Hash, P128Pow5T3};

/// Bytes that certainly fit an element.
const CHUNK: usize = 31;

/// Digest of a message under a domain's name.
pub fn digest(domain: &str, message: &[u8]) -> F {
    let hash = blake2b_simd::Params::new().hash_length(64).personal(b"GradCoin-domain-").hash(domain.as_bytes());
    let mut state = F::from_uniform_bytes(hash.as_array());
    let length = F::from(message.len() as u64);
    for element in std::iter::once(length).chain(message.chunks(CHUNK).map(element)) {
        state = Hash::<F, P128Pow5T3, ConstantLength<2>, 3, 2>::init().hash([state, element]);
    }
    state
}

/// [`digest`], encoded.
pub fn digest_bytes(domain: &str, message: &[u8]) -> [u8; 32] {
    digest(domain, message).to_repr()
}

/// Up to 31 bytes, little-endian.
fn element(bytes: &[u8]) -> F {
    let shift = F::from(256);
    bytes.iter().rev().fold(F::ZERO, |sum, &byte| sum * shift + F::from(u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn messages_and_domains_are_told_apart() {
        let long = [7u8; 200];
        let mut seen = HashSet::new();
        for length in 0..=long.len() {
            assert!(seen.insert(digest_bytes("a", &long[..length])));
        }
        for at in [0, 30, 31, 61, 62, 199] {
            let mut other = long;
            other[at] ^= 1;
            assert!(seen.insert(digest_bytes("a", &other)));
        }
        assert!(seen.insert(digest_bytes("b", &long)));
        // Zeros at the end count.
        assert_ne!(digest_bytes("a", &[0; 31]), digest_bytes("a", &[0; 30]));
    }

    #[test]
    fn the_digest_is_pinned() {
        let hex: String = digest_bytes("gradientcoin", b"pinned").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "02a2260f02d826a6cee052a492397a3ec413684cc5e61532d991940102b9320f");
    }
}
