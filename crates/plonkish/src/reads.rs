//! Ranges are computed in the order in which a circuit is written, each from those that are known by then. So what was
//! read must be known on the rows on which it was read, and must stay as it was; and a projection is computed once, so
//! that no equation of it is left unchecked.

use super::Field;
use super::block::{Builder, Read, Step};
use super::cells::{BlockId, Cell, Col, Kind, Local};
use super::fault::Fault;
use std::collections::HashSet;

impl<F: Field, V> Builder<F, V> {
    fn is_known(&self, block: BlockId, column: usize, row: usize) -> bool {
        let column = &self.blocks[block].columns[column];
        match column.kind {
            // The table says it, on every row.
            Kind::LookupX(_) | Kind::LookupY(_) => true,
            _ => column.known.as_ref().is_some_and(|known| known.is_at(row)),
        }
    }

    fn fault_in(&self, block: BlockId, column: usize) -> (String, String) {
        let b = &self.blocks[block];
        (b.op.clone(), b.columns[column].name.clone())
    }

    /// Notes the ranges that a constraint on `target` reads. Of `target` itself it may read the rows that it defines: a
    /// sum's range covers them all.
    pub(super) fn read(&mut self, block: BlockId, gate: &str, poly: &Local<F>, rows: &[usize], target: usize) {
        for (column, rotation) in poly.distinct_cells() {
            let Col::Local(column) = column else { continue };
            let at = |row: &usize| row.checked_add_signed(rotation as isize);
            let is_own = |row: usize| column == target && rows.contains(&row);
            let known = |row| at(row).is_some_and(|at| is_own(at) || self.is_known(block, column, at));
            if !rows.iter().all(known) {
                let (op, column) = self.fault_in(block, column);
                self.faults.push(Fault::Unknown { op, gate: gate.into(), column });
            } else if column != target
                && let Some(interval) = self.column_interval(block, column)
            {
                self.reads.push(Read { block, column, interval, gate: gate.into() });
            }
        }
    }

    /// The same of a copy. What nothing is known of can be copied: that says nothing of the copy.
    pub(super) fn read_copied(&mut self, from: Cell) {
        let Some(interval) = self.column_interval(from.block, from.column) else { return };
        if !self.is_known(from.block, from.column, from.row) {
            let (op, column) = self.fault_in(from.block, from.column);
            return self.faults.push(Fault::Unknown { op, gate: "a copy".into(), column });
        }
        self.reads.push(Read { block: from.block, column: from.column, interval, gate: "a copy".into() });
    }

    /// Notes a fault for each constraint that reads a row which is not of its block.
    pub(super) fn check_rows(&mut self) {
        for block in &self.blocks {
            for gate in &block.gates {
                let (low, high) = gate.poly.reach(|column| matches!(column, Col::Local(_)));
                let is_within = |row: &usize| {
                    let at = |rotation: i32| row.checked_add_signed(rotation as isize);
                    at(low).is_some() && at(high).is_some_and(|last| last < block.rows)
                };
                if !gate.rows.iter().all(is_within) {
                    self.faults.push(Fault::Outside { op: block.op.clone(), gate: gate.name.clone() });
                }
            }
        }
    }

    /// Notes a fault for each range that is another than what was read, and for each projection with two values.
    pub(super) fn check_order(&mut self) {
        for Read { block, column, interval, gate } in std::mem::take(&mut self.reads) {
            if self.column_interval(block, column) != Some(interval) {
                let (op, column) = self.fault_in(block, column);
                self.faults.push(Fault::Changed { op, gate, column });
            }
        }
        let mut defined = HashSet::new();
        let mut twice = vec![];
        for step in &self.steps {
            let (block, column, rows) = match step {
                Step::Define { block, column, rows, .. } => (*block, *column, &rows[..]),
                Step::Copy { to, .. } => (to.block, to.column, std::slice::from_ref(&to.row)),
            };
            if rows.iter().any(|&row| !defined.insert((block, column, row))) {
                twice.push((block, column));
            }
        }
        for (block, column) in twice {
            let (op, column) = self.fault_in(block, column);
            self.faults.push(Fault::TwoValues { op, column });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Builder, Case, Challenge, Col, Expr, Fault, Interval, Kind, check_witness};
    use pasta_curves::Fp;
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn two_blocks() -> (Builder<Fp>, usize, crate::Col) {
        let mut b = Builder::<Fp>::new(8);
        let first = b.block("first", 2);
        let x = b.column(first, Kind::Limb, "x");
        let second = b.block("second", 2);
        let y = b.column(second, Kind::Limb, "y");
        b.set(second, y, 0, 9);
        (b, first, x)
    }

    /// What stands below a block is another's.
    #[test]
    fn a_constraint_reads_the_rows_of_its_block() {
        let faults = |rows: std::ops::Range<usize>| {
            let (mut b, first, x) = two_blocks();
            let z = b.column(first, Kind::Limb, "z");
            b.gate(first, "z = next x", z.cur() - x.at(1), rows);
            b.compile_filled().0.faults
        };
        assert_eq!(faults(0..1), []);
        assert_eq!(faults(1..2), [Fault::Outside { op: "first".into(), gate: "z = next x".into() }]);
    }

    /// Cases are all that their flag may be, and hold where the flag does.
    #[test]
    fn cases_are_those_of_their_flag() {
        let faults = |cases: &[i128], flagged: std::ops::Range<usize>, read: std::ops::Range<usize>| {
            let (mut b, first, x) = two_blocks();
            let (flag, y) = (b.column(first, Kind::Unchecked, "flag"), b.column(first, Kind::Unchecked, "y"));
            let sign = flag.cur() * (Expr::int(1) - flag.cur()) * (Expr::int(1) + flag.cur());
            b.gate(first, "sign", sign, flagged.clone());
            let poly = (flag.cur() * (flag.cur() + Expr::int(1))).halved() * x.cur();
            let cases: Vec<Case> = cases.iter().map(|&flag| Case { flag, narrower: vec![] }).collect();
            let poly = b.by_cases(first, "x or 0", (poly, flag), &cases, flagged);
            b.define(first, "y is x or 0", y, poly.clone(), read);
            let shown = b.interval(first, &y.cur());
            (b.compile_filled().0.faults, shown)
        };
        assert_eq!(faults(&[-1, 0, 1], 0..2, 0..2), (vec![], Some(Interval::unsigned(12))));
        let missing = Fault::Cases { op: "first".into(), gate: "x or 0".into() };
        for cases in [&[0, 1][..], &[-1, 1], &[-1, 0], &[]] {
            assert_eq!(faults(cases, 0..2, 0..2).0, std::slice::from_ref(&missing), "{cases:?}");
        }
        let unknown = Fault::Unknown { op: "first".into(), gate: "y is x or 0".into(), column: "flag".into() };
        assert_eq!(faults(&[-1, 0, 1], 0..1, 0..2).0, [unknown]);
    }

    /// Limbs that no cell holds: what they show, that they are looked up, and what they cannot be.
    #[test]
    fn limbs_need_no_cell() {
        let mut b = Builder::<Fp>::new(14);
        let block = b.block("op", b.usable());
        let (high, x) = (b.column(block, Kind::Limb, "high"), b.column(block, Kind::Unchecked, "x"));
        b.narrow_limb(block, "5 bits", high, 5);
        b.define_up_to_a_limb(block, "x", x, high.cur().times_pow2(12) - Expr::int(9));
        assert_eq!(b.interval(block, &high.cur()), Some(Interval::unsigned(5)));
        assert_eq!(b.interval(block, &x.cur()), Some(Interval::new(-9, (1 << 17) - 10)));
        (0..b.usable()).for_each(|row| b.set(block, x, row, -9));
        b.set(block, high, 0, 31);
        b.set(block, x, 0, (31 << 12) - 9 + 4095);
        let (plan, honest) = b.compile_filled();
        assert_eq!((plan.faults.len(), plan.implied.len(), plan.lookup_terms()), (0, 2, 4 * plan.usable as u64));
        let found = |column: &str, value: u64| {
            let mut witness = honest.clone();
            let at = plan.owners.iter().position(|owners| owners.iter().any(|owner| owner.column == column)).unwrap();
            witness.values[at][0] = Fp::from(value);
            let errors = witness.count_lookups(&plan);
            let challenges: BTreeMap<_, _> = Challenge::ALL.into_iter().zip((7u64..).map(Fp::from)).collect();
            witness.fill_phase2(&plan, &challenges);
            let instance: Vec<Fp> = Challenge::rows(&challenges).collect();
            (errors.len(), check_witness(&plan, &witness, &instance).len())
        };
        let x = (31 << 12) - 9;
        assert_eq!([x, x + 77, x + 4095].map(|x| found("x", x)), [(0, 0); 3]);
        assert_eq!([x - 1, x + 4096, 1 << 40].map(|x| found("x", x)), [(1, 1); 3]);
        assert_eq!(found("high", 30), (1, 1));
        // Neither has it 5 bits, nor fits x.
        assert_eq!(found("high", 32), (2, 1));

        let faults = |form: &dyn Fn(Col, Col) -> Expr<Fp, Col>, rows: usize| {
            let mut b = Builder::<Fp>::new(14);
            let block = b.block("op", rows.min(b.usable()));
            let (x, y) = (b.column(block, Kind::Limb, "x"), b.column(block, Kind::Unchecked, "y"));
            b.gate(block, "read", y.cur(), 0..1);
            b.define_up_to_a_limb(block, "y", y, form(x, y));
            let plan = b.compile_filled().0;
            (plan.faults, plan.implied.len())
        };
        let fault = vec![Fault::Implied { op: "op".into(), name: "y".into() }];
        assert_eq!(faults(&|x, _| x.cur(), usize::MAX), (vec![], 1));
        assert_eq!(faults(&|x, _| x.cur().square(), usize::MAX), (fault.clone(), 0));
        assert_eq!(faults(&|_, _| Challenge::Rows.power(1), usize::MAX), (fault.clone(), 0));
        assert_eq!(faults(&|x, _| x.cur(), 3), (fault, 0));
        let fault = Fault::NotDetermined { op: "op".into(), gate: "y".into(), column: "y".into() };
        assert!(faults(&|_, y| y.cur(), usize::MAX).0.contains(&fault));
    }

    #[test]
    fn no_cell_is_set_outside_its_block() {
        let (mut b, first, x) = two_blocks();
        b.set(first, x, 2, 77);
        assert!(catch_unwind(AssertUnwindSafe(|| b.compile_filled())).is_err());
        let mut b = Builder::<Fp, i128>::for_values(8);
        let block = b.block("first", 2);
        let x = b.column(block, Kind::Limb, "x");
        b.assign(block, move |&value, cells| cells.set(x, 2, value));
        let circuit = b.compile();
        assert!(catch_unwind(AssertUnwindSafe(|| circuit.fill(&1))).is_err());
    }
}
