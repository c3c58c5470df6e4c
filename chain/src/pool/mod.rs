//! What waits for a block: transactions, and contributions to the tip. Bounded, without a clock, and pure.

pub mod contributions;
pub mod mempool;
pub(crate) mod recent;

pub use contributions::ContributionPool;
pub use mempool::Mempool;

#[cfg(test)]
mod tests;
