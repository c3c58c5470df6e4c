//! The gated unit in integers.

use crate::{
    arithmetic::fixed::{Class, Saturations, rescale_to},
    arithmetic::tensor::Tensor,
    ops::tables::SigmoidTable,
};

/// What [`forward`] computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwigluForward {
    /// Sigmoid of the gate, frac 12, 12 bits unsigned, `[T × f]`.
    pub sig: Tensor,
    /// `z · sig · u`, `[T × f]`, [`Class::Feature`].
    pub s: Tensor,
}

/// `z` is `[T × f]` of [`Class::Gate`], `u` `[T × f]` of [`Class::Feature`].
pub fn forward(z: &Tensor, u: &Tensor, table: &SigmoidTable, saturations: &mut Saturations) -> SwigluForward {
    assert_eq!(z.shape(), u.shape(), "swiglu: gate and up have one shape");
    let sig = Tensor { rows: z.rows, cols: z.cols, data: z.data.iter().map(|&z| table.look_up(z).sig).collect() };
    let products = z.data.iter().zip(&sig.data).zip(&u.data);
    // 17 + 12 + 23 bits: fits i64.
    let data =
        products.map(|((z, sig), u)| rescale_to((z * sig * u).into(), 24, Class::Feature, saturations)).collect();
    let s = Tensor { rows: z.rows, cols: z.cols, data };
    SwigluForward { sig, s }
}

/// Largest `|silu'(z)|`, frac 36: the derivative stays within −0.1 and 1.1.
pub const TAU_BOUND: u128 = 5 << 34;

/// `silu'(z)`, frac 36, exact: at most [`TAU_BOUND`] in absolute value for each gate and its sigmoid by the table.
#[inline]
pub fn tau(z: i64, sig: i64) -> i64 {
    (sig << 24) + z * sig * (4096 - sig)
}

/// What [`backward`] computes, `[T × f]` of [`Class::Gradient`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwigluBackward {
    /// Gradient of `u`.
    pub du: Tensor,
    /// `silu'(z)`, frac 36, exact.
    pub tau: Tensor,
    /// Gradient of the gate; the clamp of the gate passes it through.
    pub dz: Tensor,
}

/// `ds` is `[T × f]` of [`Class::Gradient`].
pub fn backward(z: &Tensor, sig: &Tensor, u: &Tensor, ds: &Tensor, saturations: &mut Saturations) -> SwigluBackward {
    let like = |data| Tensor { rows: z.rows, cols: z.cols, data };
    let taus: Vec<i64> = z.data.iter().zip(&sig.data).map(|(&z, &sig)| tau(z, sig)).collect();
    let mut du = Vec::with_capacity(taus.len());
    let mut dz = Vec::with_capacity(taus.len());
    for (i, &tau) in taus.iter().enumerate() {
        let ds = i128::from(ds.data[i]);
        du.push(rescale_to(ds * i128::from(z.data[i] * sig.data[i]), 24, Class::Gradient, saturations));
        dz.push(rescale_to(ds * i128::from(u.data[i]) * i128::from(tau), 48, Class::Gradient, saturations));
    }
    SwigluBackward { du: like(du), tau: like(taus), dz: like(dz) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Config, ops::tables::Tables};

    #[test]
    fn the_derivative_is_bounded_at_every_gate() {
        let table = Tables::new(&Config::NANO).sigmoid;
        let end = 1i64 << (Class::Gate.bits() - 1);
        let largest = (-end..end).map(|z| tau(z, table.look_up(z).sig).unsigned_abs()).max().unwrap();
        assert!((1 << 36..=TAU_BOUND).contains(&u128::from(largest)), "{largest}");
    }
}
