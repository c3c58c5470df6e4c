//! Gather and scatter as products with a one-hot matrix, which costs little where almost every cell is zero.

use crate::{
    arithmetic::gadgets::{Get, Placed, Slab},
    model::Token,
};
use backend::{Builder, Expr};
use plonkish::Cell;

/// Places the `[T × V]` matrix whose row `t` is 1 at `index[t]` and 0 elsewhere. `token(t)` is the cell that holds the
/// index; it is thereby below V.
pub fn one_hot<V: 'static>(
    b: &mut Builder<V>,
    slab: &Slab,
    index: Get<V, Vec<Token>>,
    token: impl Fn(usize) -> Cell,
) -> Placed {
    let hot = slab.unchecked(b, "one-hot", None, move |values, t, v| (usize::from(index(values)[t]) == v).into());
    let number = slab.constants(b, "index", |_, v| v as i128);
    slab.gate(b, "one-hot is 0 or 1", |p, l| hot.lane(p, l) * (Expr::int(1) - hot.lane(p, l)));
    let count = slab.running_sum(b, "one-hot count", &Placed::row_sums(slab, |p, l| hot.lane(p, l)));
    let chosen = Placed::row_sums(slab, |p, l| hot.lane(p, l) * number.lane(p, l));
    let chosen = slab.running_sum(b, "one-hot index", &chosen);
    for (p, piece) in slab.pieces.iter().enumerate() {
        let ends = slab.ends(piece);
        b.gate(piece.block, "one-hot row has one 1", count[p].cur() - Expr::int(1), ends);
        for run in piece.first..piece.first + piece.runs {
            let end = slab.end(b, &chosen, run);
            b.equal(token(run), end);
        }
    }
    hot
}
