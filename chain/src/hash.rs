//! What the chain's hashes share. Each is a type of its own, so that none is taken for another.

/// Defines types of hashes: 32 bytes, encoded as they are, shown in lower-case hexadecimal.
macro_rules! hashes {
    ($($(#[$attribute:meta])* $name:ident;)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash of these bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}
pub(crate) use hashes;

#[cfg(test)]
mod tests {
    use circuits::statements::codec::{self, Encoded};
    use serde::{Deserialize, Serialize};

    hashes! {
        /// For the test.
        Sample;
    }

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Sent(Sample, Option<Sample>);

    impl Encoded for Sent {
        const MAGIC: [u8; 8] = *b"gradtest";
        const VERSION: u32 = 1;
        const NAME: &'static str = "test";
    }

    #[test]
    fn encoded_as_its_bytes_and_shown_in_hexadecimal() {
        let bytes: [u8; 32] = std::array::from_fn(|i| 0x0f + i as u8);
        let sample = Sample::from_bytes(bytes);
        let sent = codec::encode(&Sent(sample, Some(sample))).unwrap();
        assert_eq!(sent[12..], [&sample.as_bytes()[..], &[1], &bytes].concat());
        assert_eq!(codec::decode(&sent), Ok(Sent(sample, Some(sample))));
        let shown = "0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e";
        assert_eq!((format!("{sample}"), format!("{sample:?}")), (shown.into(), shown.into()));
    }
}
