//! What prover and verifier share below the circuits: the curve and its parameters, commitments and ports, keys,
//! challenges, and a plan as a stock Halo2 circuit.

pub mod bases;
pub mod cache;
pub mod challenge;
pub mod curve;
pub mod fixed_base;
pub mod gates;
pub mod generators;
pub mod halo2;
pub mod keys;
pub mod msm;
pub mod multiexp;
pub mod parameters;
pub mod permutation;
pub mod ports;
pub mod queries;
pub mod span;
#[cfg(feature = "testing")]
pub mod testing;

/// A plan over [`curve::F`].
pub type Plan = plonkish::Plan<curve::F>;

/// A witness over [`curve::F`].
pub type Witness = plonkish::Witness<curve::F>;

/// A builder over [`curve::F`].
pub type Builder<V = ()> = plonkish::Builder<curve::F, V>;

/// A circuit over [`curve::F`].
pub type Circuit<V> = plonkish::Circuit<curve::F, V>;

/// Cells that values are assigned to, over [`curve::F`].
pub type Cells<'w> = plonkish::Cells<'w, curve::F>;

/// An expression over [`curve::F`].
pub type Expr<C> = plonkish::Expr<curve::F, C>;

/// An expression over a block's columns, over [`curve::F`].
pub type Local = plonkish::Local<curve::F>;
