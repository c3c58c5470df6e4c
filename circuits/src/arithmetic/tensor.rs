//! Shape-checked matrices of integers and their exact products.
//!
//! A product is exact: [`Wide`] holds it unrounded. The kernels add in `i64` where a bound on the operands shows that
//! no partial sum overflows, otherwise in `i128`; both give the same integers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arithmetic::fixed::{Class, Saturations, rescale_to};

/// Data that does not fill its shape.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("a {rows} × {cols} matrix cannot hold {len} elements")]
pub struct ShapeError {
    /// Rows asked for.
    pub rows: usize,
    /// Columns asked for.
    pub cols: usize,
    /// Elements given.
    pub len: usize,
}

/// A row-major matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix<E> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// `rows · cols` elements, row by row.
    pub data: Vec<E>,
}

/// A matrix whose elements have a class.
pub type Tensor = Matrix<i64>;
/// A matrix of exact, unrounded values.
pub type Wide = Matrix<i128>;

impl<E: Copy + Default> Matrix<E> {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![E::default(); rows * cols] }
    }

    /// A matrix of the given elements.
    pub fn new(rows: usize, cols: usize, data: Vec<E>) -> Result<Self, ShapeError> {
        if rows.checked_mul(cols) != Some(data.len()) {
            return Err(ShapeError { rows, cols, len: data.len() });
        }
        Ok(Self { rows, cols, data })
    }

    /// A matrix given element by element.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> E) -> Self {
        let mut data = Vec::with_capacity(rows * cols);
        for i in 0..rows {
            data.extend((0..cols).map(|j| f(i, j)));
        }
        Self { rows, cols, data }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// One element.
    #[inline]
    pub fn at(&self, i: usize, j: usize) -> E {
        self.data[i * self.cols + j]
    }

    /// One row.
    #[inline]
    pub fn row(&self, i: usize) -> &[E] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// One row, to write.
    #[inline]
    pub fn row_mut(&mut self, i: usize) -> &mut [E] {
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// The transposed matrix.
    pub fn transpose(&self) -> Self {
        let mut data = Vec::with_capacity(self.data.len());
        for j in 0..self.cols {
            data.extend((0..self.rows).map(|i| self.data[i * self.cols + j]));
        }
        Self { rows: self.cols, cols: self.rows, data }
    }

    /// Columns `start..start + cols`.
    pub fn columns(&self, start: usize, cols: usize) -> Self {
        let data = (0..self.rows).flat_map(|i| self.row(i)[start..start + cols].iter().copied()).collect();
        Self { rows: self.rows, cols, data }
    }

    /// Rows `start..start + rows`.
    pub fn rows_of(&self, start: usize, rows: usize) -> Self {
        let data = self.data[start * self.cols..(start + rows) * self.cols].to_vec();
        Self { rows, cols: self.cols, data }
    }

    /// Writes `block` over the columns from `start` on.
    pub fn set_columns(&mut self, start: usize, block: &Self) {
        assert_eq!(self.rows, block.rows, "set_columns: rows differ");
        for i in 0..self.rows {
            self.row_mut(i)[start..start + block.cols].copy_from_slice(block.row(i));
        }
    }

    /// Writes `block` over the rows from `start` on.
    pub fn set_rows(&mut self, start: usize, block: &Self) {
        assert_eq!(self.cols, block.cols, "set_rows: columns differ");
        self.data[start * self.cols..(start + block.rows) * self.cols].copy_from_slice(&block.data);
    }
}

impl Tensor {
    /// The largest absolute value.
    pub fn max_abs(&self) -> u64 {
        // Two accumulators of one kind each vectorise; `unsigned_abs` does not.
        let (lo, hi) = self.data.iter().fold((0, 0), |(lo, hi), &x| (x.min(lo), x.max(hi)));
        lo.unsigned_abs().max(hi.unsigned_abs())
    }

    /// The same values, wide.
    pub fn widen(&self) -> Wide {
        Wide { rows: self.rows, cols: self.cols, data: self.data.iter().map(|&x| x.into()).collect() }
    }

    /// Whether every element is a value of `class`.
    pub fn within(&self, class: Class) -> bool {
        self.data.iter().all(|&x| class.contains(x))
    }
}

impl Wide {
    /// `rescale` of every element into a class.
    pub fn rescale(&self, shift: u32, class: Class, saturations: &mut Saturations) -> Tensor {
        let data = self.data.iter().map(|&x| rescale_to(x, shift, class, saturations)).collect();
        Tensor { rows: self.rows, cols: self.cols, data }
    }

    /// Adds `x · 2^shift`, element by element.
    pub fn add_shifted(&mut self, x: &Tensor, shift: u32) {
        assert_eq!(self.shape(), x.shape(), "add_shifted: shapes differ");
        for (a, &b) in self.data.iter_mut().zip(&x.data) {
            *a += i128::from(b) << shift;
        }
    }

    /// Adds `block` to the columns from `start` on.
    pub fn add_columns(&mut self, start: usize, block: &Wide) {
        assert_eq!(self.rows, block.rows, "add_columns: rows differ");
        for i in 0..self.rows {
            for (a, b) in self.row_mut(i)[start..start + block.cols].iter_mut().zip(block.row(i)) {
                *a += b;
            }
        }
    }

    /// Adds another matrix, element by element.
    pub fn add(&mut self, other: &Wide) {
        assert_eq!(self.shape(), other.shape(), "add: shapes differ");
        for (a, b) in self.data.iter_mut().zip(&other.data) {
            *a += b;
        }
    }
}

/// `A·B`: `[m × k] · [k × n]`.
pub fn matmul(a: &Tensor, b: &Tensor) -> Wide {
    assert_eq!(a.cols, b.rows, "matmul: inner dimensions differ");
    if small(a, b, a.cols) { narrow_product(a, b) } else { wide_product(a, b) }
}

/// `A·Bᵀ`: `[m × k] · [n × k]ᵀ`.
pub fn matmul_nt(a: &Tensor, b: &Tensor) -> Wide {
    matmul(a, &b.transpose())
}

/// `Aᵀ·B`: `[k × m]ᵀ · [k × n]`.
pub fn matmul_tn(a: &Tensor, b: &Tensor) -> Wide {
    matmul(&a.transpose(), b)
}

/// Whether every partial sum of `A·B` stays below 2^62 in absolute value.
fn small(a: &Tensor, b: &Tensor, k: usize) -> bool {
    let bound = u128::from(a.max_abs()) * u128::from(b.max_abs());
    bound.checked_mul(k as u128).is_some_and(|x| x < 1 << 62)
}

fn narrow_product(a: &Tensor, b: &Tensor) -> Wide {
    let n = b.cols;
    let mut data = Vec::with_capacity(a.rows * n);
    let mut acc = vec![0i64; n];
    for i in 0..a.rows {
        acc.fill(0);
        let row = a.row(i);
        let mut k = 0;
        // Four rows of B at once: one load and one store of the sum for four products.
        while k + 4 <= row.len() {
            let (x0, x1, x2, x3) = (row[k], row[k + 1], row[k + 2], row[k + 3]);
            let four = &b.data[k * n..(k + 4) * n];
            let (b0, rest) = four.split_at(n);
            let (b1, rest) = rest.split_at(n);
            let (b2, b3) = rest.split_at(n);
            for ((((s, y0), y1), y2), y3) in acc.iter_mut().zip(b0).zip(b1).zip(b2).zip(b3) {
                *s += x0 * y0 + x1 * y1 + x2 * y2 + x3 * y3;
            }
            k += 4;
        }
        for (k, &x) in row.iter().enumerate().skip(k) {
            for (s, y) in acc.iter_mut().zip(b.row(k)) {
                *s += x * y;
            }
        }
        data.extend(acc.iter().map(|&s| i128::from(s)));
    }
    Wide { rows: a.rows, cols: n, data }
}

fn wide_product(a: &Tensor, b: &Tensor) -> Wide {
    let mut out = Wide::zeros(a.rows, b.cols);
    for i in 0..a.rows {
        let acc = &mut out.data[i * b.cols..(i + 1) * b.cols];
        for (k, &x) in a.row(i).iter().enumerate() {
            for (s, &y) in acc.iter_mut().zip(b.row(k)) {
                *s += i128::from(x) * i128::from(y);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arb_matrix(rows: usize, cols: usize, bits: u32) -> impl Strategy<Value = Tensor> {
        let max = (1i64 << bits) - 1;
        proptest::collection::vec(-max..=max, rows * cols).prop_map(move |data| Tensor { rows, cols, data })
    }

    fn arb_pair() -> impl Strategy<Value = (Tensor, Tensor)> {
        (1usize..7, 1usize..11, 1usize..9, 1u32..50, 1u32..50)
            .prop_flat_map(|(m, k, n, a, b)| (arb_matrix(m, k, a), arb_matrix(k, n, b)))
    }

    proptest! {
        #[test]
        fn products_agree_with_the_definition((a, b) in arb_pair()) {
            let expected = wide_product(&a, &b);
            prop_assert_eq!(&matmul(&a, &b), &expected);
            prop_assert_eq!(&matmul_nt(&a, &b.transpose()), &expected);
            prop_assert_eq!(&matmul_tn(&a.transpose(), &b), &expected);
        }
    }

    #[test]
    fn wide_operands_leave_the_narrow_path() {
        let a = Tensor { rows: 1, cols: 4, data: vec![-(1 << 60); 4] };
        assert_eq!(matmul_nt(&a, &a).data, [1i128 << 122]);
    }

    #[test]
    fn shapes_are_checked() {
        assert_eq!(Tensor::new(2, 3, vec![0; 5]), Err(ShapeError { rows: 2, cols: 3, len: 5 }));
        assert!(Tensor::new(usize::MAX, 2, vec![]).is_err());
    }
}
