//! What a proven step costs, measured: a document that names machine, commit and date, its tables and its plot.

mod document;
mod figures;
pub mod measure;
mod peers;
mod plot;
mod table;

pub use document::{FORMAT, Genesis, Measured, Proving, Results, ResultsError};
pub use figures::{Figure, Unit, figures};
pub use peers::{PEERS_FORMAT, PeerStep, Peers, System};
pub use plot::plot;
pub use table::{ratios, table};

#[cfg(test)]
mod tests;
