//! Private steps: every port blinded afresh, one proof that all wires hold ([`backend::span`]).
//!
//! | part | |
//! |---|---|
//! | `hedge` | where blinds come from |
//! | `secrets` | what hides a run's state, which its owner keeps |
//! | `span` | the proof |
//! | `step` | steps and genesis proofs |

mod hedge;
mod secrets;
mod span;
mod step;

pub(crate) use hedge::Hedge;
pub use secrets::{PrivateState, Secrets};
pub use span::prove_span;
pub use step::PrivateTasks;
pub(crate) use step::hidden_ports;
