//! A running sum over all rows of an update's block.

use backend::{Builder, Expr};
use plonkish::{BlockId, Col, Kind, LANES};

/// Where the sum goes.
#[derive(Clone, Copy, Debug)]
pub enum Total {
    /// It is the public value on a row of the instance.
    Public(usize),
    /// It is the cell on the last row of a port's column, which is zero elsewhere.
    Port(Col),
}

/// Places the sum of the squares of the cells of `gradient`, of all rows.
pub fn place<V: 'static>(b: &mut Builder<V>, block: BlockId, gradient: [Col; LANES], total: Total) {
    let rows = b.rows(block);
    let kind = if matches!(total, Total::Public(_)) { Kind::Copyable } else { Kind::Unchecked };
    let sum = b.column(block, kind, "squares");
    let squares = || Expr::sum(gradient.map(|lane| lane.cur().square()));
    b.define(block, "squares: the first row's", sum, squares(), [0]);
    b.define(block, "squares: added up", sum, sum.at(-1) + squares(), 1..rows);
    match total {
        Total::Public(row) => b.public(b.cell(block, sum, rows - 1), row),
        Total::Port(port) => {
            b.carries_data(block, port, [rows - 1]);
            b.define(block, "squares: the sum leaves by the port", port, sum.cur(), [rows - 1]);
        }
    }
}
