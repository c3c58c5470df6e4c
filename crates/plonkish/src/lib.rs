//! A circuit as data, generic in the field and free of any proof system.
//!
//! Ops build [`Block`]s through a [`Builder`]: cells, constraints over them, and how the cells are filled from values
//! that are not there yet. [`Builder::compile`] packs the blocks into one grid and gives a [`Circuit`]: a [`Plan`]
//! (columns, gates, fixed cells, copies: everything a key depends on) and its assignments, by which [`Circuit::fill`]
//! makes a [`Witness`] as often as one likes. No value is called before that.
//!
//! A plan is proven by a backend, and can be checked directly, cell by cell, by [`check_witness`], which is what the audit
//! and the forgery tests use. Whether its constraints, which hold in the field, are equations of integers is what
//! [`Plan::check_bounds`] finds out.
//!
//! ```
//! use plonkish::{Builder, Challenge, Kind, check_witness};
//! use pasta_curves::Fp;
//! use std::collections::BTreeMap;
//!
//! // A public number and its square, in a table of 2^8 rows.
//! let mut b = Builder::<Fp, i128>::for_values(8);
//! let block = b.block("square", 1);
//! let x = b.column(block, Kind::Copyable, "x");
//! let square = b.column(block, Kind::Copyable, "square");
//! b.assign(block, move |&value, cells| cells.set(x, 0, value));
//! b.define(block, "square = x²", square, x.cur().square(), 0..1);
//! let result = b.cell(block, square, 0);
//! b.public(result, Challenge::ALL.len());
//! let circuit = b.compile();
//!
//! let mut witness = circuit.fill(&12)?;
//! assert_eq!(witness.count_lookups(&circuit.plan), []);
//! let challenges: BTreeMap<_, _> = Challenge::ALL.into_iter().zip((100u64..).map(Fp::from)).collect();
//! witness.fill_phase2(&circuit.plan, &challenges);
//! let instance = |result: u64| Challenge::ALL.iter().map(|c| challenges[c]).chain([Fp::from(result)]).collect::<Vec<_>>();
//! assert_eq!(check_witness(&circuit.plan, &witness, &instance(144)), []);
//! assert_eq!(check_witness(&circuit.plan, &witness, &instance(145)).len(), 1);
//! # Ok::<(), plonkish::WitnessError>(())
//! ```

mod accumulator;
mod assign;
mod block;
mod block_cells;
mod bounds;
mod cells;
mod coefficients;
mod compile;
mod expr;
mod fault;
mod field;
mod interval;
mod known;
mod margins;
mod owner;
mod pack;
mod plan;
mod projections;
mod ranges;
mod reads;
mod roles;
mod witness;
mod witness_check;

pub use assign::Circuit;
pub use block::{Block, Builder};
pub use block_cells::Cells;
pub use bounds::MAX_DEGREE;
pub use cells::{Blinding, BlockId, Cell, Challenge, Col, Kind, Local, Lookup, Port, PortId, Role, Uniform};
pub use expr::Expr;
pub use fault::Fault;
pub use field::{Field, field};
pub use interval::{Interval, integer};
pub use margins::{BoundError, Margin, Margins};
pub use plan::{
    Assignment, Column, DeclaredRange, Gate, Global, Helper, ImpliedLimb, LookupSlot, Owner, Plan, Selector, Span,
    TableColumns, TablePositions,
};
pub use ranges::{Basis, Because, Case, Declared};
pub use roles::{Free, Roles};
pub use witness::{Witness, WitnessError};
pub use witness_check::{Violation, check_witness, out_of_range};

/// Elements of a tensor that stand side by side in a row. Inner dimensions are multiples of it.
pub const LANES: usize = 2;

/// Rows at the end of every column that no cell, gate or port uses: space for the blinding factors.
pub const RESERVED_ROWS: usize = 16;

/// Highest degree of a gate, its selector included: the quotient has one piece less.
pub const MAX_GATE_DEGREE: usize = 6;

/// Bits of a limb: every limb cell is looked up in `[0, 2^LIMB_BITS)`.
pub const LIMB_BITS: u32 = 12;
