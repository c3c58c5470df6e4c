//! From a cell of the grid back to the op and column that wrote it.

use super::Field;
use super::block::Block;
use super::plan::{Global, Owner, Place, Plan};

impl<F: Field> Plan<F> {
    /// A cell by its op and column.
    pub fn name_of(&self, column: usize, row: usize) -> String {
        self.owner(column, row).map_or_else(|| self.advice[column].name.clone(), |o| format!("{}: {}", o.op, o.column))
    }

    /// Who owns a cell; none for padding.
    pub fn owner(&self, column: usize, row: usize) -> Option<&Owner> {
        let owners = &self.owners[column];
        let next = owners.partition_point(|o| o.first <= row);
        owners[..next].last().filter(|o| row < o.first + o.rows)
    }
}

pub(super) fn owners<F>(
    blocks: &[Block<F>],
    places: &[Place],
    columns: &[Vec<Global>],
    advice: usize,
) -> Vec<Vec<Owner>> {
    let mut owners: Vec<Vec<Owner>> = vec![vec![]; advice];
    for (b, (block, place)) in blocks.iter().zip(places).enumerate() {
        for (local, &column) in block.columns.iter().zip(&columns[b]) {
            if let Global::Advice(a) = column {
                let (op, column) = (block.op.clone(), local.name.clone());
                owners[a].push(Owner { first: place.row, rows: block.rows, block: b, op, column });
            }
        }
    }
    for column in &mut owners {
        column.sort_by_key(|o| o.first);
    }
    owners
}
