//! Squared error: errors in cells, their squares added up run by run.

use crate::arithmetic::gadgets::Placed;
use backend::Builder;
use plonkish::{Cell, Kind};

/// Places the errors `y − t` in the slab where both stand, and gives them with the cell of the sum of their squares. `y` is of
/// degree at most 3.
pub fn place<V: 'static>(b: &mut Builder<V>, y: &Placed, t: &Placed) -> (Placed, Cell) {
    let slab = &y.slab;
    let columns = slab.lane_columns(b, Kind::Unchecked, "error");
    for (p, (piece, lanes)) in slab.pieces.iter().zip(&columns).enumerate() {
        for (lane, &error) in lanes.iter().enumerate() {
            let difference = y.lane(p, lane) - t.lane(p, lane);
            b.define(piece.block, &format!("error is y − t (lane {lane})"), error, difference, slab.data(piece));
        }
    }
    let error = slab.placed(&columns);
    let squares = Placed::row_sums(slab, |p, lane| error.lane(p, lane).square());
    let sums = slab.running_sum(b, "squared errors", &squares);

    let block = b.block("squared_error/total", slab.runs);
    let of_run = b.column(block, Kind::Copyable, "sum");
    let total = b.column(block, Kind::Copyable, "total");
    for run in 0..slab.runs {
        let (from, to) = (slab.end(b, &sums, run), b.cell(block, of_run, run));
        b.copy(from, to);
    }
    b.define(block, "total begins with the first run", total, of_run.cur(), 0..1);
    b.define(block, "total adds up the runs", total, total.at(-1) + of_run.cur(), 1..slab.runs);
    (error, b.cell(block, total, slab.runs - 1))
}
