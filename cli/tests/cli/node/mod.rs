//! Asking nodes: honest ones, stopped ones, lying ones.

mod devnet;
mod honest;
mod liars;
mod wallet;
