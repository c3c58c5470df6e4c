//! What the benchmarks and the table share.

pub mod catch_up;
pub mod lanes;
pub mod machine;
pub mod ops;
pub mod setup;
pub mod stock;
pub mod timing;
