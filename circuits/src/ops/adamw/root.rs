//! The root of twice the second moment: of each `v' ≥ 0` there is one s with `v' = s·(s + 1)/2 + a` and `0 ≤ a ≤ s`, about `√(2v')`.
//!
//! `a` and `s − a` are limbs, whose sum is s: so s needs none of its own, and no proof that it is an integer, as `v' = s² + a` with
//! `a ≤ 2s` would.

use crate::arithmetic::gadgets::{Limbs, limb_count};
use backend::{Builder, Cells, Local};
use plonkish::BlockId;

/// Bits of `a` and of `s − a`, which s of 35 bits fits.
const REST_BITS: u32 = 36;

/// Cells of a root, one per row.
#[derive(Clone, Debug)]
pub struct Root {
    rest: Limbs,
    complement: Limbs,
}

impl Root {
    /// Places the limbs on all rows of a block.
    pub fn place<V>(b: &mut Builder<V>, block: BlockId, name: &str) -> Self {
        let limbs = |part| Limbs::place(b, block, &format!("{name}.{part}"), limb_count(REST_BITS));
        let [rest, complement] = ["rest", "complement"].map(limbs);
        Root { rest, complement }
    }

    /// s, of degree 1.
    pub fn root(&self) -> Local {
        self.rest.value() + self.complement.value()
    }

    /// `2v' = s·(s + 1) + 2a`, of degree 2.
    pub fn twice(&self) -> Local {
        self.root().square() + self.root() + self.rest.value().times(2)
    }

    /// Sets the cells of a row.
    pub fn set(&self, cells: &mut Cells<'_>, row: usize, value: i128, root: i128) {
        let rest = value - root * (root + 1) / 2;
        self.rest.set(cells, row, rest);
        self.complement.set(cells, row, root - rest);
    }
}
