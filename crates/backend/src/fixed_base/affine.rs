//! Points by their coordinates, added up one by one.

use super::sums::{Form, Members, Sums, coordinates};
use crate::curve::PastaCurve;
use ff::Field;
use pasta_curves::arithmetic::VartimeField;
use simd::One;

/// A point by its coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affine<B> {
    x: B,
    y: B,
}

/// Room for a round.
#[derive(Debug)]
pub(crate) struct Room<B> {
    /// Denominators, and the products of those before each; then the inverses.
    denominators: Vec<B>,
    inverses: Vec<B>,
}

impl<B> Default for Room<B> {
    fn default() -> Self {
        Room { denominators: vec![], inverses: vec![] }
    }
}

impl<C: PastaCurve> Form<C> for Affine<C::Base> {
    type Machine = One;
    type Room = Room<C::Base>;

    const BLOCK: usize = 2048;

    fn load(_: One, points: &[C]) -> Vec<Self> {
        let of = |[x, y]: [C::Base; 2]| Affine { x, y };
        points.iter().map(coordinates).map(of).collect()
    }

    fn points(_: One, of: &[Self]) -> Vec<C> {
        let point = |a: &Self| C::from_xy(a.x, a.y).into_option().expect("sums of points on the curve are on it");
        of.iter().map(point).collect()
    }

    fn signed(&self, negative: bool) -> Self {
        if negative { Affine { x: self.x, y: -self.y } } else { *self }
    }

    fn add_pairs(_: One, sums: &mut Sums<C, Self>, out: &mut Vec<(u32, Self)>) {
        let usual = sums.invert();
        if usual { sums.add_usual_pairs(out) } else { sums.add_any_pairs(out) }
    }
}

impl<C: PastaCurve> Sums<C, Affine<C::Base>> {
    /// Fills `inverses` with those of the denominators of all pairs. Says whether all pairs are of points with different
    /// first coordinates.
    fn invert(&mut self) -> bool {
        let Sums { points, groups, room: Room { denominators, inverses } } = self;
        denominators.clear();
        inverses.clear();
        let (mut usual, mut products, mut first) = (true, [C::Base::ONE; 2], 0);
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
        let of_both = (products[0] * products[1]).invert_vartime().unwrap_or(C::Base::ZERO);
        let mut inverse = [of_both * products[1], of_both * products[0]];
        for (k, (denominator, product)) in denominators.iter().zip(inverses.iter_mut()).enumerate().rev() {
            let inverse = &mut inverse[k % 2];
            *product *= &*inverse;
            *inverse *= denominator;
        }
        usual
    }

    /// One round. Sums move down to where the points of their group begin.
    fn add_usual_pairs(&mut self, out: &mut Vec<(u32, Affine<C::Base>)>) {
        let Sums { points, groups, room: Room { inverses, .. } } = self;
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
    fn add_any_pairs(&mut self, out: &mut Vec<(u32, Affine<C::Base>)>) {
        let Sums { points, groups, room: Room { inverses, .. } } = self;
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
