//! Proof of work: compact targets, the work they stand for, the retarget, and the median of block times.
//!
//! Bitcoin's rules with two differences: an encoding of a target that is not canonical is refused instead of read, and
//! a retarget measures whole intervals (Bitcoin divides the time of N − 1 intervals by that of N).

mod retarget;
mod target;
#[cfg(test)]
pub mod testing;
mod tries;

pub use retarget::{MEDIAN_WINDOW, median_time, retarget};
pub use target::{CompactTarget, Target, WorkError, meets};
pub use tries::Work;
