//! Small steps, from all corners of their ranges.
#![allow(dead_code)]

use circuits::arithmetic::tensor::Tensor;
use peers::step::CLASS;
use peers::{Inputs, Mlp, Shape, data};

/// A step with few cells.
pub fn small() -> Mlp {
    Mlp::new(Shape::new(4, 2, 4, 2).unwrap(), 1 << 23).unwrap()
}

/// The shape of the comparison.
pub fn compared() -> Mlp {
    Mlp::new(Shape::new(8, 16, 32, 16).unwrap(), 1 << 23).unwrap()
}

/// What the values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// As at the start of training.
    Usual,
    /// At the ends of their ranges: everything saturates somewhere.
    Extreme,
    /// So large that forward values stay in range, and weights do not.
    Steep,
    /// Zero.
    Zero,
}

/// Inputs of a kind.
pub fn inputs(mlp: &Mlp, like: Like) -> Inputs {
    let mut drawn = data::draw(mlp, 7);
    let ends = |tensor: &mut Tensor, period: usize| {
        for (i, x) in tensor.data.iter_mut().enumerate() {
            *x = [CLASS.max(), CLASS.min(), CLASS.max() - x.abs(), *x, 0][(i / period + i) % 5];
        }
    };
    let times = |tensor: &mut Tensor, factor: i64| tensor.data.iter_mut().for_each(|x| *x *= factor);
    let Inputs { x, target, w1, w2 } = &mut drawn;
    match like {
        Like::Usual => {}
        Like::Extreme => [x, target, w1, w2].into_iter().zip(1..).for_each(|(tensor, period)| ends(tensor, period)),
        Like::Steep => {
            times(x, 16);
            times(w2, 64);
            times(target, 512);
        }
        Like::Zero => [x, target, w1, w2].into_iter().for_each(|tensor| times(tensor, 0)),
    }
    drawn
}
