//! A compiled circuit, as data.

use super::block::Step;
use super::cells::{Cell, Col, Port, Role, Uniform};
use super::fault::Fault;
use super::interval::Interval;
use super::pack::Pool;
use super::ranges::Basis;
use super::{Expr, Field, MAX_GATE_DEGREE, RESERVED_ROWS};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::Location;

/// The column of a value that is the same on every row, of those that have one.
pub(super) fn uniform_column(all: &[Uniform], value: Uniform) -> Global {
    Global::Uniform(all.iter().position(|&other| other == value).expect("all that are read have a column"))
}

/// A column of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Global {
    /// Advice column by index.
    Advice(usize),
    /// Fixed column by index.
    Fixed(usize),
    /// Value that is the same on every usable row, by index.
    Uniform(usize),
}

/// An advice column of a plan.
#[derive(Clone, Debug)]
pub struct Column {
    /// What it holds, for people.
    pub name: String,
    /// Whether it can be copied.
    pub equality: bool,
}

/// A polynomial in one fixed column that is zero on all rows but those on which the column has one value: selectors of
/// disjoint rows share a column. With values 1 to m, value v is selected by `q·Π (i − q)` over all i ≠ v from 1 to m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// The fixed column.
    pub column: usize,
    /// The value that it selects.
    pub value: usize,
    /// How many values the column has, beside zero: the polynomial's degree.
    pub values: usize,
}

impl Selector {
    /// The values, beside zero, that it does not select.
    pub fn others<F: Field>(&self) -> impl Iterator<Item = F> + use<F> {
        let selected = self.value;
        (1..=self.values).filter(move |&i| i != selected).map(|i| F::from(i as u64))
    }

    /// The polynomial's value.
    pub fn eval<F: Field>(&self, cell: F) -> F {
        self.others().fold(cell, |product, other: F| product * (other - cell))
    }

    /// The polynomial.
    pub fn poly<F: Field>(&self) -> Expr<F, Global> {
        let cell = || Expr::Cell(Global::Fixed(self.column), 0);
        self.others().fold(cell(), |product, other| product * (Expr::Const(other) - cell()))
    }
}

/// A constraint: `poly = 0` on `rows`, which `selector` selects.
#[derive(Clone, Debug)]
pub struct Gate<F> {
    /// `op: constraint`.
    pub name: String,
    /// Selects `rows`.
    pub selector: Selector,
    /// The polynomial.
    pub poly: Expr<F, Global>,
    /// Rows on which it is enforced.
    pub rows: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// The line of the op or gadget that states it, for people.
    pub stated: &'static Location<'static>,
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

/// A limb that no cell holds: the value of a linear form, looked up on every usable row.
#[derive(Clone, Debug)]
pub struct ImpliedLimb<F> {
    /// `op: constraint`.
    pub name: String,
    /// The form, over phase-1 and fixed cells of the current row.
    pub form: Expr<F, Global>,
    /// The line of the op or gadget that states it, for people.
    pub stated: &'static Location<'static>,
}

/// Part of the lookup argument's witness.
#[derive(Clone, Debug)]
pub struct Helper {
    /// Its column: on each row the sum of the slots' inverses, and of the implied limbs'.
    pub column: usize,
    /// The slots that it serves.
    pub slots: Vec<LookupSlot>,
    /// The implied limbs that it serves, of [`Plan::implied`].
    pub implied: Vec<usize>,
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
    /// Advice column, of phase 2, which parts of the tables may share: the sum of multiplicities over entries. None of those
    /// that the running sum takes away itself.
    pub quotient: Option<usize>,
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
    /// For each port column the fixed column that says where it is zero: 1 on the rows that carry data, of a canonical port
    /// (no blinding row does); on all others in use, of a secret one.
    pub port_flags: Vec<usize>,
    /// For each op, the cells (advice) that its blocks own.
    pub ops: BTreeMap<String, usize>,
    /// For each advice column, who owns which rows; sorted by row.
    pub owners: Vec<Vec<Owner>>,
    /// The same of the fixed columns that hold constants of blocks, which are the first ones.
    pub constants: Vec<Vec<Owner>>,
    /// For each phase-1 column, where the integers in its cells lie; sorted by row.
    pub spans: Vec<Vec<Span>>,
    /// Ranges that are declared rather than shown by a table or a gate alone.
    pub declared: Vec<DeclaredRange>,
    /// Faults of the circuit's author: a plan that has one becomes no key.
    pub faults: Vec<Fault>,
    /// How phase 2 is computed.
    pub assignments: Vec<Assignment<F>>,
    /// Limbs that no cell holds.
    pub implied: Vec<ImpliedLimb<F>>,
    /// Helper columns of the lookup argument.
    pub helpers: Vec<Helper>,
    /// Columns of the lookup argument's tables.
    pub tables: Vec<TableColumns>,
    /// Advice column of the lookup argument's running sum.
    pub running: usize,
    /// Values that are the same on every usable row.
    pub uniform: Vec<Uniform>,
    /// What those that are public values are called, and where they lie, by row of the instance.
    pub uniform_publics: BTreeMap<usize, (String, Interval)>,
    /// Where each table entry stands.
    pub table_rows: TablePositions,
    pub(super) places: Vec<Place>,
    pub(super) columns: Vec<Vec<Global>>,
}

impl<F: Field> Gate<F> {
    /// Its degree, the selector included.
    pub fn degree(&self) -> usize {
        self.selector.values + self.poly.degree()
    }
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
            Global::Advice(c) => (c, place.at(cell.column, cell.row)),
            Global::Fixed(_) | Global::Uniform(_) => panic!("no advice cell"),
        }
    }

    /// A cell of a block's expression, read from a row on which the block's column `from` stands.
    fn relocated(&self, block: usize, (column, rotation): (Col, i32), from: usize) -> (Global, i32) {
        match column {
            Col::Local(i) => (self.columns[block][i], self.places[block].rotation((i, rotation), from)),
            Col::Uniform(value) => (uniform_column(&self.uniform, value), 0),
        }
    }

    /// The values that are the same on every row; 0 for those of rows that `instance` does not have.
    pub fn uniform_values(&self, instance: &[F]) -> Vec<F> {
        self.uniform.iter().map(|value| value.of(instance).unwrap_or(F::ZERO)).collect()
    }

    /// Where a value that is the same on every row lies; none of a challenge's.
    pub(super) fn uniform_range(&self, number: usize) -> Option<Interval> {
        match self.uniform[number] {
            Uniform::Power(..) => None,
            Uniform::Public(row) => self.uniform_publics.get(&row).map(|(_, interval)| *interval),
        }
    }

    /// What a value that is the same on every row is called in equations.
    pub fn uniform_name(&self, number: usize) -> String {
        match self.uniform[number] {
            Uniform::Power(challenge, 1) => challenge.label().to_owned(),
            Uniform::Power(challenge, exponent) => format!("{}^{exponent}", challenge.label()),
            Uniform::Public(row) => match self.uniform_publics.get(&row) {
                Some((name, _)) => name.clone(),
                None => format!("instance {row}"),
            },
        }
    }

    /// Rows of the instance that cells are equal to or gates read.
    pub fn instance_rows(&self) -> impl Iterator<Item = usize> {
        self.publics.iter().map(|&(_, row)| row).chain(self.uniform.iter().map(|value| value.row()))
    }

    /// A builder's step over the grid.
    pub(super) fn assignment(&self, step: &Step<F>) -> Assignment<F> {
        match step {
            Step::Define { block, column, poly, rows } => {
                let at = |row: &usize| self.locate(Cell { block: *block, column: *column, row: *row }).1;
                Assignment::Define {
                    column: self.locate(Cell { block: *block, column: *column, row: 0 }).0,
                    poly: poly.map(&|of, rotation| self.relocated(*block, (of, rotation), *column)),
                    rows: rows.iter().map(at).collect(),
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
        let lanes = self.helpers.iter().map(|h| h.slots.len() + h.implied.len()).sum::<usize>();
        (lanes + self.tables.len()) as u64 * self.usable as u64
    }

    /// Highest degree of a gate, its selector included.
    pub fn degree(&self) -> usize {
        self.gates.iter().map(Gate::degree).max().unwrap_or(0)
    }
}

impl<F: Field> Plan<F> {
    /// What keys lean on: degrees, no gate that reads an unusable or wrapped row, phase-1 cells copied only in phase 1, fixed
    /// columns that say where gates and ports' zeros are.
    pub(super) fn assert_well_formed(&self) {
        self.assert_selected();
        for gate in &self.gates {
            assert!(gate.degree() <= MAX_GATE_DEGREE, "{} has degree {}", gate.name, gate.degree());
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

impl<F: Field> Plan<F> {
    /// All that checks a plan goes by the rows of its gates, and by those of its ports that carry data; proofs go by fixed columns.
    fn assert_selected(&self) {
        let mut seen = HashMap::new();
        for gate in &self.gates {
            // Gates of one selector have the same rows.
            match seen.entry(gate.selector) {
                Entry::Occupied(rows) => assert!(*rows.get() == &gate.rows, "{} has another's selector", gate.name),
                Entry::Vacant(entry) => {
                    let cells = &self.fixed[gate.selector.column];
                    let selects = |row: &usize| cells[*row] != F::ZERO && gate.selector.eval(cells[*row]) != F::ZERO;
                    let selected = (0..self.usable).filter(selects);
                    assert!(selected.eq(gate.rows.iter().copied()), "{} has another's rows", gate.name);
                    entry.insert(&gate.rows);
                }
            }
        }
        for (column, (rows, &flag)) in self.port_rows.iter().zip(&self.port_flags).enumerate() {
            let canonical = self.port_of_column(column).is_some_and(|port| port.blinding.is_canonical());
            let flags = rows.iter().map(|&data| if data == canonical { F::ONE } else { F::ZERO });
            assert!(flags.eq(self.fixed[flag].iter().copied()), "port column {column} is zero elsewhere");
        }
    }
}

/// Cells of a column that one column of a block holds: at equal distances, as columns of a block may share an advice
/// column, each on its own rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// First row.
    pub first: usize,
    /// Number of cells.
    pub rows: usize,
    /// Rows from one cell to the next.
    pub stride: usize,
    /// Which of the column's spans are of these cells; none are of a fixed column's.
    pub spans: std::ops::Range<usize>,
    /// Number of the block; columns of one block stand side by side.
    pub block: usize,
    /// The block's op.
    pub op: String,
    /// The column's name in its block.
    pub column: String,
}

impl Owner {
    /// The row of a cell.
    pub fn row(&self, cell: usize) -> usize {
        self.first + cell * self.stride
    }

    /// The rows of all cells.
    pub fn all_rows(&self) -> impl Iterator<Item = usize> + use<> {
        strided(self.first, self.rows, self.stride)
    }

    /// Number of the cell on a row, if it is one of them.
    pub fn cell(&self, row: usize) -> Option<usize> {
        let offset = row.checked_sub(self.first).filter(|offset| offset.is_multiple_of(self.stride))?;
        Some(offset / self.stride).filter(|&cell| cell < self.rows)
    }
}

/// Rows at equal distances.
fn strided(first: usize, rows: usize, stride: usize) -> impl Iterator<Item = usize> {
    (first..).step_by(stride).take(rows)
}

/// Cells of a phase-1 column, at equal distances, of which something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First row.
    pub first: usize,
    /// Number of cells.
    pub rows: usize,
    /// Rows from one cell to the next.
    pub stride: usize,
    /// Where the integers lie that the cells stand for.
    pub interval: Interval,
    /// What the range rests on.
    pub basis: Basis,
}

impl Span {
    /// The rows of its cells.
    pub fn all_rows(&self) -> impl Iterator<Item = usize> + use<> {
        strided(self.first, self.rows, self.stride)
    }

    /// The row after its last cell.
    pub(super) fn end(&self) -> usize {
        self.first + self.rows.saturating_sub(1) * self.stride + 1
    }
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

/// Where a block stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its first row in the grid.
    pub row: usize,
    /// Its rows.
    pub rows: usize,
    /// Rows of the grid that each of its own takes.
    pub stride: usize,
    /// For each of its columns the index in the column's pool (for the second component of a looked-up pair, that of the
    /// first; for a port column, its place in the port).
    pub slots: Vec<usize>,
    /// Which of its columns are copied.
    pub copied: Vec<bool>,
    /// For each of its columns, on which of the grid's rows that a row of the block takes it stands.
    pub offsets: Vec<usize>,
}

impl Place {
    /// The pool of a column that is neither looked up nor of a port.
    pub fn pool(&self, column: usize) -> Pool {
        if self.copied[column] { Pool::Copyable } else { Pool::Unchecked }
    }

    /// The grid's row of a column's cell.
    pub fn at(&self, column: usize, row: usize) -> usize {
        self.row + row * self.stride + self.offsets[column]
    }

    /// The grid's row that gates of a row are enforced on.
    pub fn base(&self, row: usize) -> usize {
        self.row + row * self.stride
    }

    /// How far a column's cell, some of the block's rows below, is from where column `from` stands.
    pub fn rotation(&self, (column, rotation): (usize, i32), from: usize) -> i32 {
        self.rotation_from_base((column, rotation)) - self.offsets[from] as i32
    }

    /// The same from the first of the grid's rows that the current row of the block takes.
    pub fn rotation_from_base(&self, (column, rotation): (usize, i32)) -> i32 {
        rotation * self.stride as i32 + self.offsets[column] as i32
    }
}
