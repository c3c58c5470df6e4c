//! Saturating division by a power of two: `y = clamp(floor((x + 2^(s−1)) / 2^s))` on `bits` bits.
//!
//! With `X = x + 2^(s−1) + 2^(bits−1+s)` the quotient is in range iff `0 ≤ X < 2^(bits+s)`. Three cases, told apart by
//! two flags, cover every `x` within the declared bound:
//!
//! | case | flags | `X` | `y + 2^(bits−1)` |
//! |---|---|---|---|
//! | in range | none | `U` | the upper limbs of `U` |
//! | too large | `over` | `2^(bits+s) + U` | `2^bits − 1` |
//! | too small | `under` | `−1 − U` | `0` |
//!
//! `U ≥ 0` by its limbs, so the cases are disjoint and `y` is unique. Where range analysis shows that no case but the
//! first occurs, the flags are left out and `y` is a linear expression of the limbs.
//!
//! | degree | constraint |
//! |---|---|
//! | 3 | `over·(1 − over) = 0`, `under·(1 − under) = 0` |
//! | 3 | `over·under = 0` |
//! | 3 | `(over + under − 1)·extra = 0`: limbs beyond `bits + s` only when saturated |
//! | 3 | `y = (1 − over − under)·upper + over·(2^bits − 1)` |

use super::limbs::{Limbs, limb_count};
use super::slab::{Placed, Slab};
use backend::{Builder, Expr, Local};
use plonkish::{BlockId, Case, Col, Interval, Kind, LIMB_BITS};
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
    /// `y`, signed, of degree 1.
    pub y: Placed,
    /// `x`, of degree at most 2: the only value whose division gives the cells as they stand. The caller must constrain it.
    pub x: Placed,
}

impl Rescale {
    fn half(self) -> i128 {
        1 << (self.shift - 1)
    }

    /// Whether some `|x| ≤ bound` saturates.
    pub fn saturates(self) -> bool {
        self.bound + self.half() as u128 >= 1u128 << (self.bits - 1 + self.shift)
    }

    fn limbs(self) -> usize {
        (self.shift / LIMB_BITS) as usize + limb_count(self.bits)
    }

    fn extra(self) -> usize {
        if !self.saturates() {
            return 0;
        }
        let mut extra = 0;
        while (self.bound + self.half() as u128) >> (LIMB_BITS as usize * (self.limbs() + extra)) != 0 {
            extra += 1;
        }
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
                let (y, x) = self.place_lane(b, piece.block, &format!("{name}{lane}"), slab.data(&piece), of_row);
                y_lanes.push(y);
                x_lanes.push(x);
            }
            ys.push(y_lanes);
            xs.push(x_lanes);
        }
        Rescaled { y: Placed { slab: slab.clone(), lanes: ys }, x: Placed { slab: slab.clone(), lanes: xs } }
    }

    /// Places one division per row of a block; gives `y` and `x`.
    pub fn place_lane<V: 'static>(
        self,
        b: &mut Builder<V>,
        block: BlockId,
        name: &str,
        rows: Range<usize>,
        x: impl Fn(&V, usize) -> i128 + Send + Sync + 'static,
    ) -> (Local, Local) {
        let lane = self.limbs_of_lane(b, block, name, rows.clone(), x);
        let y = match lane.flags {
            None => lane.upper.value(),
            Some(_) => {
                let y = b.column(block, Kind::Copyable, &format!("{name}.y"));
                let meaning = "y is the quotient or the end of its range";
                lane.define(b, &format!("{name}: {meaning}"), y, (&lane.upper, None), rows);
                y.cur()
            }
        };
        (y - Expr::pow2(self.bits - 1), lane.x)
    }

    /// Places the limbs and flags of one division per row of a block, and all constraints but those of the result.
    pub fn limbs_of_lane<V: 'static>(
        self,
        b: &mut Builder<V>,
        block: BlockId,
        name: &str,
        on: Range<usize>,
        x: impl Fn(&V, usize) -> i128 + Send + Sync + 'static,
    ) -> RescaledLane {
        let rows = || on.clone();
        let (limbs, low) = (self.limbs(), (self.shift / LIMB_BITS) as usize);
        let (range, offset) = (self.bits + self.shift, (1i128 << (self.bits - 1 + self.shift)) + self.half());
        let partial = self.bits % LIMB_BITS;
        let saturates = self.saturates();
        let u = Limbs::place(b, block, name, limbs + self.extra());
        let flags = saturates.then(|| {
            [
                b.column(block, Kind::Unchecked, &format!("{name}.over")),
                b.column(block, Kind::Unchecked, &format!("{name}.under")),
            ]
        });
        let (assigned, on_rows) = (u.clone(), on.clone());
        b.assign(block, move |values, cells| {
            for row in on_rows.clone() {
                let shifted = x(values, row) + offset;
                let magnitude = match flags {
                    Some([_, under]) if shifted < 0 => {
                        cells.set(under, row, 1);
                        -1 - shifted
                    }
                    Some([over, _]) if shifted >> range != 0 => {
                        cells.set(over, row, 1);
                        shifted - (1 << range)
                    }
                    _ => shifted,
                };
                assigned.set(cells, row, magnitude);
            }
        });
        let one = Expr::int(1);
        let saturated = flags.map_or(Expr::int(0), |[over, under]| over.cur() + under.cur());
        if let Some([over, under]) = flags {
            let bit = |c: Col| c.cur() * (Expr::int(1) - c.cur());
            b.gate(block, &format!("{name}: over is 0 or 1"), bit(over), rows());
            b.gate(block, &format!("{name}: under is 0 or 1"), bit(under), rows());
            b.gate(block, &format!("{name}: not both over and under"), over.cur() * under.cur(), rows());
            if self.extra() > 0 {
                b.gate(
                    block,
                    &format!("{name}: extra limbs only when saturated"),
                    (saturated.clone() - one.clone()) * u.part(limbs, limbs + self.extra()),
                    rows(),
                );
            }
        }
        let upper = Limbs::of(&u, low, limbs);
        if partial != 0 {
            upper.narrow(b, name, partial, one - saturated, rows());
        }
        let x = match flags {
            None => u.value() - Expr::int(offset),
            Some([over, under]) => {
                u.value() + over.cur().times_pow2(range)
                    - under.cur() * (u.value().times(2) + Expr::int(1))
                    - Expr::int(offset)
            }
        };
        RescaledLane { block, upper, flags, bits: self.bits, x }
    }
}

/// The cells of one lane of a division.
#[derive(Clone, Debug)]
pub struct RescaledLane {
    block: BlockId,
    /// Limbs of `y + 2^(bits−1)` when the division does not saturate.
    pub upper: Limbs,
    /// `over` and `under`, where the division can saturate.
    pub flags: Option<[Col; 2]>,
    bits: u32,
    /// `x`, of degree at most 2.
    pub x: Local,
}

impl RescaledLane {
    /// Defines `column` as the part of `y + 2^(bits−1)` that `limbs` (of the upper ones) hold, less `offset`: theirs when
    /// nothing saturates, else all ones or all zeros.
    #[track_caller]
    pub fn define<V>(
        &self,
        b: &mut Builder<V>,
        name: &str,
        column: Col,
        (limbs, offset): (&Limbs, Option<Local>),
        rows: impl IntoIterator<Item = usize>,
    ) {
        let value = self.part(limbs);
        let value = match offset {
            Some(offset) => value - offset,
            None => value,
        };
        b.define_by_cases(self.block, name, column, (value, &self.cases()), rows);
    }

    /// The cases of the division: in range, where the top limb is narrow; too large; too small.
    fn cases(&self) -> Vec<Case> {
        let top = *self.upper.columns().last().expect("a result has limbs");
        let spare = LIMB_BITS * limb_count(self.bits) as u32 - self.bits;
        let narrow = (top, Interval::unsigned(LIMB_BITS - spare));
        let flag = |set: bool| Interval::new(set.into(), set.into());
        match self.flags {
            None => vec![vec![narrow]],
            Some([over, under]) => vec![
                vec![(over, flag(false)), (under, flag(false)), narrow],
                vec![(over, flag(true)), (under, flag(false))],
                vec![(over, flag(false)), (under, flag(true))],
            ],
        }
    }

    /// The expression that [`Self::define`] gives a cell of its own; degree 2 where the division can saturate.
    pub fn part(&self, limbs: &Limbs) -> Local {
        match self.flags {
            None => limbs.value(),
            Some([over, under]) => {
                let is_top = limbs.columns().last() == self.upper.columns().last();
                let full = LIMB_BITS * limbs.columns().len() as u32;
                let bits = if is_top { full - (LIMB_BITS * limb_count(self.bits) as u32 - self.bits) } else { full };
                (Expr::int(1) - over.cur() - under.cur()) * limbs.value()
                    + over.cur() * (Expr::pow2(bits) - Expr::int(1))
            }
        }
    }
}
