//! Numbers: fixed point, exact decimals, tensors; and how circuits hold and divide them.

pub mod decimal;
pub mod fixed;
#[cfg(feature = "proofs")]
pub mod gadgets;
pub mod tensor;
