//! Blocks and the builder that ops write them with.

use super::accumulator::Accumulator;
use super::assign::{Circuit, Fill};
use super::fault::Fault;
use super::interval::Interval;
use super::known::Known;
use super::reads::Read;
use super::{Expr, Field, LANES, Plan, Witness, field};
use std::collections::{BTreeMap, BTreeSet};

/// Independent scalars drawn after phase 1, one per role (never one in two roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Challenge {
    /// Alpha of the logarithmic derivative.
    Alpha,
    /// Weight of the second component of a looked-up pair.
    TupleY,
    /// Weight of the tag of a looked-up pair.
    TupleTag,
    /// Projection of the query index (rows of activations).
    Rows,
    /// Projection of the key index, and of the vocabulary.
    Keys,
    /// Projection of a matrix's output features.
    Outputs,
    /// Projection of a matrix's input features.
    Inputs,
}

impl Challenge {
    /// All roles, in the order of their instance rows.
    pub const ALL: [Challenge; 7] = [
        Challenge::Alpha,
        Challenge::TupleY,
        Challenge::TupleTag,
        Challenge::Rows,
        Challenge::Keys,
        Challenge::Outputs,
        Challenge::Inputs,
    ];

    /// The label under which the scalar is drawn.
    pub fn label(self) -> &'static str {
        match self {
            Challenge::Alpha => "pole",
            Challenge::TupleY => "tuple-y",
            Challenge::TupleTag => "tuple-tag",
            Challenge::Rows => "rows",
            Challenge::Keys => "keys",
            Challenge::Outputs => "outputs",
            Challenge::Inputs => "inputs",
        }
    }
}

/// What a column of a block may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Phase 1; looked up in `[0, 2^12)` on every usable row.
    Limb,
    /// Phase 1, unchecked; cannot be copied.
    Unchecked,
    /// Phase 1, unchecked; can be copied.
    Copyable,
    /// Phase 1; first component of a looked-up pair. The number tells the block's pairs apart.
    LookupX(usize),
    /// Phase 1; second component of a looked-up pair.
    LookupY(usize),
    /// Phase 2: determined by phase 1, fixed cells and challenges; can be copied.
    Acc,
    /// A constant of the circuit.
    Fixed,
    /// A column of a port.
    Port(PortId, usize),
}

/// A column as a block's expressions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Col {
    /// A column of the block.
    Local(usize),
    /// The column that holds a challenge on every row.
    Challenge(Challenge),
    /// The column that holds the square of a challenge on every row.
    Square(Challenge),
}

/// An expression over a block's columns.
pub type Local<F> = Expr<F, Col>;

impl Col {
    /// The cell on the current row.
    pub fn cur<F>(self) -> Local<F> {
        Expr::Cell(self, 0)
    }

    /// The cell `rotation` rows below.
    pub fn at<F>(self, rotation: i32) -> Local<F> {
        Expr::Cell(self, rotation)
    }
}

/// Number of a block in its builder.
pub type BlockId = usize;

/// Number of a port in its builder.
pub type PortId = usize;

/// One cell, named before packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The block.
    pub block: BlockId,
    /// The column of the block (an index into its columns).
    pub column: usize,
    /// The row within the block.
    pub row: usize,
}

/// A pair of columns looked up in a tagged table.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// First component.
    pub x: Col,
    /// Second component.
    pub y: Col,
}

/// Columns that enter or leave the proof, commitment by commitment.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name, for people.
    pub name: String,
    /// Number of columns.
    pub columns: usize,
    /// Whether the blinding is canonical (rows 0, blind 1) or secret.
    pub canonical: bool,
}

#[derive(Clone, Debug)]
pub(super) struct LocalColumn<F> {
    pub kind: Kind,
    pub name: String,
    /// Of a constant column; empty for others.
    pub constants: Vec<F>,
    /// Rows of a port's column that carry data: no other row may. Empty for other columns.
    pub data: Vec<bool>,
    /// What is known of the integers in it; of looked-up pairs the table says it.
    pub known: Option<Known>,
}

/// What a gate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Constrains cells of phase 1: an equation of integers.
    Phase1,
    /// Computes a cell of phase 2: holds in the field, whatever the cells are.
    Projection,
    /// Holds a challenge constant, or squares it.
    Challenge,
    /// Part of the lookup argument.
    Lookup,
}

#[derive(Clone, Debug)]
pub(super) struct LocalGate<F> {
    pub name: String,
    pub poly: Local<F>,
    pub rows: Vec<usize>,
    pub role: Role,
}

/// Rows of a tagged table, and where their components lie.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub rows: Vec<(i128, i128)>,
    pub x: Interval,
    pub y: Interval,
}

#[derive(Clone, Debug)]
pub(super) struct LookupUse {
    pub x: usize,
    pub tag: u64,
    pub rows: Vec<usize>,
    /// Whether these are all rows of the block.
    pub is_everywhere: bool,
}

/// A rectangle of cells that one op owns, with the constraints on them.
#[derive(Clone, Debug)]
pub struct Block<F> {
    pub(super) op: String,
    pub(super) rows: usize,
    /// Row of the grid at which it must stand (blocks over ports).
    pub(super) fixed_row: Option<usize>,
    pub(super) columns: Vec<LocalColumn<F>>,
    pub(super) gates: Vec<LocalGate<F>>,
    pub(super) lookups: Vec<LookupUse>,
}

/// What is computed after the challenges are known, in order.
#[derive(Clone, Debug)]
pub(super) enum Step<F> {
    /// `column(row) := poly(row)` for each row in turn.
    Define { block: BlockId, column: usize, poly: Local<F>, rows: Vec<usize> },
    /// `to := from`.
    Copy { from: Cell, to: Cell },
}

/// Collects blocks, copies, ports, how values of type `V` fill the cells, and what is computed in phase 2.
#[derive(Debug)]
pub struct Builder<F, V = ()> {
    pub(super) blocks: Vec<Block<F>>,
    pub(super) copies: Vec<(Cell, Cell)>,
    pub(super) publics: Vec<(Cell, usize)>,
    pub(super) fills: Vec<Fill<F, V>>,
    pub(super) steps: Vec<Step<F>>,
    pub(super) ports: Vec<Port>,
    pub(super) tables: BTreeMap<u64, Table>,
    pub(super) faults: Vec<Fault>,
    pub(super) reads: Vec<Read>,
    pub(super) dot: Option<Accumulator>,
    pub(super) horner: Option<Accumulator>,
}

impl<F: Field> Builder<F> {
    /// An empty builder of a circuit whose cells are all set while it is written: one of a test.
    pub fn new() -> Self {
        Self::for_values()
    }

    /// The plan, and the witness of the values that were set.
    pub fn compile_filled(self, k: u32) -> (Plan<F>, Witness<F>) {
        let circuit = self.compile(k);
        let witness = circuit.fill(&()).expect("what is set has no range to leave");
        (circuit.into_plan(), witness)
    }
}

impl<F: Field> Default for Builder<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Field, V> Builder<F, V> {
    /// An empty builder of a circuit that values of type `V` will fill.
    pub fn for_values() -> Self {
        Builder {
            blocks: vec![],
            copies: vec![],
            publics: vec![],
            fills: vec![],
            steps: vec![],
            ports: vec![],
            tables: BTreeMap::new(),
            faults: vec![],
            reads: vec![],
            dot: None,
            horner: None,
        }
    }

    /// Packs the blocks into a grid of `2^k` rows.
    ///
    /// # Panics
    /// On a malformed circuit: a bug of an op, never of its values.
    pub fn compile(mut self, k: u32) -> Circuit<F, V> {
        let fills = std::mem::take(&mut self.fills);
        Circuit::new(self.plan(k), fills)
    }

    /// A new port of `columns` columns.
    pub fn port(&mut self, name: &str, columns: usize, canonical: bool) -> PortId {
        self.ports.push(Port { name: name.into(), columns, canonical });
        self.ports.len() - 1
    }

    /// A new block of `rows` rows.
    pub fn block(&mut self, op: &str, rows: usize) -> BlockId {
        self.blocks.push(Block {
            op: op.into(),
            rows,
            fixed_row: None,
            columns: vec![],
            gates: vec![],
            lookups: vec![],
        });
        self.blocks.len() - 1
    }

    /// A new block that stands at row `row` of the grid.
    pub fn block_at(&mut self, op: &str, row: usize, rows: usize) -> BlockId {
        let id = self.block(op, rows);
        self.blocks[id].fixed_row = Some(row);
        id
    }

    /// Rows of a block.
    pub fn rows(&self, block: BlockId) -> usize {
        self.blocks[block].rows
    }

    /// A new column of a block.
    pub fn column(&mut self, block: BlockId, kind: Kind, name: &str) -> Col {
        let b = &mut self.blocks[block];
        let constants = if kind == Kind::Fixed { vec![F::ZERO; b.rows] } else { vec![] };
        let data = if matches!(kind, Kind::Port(..)) { vec![false; b.rows] } else { vec![] };
        b.columns.push(LocalColumn { kind, name: name.into(), constants, data, known: Known::of(kind) });
        Col::Local(b.columns.len() - 1)
    }

    /// The columns of one lane group of a port, seen from a block that stands over it.
    pub fn port_lanes(&mut self, block: BlockId, port: PortId, group: usize, name: &str) -> [Col; LANES] {
        std::array::from_fn(|lane| self.column(block, Kind::Port(port, group * LANES + lane), &format!("{name}{lane}")))
    }

    /// A new pair of columns looked up in table `tag` on `rows` (elsewhere they are the pair (0, 0) of table 0).
    pub fn lookup(&mut self, block: BlockId, tag: u64, name: &str, rows: impl IntoIterator<Item = usize>) -> Lookup {
        let pair = self.blocks[block].lookups.len();
        let x = self.column(block, Kind::LookupX(pair), &format!("{name}.x"));
        let y = self.column(block, Kind::LookupY(pair), &format!("{name}.y"));
        let rows: Vec<usize> = rows.into_iter().collect();
        let is_everywhere = rows.iter().collect::<BTreeSet<_>>().len() == self.blocks[block].rows;
        self.blocks[block].lookups.push(LookupUse { x: index(x), tag, rows, is_everywhere });
        Lookup { x, y }
    }

    /// Declares table `tag` of pairs `(x, f(x))`, before anything is looked up in it. Tag 0 is the range table. Ops may
    /// share a table: it is declared with the same rows each time.
    pub fn table(&mut self, tag: u64, pairs: Vec<(i128, i128)>) {
        assert_ne!(tag, 0, "tag 0 is the range table");
        if let Some(table) = self.tables.get(&tag) {
            if table.rows != pairs {
                self.faults.push(Fault::Tables { tag });
            }
            return;
        }
        let mut function = BTreeMap::new();
        for &(x, y) in &pairs {
            if function.insert(x, y).is_some_and(|before| before != y) {
                self.faults.push(Fault::NoFunction { tag, x });
            }
        }
        let hull = |values: &mut dyn Iterator<Item = i128>| {
            values.map(|v| Interval::new(v, v)).reduce(Interval::hull).unwrap_or(Interval::ZERO)
        };
        let (x, y) = (hull(&mut pairs.iter().map(|p| p.0)), hull(&mut pairs.iter().map(|p| p.1)));
        self.tables.insert(tag, Table { rows: pairs, x, y });
    }

    /// Says which rows of a port's column carry data; all others are forced to zero.
    pub fn carries_data(&mut self, block: BlockId, column: Col, rows: impl IntoIterator<Item = usize>) {
        let data = &mut self.blocks[block].columns[index(column)].data;
        rows.into_iter().for_each(|row| data[row] = true);
    }

    /// Sets a cell to a value known now: a constant of the circuit, or a cell of a test.
    pub fn set(&mut self, block: BlockId, column: Col, row: usize, value: i128) {
        self.put(block, column, row, field(value), || Interval::new(value, value));
    }

    /// As [`Self::set`], to a field element.
    pub fn set_field(&mut self, block: BlockId, column: Col, row: usize, value: F) {
        self.put(block, column, row, value, || Interval::of(value));
    }

    fn put(&mut self, block: BlockId, column: Col, row: usize, value: F, interval: impl FnOnce() -> Interval) {
        let cell = self.cell(block, column, row);
        let column = &mut self.blocks[block].columns[cell.column];
        match column.kind {
            Kind::Fixed => {
                column.constants[row] = value;
                if let Some(known) = &mut column.known {
                    known.interval = known.interval.hull(interval());
                }
                return;
            }
            Kind::Port(..) => column.data[row] = true,
            kind => debug_assert!(kind != Kind::Acc, "phase-2 cells are defined, not set"),
        }
        self.fills.push(Fill::Set { cell, value });
    }

    /// Requires `poly = 0` on `rows` of the block.
    pub fn gate(&mut self, block: BlockId, name: &str, poly: Local<F>, rows: impl IntoIterator<Item = usize>) {
        let rows: Vec<usize> = rows.into_iter().collect();
        if !rows.is_empty() {
            self.learn_boolean(block, name, &poly, &rows);
            self.blocks[block].gates.push(LocalGate { name: name.into(), poly, rows, role: Role::Phase1 });
        }
    }

    /// Requires `column = poly` on `rows`, and computes it so: at once for a phase-1 column, after the challenges for a
    /// phase-2 column. Rows are taken in order, so that `poly` may refer to rows already computed.
    pub fn define(
        &mut self,
        block: BlockId,
        name: &str,
        column: Col,
        poly: Local<F>,
        rows: impl IntoIterator<Item = usize>,
    ) {
        let rows: Vec<usize> = rows.into_iter().collect();
        if rows.is_empty() {
            return;
        }
        let target = index(column);
        if self.blocks[block].columns[target].kind == Kind::Acc {
            let gate = LocalGate {
                name: name.into(),
                poly: column.cur() - poly.clone(),
                rows: rows.clone(),
                role: Role::Projection,
            };
            self.blocks[block].gates.push(gate);
            self.steps.push(Step::Define { block, column: target, poly, rows });
        } else {
            self.learn_definition(block, name, target, &poly, &rows);
            self.define_phase1(block, name, column, poly, &rows);
        }
    }

    /// Constrains and computes phase-1 cells, row by row.
    pub(super) fn define_phase1(&mut self, block: BlockId, name: &str, column: Col, poly: Local<F>, rows: &[usize]) {
        poly.cells(&mut |c, _| assert!(matches!(c, Col::Local(_)), "{name}: phase 1 cannot depend on a challenge"));
        self.gate(block, name, column.cur() - poly.clone(), rows.iter().copied());
        let target = index(column);
        let local = &mut self.blocks[block].columns[target];
        if matches!(local.kind, Kind::Port(..)) {
            rows.iter().for_each(|&row| local.data[row] = true);
        }
        self.fills.push(Fill::Define { block, column: target, poly, rows: rows.to_vec() });
    }

    /// Names a cell of a block.
    pub fn cell(&self, block: BlockId, column: Col, row: usize) -> Cell {
        Cell { block, column: index(column), row }
    }

    /// Requires two cells to be equal (both on columns that can be copied).
    pub fn equal(&mut self, a: Cell, b: Cell) {
        self.copies.push((a, b));
    }

    /// Copies a cell: requires equality and gives `to` the value of `from`.
    pub fn copy(&mut self, from: Cell, to: Cell) {
        self.equal(from, to);
        let is_acc = |c: Cell, s: &Self| s.blocks[c.block].columns[c.column].kind == Kind::Acc;
        if is_acc(to, self) {
            self.steps.push(Step::Copy { from, to });
        } else {
            assert!(!is_acc(from, self), "a phase-1 cell cannot copy a phase-2 cell");
            self.fills.push(Fill::Copy { from, to });
            self.learn_copy(from, to);
        }
    }

    /// Requires a cell to equal the instance value on `row`.
    pub fn public(&mut self, cell: Cell, row: usize) {
        self.publics.push((cell, row));
    }
}

pub(super) fn index(column: Col) -> usize {
    match column {
        Col::Local(c) => c,
        _ => panic!("a challenge column is not a column of a block"),
    }
}
