//! What is known of the integers in each column of a block, and how it is known.
//!
//! | cells | range | by |
//! |---|---|---|
//! | limb | `[0, 2^12)`, or less: [`Builder::narrow_limb`] | the range table |
//! | looked-up pair | that of its table's rows | the table |
//! | fixed | that of its values | the key |
//! | unchecked, copyable, port | `{0, 1}`, `{−1, 0, 1}` | a gate `x·(1 − x)`, `x·(1 − x)·(1 + x)` |
//! | | the polynomial's, or the copied cell's | [`Builder::define`], [`Builder::define_up_to_a_limb`], [`Builder::copy`], [`Builder::determine`] |
//! | | as declared | a reason ([`Because`]), checked where it is an equation or a gate |
//!
//! What a gate reads must be known on the rows on which it reads it: otherwise the plan becomes no key.

use super::block::Builder;
use super::cells::{BlockId, Cell, Col, Kind, Local, Uniform, index};
use super::fault::Fault;
use super::interval::Interval;
use super::ranges::{Basis, Because, Case, Declared, Known};
use super::{Expr, Field, LIMB_BITS};
use std::collections::BTreeSet;

/// Where a constraint shows some cells to lie, and what that rests on; none if it shows nothing.
type Shown = Option<(Interval, Basis)>;

impl<F: Field, V> Builder<F, V> {
    /// Declares where a column's cells lie, on all of its rows.
    pub fn declare(&mut self, block: BlockId, column: Col, declared: Declared) {
        let Declared { interval, because } = declared;
        let basis = match because {
            Because::Shown(_) => Basis::AfterShown,
            Because::Equation => Basis::Open,
            Because::Outside(_) => Basis::Firm,
        };
        self.blocks[block].columns[index(column)].known =
            Some(Known { interval, rows: vec![], because: Some(because), basis });
    }

    /// A public value on every row: its row of the instance, what it is called, and where it lies.
    pub fn uniform(&mut self, row: usize, name: &str, declared: Declared) -> Local<F> {
        self.publics_known.insert(row, (name.into(), declared));
        Col::Uniform(Uniform::Public(row)).cur()
    }

    /// Where the values of an expression over a block lie; none if something of it is not known.
    pub fn interval(&self, block: BlockId, poly: &Local<F>) -> Option<Interval> {
        self.interval_in(block, poly, &[])
    }

    fn interval_in(&self, block: BlockId, poly: &Local<F>, narrower: &[(Col, Interval)]) -> Option<Interval> {
        poly.interval(&|column, _| match narrower.iter().find(|n| n.0 == column) {
            Some(&(_, interval)) => Some(interval),
            None => match column {
                Col::Local(c) => self.column_interval(block, c),
                Col::Uniform(Uniform::Public(row)) => self.publics_known.get(&row).map(|(_, known)| known.interval),
                Col::Uniform(Uniform::Power(..)) => None,
            },
        })
    }

    /// What the range of an expression rests on, if it is known.
    fn basis(&self, block: BlockId, poly: &Local<F>) -> Basis {
        let mut highest = Basis::Firm;
        poly.cells(&mut |column, _| {
            if let Col::Local(c) = column {
                highest = highest.max(self.column_basis(block, c));
            }
        });
        if highest == Basis::Open { Basis::AfterOpen } else { highest }
    }

    fn column_basis(&self, block: BlockId, column: usize) -> Basis {
        self.blocks[block].columns[column].known.as_ref().map_or(Basis::Firm, |known| known.basis)
    }

    /// Where the cells of a column lie.
    pub(super) fn column_interval(&self, block: BlockId, column: usize) -> Option<Interval> {
        let b = &self.blocks[block];
        let pair = match b.columns[column].kind {
            Kind::LookupX(pair) | Kind::LookupY(pair) => pair,
            _ => return b.columns[column].known.as_ref().map(|k| k.interval),
        };
        let lookup = &b.lookups[pair];
        let table = self.tables.get(&lookup.tag)?;
        let is_first = lookup.x == column;
        let found = if is_first { table.x } else { table.y };
        // Rows that name no table hold a limb and a zero.
        let idle = if is_first { Interval::unsigned(LIMB_BITS) } else { Interval::ZERO };
        Some(if lookup.is_everywhere { found } else { found.hull(idle) })
    }

    /// Requires `poly = 0`, as [`Self::gate`], where `poly` is linear in `cell` with coefficient 1 or −1: so the other
    /// cells say where the cell lies. If that is declared, or copied from where it is, this shows it.
    #[track_caller]
    pub fn determine(
        &mut self,
        block: BlockId,
        name: &str,
        cell: &Local<F>,
        poly: Local<F>,
        rows: impl IntoIterator<Item = usize>,
    ) {
        let rows: Vec<usize> = rows.into_iter().collect();
        self.gate(block, name, poly.clone(), rows.iter().copied());
        let Expr::Cell(column @ Col::Local(target), 0) = *cell else {
            return self.not_determined(block, name, format!("{cell:?}"));
        };
        let Some(sign @ (1 | -1)) = coefficient(&poly, column) else {
            return self.not_determined(block, name, self.blocks[block].columns[target].name.clone());
        };
        let rest = poly.without(column);
        self.read(block, name, &rest, &rows, target);
        let sign = Interval::new(-i128::from(sign), -i128::from(sign));
        let shown = self.interval(block, &rest).and_then(|r| Some((r.times(sign)?, self.basis(block, &rest))));
        let is_claimed = self.blocks[block].columns[target].known.as_ref().is_some_and(|known| {
            known.because.is_some() || !known.rows.is_empty() && rows.iter().all(|&row| known.rows[row])
        });
        if is_claimed {
            self.must_show(block, target, name, shown);
        } else {
            self.learn(block, target, name, shown, &rows);
        }
    }

    /// Notes a fault if a constraint shows less than what is said of a column, or shows it from other such claims.
    fn must_show(&mut self, block: BlockId, target: usize, gate: &str, shown: Shown) {
        let b = &self.blocks[block];
        let column = &b.columns[target];
        let Some(known) = &column.known else { return };
        let shown = shown.filter(|&(_, basis)| basis < Basis::AfterShown).map(|(interval, _)| interval);
        if shown.is_none_or(|shown| !known.interval.contains(shown)) {
            self.faults.push(Fault::Range {
                cell: format!("{}: {}", b.op, column.name),
                gate: gate.into(),
                shown: shown.map_or_else(|| "nothing".into(), |shown| shown.to_string()),
                declared: known.interval.to_string(),
            });
        }
    }

    fn not_determined(&mut self, block: BlockId, name: &str, column: String) {
        let op = self.blocks[block].op.clone();
        self.faults.push(Fault::NotDetermined { op, gate: name.into(), column });
    }

    /// The expression, known to lie in the hull of its ranges in each case of a flag, a column of few values, on the rows on
    /// which these are known. What the cases say of other columns is believed: constraints must show it.
    pub fn by_cases(
        &mut self,
        block: BlockId,
        name: &str,
        (poly, flag): (Local<F>, Col),
        cases: &[Case],
        rows: impl IntoIterator<Item = usize>,
    ) -> Local<F> {
        let rows: Vec<usize> = rows.into_iter().collect();
        self.read(block, name, &poly, &rows, usize::MAX);
        let values: BTreeSet<i128> = cases.iter().map(|case| case.flag).collect();
        let (low, high) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
        let is_whole = values.len() as i128 == high - low + 1;
        let allowed = self.interval(block, &flag.cur());
        if !is_whole || !allowed.is_some_and(|allowed| Interval::new(low, high).contains(allowed)) {
            let op = self.blocks[block].op.clone();
            self.faults.push(Fault::Cases { op, gate: name.into() });
        }
        let in_case = |case: &Case| {
            let narrower: Vec<_> =
                case.narrower.iter().copied().chain([(flag, Interval::new(case.flag, case.flag))]).collect();
            self.interval_in(block, &poly, &narrower)
        };
        let shown: Option<Vec<Interval>> = cases.iter().map(in_case).collect();
        match shown.and_then(|cases| cases.into_iter().reduce(Interval::hull)) {
            Some(shown) => Expr::Within(Box::new(poly), shown),
            None => poly,
        }
    }

    /// Notes what a definition shows.
    pub(super) fn learn_definition(
        &mut self,
        block: BlockId,
        name: &str,
        target: usize,
        poly: &Local<F>,
        rows: &[usize],
    ) {
        self.read(block, name, poly, rows, target);
        let column = Col::Local(target);
        let mut is_recursive = false;
        poly.cells(&mut |c, rotation| {
            let read = |row: &usize| row.checked_add_signed(rotation as isize);
            is_recursive |= c == column && rows.iter().filter_map(read).any(|row| rows.contains(&row));
        });
        if !is_recursive {
            let shown = self.interval(block, poly).map(|interval| (interval, self.basis(block, poly)));
            return self.learn(block, target, name, shown, rows);
        }
        // A sum: each row adds a term to the row before. Of any other recursion the range must be declared.
        let known = self.blocks[block].columns[target].known.as_ref();
        if let (Expr::Add(before, term), Some(first)) = (poly, known)
            && matches!(**before, Expr::Cell(c, -1) if c == column)
            && first.because.is_none()
            && coefficient(term, column) == Some(0)
        {
            let (first, basis) = (first.interval, self.basis(block, poly));
            let term = self.interval(block, term);
            let shown = term.and_then(|term| Some((first.accumulated(term, longest_run(rows))?, basis)));
            self.learn(block, target, name, shown, rows);
        }
    }

    /// Notes what a limb that no cell holds, and the rest, show of their sum.
    pub(super) fn learn_up_to_a_limb(
        &mut self,
        block: BlockId,
        name: &str,
        target: usize,
        rest: &Local<F>,
        rows: &[usize],
    ) {
        self.read(block, name, rest, rows, target);
        if coefficient(rest, Col::Local(target)) != Some(0) {
            return self.not_determined(block, name, self.blocks[block].columns[target].name.clone());
        }
        let limb = Interval::unsigned(LIMB_BITS);
        let shown = self.interval(block, rest).and_then(|i| Some((i.plus(limb)?, self.basis(block, rest))));
        self.learn(block, target, name, shown, rows);
    }

    /// Notes that a limb has no more than some bits on all rows.
    pub(super) fn learn_narrower(&mut self, block: BlockId, name: &str, limb: usize, bits: u32) {
        let column = &mut self.blocks[block].columns[limb];
        match &mut column.known {
            Some(known) if column.kind == Kind::Limb && bits < LIMB_BITS => known.interval = Interval::unsigned(bits),
            _ => self.not_determined(block, name, self.blocks[block].columns[limb].name.clone()),
        }
    }

    /// Notes that `c·(1 − c) = 0`, or `c·(1 − c)·(1 + c) = 0`, on some rows.
    pub(super) fn learn_few(&mut self, block: BlockId, name: &str, poly: &Local<F>, rows: &[usize]) {
        if let Some((Col::Local(target), interval)) = few(poly)
            && !matches!(self.blocks[block].columns[target].kind, Kind::Acc | Kind::Fixed)
        {
            self.learn(block, target, name, Some((interval, Basis::Firm)), rows);
        }
    }

    /// Notes what a copy within phase 1 shows.
    pub(super) fn learn_copy(&mut self, from: Cell, to: Cell) {
        self.read_copied(from);
        if let Some(interval) = self.column_interval(from.block, from.column) {
            let basis = match self.column_basis(from.block, from.column) {
                Basis::Open => Basis::AfterOpen,
                basis => basis,
            };
            self.learn(to.block, to.column, "a copy", Some((interval, basis)), &[to.row]);
        }
    }

    /// Notes that a constraint shows the cells of a column to lie within `shown` on some rows.
    fn learn(&mut self, block: BlockId, target: usize, gate: &str, shown: Shown, rows: &[usize]) {
        let b = &mut self.blocks[block];
        let (height, column) = (b.rows, &mut b.columns[target]);
        match (&mut column.known, shown) {
            (Some(known), _) if known.because.is_some() => self.must_show(block, target, gate, shown),
            (_, None) => {}
            // Nothing to add to what a table or the key says.
            (Some(known), Some(_)) if known.is_everywhere() => {}
            (known, Some((interval, basis))) => {
                let rows_of_block = || vec![false; height];
                let known =
                    known.get_or_insert_with(|| Known { interval, rows: rows_of_block(), because: None, basis });
                known.interval = known.interval.hull(interval);
                known.basis = known.basis.max(basis);
                for &row in rows {
                    known.rows[row] = true;
                }
            }
        }
    }
}

impl<F: Field> Local<F> {
    /// The expression with zero for a column's cell on the current row.
    fn without(&self, column: Col) -> Local<F> {
        match self {
            Expr::Cell(c, 0) if *c == column => Expr::Const(F::ZERO),
            Expr::Const(_) | Expr::Cell(..) => self.clone(),
            Expr::Add(a, b) => a.without(column) + b.without(column),
            Expr::Mul(a, b) => a.without(column) * b.without(column),
            Expr::Scale(a, c) => Expr::Scale(Box::new(a.without(column)), *c),
            // A cell of it is never what a gate determines: see `coefficient`.
            Expr::Within(..) => self.clone(),
        }
    }
}

/// The coefficient of a cell on the current row in which an expression is linear, if it is 1, 0 or −1.
fn coefficient<F: Field>(poly: &Local<F>, column: Col) -> Option<i8> {
    match poly {
        Expr::Const(_) => Some(0),
        Expr::Cell(c, 0) if *c == column => Some(1),
        Expr::Cell(c, _) if *c == column => None,
        Expr::Cell(..) => Some(0),
        Expr::Add(a, b) => Some(coefficient(a, column)? + coefficient(b, column)?).filter(|c| c.abs() <= 1),
        Expr::Mul(a, b) => (coefficient(a, column)? == 0 && coefficient(b, column)? == 0).then_some(0),
        Expr::Scale(a, c) => match coefficient(a, column)? {
            0 => Some(0),
            sign if *c == F::ONE => Some(sign),
            sign if *c == -F::ONE => Some(-sign),
            _ => None,
        },
        Expr::Within(a, _) => {
            let mut occurs = false;
            a.cells(&mut |c, _| occurs |= c == column);
            (!occurs).then_some(0)
        }
    }
}

/// The column c of `c·(1 − c)` or `c·(1 − c)·(1 + c)`, and where its cells lie if that is zero.
fn few<F: Field>(poly: &Local<F>) -> Option<(Col, Interval)> {
    let Expr::Mul(a, b) = poly else { return None };
    let one = Expr::int(1);
    match **a {
        Expr::Cell(c, 0) => (**b == one - c.cur()).then_some((c, Interval::new(0, 1))),
        Expr::Mul(..) => {
            let (c, bit) = few(a)?;
            (bit == Interval::new(0, 1) && **b == one + c.cur()).then_some((c, Interval::new(-1, 1)))
        }
        _ => None,
    }
}

/// The most rows that follow one another.
fn longest_run(rows: &[usize]) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, None);
    for &row in rows {
        run = if last.is_some_and(|last| last + 1 == row) { run + 1 } else { 1 };
        longest = longest.max(run);
        last = Some(row);
    }
    longest
}
