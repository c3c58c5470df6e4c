//! Runs of other optimizers than plain SGD: proven and verified, public and private; and what does not pass for an update of them.
#![allow(clippy::unwrap_used)]

mod adamw;
mod clipping;
#[path = "../common/mod.rs"]
mod common;
mod setting;
