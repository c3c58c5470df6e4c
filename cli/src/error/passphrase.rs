//! Why there is no passphrase.

use std::io;

/// The environment variable; an empty one counts as none.
pub const VARIABLE: &str = "GRADIENTCOIN_PASSPHRASE";

/// Longest passphrase, in bytes.
pub const MAX: usize = 1 << 12;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing was entered, or the file begins with an empty line.
    #[error("the passphrase is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("the passphrase is not UTF-8 text")]
    Text,
    /// The file's first line has no end.
    #[error("the passphrase is longer than {MAX} bytes")]
    Long,
    /// Two entries differ.
    #[error("the two passphrases differ")]
    Mismatch,
    /// There is no terminal, or it fails.
    #[error("cannot ask for a passphrase: {0}; use --passphrase-file, or set {VARIABLE}")]
    Terminal(io::Error),
}
