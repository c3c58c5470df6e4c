//! The layout of ports: where each tensor stands in the lane groups of a port. Canonical, since commitments depend on it.

use super::slab::Slab;
use backend::Builder;
use plonkish::{LANES, RESERVED_ROWS};

/// A tensor's name and shape; a vector is one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTensor {
    /// Name, for people.
    pub name: String,
    /// Outer dimension.
    pub runs: usize,
    /// Inner dimension, a multiple of [`LANES`].
    pub columns: usize,
}

/// Consecutive runs of a tensor in one lane group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortPiece {
    /// Lane group.
    pub group: usize,
    /// First row of data.
    pub row: usize,
    /// First run.
    pub first: usize,
    /// Number of runs.
    pub runs: usize,
    /// Empty rows kept before the data of a continued tensor.
    pub carry: usize,
}

/// Places of the tensors of a port, filled group by group in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortLayout {
    /// The tensors.
    pub tensors: Vec<PortTensor>,
    /// Pieces of each tensor.
    pub pieces: Vec<Vec<PortPiece>>,
    /// Number of lane groups.
    pub groups: usize,
    /// Rows that data may use.
    pub usable: usize,
}

impl PortLayout {
    /// Lays tensors out for circuits of `2^k` rows.
    pub fn new(k: u32, tensors: Vec<PortTensor>) -> Self {
        let usable = (1usize << k) - RESERVED_ROWS;
        let (mut group, mut row) = (0, 0);
        let mut pieces = vec![];
        for tensor in &tensors {
            assert_eq!(tensor.columns % LANES, 0, "{}: inner dimension", tensor.name);
            let run_rows = tensor.columns / LANES;
            let (mut first, mut parts) = (0, vec![]);
            while first < tensor.runs {
                let carry = if first == 0 { 0 } else { run_rows };
                let fit = (usable - row).saturating_sub(carry) / run_rows;
                if fit == 0 {
                    group += 1;
                    row = 0;
                    continue;
                }
                let runs = fit.min(tensor.runs - first);
                parts.push(PortPiece { group, row: row + carry, first, runs, carry });
                first += runs;
                row += carry + runs * run_rows;
            }
            pieces.push(parts);
        }
        PortLayout { tensors, pieces, groups: group + 1, usable }
    }

    /// Number of columns of the port.
    pub fn columns(&self) -> usize {
        self.groups * LANES
    }

    /// The columns of the port, each over the usable rows; `value(tensor, run, column)`, zero where no data stands.
    pub fn fill<T: Copy + Default>(&self, value: impl Fn(usize, usize, usize) -> T) -> Vec<Vec<T>> {
        let mut columns = vec![vec![T::default(); self.usable]; self.columns()];
        for (t, (tensor, pieces)) in self.tensors.iter().zip(&self.pieces).enumerate() {
            for piece in pieces {
                for run in 0..piece.runs {
                    for column in 0..tensor.columns {
                        let row = piece.row + run * (tensor.columns / LANES) + column / LANES;
                        columns[piece.group * LANES + column % LANES][row] = value(t, piece.first + run, column);
                    }
                }
            }
        }
        columns
    }

    /// The inverse of [`Self::fill`] for one tensor: its elements in row-major order.
    pub fn read<T: Copy>(&self, tensor: usize, columns: &[Vec<T>]) -> Vec<T> {
        let width = self.tensors[tensor].columns;
        let mut elements = vec![];
        for piece in &self.pieces[tensor] {
            for run in 0..piece.runs {
                for column in 0..width {
                    let row = piece.row + run * (width / LANES) + column / LANES;
                    elements.push(columns[piece.group * LANES + column % LANES][row]);
                }
            }
        }
        elements
    }

    /// A slab over a tensor of the port, and the lane group of each of its pieces.
    pub fn slab<V>(&self, b: &mut Builder<V>, op: &str, tensor: usize) -> (Slab, Vec<usize>) {
        let PortTensor { runs, columns, .. } = self.tensors[tensor];
        let places = self.pieces[tensor].iter().map(|p| (p.row, p.first, p.runs, p.carry));
        let slab = Slab::over(b, op, runs, columns, places);
        (slab, self.pieces[tensor].iter().map(|p| p.group).collect())
    }
}
