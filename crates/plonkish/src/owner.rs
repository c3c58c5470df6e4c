//! From a cell of the grid back to the op and column that wrote it.

use super::Field;
use super::block::Block;
use super::pack::MAX_STRIDE;
use super::plan::{Global, Owner, Place, Plan};

impl<F: Field> Plan<F> {
    /// A cell by its op and column.
    pub fn name_of(&self, column: usize, row: usize) -> String {
        self.owner(column, row).map_or_else(|| self.advice[column].name.clone(), |o| format!("{}: {}", o.op, o.column))
    }

    /// Who owns a cell; none for padding.
    pub fn owner(&self, column: usize, row: usize) -> Option<&Owner> {
        self.owner_index(column, row).map(|i| &self.owners[column][i])
    }

    /// The same by its index in the column's owners.
    pub fn owner_index(&self, column: usize, row: usize) -> Option<usize> {
        let owners = &self.owners[column];
        let next = owners.partition_point(|o| o.first <= row);
        // Columns of a block that share an advice column begin within one of the block's rows.
        let nearest = next.saturating_sub(MAX_STRIDE)..next;
        nearest.rev().find(|&i| owners[i].cell(row).is_some())
    }
}

/// Who owns the cells of the advice columns, and of the fixed columns that hold constants.
pub(super) fn owners<F>(
    blocks: &[Block<F>],
    places: &[Place],
    columns: &[Vec<Global>],
    (advice, fixed): (usize, usize),
) -> (Vec<Vec<Owner>>, Vec<Vec<Owner>>) {
    let (mut owners, mut constants) = (vec![vec![]; advice], vec![vec![]; fixed]);
    for (b, (block, place)) in blocks.iter().zip(places).enumerate() {
        for (i, (local, &column)) in block.columns.iter().zip(&columns[b]).enumerate() {
            let owned: &mut Vec<Owner> = match column {
                Global::Advice(a) => &mut owners[a],
                Global::Fixed(f) => &mut constants[f],
                Global::Uniform(_) => continue,
            };
            owned.push(Owner {
                first: place.at(i, 0),
                rows: block.rows,
                stride: place.stride,
                spans: 0..0,
                block: b,
                op: block.op.clone(),
                column: local.name.clone(),
            });
        }
    }
    for column in owners.iter_mut().chain(&mut constants) {
        column.sort_by_key(|o| o.first);
    }
    (owners, constants)
}
