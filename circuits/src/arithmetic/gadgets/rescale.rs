//! Saturating division by a power of two: `y = clamp(floor((x + 2^(s−1)) / 2^s))` on `bits` bits.
//!
//! With `X = x + 2^(s−1) + 2^(bits−1+s)` the quotient is in range iff `0 ≤ X < 2^(bits+s)`. Three cases, told apart by a
//! flag, cover every `x` within the declared bound; n is the number of all limbs, those beyond `bits + s` included:
//!
//! | case | `end` | `X` | `y + 2^(bits−1)` |
//! |---|---|---|---|
//! | in range | 0 | `U`, of `bits + s` bits | the upper limbs of `U` |
//! | too large | 1 | `2^(bits+s) + U` | `2^bits − 1` |
//! | too small | −1 | `U − 2^(12·n)` | `0` |
//!
//! `0 ≤ U < 2^(12·n)` by its limbs, so the cases are disjoint and `y` is unique. Where range analysis shows that no case but
//! the first occurs, the flag is left out and `y` is a linear expression of the limbs.
//!
//! | degree | constraint |
//! |---|---|
//! | 4 | `end·(1 − end)·(1 + end) = 0` |
//! | 4 | `(1 − end²)·extra = 0`: limbs beyond `bits + s` only when saturated |
//! | 2 to 4 | the top limb of the result is narrow, unless saturated |

use super::ends::Ends;
use super::limbs::{Limbs, limb_count};
use super::slab::{Placed, Slab};
use backend::{Builder, Cells, Expr, Local};
use plonkish::{BlockId, Col, Kind, LIMB_BITS};
use std::ops::Range;
use std::sync::Arc;

/// The division: shift (a multiple of 12), width of the result, and the largest `|x|` that can occur.
#[derive(Clone, Copy, Debug)]
pub struct Rescale {
    /// Bits shifted out.
    pub shift: u32,
    /// Bits of the result, the sign included.
    pub bits: u32,
    /// Bound on `|x|`, by range analysis.
    pub bound: u128,
}

/// Results of a placed division, and what they are results of.
#[derive(Clone, Debug)]
pub struct Rescaled {
    /// `y`, signed: of degree 3 where the division can saturate, else 1. [`Self::hold`] gives it cells.
    pub y: Placed,
    /// `x`, of degree at most 3: the only value whose division gives the cells as they stand. The caller must constrain it.
    pub x: Placed,
}

impl Rescaled {
    /// The same with `y` in cells of its own, for products.
    pub fn hold<V>(self, b: &mut Builder<V>, name: &str) -> Self {
        let Placed { slab, mut lanes } = self.y;
        for (piece, lanes) in slab.pieces.iter().zip(&mut lanes) {
            for (lane, y) in lanes.iter_mut().enumerate().filter(|(_, y)| y.degree() > 1) {
                let cells = b.column(piece.block, Kind::Copyable, &format!("{name}{lane}.y"));
                let meaning = format!("{name}{lane}: y is the quotient or the end of its range");
                b.define(piece.block, &meaning, cells, y.clone(), slab.data(piece));
                *y = cells.cur();
            }
        }
        Rescaled { y: Placed { slab, lanes }, ..self }
    }
}

impl Rescale {
    fn half(self) -> i128 {
        1 << (self.shift - 1)
    }

    /// Whether some `|x| ≤ bound` saturates.
    pub fn saturates(self) -> bool {
        self.bound + self.half() as u128 >= 1u128 << (self.bits - 1 + self.shift)
    }

    /// Limbs of a result in range and its remainder.
    fn limbs(self) -> usize {
        (self.shift / LIMB_BITS) as usize + limb_count(self.bits)
    }

    /// Limbs beyond these.
    fn extra(self) -> usize {
        if !self.saturates() {
            return 0;
        }
        let mut extra = 0;
        while (self.bound + self.half() as u128) >> (LIMB_BITS as usize * (self.limbs() + extra)) != 0 {
            extra += 1;
        }
        assert!(LIMB_BITS as usize * (self.limbs() + extra) < 126, "a dividend of all limbs is an i128");
        extra
    }

    /// Places the division of every element of a slab; `x(run, column)` are the values.
    pub fn place<V: 'static>(
        self,
        b: &mut Builder<V>,
        slab: &Slab,
        name: &str,
        x: impl Fn(&V, usize, usize) -> i128 + Send + Sync + 'static,
    ) -> Rescaled {
        let x = Arc::new(x);
        assert_eq!(self.shift % LIMB_BITS, 0, "{name}: remainders are whole limbs");
        let (mut ys, mut xs) = (vec![], vec![]);
        for piece in &slab.pieces {
            let (mut y_lanes, mut x_lanes) = (vec![], vec![]);
            for lane in 0..slab.lanes {
                let (x, shape, piece) = (x.clone(), slab.clone(), *piece);
                let of_row = move |values: &V, row: usize| {
                    let (run, column) = shape.element(&piece, row, lane);
                    x(values, run, column)
                };
                let division = self.place_lane(b, piece.block, &format!("{name}{lane}"), slab.data(&piece), of_row);
                y_lanes.push(division.part(b, &division.upper) - Expr::pow2(self.bits - 1));
                x_lanes.push(division.x);
            }
            ys.push(y_lanes);
            xs.push(x_lanes);
        }
        Rescaled { y: Placed { slab: slab.clone(), lanes: ys }, x: Placed { slab: slab.clone(), lanes: xs } }
    }

    /// Places the limbs and the flag of one division per row of a block, and all constraints.
    pub fn place_lane<V: 'static>(
        self,
        b: &mut Builder<V>,
        block: BlockId,
        name: &str,
        rows: Range<usize>,
        x: impl Fn(&V, usize) -> i128 + Send + Sync + 'static,
    ) -> RescaledLane {
        let (limbs, extra, low) = (self.limbs(), self.extra(), (self.shift / LIMB_BITS) as usize);
        let u = Limbs::place(b, block, name, limbs + extra);
        let end = self.saturates().then(|| b.column(block, Kind::Unchecked, &format!("{name}.end")));
        let (upper, beyond) = (Limbs::of(&u, low, limbs), Limbs::of(&u, limbs, limbs + extra));
        let spare = LIMB_BITS * limb_count(self.bits) as u32 - self.bits;
        // A limb to spare also says that the top limb of a result in range is narrow.
        let shares = spare != 0 && extra > 0;
        let x_of_cells = self.dividend(&u, end, shares);
        let ends = Ends::new(block, name, rows.clone(), upper.clone(), (end, self.bits));
        let lane = RescaledLane { ends, upper, x: x_of_cells };
        let cells = Columns { u: u.clone(), end, narrow: shares.then_some(spare) };
        let assigned_rows = rows.clone();
        b.assign(block, move |values, assigned| {
            assigned_rows.clone().for_each(|row| cells.set(assigned, row, self, x(values, row)));
        });
        let is_in_range = lane.ends.is_in_range();
        if let Some(end) = end {
            let few = end.cur() * (Expr::int(1) - end.cur()) * (Expr::int(1) + end.cur());
            b.gate(block, &format!("{name}: end is -1, 0 or 1"), few, rows.clone());
        }
        let (shared, rest) = beyond.columns().split_at(usize::from(shares));
        if !rest.is_empty() {
            let rest = beyond.part(shared.len(), extra);
            let meaning = format!("{name}: extra limbs only when saturated");
            b.gate(block, &meaning, is_in_range.clone() * rest, rows.clone());
        }
        match shared.first() {
            Some(shared) => {
                let shifted = lane.upper.top().cur().times_pow2(spare);
                let meaning = format!("{name}: top limb has {} bits, unless saturated", LIMB_BITS - spare);
                b.gate(block, &meaning, is_in_range * (shared.cur() - shifted), rows);
            }
            None if spare != 0 => drop(lane.upper.narrow(b, name, LIMB_BITS - spare, is_in_range, rows)),
            None => {}
        }
        lane
    }

    /// `x` as an expression of the limbs and the flag.
    fn dividend(self, u: &Limbs, end: Option<Col>, shares: bool) -> Local {
        let (limbs, range) = (self.limbs(), self.bits + self.shift);
        let offset = Expr::pow2(range - 1) + Expr::int(self.half());
        let Some(end) = end else { return u.value() - offset };
        let extra = self.extra();
        let beyond =
            |from: usize, to: usize| u.part(limbs + from, limbs + to).times_pow2(LIMB_BITS * (limbs + from) as u32);
        let mut whole = u.part(0, limbs);
        if shares {
            whole = whole + end.cur().square() * beyond(0, 1);
        }
        if extra > usize::from(shares) {
            whole = whole + beyond(shares.into(), extra);
        }
        // 2^range at the upper end, −2^(12·n) at the lower one.
        let all = LIMB_BITS * (limbs + extra) as u32;
        if all == range {
            return whole + end.cur().times_pow2(range) - offset;
        }
        let half_sum = Expr::pow2(range - 1) + Expr::pow2(all - 1);
        let half_difference = Expr::pow2(range - 1) - Expr::pow2(all - 1);
        whole + end.cur() * half_sum + end.cur().square() * half_difference - offset
    }
}

/// The cells of one lane of a division.
#[derive(Clone)]
struct Columns {
    u: Limbs,
    end: Option<Col>,
    /// Bits that the top limb of a result in range has to spare, where the first extra limb says so.
    narrow: Option<u32>,
}

impl Columns {
    fn set(&self, cells: &mut Cells<'_>, row: usize, division: Rescale, x: i128) {
        let (limbs, range) = (division.limbs(), division.bits + division.shift);
        let shifted = x + division.half() + (1i128 << (range - 1));
        match self.end {
            Some(end) if shifted < 0 => {
                cells.set(end, row, -1);
                self.u.set(cells, row, shifted + (1i128 << (LIMB_BITS as usize * self.u.columns().len())));
            }
            Some(end) if shifted >> range != 0 => {
                cells.set(end, row, 1);
                self.u.set(cells, row, shifted - (1i128 << range));
            }
            _ => {
                self.u.set(cells, row, shifted);
                if let Some(spare) = self.narrow {
                    let top = shifted >> (LIMB_BITS as usize * (limbs - 1));
                    cells.set(self.u.columns()[limbs], row, top << spare);
                }
            }
        }
    }
}

/// One placed division per row of a block.
#[derive(Clone, Debug)]
pub struct RescaledLane {
    /// The result.
    ends: Ends,
    /// Limbs of `y + 2^(bits−1)` when the division does not saturate.
    pub upper: Limbs,
    /// `x`, of degree at most 3. The caller must constrain it.
    pub x: Local,
}

impl RescaledLane {
    /// The part of `y + 2^(bits−1)` that `limbs` (of the upper ones) hold: theirs when nothing saturates, else all ones or all
    /// zeros.
    pub fn part<V>(&self, b: &mut Builder<V>, limbs: &Limbs) -> Local {
        self.ends.part(b, limbs)
    }
}
