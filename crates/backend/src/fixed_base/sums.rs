//! Sums of many groups of points, by affine additions that share their inversions.
//!
//! In each round the points of every group are added in pairs. The slopes' denominators are inverted all at once
//! (Montgomery 1987), so that an addition takes six multiplications. Equal points are doubled and opposite ones vanish:
//! no input makes the sum wrong.

use ff::{Field, PrimeField};
use pasta_curves::arithmetic::{CurveAffine, VartimeField};

/// Points that are summed at a time: as many as the nearest caches hold beside what their sums take.
const BLOCK: usize = 2048;

/// A point other than the one at infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affine<B> {
    x: B,
    y: B,
}

impl<B: VartimeField> Affine<B> {
    pub fn of<C: CurveAffine<Base = B>>(point: &C) -> Option<Self> {
        let coordinates = Option::from(point.coordinates());
        coordinates.map(|c: pasta_curves::arithmetic::Coordinates<C>| Affine { x: *c.x(), y: *c.y() })
    }

    pub fn to_affine<C: CurveAffine<Base = B>>(self) -> C {
        Option::from(C::from_xy(self.x, self.y)).expect("sums of points on the curve are on it")
    }

    pub fn to_curve<C: CurveAffine<Base = B>>(self) -> C::CurveExt {
        self.to_affine::<C>().to_curve()
    }

    /// Both, least significant bytes first.
    pub fn coordinates(&self) -> [u8; 64]
    where
        B: PrimeField<Repr = [u8; 32]>,
    {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.x.to_repr());
        bytes[32..].copy_from_slice(&self.y.to_repr());
        bytes
    }

    pub fn negated(&self) -> Self {
        Affine { x: self.x, y: -self.y }
    }
}

/// Points of one group, next to each other.
#[derive(Clone, Copy, Debug)]
struct Members {
    group: u32,
    len: u32,
}

/// Groups of points that are to be summed.
#[derive(Debug)]
pub(crate) struct Sums<B> {
    /// In the order of `groups`.
    points: Vec<Affine<B>>,
    groups: Vec<Members>,
    /// Denominators, and the products of those before each; then the inverses.
    denominators: Vec<B>,
    inverses: Vec<B>,
}

impl<B> Default for Sums<B> {
    fn default() -> Self {
        Sums { points: vec![], groups: vec![], denominators: vec![], inverses: vec![] }
    }
}

impl<B: VartimeField> Sums<B> {
    /// Adds a group of points, at least one. Once there are many, as [`Sums::finish`] does.
    #[inline]
    pub fn add_group(
        &mut self,
        group: u32,
        points: impl ExactSizeIterator<Item = Affine<B>>,
        out: &mut Vec<(u32, Affine<B>)>,
    ) {
        self.groups.push(Members { group, len: points.len() as u32 });
        self.points.extend(points);
        if self.points.len() >= BLOCK {
            self.finish(out);
        }
    }

    /// Appends each group's sum to `out`, but for groups whose sum is the point at infinity; begins anew.
    pub fn finish(&mut self, out: &mut Vec<(u32, Affine<B>)>) {
        while !self.groups.is_empty() {
            let usual = self.invert();
            if usual { self.add_pairs(out) } else { self.add_any_pairs(out) }
        }
        self.points.clear();
    }

    /// Fills `inverses` with those of the denominators of all pairs. Says whether all pairs are of points with different
    /// first coordinates.
    fn invert(&mut self) -> bool {
        let Sums { points, groups, denominators, inverses } = self;
        denominators.clear();
        inverses.clear();
        let (mut usual, mut products, mut first) = (true, [B::ONE; 2], 0);
        for group in groups.iter() {
            let len = group.len as usize;
            for [a, b] in points[first..first + len].as_chunks::<2>().0 {
                let mut denominator = b.x - a.x;
                if denominator.is_zero_vartime() {
                    usual = false;
                    // Of a doubling; of opposite points, anything that has an inverse. y is not zero: the order is odd.
                    denominator = a.y.double();
                }
                // Two chains of products, as one alone would wait for each multiplication to end.
                let product = &mut products[denominators.len() % 2];
                inverses.push(*product);
                *product *= &denominator;
                denominators.push(denominator);
            }
            first += len;
        }
        let of_both = (products[0] * products[1]).invert_vartime().unwrap_or(B::ZERO);
        let mut inverse = [of_both * products[1], of_both * products[0]];
        for (k, (denominator, product)) in denominators.iter().zip(inverses.iter_mut()).enumerate().rev() {
            let inverse = &mut inverse[k % 2];
            *product *= &*inverse;
            *inverse *= denominator;
        }
        usual
    }

    /// One round. Sums move down to where the points of their group begin.
    fn add_pairs(&mut self, out: &mut Vec<(u32, Affine<B>)>) {
        let Sums { points, groups, inverses, .. } = self;
        let (mut first, mut to, mut pair, mut kept) = (0, 0, 0, 0);
        for group in 0..groups.len() {
            let Members { group, len } = groups[group];
            let len = len as usize;
            if len == 1 {
                out.push((group, points[first]));
                first += 1;
                continue;
            }
            for j in 0..len / 2 {
                let (a, b) = (points[first + 2 * j], points[first + 2 * j + 1]);
                points[to + j] = add(&a, &b, b.y - a.y, &inverses[pair]);
                pair += 1;
            }
            if len % 2 == 1 {
                points[to + len / 2] = points[first + len - 1];
            }
            first += len;
            to += len.div_ceil(2);
            groups[kept] = Members { group, len: len.div_ceil(2) as u32 };
            kept += 1;
        }
        points.truncate(to);
        groups.truncate(kept);
    }

    /// The same where some points of a pair are equal or opposite.
    fn add_any_pairs(&mut self, out: &mut Vec<(u32, Affine<B>)>) {
        let Sums { points, groups, inverses, .. } = self;
        let (mut inverses, mut first) = (inverses.iter(), 0);
        let (mut new_points, mut new_groups) = (vec![], vec![]);
        for &Members { group, len } in groups.iter() {
            let (members, before) = (&points[first..first + len as usize], new_points.len());
            first += members.len();
            let (pairs, odd) = members.as_chunks::<2>();
            for ([a, b], inverse) in pairs.iter().zip(&mut inverses) {
                if a.x != b.x {
                    new_points.push(add(a, b, b.y - a.y, inverse));
                } else if a.y == b.y {
                    let square = a.x.square();
                    new_points.push(add(a, b, square.double() + square, inverse));
                }
            }
            new_points.extend_from_slice(odd);
            match new_points.len() - before {
                0 => {}
                1 if len == 1 => out.extend(new_points.pop().map(|point| (group, point))),
                len => new_groups.push(Members { group, len: len as u32 }),
            }
        }
        (*points, *groups) = (new_points, new_groups);
    }
}

/// The sum of two points, of the slope `rise · inverse`.
#[inline]
fn add<B: Field>(a: &Affine<B>, b: &Affine<B>, rise: B, inverse: &B) -> Affine<B> {
    let slope = rise * inverse;
    let x = slope.square() - a.x - b.x;
    Affine { x, y: slope * (a.x - x) - a.y }
}
