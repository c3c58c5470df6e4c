//! From packed blocks to a plan: global columns, gates with selectors, the lookup argument, the challenge columns.

use super::assign::Circuit;
use super::block::{Builder, LocalColumn, Step};
use super::bounds::{declared, spans};
use super::cells::{Cell, Challenge, Col, Kind, Role};
use super::owner::owners;
use super::pack::{Packing, Pool, pack};
use super::plan::{Assignment, Column, Gate, Global, Helper, LookupSlot, Plan, TableColumns};
use super::{Expr, Field, LIMB_BITS, RESERVED_ROWS, Witness, field};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most lookups of limbs that one helper column serves, so that its constraint stays within degree 5.
const LIMBS_PER_HELPER: usize = 3;

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

impl<F: Field> Builder<F> {
    /// The plan, and the witness of the values that were set.
    pub fn compile_filled(self, k: u32) -> (Plan<F>, Witness<F>) {
        let circuit = self.compile(k);
        let witness = circuit.fill(&()).expect("what is set has no range to leave");
        (circuit.into_plan(), witness)
    }
}

impl<F: Field, V> Builder<F, V> {
    /// Packs the blocks into a grid of `2^k` rows.
    ///
    /// # Panics
    /// On a malformed circuit: a bug of an op, never of its values.
    pub fn compile(mut self, k: u32) -> Circuit<F, V> {
        let fills = std::mem::take(&mut self.fills);
        Circuit::new(self.plan(k), fills)
    }

    /// Packs and compiles.
    pub(super) fn plan(mut self, k: u32) -> Plan<F> {
        self.check_order();
        self.check_rows();
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
                let global = |(i, column): (usize, &LocalColumn<F>)| {
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
            Global::Advice(a) => {
                let place = &places[cell.block];
                assert!(cell.row < place.rows, "row {} is none of a block of {} rows", cell.row, place.rows);
                (a, place.row + cell.row)
            }
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
