//! What a step says of the squares of its gradient ([`crate::model::clip`]).

use crate::model::{Hyper, SquareSum, UpdateKind};
use crate::segments::Privacy;
use backend::curve::F;
use ff::PrimeField;

/// How many sums of squares a step says: of each of so many instances of its update, or, of a private step, one of all of them; none where
/// the gradient is not clipped.
pub fn sums_of(kind: UpdateKind, privacy: Privacy, instances: usize) -> usize {
    match privacy {
        _ if !kind.clips() => 0,
        Privacy::Public => instances,
        Privacy::Private => 1,
    }
}

/// What circuits show where the sum is this: its multiple by the square of what the gradient in the port is multiplied by.
pub fn shown(hyper: &Hyper, squares: SquareSum) -> F {
    let sum = F::from_repr(squares.to_bytes()).into_option();
    // Of 188 bits.
    sum.unwrap_or_default() * F::from(hyper.scale()) * F::from(hyper.scale())
}
