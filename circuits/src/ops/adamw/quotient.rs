//! The decayed weight less a quotient, clamped to a weight's 41 bits. With `N + h = q·D + r`, `0 ≤ r < D = 2h + 1`, q is the
//! nearest integer to `N/D`, and with `Y = y − q` and the new weight W:
//!
//! | case | `end` | `W` | |
//! |---|---|---|---|
//! | in range | 0 | of 41 bits | `(y − W)·D + r = N + h`, and `c = 2h − r` |
//! | too large | 1 | `2^40 − 1` | `(y − 2^40 + 1)·D − (N + h) − 1 = r + 2^36·c` |
//! | too small | −1 | `−2^40` | `(N + h) − (y + 2^40 + 1)·D = r + 2^36·c` |
//!
//! r and c are of 36 bits. Right sides are not negative, and together cover every q: `Y ≥ 2^40` iff
//! `N + h < (y − 2^40 + 1)·D`, and `Y < −2^40` iff `N + h ≥ (y + 2^40 + 1)·D`.

use super::reference::Trace;
use crate::arithmetic::fixed::{Class, LOW_BITS, STATE_BITS, split};
use crate::arithmetic::gadgets::{Limbs, limb_count};
use backend::{Builder, Cells, Expr, Local};
use plonkish::{BlockId, Col, Kind, LIMB_BITS};

/// Bits of a remainder, and of a divisor less 1.
const REMAINDER_BITS: u32 = 36;
/// Half of the range of a weight with its low part.
const HALF_RANGE: u32 = STATE_BITS - 1;

/// Cells of a quotient, one per row.
#[derive(Clone, Debug)]
pub struct Quotient {
    /// W >> 24.
    w: Col,
    /// The low part of W.
    lo: Col,
    /// Limbs of `w + 2^16` and of `lo`, of each but the lowest, which they imply.
    upper: [Col; 2],
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
    /// Places the limbs on all rows of a block, and all constraints but that which names the operands. `w` and `lo` are columns
    /// for the result.
    pub fn place<V>(b: &mut Builder<V>, block: BlockId, name: &str, [w, lo]: [Col; 2]) -> Self {
        let rows = 0..b.rows(block);
        let count = limb_count(REMAINDER_BITS);
        let remainder = Limbs::place(b, block, &format!("{name}.remainder"), count);
        let complement = Limbs::place(b, block, &format!("{name}.complement"), count);
        let upper = ["low", "high"].map(|part| b.column(block, Kind::Limb, &format!("{name}.{part}")));
        let end = b.column(block, Kind::Unchecked, &format!("{name}.end"));
        let one = || Expr::int(1);
        let few = end.cur() * (one() - end.cur()) * (one() + end.cur());
        b.gate(block, &format!("{name}: end is -1, 0 or 1"), few, rows);
        // Of two limbs each, the lower one is what is left.
        let [low, high] = upper;
        let bits = Class::Weight.bits();
        b.define_up_to_a_limb(block, &format!("{name}: new low part"), lo, low.cur().times_pow2(LOW_BITS - LIMB_BITS));
        b.narrow_limb(block, &format!("{name}: top limb has {} bits", bits - LIMB_BITS), high, bits - LIMB_BITS);
        let rest = high.cur().times_pow2(LIMB_BITS) - Expr::pow2(bits - 1);
        b.define_up_to_a_limb(block, &format!("{name}: new weight"), w, rest);
        Quotient { w, lo, upper, end, remainder, complement }
    }

    /// Requires the cells to be those of these operands. Cells are assigned before.
    pub fn constrain<V>(&self, b: &mut Builder<V>, block: BlockId, name: &str, operands: &Operands) {
        let rows = 0..b.rows(block);
        let Operands { from, numerator, half } = operands;
        let (end, one) = (self.end.cur(), Expr::int(1));
        let in_range = one.clone() - end.clone().square();
        let result = self.w.cur().times_pow2(LOW_BITS) + self.lo.cur();
        // 2^41 − 1 or 0, as `end + 1` is 2 or 0.
        let furthest = (end.clone() + one.clone()) * (Expr::pow2(STATE_BITS) - one.clone());
        let clamped = end.clone() * ((result.clone() + Expr::pow2(HALF_RANGE)).times(2) - furthest);
        b.gate(block, &format!("{name}: at an end, the end"), clamped, rows.clone());
        let below = half.clone().times(2) - self.remainder.value();
        let complement = in_range.clone() * (below - self.complement.value());
        b.gate(
            block,
            &format!("{name}: the remainder is below the divisor, unless at an end"),
            complement,
            rows.clone(),
        );
        let divisor = || half.clone().times(2) + one.clone();
        let dividend = || numerator.clone() + half.clone();
        let beyond = || self.remainder.value() + self.complement.value().times_pow2(REMAINDER_BITS);
        let within = (from.clone() - result) * divisor() + self.remainder.value() - dividend();
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
            self.complement.set(cells, row, beyond >> REMAINDER_BITS);
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
                self.remainder.set(cells, row, remainder);
                self.complement.set(cells, row, divisor - 1 - remainder);
            }
        }
        let (w, lo) = split(trace.whole().0);
        let [low, high] = self.upper;
        cells.set(self.w, row, w.into());
        cells.set(self.lo, row, lo.into());
        cells.set(low, row, i128::from(lo >> LIMB_BITS));
        cells.set(high, row, i128::from((w + (1 << (Class::Weight.bits() - 1))) >> LIMB_BITS));
    }
}
