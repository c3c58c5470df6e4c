//! Polynomial expressions over cells.

use super::interval::Interval;
use super::{Field, field};
use std::ops::{Add, Mul, Neg, Sub};

/// A polynomial in cells; `C` names a column (block-local while an op is built, global afterwards).
#[derive(Clone, Debug, PartialEq)]
pub enum Expr<F, C> {
    /// A constant.
    Const(F),
    /// The cell of a column at a rotation from the current row.
    Cell(C, i32),
    /// Sum of two.
    Add(Box<Expr<F, C>>, Box<Expr<F, C>>),
    /// Product of two.
    Mul(Box<Expr<F, C>>, Box<Expr<F, C>>),
    /// Product with a constant.
    Scale(Box<Expr<F, C>>, F),
    /// The same value, an integer that constraints show to lie here. Range analysis believes it: only
    /// [`Builder::by_cases`](super::Builder::by_cases) makes one.
    Within(Box<Expr<F, C>>, Interval),
}

impl<F: Field, C: Copy> Expr<F, C> {
    /// A signed integer constant.
    pub fn int(x: i128) -> Self {
        Expr::Const(field(x))
    }

    /// `2^e`.
    pub fn pow2(e: u32) -> Self {
        Expr::Const(F::from(2).pow_vartime([u64::from(e)]))
    }

    /// `self · 2^e`.
    pub fn times_pow2(self, e: u32) -> Self {
        Expr::Scale(Box::new(self), F::from(2).pow_vartime([u64::from(e)]))
    }

    /// `self · x`.
    pub fn times(self, x: i128) -> Self {
        Expr::Scale(Box::new(self), field(x))
    }

    /// `self / 2`, of a value that is even wherever it is used.
    pub fn halved(self) -> Self {
        Expr::Scale(Box::new(self), F::TWO_INV)
    }

    /// `self²`.
    pub fn square(self) -> Self {
        self.clone() * self
    }

    /// Sum of many; zero if there are none.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        terms.into_iter().reduce(|a, b| a + b).unwrap_or(Expr::Const(F::ZERO))
    }

    /// Total degree, every cell counting one.
    pub fn degree(&self) -> usize {
        match self {
            Expr::Const(_) => 0,
            Expr::Cell(..) => 1,
            Expr::Add(a, b) => a.degree().max(b.degree()),
            Expr::Mul(a, b) => a.degree() + b.degree(),
            Expr::Scale(a, _) | Expr::Within(a, _) => a.degree(),
        }
    }

    /// The constant and the coefficients of a linear form over cells of the current row; none of any other.
    pub fn linear(&self) -> Option<(F, Vec<(C, F)>)> {
        match self {
            Expr::Const(c) => Some((*c, vec![])),
            Expr::Cell(column, rotation) => (*rotation == 0).then(|| (F::ZERO, vec![(*column, F::ONE)])),
            Expr::Add(a, b) => {
                let ((a, left), (b, right)) = (a.linear()?, b.linear()?);
                Some((a + b, [left, right].concat()))
            }
            Expr::Mul(..) => None,
            Expr::Scale(a, c) => {
                let (constant, terms) = a.linear()?;
                Some((constant * c, terms.into_iter().map(|(column, of)| (column, of * c)).collect()))
            }
            Expr::Within(a, _) => a.linear(),
        }
    }

    /// The value, given the cells'.
    pub fn eval(&self, cell: &impl Fn(C, i32) -> F) -> F {
        match self {
            Expr::Const(c) => *c,
            Expr::Cell(c, rotation) => cell(*c, *rotation),
            Expr::Add(a, b) => a.eval(cell) + b.eval(cell),
            Expr::Mul(a, b) => a.eval(cell) * b.eval(cell),
            Expr::Scale(a, c) => a.eval(cell) * c,
            Expr::Within(a, _) => a.eval(cell),
        }
    }

    /// The same expression over other cells.
    pub fn map<D: Copy>(&self, cell: &impl Fn(C, i32) -> (D, i32)) -> Expr<F, D> {
        match self {
            Expr::Const(c) => Expr::Const(*c),
            Expr::Cell(c, rotation) => {
                let (column, rotation) = cell(*c, *rotation);
                Expr::Cell(column, rotation)
            }
            Expr::Add(a, b) => Expr::Add(Box::new(a.map(cell)), Box::new(b.map(cell))),
            Expr::Mul(a, b) => Expr::Mul(Box::new(a.map(cell)), Box::new(b.map(cell))),
            Expr::Scale(a, c) => Expr::Scale(Box::new(a.map(cell)), *c),
            Expr::Within(a, interval) => Expr::Within(Box::new(a.map(cell)), *interval),
        }
    }

    /// Calls `f` on each cell that occurs.
    pub fn cells(&self, f: &mut impl FnMut(C, i32)) {
        match self {
            Expr::Const(_) => {}
            Expr::Cell(c, rotation) => f(*c, *rotation),
            Expr::Add(a, b) | Expr::Mul(a, b) => {
                a.cells(f);
                b.cells(f);
            }
            Expr::Scale(a, _) | Expr::Within(a, _) => a.cells(f),
        }
    }

    /// The cells that occur, each once.
    pub fn distinct_cells(&self) -> Vec<(C, i32)>
    where
        C: PartialEq,
    {
        let mut cells = vec![];
        self.cells(&mut |column, rotation| {
            if !cells.contains(&(column, rotation)) {
                cells.push((column, rotation));
            }
        });
        cells
    }

    /// The lowest and the highest rotation of the cells of some columns; 0 counts as one of them.
    pub(super) fn reach(&self, of: impl Fn(C) -> bool) -> (i32, i32) {
        let (mut low, mut high) = (0, 0);
        self.cells(&mut |column, rotation| {
            if of(column) {
                (low, high) = (low.min(rotation), high.max(rotation));
            }
        });
        (low, high)
    }

    /// A canonical encoding, for finding equal expressions.
    pub(super) fn key(&self, column: &impl Fn(C) -> u64, out: &mut Vec<u8>) {
        match self {
            Expr::Const(c) => {
                out.push(0);
                out.extend(c.to_repr());
            }
            Expr::Cell(c, rotation) => {
                out.push(1);
                out.extend(column(*c).to_le_bytes());
                out.extend(rotation.to_le_bytes());
            }
            Expr::Add(a, b) => {
                out.push(2);
                a.key(column, out);
                b.key(column, out);
            }
            Expr::Mul(a, b) => {
                out.push(3);
                a.key(column, out);
                b.key(column, out);
            }
            Expr::Scale(a, c) => {
                out.push(4);
                out.extend(c.to_repr());
                a.key(column, out);
            }
            Expr::Within(a, interval) => {
                out.push(5);
                out.extend(interval.to_le_bytes());
                a.key(column, out);
            }
        }
    }
}

impl<F: Field, C: Copy> Add for Expr<F, C> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Expr::Add(Box::new(self), Box::new(other))
    }
}

impl<F: Field, C: Copy> Sub for Expr<F, C> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<F: Field, C: Copy> Mul for Expr<F, C> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Expr::Mul(Box::new(self), Box::new(other))
    }
}

impl<F: Field, C: Copy> Neg for Expr<F, C> {
    type Output = Self;
    fn neg(self) -> Self {
        Expr::Scale(Box::new(self), -F::ONE)
    }
}
