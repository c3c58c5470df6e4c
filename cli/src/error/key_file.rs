//! Why a key file gives no key.

use circuits::statements::codec::CodecError;

/// A key file that gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It does not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A parameter of Argon2id that this program does not accept.
    #[error("the {name} of the key file, {value}, is not between {min} and {max}")]
    Cost {
        /// `lanes`, `passes` or `memory` (in KiB).
        name: &'static str,
        /// In the file.
        value: u32,
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// Either; nobody can tell which.
    #[error("the passphrase is wrong, or the key file is damaged")]
    Refused,
    /// Made by a program that got it wrong.
    #[error("the key file's address does not match its key")]
    Address,
    /// The memory that the file asks for cannot be had.
    #[error("cannot allocate {0} KiB of memory for the passphrase")]
    Memory(u32),
    /// The system gives no random bytes.
    #[error("no random bytes are available: {0}")]
    Random(String),
}
