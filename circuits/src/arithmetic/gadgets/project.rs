//! Random projections (Freivalds): matrix equations checked as equations between a few projected vectors.
//!
//! Let `⟨X⟩_c` be the vector of `Σ_j c^(n−1−j)·X_ij` over the inner dimension, and `c⟨X⟩` that over the outer one. With
//! independent `μ` and `ν`, `μ⟨⟨Y⟩_ν⟩ = Σ_k μ⟨X⟩_k · ⟨W⟩_ν,k` holds for `Y ≠ X·W` with probability at most
//! `(rows + columns)/p`: the difference is a non-zero polynomial of that degree in `μ, ν`.

use super::slab::Placed;
use backend::{Builder, Local};
use plonkish::{Cell, Challenge, Kind};

/// `⟨X⟩_c`: one cell per run. Elements of degree at most 3.
pub fn inner<V>(b: &mut Builder<V>, x: &Placed, challenge: Challenge) -> Vec<Cell> {
    let (c, power) = (challenge.power(1), challenge.power(x.slab.lanes as u32));
    let name = challenge.label();
    let columns = x.slab.column(b, Kind::Acc, &format!("inner {name}"));
    for ((piece, &acc), lanes) in x.slab.pieces.iter().zip(&columns).zip(&x.lanes) {
        let row = lanes.iter().cloned().reduce(|sum, x| sum * c.clone() + x).expect("a slab has lanes");
        let starts = x.slab.starts(piece);
        let rest: Vec<usize> = x.slab.data(piece).filter(|r| !starts.contains(r)).collect();
        b.define(piece.block, &format!("projection over {name} begins a run"), acc, row.clone(), starts);
        b.define(
            piece.block,
            &format!("projection over {name} along a run"),
            acc,
            acc.at(-1) * power.clone() + row,
            rest,
        );
    }
    (0..x.slab.runs).map(|run| x.slab.end(b, &columns, run)).collect()
}

/// `c⟨X⟩` over each group of `period` consecutive runs: for each group one cell per element of a run.
pub fn outer<V>(b: &mut Builder<V>, x: &Placed, challenge: Challenge, period: usize) -> Vec<Vec<Cell>> {
    let slab = &x.slab;
    assert_eq!(slab.runs % period, 0, "groups of equal size");
    let run_rows = slab.run_rows();
    let c = challenge.power(1);
    let name = challenge.label();
    let columns = slab.lane_columns(b, Kind::Acc, &format!("outer {name}"));
    for (p, piece) in slab.pieces.iter().enumerate() {
        if !piece.first.is_multiple_of(period) {
            // Carry the projection of the runs before into the carry rows.
            let before = slab.pieces[p - 1];
            let (from, to) = (slab.row(&before, piece.first - 1), piece.carry - run_rows);
            for i in 0..run_rows {
                for (&old, &new) in columns[p - 1].iter().zip(&columns[p]) {
                    let from = b.cell(before.block, old, from + i);
                    let to = b.cell(piece.block, new, to + i);
                    b.copy(from, to);
                }
            }
        }
        let first = |row: &usize| (piece.first + (row - piece.carry) / run_rows).is_multiple_of(period);
        let (starts, rest): (Vec<usize>, Vec<usize>) = slab.data(piece).partition(first);
        // Row by row, so that a group may begin in the middle of a piece.
        for (&acc, element) in columns[p].iter().zip(&x.lanes[p]) {
            let element: Local = element.clone();
            b.define(piece.block, &format!("projection over {name} begins"), acc, element.clone(), starts.clone());
            b.define(
                piece.block,
                &format!("projection over {name} adds a run"),
                acc,
                acc.at(-(run_rows as i32)) * c.clone() + element,
                rest.clone(),
            );
        }
    }
    (0..slab.runs / period)
        .map(|group| {
            let run = (group + 1) * period - 1;
            (0..slab.columns)
                .map(|column| {
                    let (block, row, lane) = slab.position(run, column);
                    let piece = slab.pieces.iter().position(|p| p.block == block).expect("a piece of the slab");
                    b.cell(block, columns[piece][lane], row)
                })
                .collect()
        })
        .collect()
}

/// `outer⟨⟨X⟩_inner⟩`, one cell.
pub fn bilinear<V>(b: &mut Builder<V>, x: &Placed, outer: Challenge, inner_challenge: Challenge) -> Cell {
    let runs = inner(b, x, inner_challenge);
    b.horner(&runs, outer)
}

/// Requires two tensors, possibly in different slabs, to be equal.
pub fn link<V>(b: &mut Builder<V>, x: &Placed, y: &Placed) {
    let a = bilinear(b, x, Challenge::Rows, Challenge::Outputs);
    let c = bilinear(b, y, Challenge::Rows, Challenge::Outputs);
    b.equal(a, c);
}

/// Pairs up two vectors of cells.
pub fn pairs(a: &[Cell], b: &[Cell]) -> Vec<(Cell, Cell)> {
    assert_eq!(a.len(), b.len(), "vectors of equal length");
    a.iter().copied().zip(b.iter().copied()).collect()
}
