//! A circuit as data: blocks of named constraints, packed into the columns of a wide, short Halo2 circuit.
//!
//! Rooms build [`Block`]s through a [`Builder`]: cells, constraints over them, values. [`Builder::finish`] packs the
//! blocks into one grid and gives a [`Plan`] (columns, gates, fixed cells, copies: everything a key depends on) and a
//! [`Witness`] (values). The plan is turned into a stock Halo2 circuit by [`halo`], and can be checked directly, cell by
//! cell, by [`check`], which is what the audit and the forgery tests use. Whether its constraints, which hold in the
//! field, are equations of integers is what [`Plan::check_bounds`] finds out.

mod block;
mod bounds;
pub mod check;
mod coefficients;
mod compile;
mod expr;
mod fault;
pub mod halo;
mod interval;
mod known;
mod owner;
mod pack;
mod projections;
mod reads;
mod strip;
mod witness;

pub use block::{Block, BlockId, Builder, Cell, Challenge, Col, Kind, Local, Lookup, Port, PortId, Role};
pub use bounds::{BoundError, DeclaredRange, MAX_DEGREE, Margin, Margins, Span};
pub use compile::{Column, Gate, Global, Plan};
pub(crate) use compile::{GlobalStep, Lane};
pub use expr::Expr;
pub use fault::Fault;
pub use interval::Interval;
pub use known::{Basis, Because, Case, Declared};
pub use owner::Owner;
pub use witness::{Witness, WitnessError};

/// The scalar field of the commitments' curve: the field of every cell.
pub type F = pasta_curves::Fp;

/// Elements of a tensor that stand side by side in a row. Inner dimensions are multiples of it.
pub const LANES: usize = 2;

/// Rows at the end of every column that no cell, gate or port uses: room for the blinding factors.
pub const RESERVED_ROWS: usize = 16;

/// Bits of a limb: every limb cell is looked up in `[0, 2^LIMB_BITS)`.
pub const LIMB_BITS: u32 = 12;

/// The field element of a signed integer.
pub fn field(x: i128) -> F {
    use ff::PrimeField;
    let magnitude = F::from_u128(x.unsigned_abs());
    if x < 0 { -magnitude } else { magnitude }
}
