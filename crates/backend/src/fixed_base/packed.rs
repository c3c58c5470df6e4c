//! Points by their coordinates in words, added up eight at a time.

use super::affine::Affine;
use super::sums::{Form, Members, Sums, coordinates};
use crate::curve::PastaCurve;
use pasta_curves::arithmetic::{VartimeBatchInvert, VartimeField};
use simd::{Ifma, Kernel, Modulus, One, Pair, Vector, Wide};
use std::fmt;
use std::marker::PhantomData;

/// Points that are added at a time.
const LANES: usize = 8;

/// A point by its coordinates, packed.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Packed<B> {
    pair: Pair,
    field: PhantomData<B>,
}

impl<B> fmt::Debug for Packed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Packed").field(&self.pair).finish()
    }
}

/// Two points next to each other, and where their sum goes.
#[derive(Clone, Copy, Debug)]
struct Addition {
    from: u32,
    to: u32,
}

/// Room for a round.
pub(crate) struct Room<B> {
    additions: Vec<Addition>,
    /// Of eight additions each: the denominators of the slopes, and the products of those before them.
    denominators: Vec<[Wide<B>; 2]>,
    /// The sums, and what was left over.
    next: Vec<Packed<B>>,
}

impl<B> Default for Room<B> {
    fn default() -> Self {
        Room { additions: vec![], denominators: vec![], next: vec![] }
    }
}

impl<B> fmt::Debug for Room<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

impl<C: PastaCurve> Form<C> for Packed<C::Base> {
    type Machine = Ifma;
    type Room = Room<C::Base>;

    const BLOCK: usize = 4096;

    fn load(machine: Ifma, points: &[C]) -> Vec<Self> {
        let mut packed = vec![];
        for chunk in points.chunks(LANES) {
            let both: Vec<[C::Base; 2]> = chunk.iter().map(coordinates).collect();
            let of_axis = |axis: usize| both.iter().map(|point| point[axis]).collect::<Vec<_>>();
            let pairs = machine.run(Pack { machine, x: &of_axis(0), y: &of_axis(1) });
            packed.extend(pairs.into_iter().take(chunk.len()).map(Packed::new));
        }
        packed
    }

    fn points(machine: Ifma, of: &[Self]) -> Vec<C> {
        let mut points = vec![];
        for chunk in of.chunks(LANES) {
            let mut pairs = [chunk[0].pair; LANES];
            for (pair, packed) in pairs.iter_mut().zip(chunk) {
                *pair = packed.pair;
            }
            let [x, y] = machine.run(Unpack { machine, pairs: &pairs, field: PhantomData });
            let point = |(x, y)| C::from_xy(x, y).into_option().expect("sums of points on the curve are on it");
            points.extend(x.into_iter().zip(y).take(chunk.len()).map(point));
        }
        points
    }

    /// Without a branch, which half of all points would take.
    #[inline]
    fn signed(&self, negative: bool) -> Self {
        let mut pair = self.pair;
        // y is not zero: the order is odd.
        let modulus = [C::Base::LOW as u64, (C::Base::LOW >> 64) as u64, 0, 1 << 62];
        let (mut borrow, mask) = (false, u64::from(negative).wrapping_neg());
        for (word, of_modulus) in pair[4..].iter_mut().zip(modulus) {
            let (difference, first) = of_modulus.overflowing_sub(*word);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *word ^= (*word ^ difference) & mask;
            borrow = first | second;
        }
        Packed::new(pair)
    }

    fn add_pairs(machine: Ifma, sums: &mut Sums<C, Self>, out: &mut Vec<(u32, Self)>) {
        let Sums { points, groups, room: Room { additions, denominators, next } } = sums;
        additions.clear();
        let (mut from, mut to) = (0, 0);
        next.clear();
        for &Members { len, .. } in groups.iter() {
            if len > 1 {
                // Groups of one point are not among the next.
                additions.extend((0..len / 2).map(|i| Addition { from: from + 2 * i, to: to + i }));
                to += len.div_ceil(2);
            }
            from += len;
        }
        denominators.clear();
        let Some(inverse) = machine.run(Denominators { machine, points, additions, denominators }) else {
            return add_any_pairs(machine, sums, out);
        };
        next.resize(to as usize, Packed::new([0; 8]));
        machine.run(Add { machine, points, additions, denominators, inverse, next });
        let (mut from, mut to, mut kept) = (0, 0, 0);
        for number in 0..groups.len() {
            let Members { group, len } = groups[number];
            let last = points[from + len as usize - 1];
            from += len as usize;
            if len == 1 {
                out.push((group, last));
                continue;
            }
            to += len.div_ceil(2) as usize;
            if len % 2 == 1 {
                next[to - 1] = last;
            }
            groups[kept] = Members { group, len: len.div_ceil(2) };
            kept += 1;
        }
        groups.truncate(kept);
        std::mem::swap(points, next);
    }
}

/// A round in which some points of a pair are equal or opposite: one by one.
fn add_any_pairs<C: PastaCurve>(
    machine: Ifma,
    sums: &mut Sums<C, Packed<C::Base>>,
    out: &mut Vec<(u32, Packed<C::Base>)>,
) {
    let points: Vec<C> = Packed::points(machine, &sums.points);
    let groups = std::mem::take(&mut sums.groups);
    let mut plain = Sums::<C, Affine<C::Base>> { points: Affine::load(One, &points), groups, ..Sums::default() };
    let mut done = vec![];
    Affine::add_pairs(One, &mut plain, &mut done);
    let (numbers, of_groups): (Vec<u32>, Vec<Affine<C::Base>>) = done.into_iter().unzip();
    let repacked = |of: &[Affine<C::Base>]| -> Vec<Packed<C::Base>> {
        let points: Vec<C> = Affine::points(One, of);
        Packed::load(machine, &points)
    };
    out.extend(numbers.into_iter().zip(repacked(&of_groups)));
    (sums.points, sums.groups) = (repacked(&plain.points), plain.groups);
}

impl<B> Packed<B> {
    #[inline(always)]
    fn new(pair: Pair) -> Self {
        Packed { pair, field: PhantomData }
    }
}

struct Pack<'a, B> {
    machine: Ifma,
    x: &'a [B],
    y: &'a [B],
}

impl<B: Modulus> Kernel for Pack<'_, B> {
    type Output = [Pair; LANES];

    #[inline(always)]
    fn run(self) -> [Pair; LANES] {
        Wide::load(self.machine, self.x).pack_pairs(Wide::load(self.machine, self.y))
    }
}

struct Unpack<'a, B> {
    machine: Ifma,
    pairs: &'a [Pair; LANES],
    field: PhantomData<B>,
}

impl<B: Modulus> Kernel for Unpack<'_, B> {
    type Output = [[B; LANES]; 2];

    #[inline(always)]
    fn run(self) -> [[B; LANES]; 2] {
        let [x, y] = Wide::<B>::unpack_pairs(self.machine, self.pairs);
        let mut elements = [[B::ZERO; LANES]; 2];
        x.store(&mut elements[0]);
        y.store(&mut elements[1]);
        elements
    }
}

/// The points of eight additions or fewer; what is missing is the first again.
#[inline(always)]
fn gathered<B>(points: &[Packed<B>], additions: &[Addition]) -> [[Pair; LANES]; 2] {
    let first = additions[0].from as usize;
    let mut pairs = [[points[first].pair; LANES], [points[first + 1].pair; LANES]];
    for (i, addition) in additions.iter().enumerate().take(LANES) {
        let from = addition.from as usize;
        pairs[0][i] = points[from].pair;
        pairs[1][i] = points[from + 1].pair;
    }
    pairs
}

/// Fills in denominators and products of those before; gives the inverse of the product of all. Nothing if some points of a
/// pair are equal or opposite.
struct Denominators<'a, B> {
    machine: Ifma,
    points: &'a [Packed<B>],
    additions: &'a [Addition],
    denominators: &'a mut Vec<[Wide<B>; 2]>,
}

impl<B: Modulus + VartimeField> Kernel for Denominators<'_, B> {
    type Output = Option<Wide<B>>;

    #[inline(always)]
    fn run(self) -> Option<Wide<B>> {
        let mut product = Wide::splat(self.machine, &B::ONE);
        for additions in self.additions.chunks(LANES) {
            let [a, b] = gathered(self.points, additions);
            let [a, _] = Wide::unpack_pairs(self.machine, &a);
            let [b, _] = Wide::unpack_pairs(self.machine, &b);
            if a.any_equal(b) {
                return None;
            }
            let denominator = b - a;
            self.denominators.push([denominator, product]);
            product = product * denominator;
        }
        if self.additions.is_empty() {
            return Some(product);
        }
        let mut of_lanes = [B::ZERO; LANES];
        product.store(&mut of_lanes);
        of_lanes.iter_mut().batch_invert_vartime();
        Some(Wide::load(self.machine, &of_lanes))
    }
}

/// Adds: slope s = (y' − y)/(x' − x), then s² − x − x' and s·(x − that) − y.
struct Add<'a, B> {
    machine: Ifma,
    points: &'a [Packed<B>],
    additions: &'a [Addition],
    denominators: &'a [[Wide<B>; 2]],
    /// Of the product of all denominators.
    inverse: Wide<B>,
    next: &'a mut [Packed<B>],
}

impl<B: Modulus> Kernel for Add<'_, B> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut inverse = self.inverse;
        for (additions, [denominator, before]) in self.additions.chunks(LANES).zip(self.denominators).rev() {
            let [a, b] = gathered(self.points, additions);
            let [x, y] = Wide::<B>::unpack_pairs(self.machine, &a);
            let [other_x, other_y] = Wide::<B>::unpack_pairs(self.machine, &b);
            let slope = (other_y - y) * (inverse * *before);
            inverse = inverse * *denominator;
            let sum_x = slope * slope - x - other_x;
            let sum_y = slope * (x - sum_x) - y;
            for (addition, pair) in additions.iter().zip(sum_x.pack_pairs(sum_y)) {
                self.next[addition.to as usize].pair = pair;
            }
        }
    }
}
