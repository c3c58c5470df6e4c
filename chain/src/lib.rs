//! The chain: gradient blocks, ledger, consensus, store, node and light client.
//!
//! Consensus is pure and synchronous: [`consensus`] and [`ledger`] take what they need to know as arguments, and nothing in
//! them waits, reads a clock or opens a file.
//!
//! Without the feature `full` there is neither store nor node, and the light client builds for `wasm32-unknown-unknown`.

pub mod address;
pub mod amount;
pub mod assignment;
pub mod block;
#[cfg(feature = "full")]
pub mod chain_state;
pub mod consensus;
pub mod contribution;
pub mod genesis;
mod hash;
pub mod header;
pub mod ledger;
pub mod light;
pub mod message;
#[cfg(feature = "full")]
pub mod node;
pub mod pool;
pub mod rpc;
pub mod rules;
#[cfg(feature = "full")]
pub mod store;
pub mod tensors;
pub mod transaction;
pub mod unmined;
pub mod work;
#[cfg(feature = "worker")]
pub mod worker;
