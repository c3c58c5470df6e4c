//! A witness under change: what it breaks at each moment, and the way back.

use super::index::{CellId, Class, Index, Op, small};
use super::slopes::slopes;
use plonkish::{Assignment, Field, LIMB_BITS};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The constraint that an entry of no table breaks, whatever the multiplicities.
pub(super) const IN_TABLE: &str = "lookup: every value is in its table";

/// A constraint that phase 1 decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Constraint {
    Gate(u32, u32),
    Copy(u32),
    Public(u32),
    /// Membership of a slot's tuple on a row.
    Table(u32, u32),
    /// That a limb without a cell is one, on a row.
    Implied(u32, u32),
    /// What a projection reads for the result of an equation, which must not change.
    Result(u32),
}

/// What phase 2 makes of a change that phase 1 allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A constraint breaks.
    Caught(String),
    /// Only an equation breaks whose result did not change.
    Source(String),
    /// Nothing breaks.
    Free,
}

pub(super) struct State<'i, 'p, F> {
    pub ix: &'i Index<'p, F>,
    pub base: &'i [F],
    instance: &'i [F],
    pub values: Vec<F>,
    log: Vec<(CellId, F)>,
    touched: Vec<u8>,
    pub broken: BTreeSet<Constraint>,
}

impl<'i, 'p, F: Field> State<'i, 'p, F> {
    pub fn new(ix: &'i Index<'p, F>, base: &'i [F], instance: &'i [F]) -> Self {
        State {
            ix,
            base,
            instance,
            values: base.to_vec(),
            log: vec![],
            touched: vec![0; base.len()],
            broken: BTreeSet::new(),
        }
    }

    pub fn value(&self, cell: CellId) -> F {
        self.values[cell as usize]
    }

    pub fn is_touched(&self, cell: CellId) -> bool {
        self.touched[cell as usize] != 0
    }

    pub fn changes(&self) -> usize {
        self.log.len()
    }

    /// Cells changed, in order.
    pub fn changed(&self) -> Vec<CellId> {
        let mut cells = vec![];
        for &(cell, _) in &self.log {
            if !cells.contains(&cell) && self.values[cell as usize] != self.base[cell as usize] {
                cells.push(cell);
            }
        }
        cells
    }

    /// Changes a phase-1 cell.
    pub fn set(&mut self, cell: CellId, value: F) {
        self.log.push((cell, self.values[cell as usize]));
        self.touched[cell as usize] += 1;
        self.values[cell as usize] = value;
        self.refresh(cell);
    }

    /// As [`Self::set`]; the first component of a looked-up pair takes the second along.
    pub fn set_with_pair(&mut self, cell: CellId, value: F) {
        self.set(cell, value);
        let (column, row) = self.ix.place(cell);
        let Some(slot) = self.ix.slot_of[column] else { return };
        if let (Some((y, _)), true) = (self.ix.slots[slot as usize].pair, self.ix.is_first_component(cell))
            && let Some(&follow) = self.ix.follow.get(&(self.ix.tag(slot, row), value.to_repr()))
        {
            self.set(self.ix.id((y, row)), follow);
        }
    }

    /// Runs `f` with other values, without noting what they break.
    pub fn supposing<T>(&mut self, values: &[(CellId, F)], f: impl FnOnce(&mut Self) -> T) -> T {
        let before: Vec<F> = values.iter().map(|&(cell, _)| self.value(cell)).collect();
        for &(cell, value) in values {
            self.values[cell as usize] = value;
        }
        let result = f(self);
        for (&(cell, _), value) in values.iter().zip(before) {
            self.values[cell as usize] = value;
        }
        result
    }

    /// Takes back all changes but the first `keep`.
    pub fn undo(&mut self, keep: usize) {
        while self.log.len() > keep {
            let Some((cell, value)) = self.log.pop() else { return };
            self.touched[cell as usize] -= 1;
            self.values[cell as usize] = value;
            self.refresh(cell);
        }
    }

    fn mark(&mut self, constraint: Constraint, broken: bool) {
        if broken {
            self.broken.insert(constraint);
        } else {
            self.broken.remove(&constraint);
        }
    }

    fn refresh(&mut self, cell: CellId) {
        let ix = self.ix;
        let (column, row) = ix.place(cell);
        for &(gate, row) in ix.gates.of(cell) {
            if ix.class[gate as usize] == Class::Local {
                let value = ix.eval(&self.values, &ix.plan.gates[gate as usize].poly, row as usize);
                self.mark(Constraint::Gate(gate, row), value != F::ZERO);
            }
        }
        for &copy in ix.copies.of(cell) {
            let (a, b) = ix.plan.copies[copy as usize];
            if a.0 < ix.plan.phase1 && b.0 < ix.plan.phase1 {
                let differ = self.value(ix.id(a)) != self.value(ix.id(b));
                self.mark(Constraint::Copy(copy), differ);
            }
        }
        for &public in ix.publics.of(cell) {
            let (_, instance_row) = ix.plan.publics[public as usize];
            if !ix.result_publics.contains(&instance_row) {
                let differ = self.instance[instance_row] != self.value(cell);
                self.mark(Constraint::Public(public), differ);
            }
        }
        if let Some(slot) = ix.slot_of[column] {
            let outside = !self.in_table(slot, row);
            self.mark(Constraint::Table(slot, row as u32), outside);
        }
        for &number in ix.implied(column) {
            let constraint = Constraint::Implied(number, row as u32);
            self.mark(constraint, self.residue(constraint) != F::ZERO);
        }
        for &op in ix.readers.of(cell) {
            if ix.result[op as usize] {
                let changed = self.result_changed(ix.ops[op as usize]);
                self.mark(Constraint::Result(op), changed);
            }
        }
    }

    fn in_table(&self, slot: u32, row: usize) -> bool {
        let ix = self.ix;
        let slot_columns = ix.slots[slot as usize];
        let x = self.value(ix.id((slot_columns.x, row)));
        let y = slot_columns.pair.map_or(F::ZERO, |(y, _)| self.value(ix.id((y, row))));
        ix.plan.table_rows.contains_key(&(ix.tag(slot, row), x.to_repr(), y.to_repr()))
    }

    /// Whether what an assignment reads of phase 1 contributes another value, for some challenges.
    fn result_changed(&self, op: Op) -> bool {
        if self.assigned_value(op) != self.value(self.ix.target(op)) {
            return true;
        }
        match op {
            Op::Copy { .. } => false,
            Op::Define { step, row } => match &self.ix.plan.assignments[step as usize] {
                Assignment::Define { poly, .. } => {
                    let eval = |values| self.ix.eval_otherwise(values, poly, row as usize);
                    eval(&self.values) != eval(self.base)
                }
                Assignment::Copy { .. } => false,
            },
        }
    }

    fn assigned_value(&self, op: Op) -> F {
        match op {
            Op::Copy { from, .. } => self.value(from),
            Op::Define { step, row } => match &self.ix.plan.assignments[step as usize] {
                Assignment::Define { poly, .. } => self.ix.eval(&self.values, poly, row as usize),
                Assignment::Copy { .. } => unreachable!("made from a define step"),
            },
        }
    }

    /// Value of what a constraint wants to be zero; only for those that are polynomials.
    pub fn residue(&self, constraint: Constraint) -> F {
        match constraint {
            Constraint::Gate(gate, row) => {
                self.ix.eval(&self.values, &self.ix.plan.gates[gate as usize].poly, row as usize)
            }
            Constraint::Result(op) => {
                let op = self.ix.ops[op as usize];
                self.assigned_value(op) - self.value(self.ix.target(op))
            }
            // What is left of an integer when its limb is taken away; of no integer, what it is more than the honest one.
            Constraint::Implied(number, row) => {
                let form = &self.ix.plan.implied[number as usize].form;
                let value = |values| self.ix.eval(values, form, row as usize);
                let (found, limb) = (value(&self.values), (1 << LIMB_BITS) - 1);
                match (small(found), small(-found)) {
                    (Some(found), _) => F::from_u128(found & !limb),
                    (_, Some(less)) => -F::from_u128((less + limb) & !limb),
                    _ => found - value(self.base),
                }
            }
            _ => F::ZERO,
        }
    }

    /// The cells in which such a constraint is linear, with their coefficients at the present values.
    pub fn slopes(&self, constraint: Constraint) -> Vec<(CellId, F)> {
        let (poly, row) = match constraint {
            Constraint::Gate(gate, row) => (&self.ix.plan.gates[gate as usize].poly, row),
            Constraint::Implied(number, row) => (&self.ix.plan.implied[number as usize].form, row),
            Constraint::Result(op) => match self.ix.ops[op as usize] {
                Op::Copy { from, .. } => return vec![(from, F::ONE)],
                Op::Define { step, row } => match &self.ix.plan.assignments[step as usize] {
                    Assignment::Define { poly, .. } => (poly, row),
                    Assignment::Copy { .. } => return vec![],
                },
            },
            _ => return vec![],
        };
        slopes(self.ix, &self.values, poly, row as usize)
    }

    /// Phase-1 cells that a constraint reads.
    pub fn cells_of(&self, constraint: Constraint) -> Vec<CellId> {
        let ix = self.ix;
        match constraint {
            Constraint::Gate(gate, row) => ix.cells_of_gate[gate as usize]
                .iter()
                .map(|&(column, rotation)| ix.id((column, super::index::at(row as usize, rotation))))
                .collect(),
            Constraint::Implied(number, row) => {
                ix.columns_of_implied[number as usize].iter().map(|&column| ix.id((column, row as usize))).collect()
            }
            Constraint::Result(op) => ix.phase1_reads(op),
            Constraint::Copy(copy) => {
                let (a, b) = ix.plan.copies[copy as usize];
                vec![ix.id(a), ix.id(b)]
            }
            _ => vec![],
        }
    }

    /// The constraint's name.
    pub fn name(&self, constraint: Constraint) -> String {
        let ix = self.ix;
        match constraint {
            Constraint::Gate(gate, _) => ix.plan.gates[gate as usize].name.clone(),
            Constraint::Copy(copy) => copy_name(ix, copy),
            Constraint::Public(public) => public_name(ix, public),
            Constraint::Table(..) => IN_TABLE.into(),
            Constraint::Implied(number, _) => ix.plan.implied[number as usize].name.clone(),
            Constraint::Result(op) => format!("result {op}"),
        }
    }

    /// Computes phase 2 anew where it follows from the changes, and judges.
    pub fn verdict(&mut self) -> Verdict {
        let ix = self.ix;
        let changed = self.changed();
        let mut queue: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
        for &cell in &changed {
            queue.extend(ix.readers.of(cell).iter().map(|&op| Reverse(op)));
        }
        let mut undo: Vec<(CellId, F)> = vec![];
        let mut last = None;
        while let Some(Reverse(op)) = queue.pop() {
            if last == Some(op) {
                continue;
            }
            last = Some(op);
            let (target, value) = (ix.target(ix.ops[op as usize]), self.assigned_value(ix.ops[op as usize]));
            if value != self.value(target) {
                undo.push((target, self.value(target)));
                self.values[target as usize] = value;
                queue.extend(ix.readers.of(target).iter().map(|&op| Reverse(op)));
            }
        }
        let all: Vec<CellId> = changed.iter().copied().chain(undo.iter().map(|u| u.0)).collect();
        let verdict = self.judge(&all);
        for (cell, value) in undo.into_iter().rev() {
            self.values[cell as usize] = value;
        }
        verdict
    }

    fn judge(&self, changed: &[CellId]) -> Verdict {
        let ix = self.ix;
        let differs = |cell: CellId| self.values[cell as usize] != self.base[cell as usize];
        let mut source = None;
        for &cell in changed {
            for &(gate, row) in ix.gates.of(cell) {
                let g = &ix.plan.gates[gate as usize];
                if ix.class[gate as usize] == Class::Phase2 && ix.eval(&self.values, &g.poly, row as usize) != F::ZERO {
                    return Verdict::Caught(g.name.clone());
                }
            }
            for &copy in ix.copies.of(cell) {
                let (a, b) = ix.plan.copies[copy as usize];
                let (a, b) = (ix.id(a), ix.id(b));
                if self.value(a) == self.value(b) {
                    continue;
                }
                let result = if ix.first_is_result[copy as usize] { a } else { b };
                if ix.assigned[copy as usize] || differs(result) {
                    return Verdict::Caught(copy_name(ix, copy));
                }
                source.get_or_insert_with(|| copy_name(ix, copy));
            }
            for &public in ix.publics.of(cell) {
                let (_, instance_row) = ix.plan.publics[public as usize];
                if self.instance[instance_row] != self.value(cell) {
                    if !ix.result_publics.contains(&instance_row) {
                        return Verdict::Caught(public_name(ix, public));
                    }
                    source.get_or_insert_with(|| public_name(ix, public));
                }
            }
        }
        source.map_or(Verdict::Free, Verdict::Source)
    }
}

fn copy_name<F: Field>(ix: &Index<'_, F>, copy: u32) -> String {
    let (a, b) = ix.plan.copies[copy as usize];
    format!("copy {} = {}", ix.plan.name_of(a.0, a.1), ix.plan.name_of(b.0, b.1))
}

fn public_name<F: Field>(ix: &Index<'_, F>, public: u32) -> String {
    let (cell, row) = ix.plan.publics[public as usize];
    format!("public {} = instance {row}", ix.plan.name_of(cell.0, cell.1))
}

impl Constraint {
    /// The same constraint with its row forgotten, for counting.
    pub fn anywhere(self) -> Self {
        match self {
            Constraint::Gate(gate, _) => Constraint::Gate(gate, 0),
            Constraint::Table(..) => Constraint::Table(0, 0),
            Constraint::Implied(number, _) => Constraint::Implied(number, 0),
            other => other,
        }
    }
}
