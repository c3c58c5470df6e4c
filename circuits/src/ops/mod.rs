//! One module per operation (an *op*): its integer reference and, with the feature `proofs`, its circuit.
//!
//! | op | operation |
//! |---|---|
//! | [`embedding`] | gather of rows, scatter of their gradients |
//! | [`linear`] | matrix product, forward and backward |
//! | [`rmsnorm`] | root-mean-square norm with gain |
//! | [`rope`] | rotary positions |
//! | [`softmax`] | the row function of attention and head |
//! | [`attention`] | causal multi-head attention |
//! | [`swiglu`] | the gated unit |
//! | [`relu`] | the rectifier |
//! | [`squared_error`] | the sum of squared errors |
//! | [`cross_entropy`] | head softmax, loss and its gradient |
//! | [`sgd`], [`adamw`] | the optimizers' updates |
//! | `squares` | the sum of a gradient's squares, by which it is clipped |
//! | [`hyper`] | hyper-parameters that an update cannot express |
//! | [`tables`] | the tables of the non-linear functions |

pub mod adamw;
pub mod attention;
pub mod cross_entropy;
pub mod embedding;
pub mod hyper;
pub mod linear;
#[cfg(feature = "proofs")]
pub mod readmes;
pub mod relu;
pub mod rmsnorm;
pub mod rope;
pub mod sgd;
pub mod softmax;
pub mod squared_error;
#[cfg(feature = "proofs")]
pub mod squares;
pub mod swiglu;
pub mod tables;
