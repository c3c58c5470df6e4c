//! A plan turned around: for each cell, what reads it.

use super::Roles;
use plonkish::{Assignment, Challenge, Expr, Field, Global, Interval, LookupSlot, Owner, Plan, Uniform};
use std::collections::{HashMap, HashSet};

/// A cell: `column · rows + row`.
pub(super) type CellId = u32;

/// For each cell a list.
pub(super) struct Csr<T> {
    start: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> Csr<T> {
    /// `emit` is called twice and must give the same pairs.
    fn build(cells: usize, emit: impl Fn(&mut dyn FnMut(CellId, T))) -> Self {
        let mut start = vec![0u32; cells + 1];
        emit(&mut |cell, _| start[cell as usize + 1] += 1);
        for i in 0..cells {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut items = vec![T::default(); start[cells] as usize];
        emit(&mut |cell, item| {
            let at = &mut next[cell as usize];
            items[*at as usize] = item;
            *at += 1;
        });
        Csr { start, items }
    }

    pub fn of(&self, cell: CellId) -> &[T] {
        &self.items[self.start[cell as usize] as usize..self.start[cell as usize + 1] as usize]
    }
}

/// What a gate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Phase 1 and constants alone.
    Local,
    /// Reads a challenge, or a cell computed from one.
    Phase2,
    /// Part of the lookup argument: decided by membership in the tables instead.
    Lookup,
}

/// One assignment of phase 2.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Row of a define step.
    Define { step: u32, row: u32 },
    /// Copy.
    Copy { from: CellId, to: CellId },
}

pub(super) struct Index<'p, F> {
    pub plan: &'p Plan<F>,
    pub rows: usize,
    pub class: Vec<Class>,
    /// Advice cells of each gate, relative to its row.
    pub cells_of_gate: Vec<Vec<(usize, i32)>>,
    /// Gates (and their rows) that read a cell, but for those of the lookup argument.
    pub gates: Csr<(u32, u32)>,
    pub copies: Csr<u32>,
    pub publics: Csr<u32>,
    pub ops: Vec<Op>,
    /// Assignments that read a cell.
    pub readers: Csr<u32>,
    /// Whether a copy is the enforcement of an assignment.
    pub assigned: Vec<bool>,
    /// Whether the first cell of an equation (a copy that is no assignment) is its result; else the second is.
    pub first_is_result: Vec<bool>,
    /// Assignments that read phase-1 cells for the result of an equation.
    pub result: Vec<bool>,
    /// Assignment of a phase-2 cell, or `u32::MAX`.
    assigns: Vec<u32>,
    pub slots: Vec<LookupSlot>,
    /// Lookup slot of a phase-1 column.
    pub slot_of: Vec<Option<u32>>,
    /// For each limb that no cell holds, the columns that it reads.
    pub columns_of_implied: Vec<Vec<usize>>,
    /// For each phase-1 column, the limbs without cells that read it: see [`Index::implied`].
    pub implied_of: Vec<Vec<u32>>,
    /// `(tag, x) ↦ y` of the tables.
    pub follow: HashMap<(u64, [u8; 32]), F>,
    /// Largest x of each table.
    pub last: HashMap<u64, u64>,
    /// For each advice column and owner, a number that the digits of one integer share, and the digit's place.
    families: Vec<Vec<(u32, u32)>>,
    /// Cells given from outside.
    pub input: Vec<bool>,
    pub result_publics: &'static [usize],
    /// Values that are the same on every row.
    pub uniform: Vec<F>,
    /// The same under other challenges: a forger does not know them, so that what he computes must be right for any.
    other: Vec<F>,
    /// 0, 1 and −1.
    signs: [F; 3],
}

impl<'p, F: Field> Index<'p, F> {
    /// `instance` holds the challenges, then the public values.
    pub fn new(plan: &'p Plan<F>, roles: &Roles, instance: &[F]) -> Self {
        let rows = plan.usable;
        let cells = plan.advice.len() * rows;
        let id = |(column, row): (usize, usize)| (column * rows + row) as CellId;
        let lookup_columns: HashSet<usize> = plan
            .helpers
            .iter()
            .map(|h| h.column)
            .chain(plan.tables.iter().flat_map(|t| [Some(t.multiplicity), t.quotient]).flatten())
            .chain([plan.running])
            .collect();
        let mut class = vec![];
        let mut cells_of_gate = vec![];
        for gate in &plan.gates {
            let advice = |(column, rotation)| match column {
                Global::Advice(a) => Some((a, rotation)),
                Global::Fixed(_) | Global::Uniform(_) => None,
            };
            let read = gate.poly.distinct_cells();
            let is_challenge =
                |column| matches!(column, Global::Uniform(u) if matches!(plan.uniform[u], Uniform::Power(..)));
            let reads_challenge = read.iter().any(|&(column, _)| is_challenge(column));
            let cells: Vec<(usize, i32)> = read.into_iter().filter_map(advice).collect();
            class.push(if cells.iter().any(|(c, _)| lookup_columns.contains(c)) {
                Class::Lookup
            } else if reads_challenge || cells.iter().any(|&(c, _)| c >= plan.phase1) {
                Class::Phase2
            } else {
                Class::Local
            });
            cells_of_gate.push(cells);
        }
        let gates = Csr::build(cells, |emit| {
            for (g, gate) in plan.gates.iter().enumerate().filter(|(g, _)| class[*g] != Class::Lookup) {
                for &(column, rotation) in &cells_of_gate[g] {
                    for &row in &gate.rows {
                        emit(id((column, at(row, rotation))), (g as u32, row as u32));
                    }
                }
            }
        });
        let copies = Csr::build(cells, |emit| {
            for (i, &(a, b)) in plan.copies.iter().enumerate() {
                emit(id(a), i as u32);
                emit(id(b), i as u32);
            }
        });
        let publics = Csr::build(cells, |emit| {
            for (i, &(cell, _)) in plan.publics.iter().enumerate() {
                emit(id(cell), i as u32);
            }
        });

        let mut ops = vec![];
        let mut copied = HashSet::new();
        for (s, step) in plan.assignments.iter().enumerate() {
            match step {
                Assignment::Define { rows, .. } => {
                    ops.extend(rows.iter().map(|&row| Op::Define { step: s as u32, row: row as u32 }));
                }
                Assignment::Copy { from, to } => {
                    copied.insert((id(*from), id(*to)));
                    ops.push(Op::Copy { from: id(*from), to: id(*to) });
                }
            }
        }
        let assigned: Vec<bool> = plan.copies.iter().map(|&(a, b)| copied.contains(&(id(a), id(b)))).collect();
        let readers = Csr::build(cells, |emit| {
            for (i, &op) in ops.iter().enumerate() {
                for cell in reads(plan, op) {
                    emit(cell, i as u32);
                }
            }
        });

        let mut input = vec![false; cells];
        for &(port, name) in roles.inputs {
            for column in plan.port_columns(port) {
                for owner in plan.owners[column].iter().filter(|o| o.column.starts_with(name)) {
                    owner.all_rows().for_each(|row| input[column * rows + row] = true);
                }
            }
        }

        // The two sides of equations.
        let mut assigns = vec![u32::MAX; cells];
        for (i, &op) in ops.iter().enumerate() {
            assigns[target(plan, rows, op) as usize] = i as u32;
        }
        let ports = plan.port_rows.len();
        let mut result = vec![false; ops.len()];
        let mut first_is_result = vec![true; plan.copies.len()];
        for (i, &(a, b)) in plan.copies.iter().enumerate() {
            if assigned[i] || (a.0 < plan.phase1 && b.0 < plan.phase1) {
                continue;
            }
            // The side that is made of outputs alone is the result; else the first, by convention.
            let sides = [a, b].map(|side| Cone::of(plan, id(side), &ops, &assigns));
            let is_output = |&cell: &CellId| (cell as usize) < ports * rows && !input[cell as usize];
            first_is_result[i] = !sides[1].leaves.iter().all(is_output) || sides[0].leaves.iter().all(is_output);
            for &op in &sides[usize::from(!first_is_result[i])].leaf_ops {
                result[op as usize] = true;
            }
        }

        let mut numbers = HashMap::new();
        let mut family = |owner: &Owner| {
            // "n0.2" is a digit of "n0".
            let (stem, place) = owner.column.rsplit_once('.').unwrap_or((&owner.column, ""));
            let next = numbers.len() as u32;
            (*numbers.entry((owner.block, stem.to_owned())).or_insert(next), place.parse().unwrap_or(0))
        };
        let families = plan.owners.iter().map(|owners| owners.iter().map(&mut family).collect()).collect();
        let drawn = super::drawn::<F>(0xa5);
        let mut otherwise = instance.to_vec();
        otherwise.iter_mut().zip(Challenge::ALL).for_each(|(value, challenge)| *value = drawn[&challenge]);
        let other = plan.uniform_values(&otherwise);
        let slots: Vec<LookupSlot> = plan.helpers.iter().flat_map(|h| h.slots.iter().copied()).collect();
        let mut slot_of = vec![None; plan.phase1];
        for (i, slot) in slots.iter().enumerate() {
            slot_of[slot.x] = Some(i as u32);
            if let Some((y, _)) = slot.pair {
                slot_of[y] = Some(i as u32);
            }
        }
        let columns_of_implied: Vec<Vec<usize>> = plan.implied.iter().map(|limb| advice_columns(&limb.form)).collect();
        let mut implied_of = vec![vec![]; plan.phase1];
        for (i, columns) in columns_of_implied.iter().enumerate() {
            columns.iter().for_each(|&column| implied_of[column].push(i as u32));
        }
        let mut follow = HashMap::new();
        let mut last = HashMap::new();
        for (tag, x, y) in plan.table_rows.keys() {
            follow.insert((*tag, *x), from_bytes(y));
            let x = small(from_bytes::<F>(x)).unwrap_or(0) as u64;
            let last = last.entry(*tag).or_insert(x);
            *last = x.max(*last);
        }
        Index {
            plan,
            rows,
            class,
            cells_of_gate,
            gates,
            copies,
            publics,
            ops,
            readers,
            assigned,
            first_is_result,
            result,
            assigns,
            slots,
            slot_of,
            columns_of_implied,
            implied_of,
            follow,
            last,
            families,
            input,
            result_publics: roles.results,
            uniform: plan.uniform_values(instance),
            other,
            signs: [F::ZERO, F::ONE, -F::ONE],
        }
    }

    pub fn id(&self, (column, row): (usize, usize)) -> CellId {
        (column * self.rows + row) as CellId
    }

    /// The limbs without cells that read a column.
    pub fn implied(&self, column: usize) -> &[u32] {
        self.implied_of.get(column).map_or(&[], Vec::as_slice)
    }

    pub fn place(&self, cell: CellId) -> (usize, usize) {
        (cell as usize / self.rows, cell as usize % self.rows)
    }

    /// Phase-1 cells that a cell is computed from.
    pub fn leaves(&self, cell: CellId) -> Vec<CellId> {
        Cone::of(self.plan, cell, &self.ops, &self.assigns).leaves
    }

    /// Phase-1 cells that an assignment reads.
    pub fn phase1_reads(&self, op: u32) -> Vec<CellId> {
        let mut cells = reads(self.plan, self.ops[op as usize]);
        cells.retain(|&cell| (cell as usize) < self.plan.phase1 * self.rows);
        cells
    }

    pub fn target(&self, op: Op) -> CellId {
        target(self.plan, self.rows, op)
    }

    pub fn eval(&self, values: &[F], poly: &Expr<F, Global>, row: usize) -> F {
        poly.eval(&|column, rotation| match column {
            Global::Advice(a) => values[a * self.rows + at(row, rotation)],
            Global::Fixed(f) => self.plan.fixed[f][at(row, rotation)],
            Global::Uniform(u) => self.uniform[u],
        })
    }

    /// As [`Self::eval`], under other challenges.
    pub fn eval_otherwise(&self, values: &[F], poly: &Expr<F, Global>, row: usize) -> F {
        poly.eval(&|column, rotation| match column {
            Global::Advice(a) => values[a * self.rows + at(row, rotation)],
            Global::Fixed(f) => self.plan.fixed[f][at(row, rotation)],
            Global::Uniform(u) => self.other[u],
        })
    }

    pub fn tag(&self, slot: u32, row: usize) -> u64 {
        let tag = self.slots[slot as usize].pair.map_or(F::from(0), |(_, tag)| self.plan.fixed[tag][row]);
        small(tag).unwrap_or(0) as u64
    }

    /// Number of the integer that an owned cell is a digit of, and its place in it.
    pub fn family(&self, cell: CellId) -> (u32, u32) {
        let (column, row) = self.place(cell);
        self.plan.owner_index(column, row).map_or((u32::MAX, 0), |owner| self.families[column][owner])
    }

    pub fn is_first_component(&self, cell: CellId) -> bool {
        let (column, _) = self.place(cell);
        self.slot_of[column].is_some_and(|slot| self.slots[slot as usize].x == column)
    }

    /// Largest value of a cell by its table: a limb's, or the x of a pair's; none for other cells.
    pub fn cap(&self, cell: CellId) -> Option<u64> {
        let (column, row) = self.place(cell);
        let slot = self.slot_of[column]?;
        (self.slots[slot as usize].x == column).then(|| self.last[&self.tag(slot, row)])
    }

    /// Values of a cell without a table that stand for cases: 0 and 1, and −1 where constraints allow no others than these.
    pub fn cases(&self, cell: CellId) -> &[F] {
        let (column, row) = self.place(cell);
        if self.slot_of[column].is_some() {
            return &[];
        }
        let is_sign = self.plan.span(column, row).is_some_and(|span| span.interval == Interval::new(-1, 1));
        &self.signs[..if is_sign { 3 } else { 2 }]
    }
}

/// The advice columns that a form reads.
fn advice_columns<F: Field>(form: &Expr<F, Global>) -> Vec<usize> {
    let advice = |(column, _)| if let Global::Advice(a) = column { Some(a) } else { None };
    form.distinct_cells().into_iter().filter_map(advice).collect()
}

fn target<F: Field>(plan: &Plan<F>, rows: usize, op: Op) -> CellId {
    match op {
        Op::Copy { to, .. } => to,
        Op::Define { step, row } => match &plan.assignments[step as usize] {
            Assignment::Define { column, .. } => (column * rows) as CellId + row,
            Assignment::Copy { .. } => unreachable!("made from a define step"),
        },
    }
}

/// What a phase-2 cell is computed from.
struct Cone {
    leaves: Vec<CellId>,
    /// Assignments that read a leaf.
    leaf_ops: Vec<u32>,
}

impl Cone {
    fn of<F: Field>(plan: &Plan<F>, cell: CellId, ops: &[Op], assigns: &[u32]) -> Self {
        let phase1_cells = plan.phase1 * plan.usable;
        let (mut cone, mut seen, mut open) = (Cone { leaves: vec![], leaf_ops: vec![] }, HashSet::new(), vec![cell]);
        while let Some(cell) = open.pop() {
            if (cell as usize) < phase1_cells {
                cone.leaves.push(cell);
                continue;
            }
            let op = assigns[cell as usize];
            if op == u32::MAX || !seen.insert(op) {
                continue;
            }
            let cells = reads(plan, ops[op as usize]);
            if cells.iter().any(|&cell| (cell as usize) < phase1_cells) {
                cone.leaf_ops.push(op);
            }
            open.extend(cells);
        }
        cone
    }
}

/// The cells that an assignment reads.
fn reads<F: Field>(plan: &Plan<F>, op: Op) -> Vec<CellId> {
    let mut cells = vec![];
    match op {
        Op::Copy { from, .. } => cells.push(from),
        Op::Define { step, row } => {
            if let Assignment::Define { poly, .. } = &plan.assignments[step as usize] {
                for (column, rotation) in poly.distinct_cells() {
                    if let Global::Advice(a) = column {
                        cells.push((a * plan.usable + at(row as usize, rotation)) as CellId);
                    }
                }
            }
        }
    }
    cells
}

/// A row and a rotation.
pub(super) fn at(row: usize, rotation: i32) -> usize {
    (row as i64 + i64::from(rotation)) as usize
}

/// A field element that is a small integer.
pub(super) fn small<F: Field>(x: F) -> Option<u128> {
    let repr = x.to_repr();
    let (low, high) = repr.split_at(16);
    (high == [0; 16]).then(|| low.iter().rev().fold(0, |sum, &byte| sum << 8 | u128::from(byte)))
}

fn from_bytes<F: Field>(bytes: &[u8; 32]) -> F {
    F::from_repr(*bytes).expect("written by the plan")
}
