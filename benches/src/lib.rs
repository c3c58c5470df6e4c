//! What the benchmarks and the results share.

pub mod catch_up;
pub mod flame;
pub mod lanes;
pub mod machine;
pub mod ops;
pub mod ready;
pub mod results;
pub mod setup;
pub mod stock;
pub mod timing;
