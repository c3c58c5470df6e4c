//! The chain: gradient blocks, ledger, consensus, store, node and light client.

/// A hash, an identity, a root: 32 bytes.
pub type Hash = [u8; 32];

pub mod address;
pub mod amount;
pub mod dataset;
pub mod ledger;
pub mod transaction;
pub mod work;
