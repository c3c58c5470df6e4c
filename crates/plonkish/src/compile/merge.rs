//! Fixed columns that are equal are one.

use super::super::Field;
use super::super::plan::{Gate, Global, ImpliedLimb};
use super::lookup::Lookups;
use std::collections::HashMap;

/// Fixed columns, each once.
pub(super) struct Merged<F> {
    pub columns: Vec<Vec<F>>,
    /// The new number of each column.
    numbers: Vec<usize>,
}

/// Keeps the first of equal columns.
pub(super) fn equal<F: Field>(fixed: Vec<Vec<F>>) -> Merged<F> {
    let (mut by_content, mut columns, mut numbers) = (HashMap::<Vec<u8>, usize>::new(), vec![], vec![]);
    for column in fixed {
        let content = column.iter().flat_map(|cell| cell.to_repr().as_ref().to_vec()).collect();
        let number = *by_content.entry(content).or_insert(columns.len());
        if number == columns.len() {
            columns.push(column);
        }
        numbers.push(number);
    }
    Merged { columns, numbers }
}

impl<F: Field> Merged<F> {
    /// How many columns the first `count` are now, which stay the first ones.
    pub fn of_first(&self, count: usize) -> usize {
        self.numbers[..count].iter().max().map_or(0, |most| most + 1)
    }

    /// Renumbers all that refers to fixed columns.
    pub fn rename(
        &self,
        (gates, implied): (&mut [Gate<F>], &mut [ImpliedLimb<F>]),
        columns: &mut [Vec<Global>],
        lookups: &mut Lookups,
        port_flags: &mut [usize],
    ) {
        let renamed = |column| match column {
            Global::Fixed(number) => Global::Fixed(self.numbers[number]),
            other => other,
        };
        for gate in gates {
            gate.poly = gate.poly.map(&|column, rotation| (renamed(column), rotation));
            gate.selector.column = self.numbers[gate.selector.column];
        }
        for limb in implied {
            limb.form = limb.form.map(&|column, rotation| (renamed(column), rotation));
        }
        columns.iter_mut().flatten().for_each(|column| *column = renamed(*column));
        let tags =
            lookups.helpers.iter_mut().flat_map(|helper| &mut helper.slots).filter_map(|slot| slot.pair.as_mut());
        let of_pairs = tags.map(|(_, tag)| tag);
        let of_tables = lookups.tables.iter_mut().flat_map(|table| [&mut table.tag, &mut table.x, &mut table.y]);
        of_pairs.chain(of_tables).chain(port_flags).for_each(|number| *number = self.numbers[*number]);
    }
}
