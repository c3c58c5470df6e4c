//! Blocks and the builder that ops write them with.

use super::block_cells::Cells;
use super::cells::{Blinding, BlockId, Cell, Col, Kind, Local, Lookup, Port, PortId, Role, index};
use super::fault::Fault;
use super::interval::Interval;
use super::ranges::{Declared, Known};
use super::{Field, LANES, LIMB_BITS, RESERVED_ROWS, field};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;

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

#[derive(Clone, Debug)]
pub(super) struct LocalGate<F> {
    pub name: String,
    pub poly: Local<F>,
    pub rows: Vec<usize>,
    pub role: Role,
    pub stated: &'static Location<'static>,
}

/// A limb that no cell holds: the value of a linear form.
#[derive(Clone, Debug)]
pub(super) struct LocalImplied<F> {
    pub name: String,
    pub form: Local<F>,
    pub stated: &'static Location<'static>,
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
    pub(super) implied: Vec<LocalImplied<F>>,
}

/// Cells computed from others, in order: of phase 1 while it is filled, of phase 2 once the challenges are known.
#[derive(Clone, Debug)]
pub(super) enum Step<F> {
    /// `column(row) := poly(row)` for each row in turn.
    Define { block: BlockId, column: usize, poly: Local<F>, rows: Vec<usize> },
    /// `to := from`.
    Copy { from: Cell, to: Cell },
}

/// A region of accumulators, and its next row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accumulator {
    pub block: BlockId,
    pub next: usize,
}

/// A range from which a constraint's own was computed.
#[derive(Debug)]
pub(super) struct Read {
    pub block: BlockId,
    pub column: usize,
    pub interval: Interval,
    /// The constraint that read it.
    pub gate: String,
}

/// Sets cells of one block from values.
pub(super) type FromValues<F, V> = Box<dyn Fn(&V, &mut Cells<'_, F>) + Send + Sync>;

/// How cells of phase 1 are filled, in the order in which the circuit was written.
pub(super) enum Fill<F, V> {
    /// From the values.
    Assign { block: BlockId, from: FromValues<F, V> },
    /// A value known when the circuit was written.
    Set { cell: Cell, value: F },
    /// From cells before.
    Compute(Step<F>),
}

impl<F, V> fmt::Debug for Fill<F, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fill::Assign { .. } => "Assign",
            Fill::Set { .. } => "Set",
            Fill::Compute(_) => "Compute",
        })
    }
}

/// Collects blocks, copies, ports, how values of type `V` fill the cells, and what is computed in phase 2.
#[derive(Debug)]
pub struct Builder<F, V = ()> {
    pub(super) k: u32,
    pub(super) blocks: Vec<Block<F>>,
    pub(super) copies: Vec<(Cell, Cell)>,
    pub(super) publics: Vec<(Cell, usize)>,
    /// Names of public values that are read on every row, and where they lie, by row of the instance.
    pub(super) publics_known: BTreeMap<usize, (String, Declared)>,
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
    /// An empty builder of a circuit of `2^k` rows whose cells are all set while it is written: one of a test.
    pub fn new(k: u32) -> Self {
        Self::for_values(k)
    }
}

impl<F: Field, V> Builder<F, V> {
    /// An empty builder of a circuit of `2^k` rows that values of type `V` will fill.
    pub fn for_values(k: u32) -> Self {
        Builder {
            k,
            blocks: vec![],
            copies: vec![],
            publics: vec![],
            publics_known: BTreeMap::new(),
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

    /// A new port of `columns` columns.
    pub fn port(&mut self, name: &str, columns: usize, blinding: Blinding) -> PortId {
        self.ports.push(Port { name: name.into(), columns, blinding });
        self.ports.len() - 1
    }

    /// Rows of the circuit's columns, those that blind them left out.
    pub fn usable(&self) -> usize {
        (1 << self.k) - RESERVED_ROWS
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
            implied: vec![],
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

    /// Assigns cells of a block from the values, once they are known. Cells of a port must be said to carry data
    /// ([`Self::carries_data`]).
    pub fn assign(&mut self, block: BlockId, from: impl Fn(&V, &mut Cells<'_, F>) + Send + Sync + 'static) {
        self.fills.push(Fill::Assign { block, from: Box::new(from) });
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
    #[track_caller]
    pub fn gate(&mut self, block: BlockId, name: &str, poly: Local<F>, rows: impl IntoIterator<Item = usize>) {
        let rows: Vec<usize> = rows.into_iter().collect();
        if !rows.is_empty() {
            self.learn_few(block, name, &poly, &rows);
            let stated = Location::caller();
            self.blocks[block].gates.push(LocalGate { name: name.into(), poly, rows, role: Role::Phase1, stated });
        }
    }

    /// Requires `column = poly` on `rows`, and computes it so: at once for a phase-1 column, after the challenges for a
    /// phase-2 column. Rows are taken in order, so that `poly` may refer to rows already computed.
    #[track_caller]
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
                stated: Location::caller(),
            };
            self.blocks[block].gates.push(gate);
            self.steps.push(Step::Define { block, column: target, poly, rows });
        } else {
            self.learn_definition(block, name, target, &poly, &rows);
            self.define_phase1(block, name, column, poly, &rows);
        }
    }

    /// Requires `column − rest`, a linear form over the cells of a row, to be a limb on every row, without a cell that holds it.
    /// Cells are assigned before. The block has all rows of the grid, as a lookup has.
    #[track_caller]
    pub fn define_up_to_a_limb(&mut self, block: BlockId, name: &str, column: Col, rest: Local<F>) {
        let stated = Location::caller();
        let rows: Vec<usize> = (0..self.rows(block)).collect();
        self.learn_up_to_a_limb(block, name, index(column), &rest, &rows);
        self.imply(block, LocalImplied { name: name.into(), form: column.cur() - rest, stated });
    }

    /// Requires a limb to have `bits < 12` bits on every row: its multiple by `2^(12−bits)` is a limb as well, without a cell that
    /// holds it. The block has all rows of the grid. Comes before what reads the limb's range.
    #[track_caller]
    pub fn narrow_limb(&mut self, block: BlockId, name: &str, limb: Col, bits: u32) {
        let stated = Location::caller();
        self.learn_narrower(block, name, index(limb), bits);
        self.imply(block, LocalImplied { name: name.into(), form: limb.cur().times_pow2(LIMB_BITS - bits), stated });
    }

    fn imply(&mut self, block: BlockId, limb: LocalImplied<F>) {
        let is_known = |column: Col| match column {
            Col::Local(i) => self.blocks[block].columns[i].kind != Kind::Acc,
            Col::Uniform(_) => false,
        };
        let is_linear = limb.form.linear().is_some_and(|(_, terms)| terms.iter().all(|(column, _)| is_known(*column)));
        // What is looked up is looked up on every row of the grid.
        if !is_linear || self.rows(block) != self.usable() {
            let (op, name) = (self.blocks[block].op.clone(), limb.name.clone());
            self.faults.push(Fault::Implied { op, name });
        } else {
            self.blocks[block].implied.push(limb);
        }
    }

    /// Constrains and computes phase-1 cells, row by row.
    #[track_caller]
    pub(super) fn define_phase1(&mut self, block: BlockId, name: &str, column: Col, poly: Local<F>, rows: &[usize]) {
        poly.cells(&mut |c, _| assert!(matches!(c, Col::Local(_)), "{name}: phase 1 cannot depend on a challenge"));
        self.gate(block, name, column.cur() - poly.clone(), rows.iter().copied());
        let target = index(column);
        let local = &mut self.blocks[block].columns[target];
        if matches!(local.kind, Kind::Port(..)) {
            rows.iter().for_each(|&row| local.data[row] = true);
        }
        self.fills.push(Fill::Compute(Step::Define { block, column: target, poly, rows: rows.to_vec() }));
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
            self.fills.push(Fill::Compute(Step::Copy { from, to }));
            self.learn_copy(from, to);
        }
    }

    /// Requires a cell to equal the instance value on `row`.
    pub fn public(&mut self, cell: Cell, row: usize) {
        self.publics.push((cell, row));
    }
}
