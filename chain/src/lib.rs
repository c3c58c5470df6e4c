//! The chain: gradient blocks, ledger, consensus, store, node and light client.
//!
//! Consensus is pure and synchronous: [`consensus`] and [`ledger`] take what they need to know as arguments, and nothing in
//! them waits, reads a clock or opens a file.

pub mod address;
pub mod amount;
pub mod block;
pub mod chain_state;
pub mod consensus;
pub mod contribution;
pub mod dataset;
pub mod genesis;
mod hash;
pub mod header;
pub mod ledger;
pub mod light;
pub mod message;
pub mod node;
pub mod pool;
pub mod rpc;
pub mod rules;
pub mod store;
pub mod tensors;
pub mod transaction;
pub mod unmined;
pub mod work;
#[cfg(feature = "worker")]
pub mod worker;
