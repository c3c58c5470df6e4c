//! Ranges of integers that cells are known, or declared, to lie within, and what they rest on.

use super::LIMB_BITS;
use super::cells::{Col, Kind};
use super::interval::Interval;
use serde::Serialize;

/// Why cells lie within a range that no table and no gate alone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Constraints of the circuit show it together, as said.
    Shown(&'static str),
    /// An equation between projections determines the cells. Checked when keys are made.
    Equation,
    /// The cells come from outside, and whoever wrote them showed it, as said.
    Outside(&'static str),
}

/// A declared range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The range.
    pub interval: Interval,
    /// Why it holds.
    pub because: Because,
}

impl Declared {
    /// Constraints show it together: name them.
    pub fn shown(interval: Interval, by: &'static str) -> Self {
        Declared { interval, because: Because::Shown(by) }
    }

    /// `|x| ≤ bound`, as an equation between projections determines the cells.
    pub fn equation(bound: u128) -> Self {
        Declared { interval: Interval::within(bound), because: Because::Equation }
    }

    /// Whoever wrote the cells showed it: say who.
    pub fn outside(interval: Interval, by: &'static str) -> Self {
        Declared { interval, because: Because::Outside(by) }
    }
}

/// What a range rests on. Each kind is shown from those before it alone, so that nothing is shown from itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Tables, the key, gates over such cells, or whoever wrote a port.
    Firm,
    /// An equation must show it, from firm cells: the cells are *open*.
    Open,
    /// Gates show it, some of them over open cells.
    AfterOpen,
    /// Also ranges that are declared to be shown by several constraints together.
    AfterShown,
}

/// What is known of a column of a block.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Around the cells of all rows of which anything is known.
    pub interval: Interval,
    /// Those rows; empty: all of the block.
    pub rows: Vec<bool>,
    pub because: Option<Because>,
    pub basis: Basis,
}

impl Known {
    /// What a column's kind alone says.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        let everywhere = |interval| Some(Known { interval, rows: vec![], because: None, basis: Basis::Firm });
        match kind {
            Kind::Limb => everywhere(Interval::unsigned(LIMB_BITS)),
            Kind::Fixed => everywhere(Interval::ZERO),
            _ => None,
        }
    }

    pub(super) fn is_everywhere(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether anything is known of the cell on a row.
    pub(super) fn is_at(&self, row: usize) -> bool {
        self.is_everywhere() || self.rows.get(row) == Some(&true)
    }
}

/// A case that a flag tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The flag's value.
    pub flag: i128,
    /// Columns that constraints show to be narrower in it than in general.
    pub narrower: Vec<(Col, Interval)>,
}
