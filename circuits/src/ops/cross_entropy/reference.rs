//! Softmax over the vocabulary, the loss in nats (frac 24) and the gradient of the logits.

use crate::{
    ops::{
        softmax::{self, Softmax},
        tables::{ExpTable, LogTable},
    },
    tensor::{Tensor, Wide},
};

/// The loss of one position, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPosition {
    /// `D_y = m − S_y ≥ 0`, frac 24, exact; below 2^50.
    pub distance: i64,
    /// `floor(log2 Zs)`, in `0..35`.
    pub b: u32,
    /// Upper 10 bits of the mantissa.
    pub i: usize,
    /// Lower 24 bits of the mantissa.
    pub f: i64,
    /// `floor((LN1[i]·f + 2^23) / 2^24)`, frac 24.
    pub chord: i64,
    /// The loss, frac 24.
    pub loss: i64,
}

/// What [`forward_backward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Softmax of the logits, `[T × V]`; `softmax.p` is frac 24, 24 bits.
    pub softmax: Softmax,
    /// `p − y·(2^24 − 1)`, frac 24, `[T × V]`.
    pub dlog: Tensor,
    /// One loss per position.
    pub positions: Vec<LossPosition>,
    /// Sum of the losses, frac 24.
    pub total: i128,
}

/// `logits` is wide `[T × V]`, frac 24; every target is below `V`.
pub fn forward_backward(logits: &Wide, targets: &[u8], exp: &ExpTable, log: &LogTable) -> Loss {
    assert_eq!(logits.rows, targets.len(), "cross entropy: one target per position");
    let softmax = softmax::full(logits, exp);
    let mut dlog = softmax.p.clone();
    let mut positions = Vec::with_capacity(targets.len());
    for (t, &y) in targets.iter().enumerate() {
        let y = usize::from(y);
        dlog.row_mut(t)[y] -= exp.out_scale;
        positions.push(position(softmax.max[t] - logits.at(t, y) as i64, softmax.sum[t], log));
    }
    let total = positions.iter().map(|p| i128::from(p.loss)).sum();
    Loss { softmax, dlog, positions, total }
}

fn position(distance: i64, sum: i64, log: &LogTable) -> LossPosition {
    let b = sum.ilog2();
    let mantissa = (sum << (34 - b)) - (1 << 34);
    let (i, f) = ((mantissa >> 24) as usize, mantissa & ((1 << 24) - 1));
    let chord = (log.ln1[i] * f + (1 << 23)) >> 24;
    let loss = distance + log.lnpow[b as usize] + log.ln0[i] + chord;
    LossPosition { distance, b, i, f, chord, loss }
}
