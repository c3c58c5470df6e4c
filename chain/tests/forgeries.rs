//! Forged blocks, contributions and encodings: each is refused by the rule that is meant to refuse it.
//!
//! Whatever an adversary could make right is made right: digests, signatures of their own keys, stamps, work.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "forgeries/content.rs"]
mod content;
#[path = "forgeries/encodings.rs"]
mod encodings;
#[path = "forgeries/genesis.rs"]
mod genesis;
#[path = "forgeries/golden.rs"]
mod golden;
#[path = "forgeries/headers.rs"]
mod headers;
#[path = "forgeries/ledger.rs"]
mod ledger;
#[path = "forgeries/ports.rs"]
mod ports;
#[path = "forgeries/seats.rs"]
mod seats;
