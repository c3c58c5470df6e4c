//! Sums of many groups of points, by affine additions that share their inversions.
//!
//! In each round the points of every group are added in pairs. The slopes' denominators are inverted all at once
//! (Montgomery 1987), so that an addition takes six multiplications. Equal points are doubled and opposite ones vanish:
//! no input makes the sum wrong.

use crate::curve::PastaCurve;
use std::fmt::Debug;

/// Points other than the one at infinity, in the form in which they are added up.
pub(crate) trait Form<C: PastaCurve>: Copy + Send + Sync + Debug + 'static {
    /// Shows that the processor can.
    type Machine: Copy + Send + Sync + Debug;
    /// Room for a round.
    type Room: Default + Debug + Send;

    /// Points that are summed at a time: as many as the nearest caches hold beside what their sums take.
    const BLOCK: usize;

    /// Points in this form.
    ///
    /// # Panics
    /// If one is the point at infinity.
    fn load(machine: Self::Machine, points: &[C]) -> Vec<Self>;

    /// The points.
    fn points(machine: Self::Machine, of: &[Self]) -> Vec<C>;

    /// The point or its negative.
    fn signed(&self, negative: bool) -> Self;

    /// One round: adds the points of each group in pairs; groups of one point are done.
    fn add_pairs(machine: Self::Machine, sums: &mut Sums<C, Self>, out: &mut Vec<(u32, Self)>);
}

/// Both coordinates of a point.
///
/// # Panics
/// At the point at infinity.
pub(super) fn coordinates<C: PastaCurve>(point: &C) -> [C::Base; 2] {
    let coordinates = point.coordinates().into_option().expect("a point other than the one at infinity");
    [*coordinates.x(), *coordinates.y()]
}

/// Points of one group, next to each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members {
    pub group: u32,
    pub len: u32,
}

/// Groups of points that are to be summed.
#[derive(Debug)]
pub(crate) struct Sums<C: PastaCurve, P: Form<C>> {
    /// In the order of `groups`.
    pub points: Vec<P>,
    pub groups: Vec<Members>,
    pub room: P::Room,
}

impl<C: PastaCurve, P: Form<C>> Default for Sums<C, P> {
    fn default() -> Self {
        Sums { points: vec![], groups: vec![], room: P::Room::default() }
    }
}

impl<C: PastaCurve, P: Form<C>> Sums<C, P> {
    /// Adds a group of points, at least one. Once there are many, as [`Sums::finish`] does.
    #[inline]
    pub fn add_group(
        &mut self,
        machine: P::Machine,
        group: u32,
        points: impl ExactSizeIterator<Item = P>,
        out: &mut Vec<(u32, P)>,
    ) {
        self.groups.push(Members { group, len: points.len() as u32 });
        self.points.extend(points);
        if self.points.len() >= P::BLOCK {
            self.finish(machine, out);
        }
    }

    /// Appends each group's sum to `out`, but for groups whose sum is the point at infinity; begins anew.
    pub fn finish(&mut self, machine: P::Machine, out: &mut Vec<(u32, P)>) {
        while !self.groups.is_empty() {
            P::add_pairs(machine, self, out);
        }
        self.points.clear();
    }
}
