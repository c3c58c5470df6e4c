//! The sum of the squares of an instance's gradient, by which gradients are clipped ([`crate::model::clip`]).

pub mod circuit;
