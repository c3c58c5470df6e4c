//! A result that is one of the ends of its range where a flag says so.

use super::limbs::Limbs;
use backend::{Builder, Expr, Local};
use plonkish::{BlockId, Case, Col, Interval, LIMB_BITS};
use std::ops::Range;

/// Limbs of a result on each row of a block, and the flag that says that it is an end of its range: 1 the upper, −1 the lower one.
#[derive(Clone, Debug)]
pub struct Ends {
    block: BlockId,
    name: String,
    rows: Range<usize>,
    /// Limbs of the result, plus half of its range, where it is no end of it.
    upper: Limbs,
    end: Option<Col>,
    /// Bits that the top limb of a result in range has to spare.
    spare: u32,
}

impl Ends {
    /// Of limbs, the flag (none where nothing saturates) and the bits of a result.
    pub fn new(block: BlockId, name: &str, rows: Range<usize>, upper: Limbs, (end, bits): (Option<Col>, u32)) -> Self {
        let spare = LIMB_BITS * upper.columns().len() as u32 - bits;
        Ends { block, name: name.into(), rows, upper, end, spare }
    }

    /// 1 or 0.
    pub fn is_in_range(&self) -> Local {
        self.end.map_or(Expr::int(1), |end| Expr::int(1) - end.cur().square())
    }

    /// The part of the result, plus half of its range, that `limbs` (of the upper ones) hold: theirs when nothing saturates, else
    /// all ones or all zeros.
    pub fn part<V>(&self, b: &mut Builder<V>, limbs: &Limbs) -> Local {
        let Some(end) = self.end else { return limbs.value() };
        let full = LIMB_BITS * limbs.columns().len() as u32;
        let bits = if limbs.top() == self.upper.top() { full - self.spare } else { full };
        // 2 at the upper end.
        let twice = end.cur() * (end.cur() + Expr::int(1));
        let value = self.is_in_range() * limbs.value() + (twice * (Expr::pow2(bits) - Expr::int(1))).halved();
        let narrow = (self.upper.top(), Interval::unsigned(LIMB_BITS - self.spare));
        let case = |flag: i128, narrower: Vec<_>| Case { flag, narrower };
        let cases = [case(0, vec![narrow]), case(1, vec![]), case(-1, vec![])];
        let name = format!("{}: the quotient or the end of its range", self.name);
        b.by_cases(self.block, &name, (value, end), &cases, self.rows.clone())
    }
}
