//! A compiled circuit, as data.

use super::block::Step;
use super::cells::{Cell, Challenge, Col, Port, Role};
use super::fault::Fault;
use super::interval::Interval;
use super::ranges::Basis;
use super::{Expr, Field, RESERVED_ROWS};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A column of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Global {
    /// Advice column by index.
    Advice(usize),
    /// Fixed column by index.
    Fixed(usize),
}

/// An advice column of a plan.
#[derive(Clone, Debug)]
pub struct Column {
    /// What it holds, for people.
    pub name: String,
    /// Whether it can be copied.
    pub equality: bool,
}

/// A constraint: `poly = 0` on `rows`, where `selector` is 1.
#[derive(Clone, Debug)]
pub struct Gate<F> {
    /// `op: constraint`.
    pub name: String,
    /// Fixed column that is 1 on `rows` and 0 elsewhere.
    pub selector: usize,
    /// The polynomial.
    pub poly: Expr<F, Global>,
    /// Rows on which it is enforced.
    pub rows: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// Table and row of each entry, by tag and the encodings of its components.
pub type TablePositions = HashMap<(u64, [u8; 32], [u8; 32]), (usize, usize)>;

/// A lookup slot: the cells whose tuple is looked up on every usable row.
#[derive(Clone, Copy, Debug)]
pub struct LookupSlot {
    /// Column of the first component.
    pub x: usize,
    /// Second component and tag column; none for the slot of a limb.
    pub pair: Option<(usize, usize)>,
}

/// Part of the lookup argument's witness.
#[derive(Clone, Debug)]
pub struct Helper {
    /// Its column: on each row the sum of the slots' inverses.
    pub column: usize,
    /// The slots that it serves.
    pub slots: Vec<LookupSlot>,
}

/// The columns of a part of the tables.
#[derive(Clone, Copy, Debug)]
pub struct TableColumns {
    /// Fixed column of the entries' tags.
    pub tag: usize,
    /// Fixed column of the first components.
    pub x: usize,
    /// Fixed column of the second components.
    pub y: usize,
    /// Advice column, of phase 1: how often each entry is looked up.
    pub multiplicity: usize,
    /// Advice column, of phase 2: multiplicity over entry.
    pub quotient: usize,
}

/// What phase 2 computes, over global cells.
#[derive(Clone, Debug)]
pub enum Assignment<F> {
    /// `column(row) := poly(row)` for each row in turn.
    Define {
        /// Advice column.
        column: usize,
        /// Over phase 1, fixed cells, challenges and what was computed before.
        poly: Expr<F, Global>,
        /// Rows, in order.
        rows: Vec<usize>,
    },
    /// `to := from`.
    Copy {
        /// Column and row.
        from: (usize, usize),
        /// Column and row.
        to: (usize, usize),
    },
}

/// Everything that a key depends on.
#[derive(Clone, Debug)]
pub struct Plan<F> {
    /// Log2 of the rows.
    pub k: u32,
    /// Rows that cells may use.
    pub usable: usize,
    /// Advice columns: ports, then the rest of phase 1, then phase 2.
    pub advice: Vec<Column>,
    /// Number of phase-1 columns.
    pub phase1: usize,
    /// Fixed columns, dense over the usable rows.
    pub fixed: Vec<Vec<F>>,
    /// Constraints.
    pub gates: Vec<Gate<F>>,
    /// Equal cells (column, row).
    pub copies: Vec<((usize, usize), (usize, usize))>,
    /// Cells (column, row) equal to an instance row.
    pub publics: Vec<((usize, usize), usize)>,
    /// Ports in order; their columns are the first advice columns.
    pub ports: Vec<Port>,
    /// Rows of each port column that carry data.
    pub port_rows: Vec<Vec<bool>>,
    /// For each op, the cells (advice) that its blocks own.
    pub ops: BTreeMap<String, usize>,
    /// For each advice column, who owns which rows; sorted by row.
    pub owners: Vec<Vec<Owner>>,
    /// For each phase-1 column, where the integers in its cells lie; sorted by row.
    pub spans: Vec<Vec<Span>>,
    /// Ranges that are declared rather than shown by a table or a gate alone.
    pub declared: Vec<DeclaredRange>,
    /// Faults of the circuit's author: a plan that has one becomes no key.
    pub faults: Vec<Fault>,
    /// How phase 2 is computed.
    pub assignments: Vec<Assignment<F>>,
    /// Helper columns of the lookup argument.
    pub helpers: Vec<Helper>,
    /// Columns of the lookup argument's tables.
    pub tables: Vec<TableColumns>,
    /// Advice column of the lookup argument's running sum.
    pub running: usize,
    /// Advice column that holds each challenge in use.
    pub challenge: BTreeMap<Challenge, usize>,
    /// Advice column that holds the square of each challenge of which it is in use.
    pub square: BTreeMap<Challenge, usize>,
    /// Where each table entry stands.
    pub table_rows: TablePositions,
    pub(super) places: Vec<Place>,
    pub(super) columns: Vec<Vec<Global>>,
}

impl<F: Field> Plan<F> {
    /// Global position of a builder's cell.
    ///
    /// # Panics
    /// If the cell is none of its block, or fixed.
    pub fn locate(&self, cell: Cell) -> (usize, usize) {
        let place = &self.places[cell.block];
        assert!(cell.row < place.rows, "row {} is none of a block of {} rows", cell.row, place.rows);
        match self.columns[cell.block][cell.column] {
            Global::Advice(c) => (c, place.row + cell.row),
            Global::Fixed(_) => panic!("fixed cells are not advice cells"),
        }
    }

    /// The column that a block's expressions call `column`.
    pub(super) fn global(&self, block: usize, column: Col) -> Global {
        match column {
            Col::Local(i) => self.columns[block][i],
            Col::Challenge(ch) => Global::Advice(self.challenge[&ch]),
            Col::Square(ch) => Global::Advice(self.square[&ch]),
        }
    }

    /// A builder's step over the grid.
    pub(super) fn assignment(&self, step: &Step<F>) -> Assignment<F> {
        match step {
            Step::Define { block, column, poly, rows } => {
                let (column, first) = self.locate(Cell { block: *block, column: *column, row: 0 });
                Assignment::Define {
                    column,
                    poly: poly.map(&|column| self.global(*block, column)),
                    rows: rows.iter().map(|row| first + row).collect(),
                }
            }
            Step::Copy { from, to } => Assignment::Copy { from: self.locate(*from), to: self.locate(*to) },
        }
    }

    /// Advice columns of a port.
    pub fn port_columns(&self, port: usize) -> std::ops::Range<usize> {
        let first: usize = self.ports[..port].iter().map(|p| p.columns).sum();
        first..first + self.ports[port].columns
    }

    /// The port that an advice column belongs to; none if it belongs to no port.
    pub fn port_of_column(&self, column: usize) -> Option<&Port> {
        let mut first = 0;
        self.ports.iter().find(|p| {
            first += p.columns;
            column < first
        })
    }

    /// Terms of the lookup argument of an instance: one for each lane and one for each table column, on every usable row.
    pub fn lookup_terms(&self) -> u64 {
        let lanes = self.helpers.iter().map(|h| h.slots.len()).sum::<usize>();
        (lanes + self.tables.len()) as u64 * self.usable as u64
    }

    /// Highest degree of a gate, its selector included.
    pub fn degree(&self) -> usize {
        self.gates.iter().map(|g| g.poly.degree() + 1).max().unwrap_or(0)
    }
}

impl<F: Field> Plan<F> {
    /// What keys lean on: degrees, no gate that reads an unusable or wrapped row, phase-1 cells copied only in phase 1.
    pub(super) fn assert_well_formed(&self) {
        for gate in &self.gates {
            assert!(gate.poly.degree() <= 4, "{} has degree {}", gate.name, gate.poly.degree() + 1);
            let (low, high) = gate.poly.reach(|_| true);
            let (first, last) = (gate.rows[0] as i64, *gate.rows.last().expect("a gate has rows") as i64);
            assert!(
                first + i64::from(low) >= 0 && last + i64::from(high) < self.usable as i64,
                "{} reads a row outside the usable ones",
                gate.name
            );
        }
        let mut queries: BTreeMap<usize, BTreeSet<i32>> = BTreeMap::new();
        for gate in &self.gates {
            gate.poly.cells(&mut |c, rotation| {
                if let Global::Advice(a) = c {
                    queries.entry(a).or_default().insert(rotation);
                }
            });
        }
        let ports = self.port_rows.len();
        for (i, column) in self.advice.iter().enumerate() {
            let rotations = queries.get(&i);
            // Port columns are all read on the current row: they are zero where no data stands.
            let current = rotations.is_some_and(|r| r.contains(&0));
            assert!(
                current || i < ports || i >= self.phase1 || column.equality,
                "phase-1 column {} is not queried at the current row",
                column.name
            );
            // halo2's blinding factors are max(3, queries) + 2, and one more row is unusable.
            assert!(rotations.map_or(0, BTreeSet::len) + 3 <= RESERVED_ROWS, "too many rotations of {}", column.name);
        }
    }
}

/// Consecutive cells of an advice column that one column of a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// First row.
    pub first: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of the block; columns of one block stand side by side.
    pub block: usize,
    /// The block's op.
    pub op: String,
    /// The column's name in its block.
    pub column: String,
}

/// Consecutive rows of a phase-1 column of whose cells something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First row.
    pub first: usize,
    /// Number of rows.
    pub rows: usize,
    /// Where the integers lie that the cells stand for.
    pub interval: Interval,
    /// What the range rests on.
    pub basis: Basis,
}

/// A range that is declared rather than shown by a table or a gate alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DeclaredRange {
    /// The block's op.
    pub op: String,
    /// The column's name in its block.
    pub column: String,
    /// The range.
    pub range: String,
    /// Why it holds.
    pub because: String,
}

/// Where a block stands: its first row, and for each of its columns the index in the column's pool (for the second
/// component of a looked-up pair, that of the first; for a port column, its place in the port).
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub row: usize,
    pub rows: usize,
    pub slots: Vec<usize>,
}
