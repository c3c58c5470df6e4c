//! The decayed weight less a quotient, clamped to a weight's 41 bits. With `N + h = q·D + r`, `0 ≤ r < D = 2h + 1`, q is the
//! nearest integer to `N/D`, and with `Y = y − q`:
//!
//! | case | `end` | |
//! |---|---|---|
//! | in range | 0 | `Y + 2^40 = L`, of 41 bits, and `(y − Y)·D + r = N + h` |
//! | too large | 1 | `(y − 2^40 + 1)·D − (N + h) − 1 = r + 2^36·L` |
//! | too small | −1 | `(N + h) − (y + 2^40 + 1)·D = r + 2^36·L` |
//!
//! Right sides are not negative, and together cover every q: `Y ≥ 2^40` iff `N + h < (y − 2^40 + 1)·D`, and `Y < −2^40` iff
//! `N + h ≥ (y + 2^40 + 1)·D`.

use super::reference::Trace;
use crate::arithmetic::fixed::STATE_BITS;
use crate::arithmetic::gadgets::{Ends, Limbs, limb_count};
use backend::{Builder, Cells, Expr, Local};
use plonkish::{BlockId, Col, Kind, LIMB_BITS};

/// Bits of a remainder, and of a divisor less 1.
const REMAINDER_BITS: u32 = 36;
/// Half of the range of a weight with its low part.
const HALF_RANGE: u32 = STATE_BITS - 1;

/// Cells of a quotient, one per row.
#[derive(Clone, Debug)]
pub struct Quotient {
    /// The result's limbs, and the flag.
    pub ends: Ends,
    limbs: Limbs,
    end: Col,
    remainder: Limbs,
    complement: Limbs,
}

/// What is subtracted from, and the division: y, N and h.
pub struct Operands {
    /// y.
    pub from: Local,
    /// N.
    pub numerator: Local,
    /// h: the divisor is `2h + 1`.
    pub half: Local,
}

impl Quotient {
    /// Places the limbs on all rows of a block, and all constraints but that which names the operands.
    pub fn place<V>(b: &mut Builder<V>, block: BlockId, name: &str) -> Self {
        let rows = 0..b.rows(block);
        let limbs = Limbs::place(b, block, name, limb_count(STATE_BITS));
        let end = b.column(block, Kind::Unchecked, &format!("{name}.end"));
        let count = limb_count(REMAINDER_BITS);
        let remainder = Limbs::place(b, block, &format!("{name}.remainder"), count);
        let complement = Limbs::place(b, block, &format!("{name}.complement"), count);
        let ends = Ends::new(block, name, rows.clone(), limbs.clone(), (Some(end), STATE_BITS));
        let few = end.cur() * (Expr::int(1) - end.cur()) * (Expr::int(1) + end.cur());
        b.gate(block, &format!("{name}: end is -1, 0 or 1"), few, rows);
        Quotient { ends, limbs, end, remainder, complement }
    }

    /// Requires the cells to be those of these operands; narrows the top limb. Cells are assigned before.
    pub fn constrain<V>(&self, b: &mut Builder<V>, block: BlockId, name: &str, operands: &Operands) {
        let rows = 0..b.rows(block);
        let Operands { from, numerator, half } = operands;
        let (in_range, end, one) = (self.ends.is_in_range(), self.end.cur(), Expr::int(1));
        let spare = LIMB_BITS * self.limbs.columns().len() as u32 - STATE_BITS;
        self.limbs.narrow(b, name, LIMB_BITS - spare, in_range.clone(), rows.clone());
        let below = half.clone().times(2) - self.remainder.value();
        let complement = in_range.clone() * below - self.complement.value();
        b.gate(
            block,
            &format!("{name}: the remainder is below the divisor, unless at an end"),
            complement,
            rows.clone(),
        );
        let divisor = || half.clone().times(2) + one.clone();
        let dividend = || numerator.clone() + half.clone();
        let beyond = || self.remainder.value() + self.limbs.value().times_pow2(REMAINDER_BITS);
        let quotient = from.clone() - self.limbs.value() + Expr::pow2(HALF_RANGE);
        let within = quotient * divisor() + self.remainder.value() - dividend();
        let bound = Expr::pow2(HALF_RANGE);
        let over = (from.clone() - bound.clone() + one.clone()) * divisor() - dividend() - one.clone() - beyond();
        let under = dividend() - (from.clone() + bound + one.clone()) * divisor() - beyond();
        let cases = (in_range * within).times(2)
            + end.clone() * (end.clone() + one.clone()) * over
            + end.clone() * (end - one) * under;
        b.gate(block, &format!("{name}: the decayed weight less the quotient"), cases, rows);
    }

    /// Sets the cells of a row.
    pub fn set(&self, cells: &mut Cells<'_>, row: usize, decayed: i128, trace: &Trace) {
        let (divisor, dividend) = (trace.divisor(), trace.numerator + trace.half);
        let bound = 1i128 << HALF_RANGE;
        let beyond = |cells: &mut Cells<'_>, beyond: i128| {
            self.remainder.set(cells, row, beyond & ((1 << REMAINDER_BITS) - 1));
            self.limbs.set(cells, row, beyond >> REMAINDER_BITS);
        };
        match trace.unclamped {
            y if y >= bound => {
                cells.set(self.end, row, 1);
                beyond(cells, (decayed - bound + 1) * divisor - dividend - 1);
            }
            y if y < -bound => {
                cells.set(self.end, row, -1);
                beyond(cells, dividend - (decayed + bound + 1) * divisor);
            }
            y => {
                let remainder = dividend - (decayed - y) * divisor;
                self.limbs.set(cells, row, y + bound);
                self.remainder.set(cells, row, remainder);
                self.complement.set(cells, row, divisor - 1 - remainder);
            }
        }
    }
}
