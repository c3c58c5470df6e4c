//! Phase 2 computed in bounds: each projection as a polynomial in the challenges ([`Norm`]), each equation between two
//! of them checked. See [`bounds`](super::bounds).

use super::cells::Uniform;
use super::coefficients::{Form, Norm};
use super::interval::{Interval, bits, exponent, half};
use super::margins::{BoundError, Margin, shifted};
use super::plan::{Assignment, Global, Plan};
use super::ranges::Basis;
use super::{Expr, Field};
use ethnum::U256;
use std::collections::HashSet;
use std::ops::Range;

/// A set of cells (column, row).
#[derive(Default)]
pub(super) struct Cells(Vec<Vec<bool>>);

impl Cells {
    pub fn contains(&self, (column, row): (usize, usize)) -> bool {
        self.0.get(column).and_then(|rows| rows.get(row)).is_some_and(|&is| is)
    }

    fn insert(&mut self, (column, row): (usize, usize)) {
        if self.0.len() <= column {
            self.0.resize(column + 1, vec![]);
        }
        let rows = &mut self.0[column];
        if rows.len() <= row {
            rows.resize(row + 1, false);
        }
        rows[row] = true;
    }
}

/// An expression whose constants are integers.
enum Tree {
    Const(Interval),
    Cell(Global, i32),
    Add(Box<Tree>, Box<Tree>),
    Mul(Box<Tree>, Box<Tree>),
    Scale(Box<Tree>, Interval),
    /// Known to lie here where these cells, of phase 1, are known.
    Within(Vec<(Global, i32)>, Interval),
    /// An expression over these cells of phase 1, with its value on some rows.
    Phase1(Box<Tree>, Vec<(usize, i32)>, Option<(Range<usize>, Interval)>),
}

impl Tree {
    fn new<F: Field>(poly: &Expr<F, Global>, phase1: usize) -> Self {
        let mut cells = vec![];
        let mut is_phase1 = !matches!(poly, Expr::Const(_) | Expr::Cell(..));
        poly.cells(&mut |column, rotation| match column {
            Global::Advice(a) if a < phase1 => cells.push((a, rotation)),
            _ => is_phase1 = false,
        });
        if is_phase1 { Tree::Phase1(Box::new(Tree::plain(poly, 0)), cells, None) } else { Tree::plain(poly, phase1) }
    }

    fn plain<F: Field>(poly: &Expr<F, Global>, phase1: usize) -> Self {
        let boxed = |poly: &Expr<F, Global>| Box::new(Tree::new(poly, phase1));
        match poly {
            Expr::Const(c) => Tree::Const(Interval::of(*c)),
            Expr::Cell(c, rotation) => Tree::Cell(*c, *rotation),
            Expr::Add(a, b) => Tree::Add(boxed(a), boxed(b)),
            Expr::Mul(a, b) => Tree::Mul(boxed(a), boxed(b)),
            Expr::Scale(a, c) => Tree::Scale(boxed(a), Interval::of(*c)),
            Expr::Within(a, interval) => Tree::Within(a.distinct_cells(), *interval),
        }
    }
}

/// A value of firm cells of phase 1, or one that depends on challenges or other cells.
#[derive(Clone, Copy)]
enum Value {
    Known(Interval),
    Norm(Norm),
}

impl Value {
    fn norm(self) -> Norm {
        match self {
            Value::Known(interval) => Norm::cell(interval, Form::Firm),
            Value::Norm(norm) => norm,
        }
    }

    fn plus(self, other: Value) -> Option<Value> {
        match (self, other) {
            (Value::Known(a), Value::Known(b)) => a.plus(b).map(Value::Known),
            (a, b) => a.norm().plus(&b.norm()).map(Value::Norm),
        }
    }

    fn times(self, other: Value) -> Option<Value> {
        match (self, other) {
            (Value::Known(a), Value::Known(b)) => a.times(b).map(Value::Known),
            (a, b) => a.norm().times(&b.norm()).map(Value::Norm),
        }
    }
}

/// Why an expression has no value.
enum Missing {
    Cell(usize, usize),
    TooLarge,
}

/// The projections of a plan, as polynomials in the challenges.
pub(super) struct Projections<'p, F> {
    plan: &'p Plan<F>,
    half: U256,
    /// By advice column less those of phase 1; empty where nothing is computed.
    norms: Vec<Vec<Option<Norm>>>,
    /// Open cells that an equation determines.
    pub determined: Cells,
}

impl<'p, F: Field> Projections<'p, F> {
    pub fn new(plan: &'p Plan<F>) -> Self {
        Projections {
            plan,
            half: half::<F>(),
            norms: vec![vec![]; plan.advice.len() - plan.phase1],
            determined: Cells::default(),
        }
    }

    fn cell(&self, column: usize, row: usize) -> Option<Value> {
        if let Some(span) = self.plan.span(column, row) {
            return Some(match span.basis {
                Basis::Firm => Value::Known(span.interval),
                Basis::Open => Value::Norm(Norm::cell(span.interval, Form::Open)),
                Basis::AfterOpen | Basis::AfterShown => Value::Norm(Norm::cell(span.interval, Form::Derived)),
            });
        }
        let phase2 = column.checked_sub(self.plan.phase1)?;
        self.norms[phase2].get(row).copied().flatten().map(Value::Norm)
    }

    fn eval(&self, poly: &mut Tree, row: usize) -> Result<Value, Missing> {
        let too_large = || Missing::TooLarge;
        match poly {
            Tree::Const(c) => Ok(Value::Known(*c)),
            Tree::Cell(Global::Fixed(f), rotation) => {
                Ok(Value::Known(Interval::of(self.plan.fixed[*f][shifted(row, *rotation)])))
            }
            Tree::Cell(Global::Uniform(u), _) => match self.plan.uniform[*u] {
                Uniform::Power(challenge, exponent) => Ok(Value::Norm(Norm::challenge(challenge, exponent as u16))),
                Uniform::Public(_) => self.plan.uniform_range(*u).map(Value::Known).ok_or_else(too_large),
            },
            Tree::Cell(Global::Advice(a), rotation) => {
                let at = shifted(row, *rotation);
                self.cell(*a, at).ok_or(Missing::Cell(*a, at))
            }
            Tree::Add(a, b) => self.eval(a, row)?.plus(self.eval(b, row)?).ok_or_else(too_large),
            Tree::Mul(a, b) => self.eval(a, row)?.times(self.eval(b, row)?).ok_or_else(too_large),
            Tree::Scale(a, c) => match self.eval(a, row)? {
                Value::Known(interval) => interval.times(*c).map(Value::Known),
                Value::Norm(norm) => norm.scale(*c).map(Value::Norm),
            }
            .ok_or_else(too_large),
            Tree::Within(cells, interval) => {
                for &(column, rotation) in &*cells {
                    let at = shifted(row, rotation);
                    if let Global::Advice(a) = column
                        && self.plan.span(a, at).is_none_or(|span| span.basis != Basis::Firm)
                    {
                        return Err(Missing::Cell(a, at));
                    }
                }
                Ok(Value::Known(*interval))
            }
            Tree::Phase1(_, _, Some((rows, interval))) if rows.contains(&row) => Ok(Value::Known(*interval)),
            Tree::Phase1(inner, cells, value) => {
                let mut spans = cells.iter().map(|&(column, rotation)| {
                    let span =
                        self.plan.span(column, shifted(row, rotation)).filter(|span| span.basis == Basis::Firm)?;
                    Some(shifted(span.end(), -rotation))
                });
                let end = spans.try_fold(usize::MAX, |end, span| Some(end.min(span?)));
                let found = self.eval(inner, row)?;
                if let (Some(end), Value::Known(interval)) = (end, found) {
                    *value = Some((row..end, interval));
                }
                Ok(found)
            }
        }
    }

    fn set(&mut self, (column, row): (usize, usize), norm: Norm) -> Result<(), BoundError> {
        let plan = self.plan;
        if norm.coefficient > self.half {
            return Err(BoundError::Projection { cell: plan.cell_name(column, row), row });
        }
        let norms = &mut self.norms[column - plan.phase1];
        norms.resize(plan.usable, None);
        norms[row] = Some(norm);
        Ok(())
    }

    /// Computes phase 2 as a prover does.
    pub fn compute(&mut self) -> Result<(), BoundError> {
        let plan = self.plan;
        for step in &plan.assignments {
            match step {
                Assignment::Define { column, poly, rows } => {
                    let mut poly = Tree::new(poly, plan.phase1);
                    for &row in rows {
                        let value = self.eval(&mut poly, row).map_err(|missing| match missing {
                            Missing::Cell(column, row) => plan.unknown(column, row),
                            Missing::TooLarge => BoundError::Projection { cell: plan.cell_name(*column, row), row },
                        })?;
                        self.set((*column, row), value.norm())?;
                    }
                }
                Assignment::Copy { from, to } => {
                    let value = self.cell(from.0, from.1).ok_or_else(|| plan.unknown(from.0, from.1))?;
                    self.set(*to, value.norm())?;
                }
            }
        }
        Ok(())
    }

    /// Checks every equation; gives the largest coefficient, the number of equations and the sum of their degrees.
    pub fn check_equations(&mut self) -> Result<(Margin, usize, u64), BoundError> {
        let plan = self.plan;
        let handed_on: HashSet<_> = plan
            .assignments
            .iter()
            .filter_map(|step| match step {
                Assignment::Copy { from, to } => Some((*from, *to)),
                Assignment::Define { .. } => None,
            })
            .collect();
        let (mut largest, mut place, mut equations, mut degree) = (U256::ZERO, String::new(), 0, 0);
        let mut open = Cells::default();
        for copy @ &(a, b) in &plan.copies {
            if a.0.max(b.0) < plan.phase1 || handed_on.contains(copy) {
                continue;
            }
            let side = |(column, row)| self.cell(column, row).map(Value::norm).ok_or_else(|| plan.unknown(column, row));
            let (x, y) = (side(a)?, side(b)?);
            let (left, right) = (plan.cell_name(a.0, a.1), plan.cell_name(b.0, b.1));
            let determined = match (x.form, y.form) {
                (Form::Open, Form::Firm | Form::Monomial) => Some((a, x, y)),
                (Form::Firm | Form::Monomial, Form::Open) => Some((b, y, x)),
                (Form::Open | Form::Mixed, _) | (_, Form::Open | Form::Mixed) => {
                    return Err(BoundError::Mixed { left, right });
                }
                _ => None,
            };
            if let Some((cell, result, by)) = determined {
                if by.coefficient > result.coefficient {
                    let (shown, declared) = (exponent(by.coefficient), exponent(result.coefficient));
                    return Err(BoundError::Declared { left, right, shown, declared });
                }
                open.insert(cell);
            }
            match x.coefficient.checked_add(y.coefficient).filter(|sum| *sum <= self.half) {
                Some(sum) if sum > largest => (largest, place) = (sum, format!("{left} = {right}")),
                Some(_) => {}
                None => return Err(BoundError::Equation { left, right }),
            }
            equations += 1;
            degree += x.degree(&y);
        }
        self.trace(open);
        Ok((Margin { bits: bits(largest), place }, equations, degree))
    }

    /// From the sides that equations determine back to the open cells that they are made of.
    fn trace(&mut self, mut reached: Cells) {
        let plan = self.plan;
        let is_open =
            |cell: (usize, usize)| matches!(self.cell(cell.0, cell.1), Some(Value::Norm(n)) if n.form == Form::Open);
        for step in plan.assignments.iter().rev() {
            match step {
                Assignment::Define { column, poly, rows } => {
                    let mut cells = vec![];
                    poly.cells(&mut |c, rotation| {
                        if let Global::Advice(a) = c {
                            cells.push((a, rotation));
                        }
                    });
                    for &row in rows.iter().rev().filter(|row| is_open((*column, **row))) {
                        if reached.contains((*column, row)) {
                            let read = cells.iter().map(|&(a, rotation)| (a, shifted(row, rotation)));
                            read.filter(|&cell| is_open(cell)).for_each(|cell| reached.insert(cell));
                        }
                    }
                }
                Assignment::Copy { from, to } => {
                    if reached.contains(*to) {
                        reached.insert(*from);
                    }
                }
            }
        }
        self.determined = reached;
    }
}
