//! From packed blocks to a plan: global columns, gates with selectors, the lookup argument, the challenge columns.

use super::block::{Builder, Challenge, Col, Kind, Role, Step};
use super::bounds::{DeclaredRange, Span, declared, spans};
use super::fault::Fault;
use super::owner::{Owner, owners};
use super::pack::{Packing, Place, Pool, pack};
use super::{Cell, Expr, Field, LIMB_BITS, Port, RESERVED_ROWS, field};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A column of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A lookup lane: the cells whose tuple is looked up on every usable row.
#[derive(Clone, Copy, Debug)]
pub struct LookupSlot {
    /// Column of the first component.
    pub x: usize,
    /// Second component and tag column; none for a limb lane.
    pub pair: Option<(usize, usize)>,
}

/// Part of the lookup argument's witness.
#[derive(Clone, Debug)]
pub struct Helper {
    /// Its column: on each row the sum of the lanes' inverses.
    pub column: usize,
    /// The lanes that it serves.
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
    places: Vec<Place>,
    columns: Vec<Vec<Global>>,
}

/// Most lookups of limbs that one helper column serves, so that its constraint stays within degree 5.
const LIMBS_PER_HELPER: usize = 3;

impl<F: Field> Plan<F> {
    /// Global position of a builder's cell.
    pub fn locate(&self, cell: Cell) -> (usize, usize) {
        match self.columns[cell.block][cell.column] {
            Global::Advice(c) => (c, self.places[cell.block].row + cell.row),
            Global::Fixed(_) => panic!("fixed cells are not advice cells"),
        }
    }

    /// The column that a block's expressions call `column`.
    pub(super) fn global(&self, block: usize, column: super::Col) -> Global {
        match column {
            Col::Local(i) => self.columns[block][i],
            Col::Challenge(ch) => Global::Advice(self.challenge[&ch]),
            Col::Square(ch) => Global::Advice(self.square[&ch]),
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

    /// Rows, those that cells may not use included.
    pub fn total_rows(&self) -> usize {
        1 << self.k
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

/// A gate whose rows are not complete.
struct Unselected<F> {
    name: String,
    poly: Expr<F, Global>,
    rows: Vec<usize>,
    role: Role,
}

/// Selector columns, one per distinct set of rows that a global expression is enforced on.
struct Compiler<F> {
    usable: usize,
    fixed: Vec<Vec<F>>,
    gates: Vec<Unselected<F>>,
    by_expression: HashMap<Vec<u8>, usize>,
}

impl<F: Field> Compiler<F> {
    fn fixed_column(&mut self) -> usize {
        self.fixed.push(vec![F::ZERO; self.usable]);
        self.fixed.len() - 1
    }

    /// Adds a gate; an expression that is there already gets the rows instead.
    fn gate(&mut self, role: Role, name: String, poly: Expr<F, Global>, rows: Vec<usize>) {
        let mut key = vec![];
        let number = |c: Global| match c {
            Global::Advice(i) => 2 * i as u64,
            Global::Fixed(i) => 2 * i as u64 + 1,
        };
        poly.key(&number, &mut key);
        key.extend(name.as_bytes());
        key.push(role as u8);
        match self.by_expression.get(&key) {
            Some(&gate) => self.gates[gate].rows.extend(rows),
            None => {
                self.by_expression.insert(key, self.gates.len());
                self.gates.push(Unselected { name, poly, rows, role });
            }
        }
    }

    /// Gives gates enforced on the same rows the same selector.
    fn assign_selectors(&mut self) -> Vec<Gate<F>> {
        let mut selectors: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut gates = vec![];
        for Unselected { name, poly, mut rows, role } in std::mem::take(&mut self.gates) {
            rows.sort_unstable();
            rows.dedup();
            let next = self.fixed.len();
            let selector = *selectors.entry(rows.clone()).or_insert(next);
            if selector == next {
                let column = self.fixed_column();
                for &row in &rows {
                    self.fixed[column][row] = F::ONE;
                }
            }
            gates.push(Gate { name, selector, poly, rows, role });
        }
        gates
    }
}

impl<F: Field, V> Builder<F, V> {
    /// Packs and compiles.
    pub(super) fn plan(mut self, k: u32) -> Plan<F> {
        self.check_order();
        let usable = (1usize << k) - RESERVED_ROWS;
        let Packing { places, sizes } = pack(&self.blocks, usable);

        // Advice columns, phase 1 first.
        let mut advice: Vec<Column> = vec![];
        let add = |advice: &mut Vec<Column>, name: String| {
            advice.push(Column { name, equality: false });
            advice.len() - 1
        };
        let mut port_first = vec![];
        for port in &self.ports {
            port_first.push(advice.len());
            for i in 0..port.columns {
                add(&mut advice, format!("port {} {i}", port.name));
            }
        }
        let mut pool_first = BTreeMap::new();
        for (pool, name) in [(Pool::Limb, "limb"), (Pool::Unchecked, "unchecked"), (Pool::Copyable, "copyable")] {
            pool_first.insert(pool, advice.len());
            for i in 0..sizes[&pool] {
                add(&mut advice, format!("{name} {i}"));
            }
        }
        pool_first.insert(Pool::Lookup, advice.len());
        for i in 0..sizes[&Pool::Lookup] {
            add(&mut advice, format!("lookup x {i}"));
            add(&mut advice, format!("lookup y {i}"));
        }
        // Without pair lanes the tuple's weights are absent, so that a pair's first component would pass for a limb.
        let functions = self.tables.iter().filter(|_| sizes[&Pool::Lookup] > 0);
        let table_rows: Vec<(u64, i128, i128)> = (0..1i128 << LIMB_BITS)
            .map(|x| (0, x, 0))
            .chain(functions.flat_map(|(&tag, table)| table.rows.iter().map(move |&(x, y)| (tag, x, y))))
            .collect();
        let table_count = table_rows.len().div_ceil(usable);
        let multiplicity: Vec<usize> =
            (0..table_count).map(|i| add(&mut advice, format!("multiplicity {i}"))).collect();
        let phase1 = advice.len();
        // Challenge columns that some gate reads: the pole always, the tuple's weights where there are pairs.
        let pairs = sizes[&Pool::Lookup] > 0;
        let (mut used, mut squares) = (BTreeSet::from([Challenge::Alpha]), BTreeSet::new());
        if pairs {
            used.extend([Challenge::TupleY, Challenge::TupleTag]);
        }
        for gate in self.blocks.iter().flat_map(|block| &block.gates) {
            gate.poly.cells(&mut |c, _| match c {
                Col::Local(_) => {}
                Col::Challenge(c) => {
                    used.insert(c);
                }
                Col::Square(c) => {
                    used.insert(c);
                    squares.insert(c);
                }
            });
        }
        let challenge: BTreeMap<Challenge, usize> =
            used.into_iter().map(|c| (c, add(&mut advice, format!("challenge {}", c.label())))).collect();
        let square: BTreeMap<Challenge, usize> =
            squares.into_iter().map(|c| (c, add(&mut advice, format!("square of {}", c.label())))).collect();
        pool_first.insert(Pool::Acc, advice.len());
        for i in 0..sizes[&Pool::Acc] {
            add(&mut advice, format!("acc {i}"));
        }

        let mut c = Compiler { usable, fixed: vec![], gates: vec![], by_expression: HashMap::new() };
        let fixed_first = c.fixed.len();
        for _ in 0..sizes[&Pool::Fixed] {
            c.fixed_column();
        }

        // Local to global columns.
        let columns: Vec<Vec<Global>> = self
            .blocks
            .iter()
            .zip(&places)
            .map(|(block, place)| {
                let global = |(i, column): (usize, &super::block::LocalColumn<F>)| {
                    let slot = place.slots[i];
                    match column.kind {
                        Kind::Limb => Global::Advice(pool_first[&Pool::Limb] + slot),
                        Kind::Unchecked => Global::Advice(pool_first[&Pool::Unchecked] + slot),
                        Kind::Copyable => Global::Advice(pool_first[&Pool::Copyable] + slot),
                        Kind::LookupX(_) => Global::Advice(pool_first[&Pool::Lookup] + 2 * slot),
                        Kind::LookupY(_) => Global::Advice(pool_first[&Pool::Lookup] + 2 * slot + 1),
                        Kind::Acc => Global::Advice(pool_first[&Pool::Acc] + slot),
                        Kind::Fixed => Global::Fixed(fixed_first + slot),
                        Kind::Port(port, slot) => Global::Advice(port_first[port] + slot),
                    }
                };
                block.columns.iter().enumerate().map(global).collect()
            })
            .collect();
        let global = |block: usize| {
            let (columns, challenge, square) = (&columns, &challenge, &square);
            move |col: Col| match col {
                Col::Local(i) => columns[block][i],
                Col::Challenge(ch) => Global::Advice(challenge[&ch]),
                Col::Square(ch) => Global::Advice(square[&ch]),
            }
        };

        // Constants, gates, data rows of ports.
        let port_total: usize = self.ports.iter().map(|p| p.columns).sum();
        let mut port_rows = vec![vec![false; usable]; port_total];
        let mut ops = BTreeMap::new();
        for (b, (block, place)) in self.blocks.iter().zip(&places).enumerate() {
            for (i, column) in block.columns.iter().enumerate() {
                match columns[b][i] {
                    Global::Fixed(f) => {
                        c.fixed[f][place.row..place.row + block.rows].copy_from_slice(&column.constants);
                    }
                    Global::Advice(a) => {
                        *ops.entry(block.op.clone()).or_insert(0) += block.rows;
                        // Rows that no tensor stands in, such as carry rows, must be zero like idle ones.
                        for row in (0..column.data.len()).filter(|&row| column.data[row]) {
                            port_rows[a][place.row + row] = true;
                        }
                    }
                }
            }
            for gate in &block.gates {
                c.gate(
                    gate.role,
                    format!("{}: {}", block.op, gate.name),
                    gate.poly.map(&global(b)),
                    gate.rows.iter().map(|r| r + place.row).collect(),
                );
            }
        }

        // Tags of lookup lanes: fixed, 0 where a lane is idle.
        let tag_columns: Vec<usize> = (0..sizes[&Pool::Lookup]).map(|_| c.fixed_column()).collect();
        for (b, (block, place)) in self.blocks.iter().zip(&places).enumerate() {
            for lookup in &block.lookups {
                let Global::Advice(x) = columns[b][lookup.x] else { unreachable!("lookups are advice") };
                let lane = (x - pool_first[&Pool::Lookup]) / 2;
                for &row in &lookup.rows {
                    c.fixed[tag_columns[lane]][place.row + row] = F::from(lookup.tag);
                }
            }
        }

        let all_rows: Vec<usize> = (0..usable).collect();
        let cell = |column: usize, rotation: i32| Expr::Cell(Global::Advice(column), rotation);
        let fixed_cell = |column: usize| Expr::Cell(Global::Fixed(column), 0);

        // Challenges: constant down the column from the instance's value on row 0.
        for (&ch, &column) in &challenge {
            c.gate(
                Role::Challenge,
                format!("challenge: {} is the same on every row", ch.label()),
                cell(column, 0) - cell(column, 1),
                (0..usable - 1).collect(),
            );
        }
        for (&ch, &column) in &square {
            c.gate(
                Role::Challenge,
                format!("challenge: square of {}", ch.label()),
                cell(column, 0) - cell(challenge[&ch], 0).square(),
                all_rows.clone(),
            );
        }

        // The lookup argument (logarithmic derivatives).
        let pole = cell(challenge[&Challenge::Alpha], 0);
        let pair = |x: Expr<F, Global>, y: Expr<F, Global>, tag: usize| {
            x + cell(challenge[&Challenge::TupleY], 0) * y + cell(challenge[&Challenge::TupleTag], 0) * fixed_cell(tag)
        };
        let limbs: Vec<LookupSlot> =
            (0..sizes[&Pool::Limb]).map(|i| LookupSlot { x: pool_first[&Pool::Limb] + i, pair: None }).collect();
        let pair_lanes = (0..sizes[&Pool::Lookup]).map(|i| {
            let x = pool_first[&Pool::Lookup] + 2 * i;
            LookupSlot { x, pair: Some((x + 1, tag_columns[i])) }
        });
        let groups: Vec<Vec<LookupSlot>> =
            limbs.chunks(LIMBS_PER_HELPER).map(<[LookupSlot]>::to_vec).chain(pair_lanes.map(|p| vec![p])).collect();
        let mut helpers = vec![];
        for (i, lanes) in groups.into_iter().enumerate() {
            let column = add(&mut advice, format!("helper {i}"));
            let terms: Vec<Expr<F, Global>> = lanes
                .iter()
                .map(|lane| {
                    let x = pole.clone() + cell(lane.x, 0);
                    match lane.pair {
                        None => x,
                        Some((y, tag)) => pair(x, cell(y, 0), tag),
                    }
                })
                .collect();
            let product = terms.iter().cloned().reduce(|a, b| a * b).expect("a helper serves a lane");
            let numerator = match terms.len() {
                1 => Expr::int(1),
                2 => terms[0].clone() + terms[1].clone(),
                _ => terms[0].clone() * terms[1].clone() + (terms[0].clone() + terms[1].clone()) * terms[2].clone(),
            };
            c.gate(
                Role::Lookup,
                format!("lookup: helper {i} is the sum of inverses"),
                cell(column, 0) * product - numerator,
                all_rows.clone(),
            );
            helpers.push(Helper { column, slots: lanes });
        }
        let mut tables = vec![];
        let mut positions = HashMap::new();
        for (t, &multiplicity) in multiplicity.iter().enumerate() {
            let quotient = add(&mut advice, format!("table quotient {t}"));
            let (tag, x, y) = (c.fixed_column(), c.fixed_column(), c.fixed_column());
            for row in 0..usable {
                let (row_tag, row_x, row_y) = table_rows.get(t * usable + row).copied().unwrap_or((0, 0, 0));
                let (fx, fy) = (field(row_x), field(row_y));
                c.fixed[tag][row] = F::from(row_tag);
                c.fixed[x][row] = fx;
                c.fixed[y][row] = fy;
                positions.entry((row_tag, fx.to_repr(), fy.to_repr())).or_insert((t, row));
            }
            let entry = pole.clone() + fixed_cell(x);
            let denominator = if pairs { pair(entry, fixed_cell(y), tag) } else { entry };
            c.gate(
                Role::Lookup,
                format!("lookup: table {t} quotient is multiplicity over entry"),
                cell(quotient, 0) * denominator - cell(multiplicity, 0),
                all_rows.clone(),
            );
            tables.push(TableColumns { tag, x, y, multiplicity, quotient });
        }
        let running = add(&mut advice, "lookup running sum".into());
        let added = Expr::sum(helpers.iter().map(|h| cell(h.column, 0)));
        let removed = Expr::sum(tables.iter().map(|t| cell(t.quotient, 0)));
        c.gate(Role::Lookup, "lookup: running sum begins at zero".into(), cell(running, 0), vec![0]);
        c.gate(
            Role::Lookup,
            "lookup: running sum adds lanes and takes the table away".into(),
            cell(running, 1) - cell(running, 0) - added.clone() + removed.clone(),
            (0..usable - 1).collect(),
        );
        let last = cell(running, 0) + added - removed;
        c.gate(Role::Lookup, "lookup: every value is in its table".into(), last, vec![usable - 1]);

        let gates = c.assign_selectors();

        // Ports: zero wherever no data stands.
        let locate = |cell: Cell| match columns[cell.block][cell.column] {
            Global::Advice(a) => (a, places[cell.block].row + cell.row),
            Global::Fixed(_) => panic!("fixed cells cannot be copied"),
        };
        let copies: Vec<_> = self.copies.iter().map(|&(a, b)| (locate(a), locate(b))).collect();
        let mut publics: Vec<_> = self.publics.iter().map(|&(cell, row)| (locate(cell), row)).collect();
        for (i, ch) in Challenge::ALL.iter().enumerate() {
            if let Some(&column) = challenge.get(ch) {
                publics.push(((column, 0), i));
            }
        }
        for &((a, _), (b, _)) in &copies {
            advice[a].equality = true;
            advice[b].equality = true;
        }
        for &((a, _), _) in &publics {
            advice[a].equality = true;
        }

        let steps = self
            .steps
            .iter()
            .map(|step| match step {
                Step::Define { block, column, poly, rows } => Assignment::Define {
                    column: match columns[*block][*column] {
                        Global::Advice(a) => a,
                        Global::Fixed(_) => unreachable!("phase 2 defines advice"),
                    },
                    poly: poly.map(&global(*block)),
                    rows: rows.iter().map(|r| r + places[*block].row).collect(),
                },
                Step::Copy { from, to } => Assignment::Copy { from: locate(*from), to: locate(*to) },
            })
            .collect();

        let owners = owners(&self.blocks, &places, &columns, advice.len());
        let (spans, declared) = (spans(&self, &places, &columns, phase1), declared(&self));
        let plan = Plan {
            k,
            usable,
            advice,
            phase1,
            fixed: c.fixed,
            gates,
            copies,
            publics,
            ports: self.ports,
            port_rows,
            ops,
            owners,
            spans,
            declared,
            faults: self.faults,
            assignments: steps,
            helpers,
            tables,
            running,
            challenge,
            square,
            table_rows: positions,
            places,
            columns,
        };
        plan.assert_well_formed();
        plan
    }
}

impl<F: Field> Plan<F> {
    /// What keys lean on: degrees, no gate that reads an unusable or wrapped row, phase-1 cells copied only in phase 1.
    fn assert_well_formed(&self) {
        for gate in &self.gates {
            assert!(gate.poly.degree() <= 4, "{} has degree {}", gate.name, gate.poly.degree() + 1);
            let (mut low, mut high) = (0i32, 0i32);
            gate.poly.cells(&mut |_, rotation| {
                low = low.min(rotation);
                high = high.max(rotation);
            });
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
