//! The command line, as users and attackers meet it.
#![allow(clippy::unwrap_used)]

mod audit;
mod common;
mod curves;
mod dataset;
#[cfg(unix)]
mod devnet;
mod eval;
#[cfg(unix)]
mod examples;
mod faults;
mod generate;
mod held_out;
#[cfg(unix)]
mod node;
mod optimizers;
mod private;
mod proven;
mod resume;
mod sharded;
mod tokenizer;
mod usage;
