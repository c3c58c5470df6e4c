//! The coefficient of each cell in a polynomial, all in one pass.

use super::index::{CellId, Index, at};
use plonkish::{Expr, Field, Global};

/// A polynomial at the present values, with its partial derivatives.
struct Local<F> {
    value: F,
    /// Cells and derivatives, by cell.
    slopes: Vec<(CellId, F)>,
    /// Cells in which it is not linear.
    curved: Vec<CellId>,
}

/// Phase-1 cells in which the polynomial is linear, with the coefficients that the other cells' values give; those of
/// coefficient zero are left out.
pub(super) fn slopes<F: Field>(
    ix: &Index<'_, F>,
    values: &[F],
    poly: &Expr<F, Global>,
    row: usize,
) -> Vec<(CellId, F)> {
    let local = at_values(ix, values, poly, row);
    let phase1 = (ix.plan.phase1 * ix.rows) as CellId;
    let is_linear = |(cell, slope): &(CellId, F)| *cell < phase1 && *slope != F::ZERO && !local.curved.contains(cell);
    local.slopes.iter().copied().filter(is_linear).collect()
}

fn at_values<F: Field>(ix: &Index<'_, F>, values: &[F], poly: &Expr<F, Global>, row: usize) -> Local<F> {
    let constant = |value| Local { value, slopes: vec![], curved: vec![] };
    match poly {
        Expr::Const(c) => constant(*c),
        Expr::Cell(Global::Fixed(f), rotation) => constant(ix.plan.fixed[*f][at(row, *rotation)]),
        Expr::Cell(Global::Uniform(u), _) => constant(ix.uniform[*u]),
        Expr::Cell(Global::Advice(a), rotation) => {
            let cell = ix.id((*a, at(row, *rotation)));
            Local { value: values[cell as usize], slopes: vec![(cell, F::ONE)], curved: vec![] }
        }
        Expr::Add(a, b) => {
            let (a, b) = (at_values(ix, values, a, row), at_values(ix, values, b, row));
            Local {
                value: a.value + b.value,
                slopes: merge(a.slopes, F::ONE, b.slopes, F::ONE),
                curved: [a.curved, b.curved].concat(),
            }
        }
        Expr::Mul(a, b) => {
            let (a, b) = (at_values(ix, values, a, row), at_values(ix, values, b, row));
            let mut curved = [a.curved, b.curved].concat();
            let in_b = |cell: &CellId| b.slopes.binary_search_by_key(cell, |s| s.0).is_ok();
            curved.extend(a.slopes.iter().map(|s| s.0).filter(in_b));
            Local { value: a.value * b.value, slopes: merge(a.slopes, b.value, b.slopes, a.value), curved }
        }
        Expr::Within(a, _) => at_values(ix, values, a, row),
        Expr::Scale(a, c) => {
            let mut a = at_values(ix, values, a, row);
            a.value *= c;
            for slope in &mut a.slopes {
                slope.1 *= c;
            }
            a
        }
    }
}

/// `x·a + y·b`, both sorted by cell.
fn merge<F: Field>(a: Vec<(CellId, F)>, x: F, b: Vec<(CellId, F)>, y: F) -> Vec<(CellId, F)> {
    if a.is_empty() && y == F::ONE {
        return b;
    }
    if b.is_empty() && x == F::ONE {
        return a;
    }
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        match (a.peek().map(|s| s.0), b.peek().map(|s| s.0)) {
            (None, None) => return merged,
            (Some(i), Some(j)) if i == j => {
                let sum = a.next().map_or(F::ZERO, |s| s.1 * x) + b.next().map_or(F::ZERO, |s| s.1 * y);
                merged.push((i, sum));
            }
            (Some(i), j) if j.is_none_or(|j| i < j) => merged.extend(a.next().map(|s| (s.0, s.1 * x))),
            _ => merged.extend(b.next().map(|s| (s.0, s.1 * y))),
        }
    }
}
