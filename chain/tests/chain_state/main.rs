//! A full node's chain: how it grows, forks, forgets and comes back.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod failing;
mod forks;
mod invalid;
mod opening;
mod proven;
mod pruning;
mod random;
mod rpc;
mod training;
