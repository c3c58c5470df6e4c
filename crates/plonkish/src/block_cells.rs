//! The cells of a block, to be assigned.

use super::cells::{BlockId, Cell, Col, index};
use super::plan::Plan;
use super::{Field, WitnessError, field};

/// The cells of a block while values are assigned to them.
pub struct Cells<'w, F> {
    pub(super) plan: &'w Plan<F>,
    pub(super) block: BlockId,
    pub(super) values: &'w mut [Vec<F>],
    pub(super) error: &'w mut Option<WitnessError>,
}

impl<F: Field> Cells<'_, F> {
    /// Sets a cell to an integer.
    pub fn set(&mut self, column: Col, row: usize, value: i128) {
        self.set_field(column, row, field(value));
    }

    /// Sets a cell to a field element.
    pub fn set_field(&mut self, column: Col, row: usize, value: F) {
        let (column, row) = self.plan.locate(Cell { block: self.block, column: index(column), row });
        self.values[column][row] = value;
    }

    /// Notes that a value lies outside what the cell's op declares: there is no witness of such values.
    pub fn refuse(&mut self, column: Col, row: usize) {
        let (column, row) = self.plan.locate(Cell { block: self.block, column: index(column), row });
        let cell = self.plan.cell_name(column, row);
        self.error.get_or_insert(WitnessError::OutOfRange { cell, row });
    }
}
