//! Softmax over the vocabulary, the loss in nats (frac 24) and the gradient of the logits.

use crate::{
    arithmetic::tensor::{Tensor, Wide},
    model::Token,
    ops::{
        softmax::{self, Softmax},
        tables::{ExpTable, LogTable},
    },
};

/// The loss of one position, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPosition {
    /// `D_y = m − S_y ≥ 0`, frac 24, exact; below 2^50.
    pub distance: i64,
    /// `floor(log2 Zs)`, at most `LogTable::top`: 34, or 46 in a vocabulary of more than 256.
    pub b: u32,
    /// Upper 10 bits of the mantissa.
    pub i: usize,
    /// Lower `F` bits of the mantissa: 24, or 36.
    pub f: i64,
    /// `floor((LN1[i]·f + 2^(F−1)) / 2^F)`, frac 24.
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
pub fn forward_backward(logits: &Wide, targets: &[Token], exp: &ExpTable, log: &LogTable) -> Loss {
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
    let (top, bits) = (log.top(), log.fraction_bits());
    let mantissa = (sum << (top - b)) - (1 << top);
    let (i, f) = ((mantissa >> bits) as usize, mantissa & ((1 << bits) - 1));
    let chord = (log.ln1[i] * f + (1 << (bits - 1))) >> bits;
    let loss = distance + log.lnpow[b as usize] + log.ln0[i] + chord;
    LossPosition { distance, b, i, f, chord, loss }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Config, MAX_VOCAB},
        ops::tables::Tables,
    };
    use std::collections::BTreeMap;

    /// The logarithm part of a loss: what `position` adds to the distance.
    fn logarithm(sum: i64, log: &LogTable) -> i64 {
        position(0, sum, log).loss
    }

    /// The tables of every vocabulary that a configuration may have, by the bits of the two factors, which is all that they
    /// depend on; no context changes them.
    fn all_tables() -> BTreeMap<(u32, u32), Tables> {
        let mut found = BTreeMap::new();
        let powers = (2..).map(|p| 1 << p).take_while(|&vocab| vocab <= 2 * MAX_VOCAB);
        let sizes = powers.flat_map(|p: usize| [p / 2 + 4, p - 4, p]).chain((4..=256).step_by(4));
        for vocab in sizes.filter(|vocab| (4..=MAX_VOCAB).contains(vocab)) {
            let mut config = Config::NANO;
            config.vocab = vocab;
            let tables = Tables::new(&config);
            let key = (tables.head.high_bits, tables.head.low_bits);
            let known = found.entry(key).or_insert_with(|| tables.clone());
            assert_eq!((&known.head, &known.log), (&tables.head, &tables.log), "{vocab}");
        }
        found
    }

    /// 7.6: no loss is negative. The sum is least where the target alone has an exponential that is not 0; then it is that
    /// of the maximum, and the loss is exactly 0. No larger sum gives less.
    #[test]
    fn no_loss_is_negative() {
        let all = all_tables();
        let [short, long] =
            [18, 24].map(|high| all.keys().filter(|bits| bits.0 == high).map(|bits| bits.1).collect::<Vec<_>>());
        assert_eq!((&short[..], &long[..]), (&[9, 10, 11, 12][..], &[9, 10, 11, 12][..]));
        for (bits, Tables { head, log, .. }) in all {
            let least = head.hi[0] * head.lo[0];
            assert_eq!(logarithm(least, &log), 0, "bits {bits:?}");
            // Within a knot the loss grows with f (no chord falls), and ends at most where the next knot begins; so the
            // least of what follows the smallest sum are the knots.
            assert!(log.ln1.iter().all(|&chord| (0..1 << 23).contains(&chord)));
            for i in 0..1023 {
                assert_eq!(log.ln0[i] + log.ln1[i], log.ln0[i + 1]);
            }
            let (top, fraction) = (log.top(), log.fraction_bits());
            for b in least.ilog2()..=top {
                for i in 0..1024i64 {
                    let knot = ((1 << top) + (i << fraction)) >> (top - b);
                    let sum = knot.max(least);
                    assert!(logarithm(sum, &log) >= 0, "bits {bits:?}, sum {sum}");
                    let inside = (knot + 1 + ((1 << (fraction - 1)) >> (top - b))).max(least);
                    assert!(logarithm(inside, &log) >= 0);
                }
                // Rounding of the powers may take a unit away where the next power begins, no more.
                let end = logarithm((1 << b) | ((1 << b) - 1), &log);
                assert!(b == top || end - log.lnpow[b as usize + 1] <= 1);
            }
        }
    }

    /// The same through the whole function, at the least sum: one logit far above all others, and its target.
    #[test]
    fn a_certain_prediction_has_no_loss() {
        for (_, Tables { head, log, .. }) in all_tables() {
            let logits = Wide::new(1, 4, vec![1 << 45, -(1 << 45), -(1 << 45), -(1 << 45)]).unwrap();
            let loss = forward_backward(&logits, &[0], &head, &log);
            assert_eq!((loss.total, loss.softmax.sum[0]), (0, head.hi[0] * head.lo[0]));
            assert!(forward_backward(&logits, &[1], &head, &log).total > 1 << 45);
        }
    }
}
