//! Unsigned integers as range-checked limbs.

use backend::{Builder, Cells, Expr, Local};
use plonkish::{BlockId, Col, Kind, LIMB_BITS};

/// Limbs needed for `bits` bits.
pub fn limb_count(bits: u32) -> usize {
    bits.div_ceil(LIMB_BITS) as usize
}

/// An unsigned integer below `2^(12·limbs)`, one per row: limbs in cells of their own, each looked up in the range table.
#[derive(Clone, Debug)]
pub struct Limbs {
    block: BlockId,
    columns: Vec<Col>,
}

impl Limbs {
    /// New columns for `count` limbs.
    pub fn place<V>(b: &mut Builder<V>, block: BlockId, name: &str, count: usize) -> Self {
        let columns = (0..count).map(|i| b.column(block, Kind::Limb, &format!("{name}.{i}"))).collect();
        Limbs { block, columns }
    }

    /// Limbs `from..to` as an integer of their own.
    pub fn of(whole: &Limbs, from: usize, to: usize) -> Self {
        Limbs { block: whole.block, columns: whole.columns[from..to].to_vec() }
    }

    /// Limbs, least significant first.
    pub fn columns(&self) -> &[Col] {
        &self.columns
    }

    /// The most significant limb.
    pub fn top(&self) -> Col {
        *self.columns.last().expect("an integer has limbs")
    }

    /// The integer.
    pub fn value(&self) -> Local {
        self.part(0, self.columns.len())
    }

    /// The integer that limbs `from..to` make.
    pub fn part(&self, from: usize, to: usize) -> Local {
        Expr::sum(self.columns[from..to].iter().enumerate().map(|(i, c)| c.cur().times_pow2(LIMB_BITS * i as u32)))
    }

    /// Sets the integer on a row; one that does not fit is refused.
    pub fn set(&self, cells: &mut Cells<'_>, row: usize, value: i128) {
        let capacity = LIMB_BITS * self.columns.len() as u32;
        if value < 0 || capacity < 127 && value >> capacity != 0 {
            return cells.refuse(self.columns[0], row);
        }
        for (i, &column) in self.columns.iter().enumerate() {
            let limb = value.checked_shr(LIMB_BITS * i as u32).unwrap_or(0) & ((1 << LIMB_BITS) - 1);
            cells.set(column, row, limb);
        }
    }

    /// Narrows the most significant limb to `bits < 12` bits on `rows`: its multiple by `2^(12−bits)` is a limb as well.
    /// `active` (0 or 1) switches the check off where it is 0. The limbs are assigned before.
    pub fn narrow<V>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        bits: u32,
        active: Local,
        rows: impl IntoIterator<Item = usize>,
    ) -> Col {
        let check = b.column(self.block, Kind::Limb, &format!("{name}.narrow"));
        let shifted = self.top().cur().times_pow2(LIMB_BITS - bits);
        b.define(self.block, &format!("{name}: top limb has {bits} bits"), check, active * shifted, rows);
        check
    }
}
