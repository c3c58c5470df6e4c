//! Asking nodes: honest ones, stopped ones, lying ones.

mod breaks;
mod devnet;
mod directory;
mod full_node;
mod history;
mod honest;
mod liars;
mod light;
mod waiting;
mod wallet;
