//! The light client: rules, branches, file, source, proofs.
#![allow(clippy::unwrap_used)]

mod common;
mod files;
mod forks;
mod proofs;
mod rules;
mod size;
mod syncing;
