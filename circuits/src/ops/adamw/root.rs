//! The second moment as an integer root with what is left: `v' = s² + a` with `0 ≤ a ≤ 2s`, one way for each `v' ≥ 0`.
//!
//! `a` and `2s − a` are limbs. Their sum is twice s only if it is even: half of the sum of their lowest limbs is a limb as
//! well. So s needs no limbs of its own.

use crate::arithmetic::gadgets::{Limbs, limb_count};
use backend::{Builder, Cells, Local};
use plonkish::{BlockId, LIMB_BITS};

/// Bits of `a` and of `2s − a`, which s of 35 bits fits.
const REST_BITS: u32 = 36;

/// Cells of a root, one per row.
#[derive(Clone, Debug)]
pub struct Root {
    rest: Limbs,
    complement: Limbs,
    half: Limbs,
}

impl Root {
    /// Places the limbs on all rows of a block, and what makes s an integer.
    pub fn place<V>(b: &mut Builder<V>, block: BlockId, name: &str) -> Self {
        let count = limb_count(REST_BITS);
        let root = Root {
            rest: Limbs::place(b, block, &format!("{name}.rest"), count),
            complement: Limbs::place(b, block, &format!("{name}.complement"), count),
            half: Limbs::place(b, block, &format!("{name}.half"), 1),
        };
        let even = root.rest.part(0, 1) + root.complement.part(0, 1) - root.half.value().times(2);
        b.gate(block, &format!("{name}: the root is an integer"), even, 0..b.rows(block));
        root
    }

    /// s, of degree 1.
    pub fn root(&self) -> Local {
        let high = |limbs: &Limbs| limbs.part(1, limbs.columns().len());
        self.half.value() + (high(&self.rest) + high(&self.complement)).times_pow2(LIMB_BITS - 1)
    }

    /// `s² + a`, of degree 2.
    pub fn square(&self) -> Local {
        self.root().square() + self.rest.value()
    }

    /// Sets the cells of a row.
    pub fn set(&self, cells: &mut Cells<'_>, row: usize, square: i128, root: i128) {
        let rest = square - root * root;
        let complement = 2 * root - rest;
        let low = (1 << LIMB_BITS) - 1;
        self.rest.set(cells, row, rest);
        self.complement.set(cells, row, complement);
        self.half.set(cells, row, ((rest & low) + (complement & low)) / 2);
    }
}
