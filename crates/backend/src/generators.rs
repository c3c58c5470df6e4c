//! The points that commitments are sums of.

use ff::PrimeField;
use group::GroupEncoding;
use halo2_proofs::poly::commitment;
use pasta_curves::arithmetic::CurveAffine;
use rayon::prelude::*;
use std::io;

/// The points of parameters of 2^k rows. halo2 keeps most of them to itself, but writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generators<C> {
    /// Log2 of the rows.
    pub k: u32,
    /// Bases of coefficients: G₀, G₁, ….
    pub coefficients: Vec<C>,
    /// Bases of values on the rows.
    pub lagrange: Vec<C>,
    /// Base of blinds.
    pub w: C,
    /// Base of values in the inner-product argument.
    pub u: C,
}

/// Bytes that are not points on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("they are not points on the curve")]
pub struct NoPoints;

impl<C: CurveAffine> Generators<C> {
    /// Points of parameters of 2^k rows.
    pub fn count(k: u32) -> usize {
        2 * (1 << k) + 2
    }

    /// Those of halo2's parameters.
    pub fn of(params: &commitment::Params<C>) -> Self {
        let mut bytes = vec![];
        params.write(&mut bytes).expect("writing to memory does not fail");
        let size = <C as GroupEncoding>::Repr::default().as_ref().len();
        let decode = |bytes: &[u8]| {
            let mut repr = <C as GroupEncoding>::Repr::default();
            repr.as_mut().copy_from_slice(bytes);
            Option::<C>::from(C::from_bytes_unchecked(&repr)).expect("what halo2 writes are points")
        };
        let encoded: Vec<&[u8]> = bytes[4..].chunks_exact(size).collect();
        Self::from_points(params.k(), encoded.into_par_iter().map(decode).collect())
    }

    /// In halo2's order: both bases, W and U.
    fn from_points(k: u32, mut points: Vec<C>) -> Self {
        assert_eq!(points.len(), Self::count(k), "points of 2^{k} rows");
        let rows = 1 << k;
        let (w, u) = (points[2 * rows], points[2 * rows + 1]);
        let lagrange = points[rows..2 * rows].to_vec();
        points.truncate(rows);
        Generators { k, coefficients: points, lagrange, w, u }
    }

    fn points(&self) -> impl Iterator<Item = &C> {
        self.coefficients.iter().chain(&self.lagrange).chain([&self.w, &self.u])
    }

    /// halo2's parameters of these points. It looks for a square root for each, which takes some tens of milliseconds.
    pub fn to_halo2(&self) -> io::Result<commitment::Params<C>> {
        let mut bytes = self.k.to_le_bytes().to_vec();
        self.points().for_each(|point| bytes.extend_from_slice(point.to_bytes().as_ref()));
        commitment::Params::read(&mut &bytes[..])
    }
}

impl<C: CurveAffine> Generators<C>
where
    C::Base: PrimeField<Repr = [u8; 32]>,
{
    /// Both coordinates of each point: reading them takes no square roots.
    pub fn coordinates(&self) -> Vec<u8> {
        self.points().flat_map(coordinates).collect()
    }

    /// From what [`Generators::coordinates`] gives.
    pub fn from_coordinates(k: u32, bytes: &[u8]) -> Result<Self, NoPoints> {
        let (points, rest) = bytes.as_chunks::<64>();
        if points.len() != Self::count(k) || !rest.is_empty() {
            return Err(NoPoints);
        }
        let points: Option<Vec<C>> = points.par_iter().with_min_len(256).map(point).collect();
        Ok(Self::from_points(k, points.ok_or(NoPoints)?))
    }
}

/// Both coordinates of a point other than the one at infinity, least significant bytes first.
///
/// # Panics
/// At the point at infinity.
pub fn coordinates<C: CurveAffine>(point: &C) -> [u8; 64]
where
    C::Base: PrimeField<Repr = [u8; 32]>,
{
    let of = Option::<pasta_curves::arithmetic::Coordinates<C>>::from(point.coordinates());
    let of = of.expect("the point at infinity has no coordinates");
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&of.x().to_repr());
    bytes[32..].copy_from_slice(&of.y().to_repr());
    bytes
}

/// The point of two coordinates, if they are canonical and on the curve.
pub fn point<C: CurveAffine>(bytes: &[u8; 64]) -> Option<C>
where
    C::Base: PrimeField<Repr = [u8; 32]>,
{
    let [x, y] = bytes.as_chunks::<32>().0 else { return None };
    let (x, y) = (Option::from(C::Base::from_repr(*x))?, Option::from(C::Base::from_repr(*y))?);
    Option::from(C::from_xy(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pasta_curves::{EpAffine, EqAffine};

    fn check<C: CurveAffine>()
    where
        C::Base: PrimeField<Repr = [u8; 32]>,
    {
        let halo2 = commitment::Params::<C>::new(4);
        let generators = Generators::of(&halo2);
        assert_eq!(generators.coefficients, halo2.get_g());
        let bytes = |params: &commitment::Params<C>| {
            let mut bytes = vec![];
            params.write(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(&generators.to_halo2().unwrap()), bytes(&halo2));
        let coordinates = generators.coordinates();
        assert_eq!(Generators::from_coordinates(4, &coordinates).unwrap(), generators);
        let refused = |bytes: &[u8]| assert_eq!(Generators::<C>::from_coordinates(4, bytes), Err(NoPoints));
        refused(&coordinates[1..]);
        refused(&[&coordinates[..], &[0]].concat());
        for at in [0, 40, coordinates.len() - 1] {
            let mut other = coordinates.clone();
            other[at] ^= 1;
            refused(&other);
        }
        let mut other = coordinates.clone();
        other[..32].fill(0xff);
        refused(&other);
    }

    #[test]
    fn points_are_those_of_halo2() {
        check::<EqAffine>();
        check::<EpAffine>();
    }
}
