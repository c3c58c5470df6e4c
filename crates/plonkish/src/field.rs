//! The field of a circuit's cells.

use ff::PrimeField;

/// A prime field whose elements are encoded in 32 bytes, least significant first.
pub trait Field: PrimeField<Repr = [u8; 32]> {}

impl<F: PrimeField<Repr = [u8; 32]>> Field for F {}

/// The field element of a signed integer.
pub fn field<F: Field>(x: i128) -> F {
    let magnitude = F::from_u128(x.unsigned_abs());
    if x < 0 { -magnitude } else { magnitude }
}
