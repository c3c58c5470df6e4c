//! Why a node does not answer.

use crate::format::quoted;
use chain::store::StoreError;
use circuits::statements::codec::CodecError;
use std::path::{Path, PathBuf};

/// Where it answers while it runs.
pub const SOCKET: &str = "node.sock";

/// Where a devnet is unless told otherwise.
pub const DEFAULT_DIR: &str = "devnet";

/// Why a node does not answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is no devnet.
    #[error("there is no devnet in {}; specify its directory with {option}, or wait if it is starting", dir.display())]
    NoDevnet {
        /// Where it was looked for.
        dir: PathBuf,
        /// The option that names the directory.
        option: &'static str,
    },
    /// There is a genesis, but no store.
    #[error("{} is missing: `gradientcoin devnet{}` creates it", .0.display(), dir_option(.0.parent().unwrap_or(.0)))]
    NoStore(PathBuf),
    /// A process has the store and does not answer.
    #[error("{} is in use by another process, and nothing answers at {SOCKET} next to it", .0.display())]
    InUse(PathBuf),
    /// A process has the store, which was to be read by itself.
    #[error("{} is in use by another process; if that is a devnet, `gradientcoin chain status` asks it", .0.display())]
    Busy(PathBuf),
    /// The store fails.
    #[error("{}: {source}", path.display())]
    Store {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// The node hung up, or answers too slowly.
    #[error("the node at {}: {source}", path.display())]
    Connection {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The answer is malformed.
    #[error("the node's answer: {0}")]
    Codec(#[from] CodecError),
    /// The node says no.
    #[error("the node refused: {0}")]
    Refused(String),
    /// The directory is of another chain than the trusted one.
    #[error("the node is on another chain than the trusted one")]
    OtherChain,
    /// The node stopped while a transaction waited.
    #[error("the node stopped, and transaction {id} is in none of its blocks: send it again once a node is running")]
    Gone {
        /// Identity of the transaction, in hexadecimal.
        id: String,
    },
    /// No node is running, and what is asked for needs one.
    #[error("no node is running in {}: `gradientcoin devnet{}` starts one", .0.display(), dir_option(.0))]
    NotRunning(PathBuf),
}

/// The option that a command line needs to find a devnet, with a space before it.
pub fn dir_option(dir: &Path) -> String {
    if dir == Path::new(DEFAULT_DIR) { String::new() } else { format!(" --dir {}", quoted(dir)) }
}

impl NodeError {
    /// Whether the other side hung up: it may do so on whoever was silent for long, and answers on a new connection.
    pub fn is_break(&self) -> bool {
        matches!(self, NodeError::Connection { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof)
    }
}
