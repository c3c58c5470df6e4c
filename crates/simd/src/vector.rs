//! What a vector can.

use crate::modulus::Modulus;
use std::fmt::Debug;
use std::ops::{Add, Mul, Sub};

/// The most elements that a vector has.
pub const MOST_LANES: usize = 8;

/// Elements of a field side by side: each operation acts on all of them.
pub trait Vector<F>:
    Copy + Send + Sync + Debug + 'static + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// How many: 2^LOG_LANES.
    const LANES: usize = 1 << Self::LOG_LANES;
    /// log₂ of how many.
    const LOG_LANES: u32;

    /// Shows that the processor has what these vectors take.
    type Machine: Copy + Send + Sync + Debug + 'static;

    /// The same elements in as little memory as they take.
    type Packed: Copy + Send + Sync + Debug + 'static;

    /// Computes with vectors.
    fn run<K: Kernel>(machine: Self::Machine, kernel: K) -> K::Output;

    /// The same element everywhere.
    fn splat(machine: Self::Machine, element: &F) -> Self;

    /// Elements; those that are missing are zero.
    ///
    /// # Panics
    /// If there are more than [`Self::LANES`].
    fn load(machine: Self::Machine, elements: &[F]) -> Self;

    /// Writes the first elements.
    fn store(self, elements: &mut [F]);

    /// The elements, to be kept.
    fn pack(self) -> Self::Packed;

    /// Elements that were kept.
    fn unpack(machine: Self::Machine, packed: &Self::Packed) -> Self;

    /// The element at a place, everywhere.
    fn broadcast(self, lane: usize) -> Self;

    /// Of two vectors that follow each other, the elements from `by` on, `by` being at most [`Self::LANES`].
    fn shifted(self, next: Self, by: usize) -> Self;

    /// Exchanges rows and columns of [`Self::LANES`] vectors.
    fn transpose(rows: &mut [Self]);
}

/// A computation with vectors, by its arguments.
///
/// What is not inlined into it is compiled for any processor, and slow: `run` and what it calls are to be marked as
/// always inlined, and to hold loops rather than closures over vectors, which cannot be marked.
pub trait Kernel {
    /// What it gives.
    type Output;

    /// Computes.
    fn run(self) -> Self::Output;
}

/// That any processor can.
#[derive(Clone, Copy, Debug, Default)]
pub struct One;

impl<F: Modulus> Vector<F> for F {
    const LOG_LANES: u32 = 0;
    type Machine = One;
    type Packed = F;

    #[inline(always)]
    fn run<K: Kernel>(_: One, kernel: K) -> K::Output {
        kernel.run()
    }

    #[inline(always)]
    fn splat(_: One, element: &F) -> F {
        *element
    }

    #[inline(always)]
    fn load(_: One, elements: &[F]) -> F {
        match elements {
            [] => F::ZERO,
            [element] => *element,
            _ => panic!("a vector of one element"),
        }
    }

    #[inline(always)]
    fn store(self, elements: &mut [F]) {
        elements.iter_mut().take(1).for_each(|element| *element = self);
    }

    #[inline(always)]
    fn pack(self) -> F {
        self
    }

    #[inline(always)]
    fn unpack(_: One, packed: &F) -> F {
        *packed
    }

    #[inline(always)]
    fn broadcast(self, _: usize) -> F {
        self
    }

    #[inline(always)]
    fn shifted(self, next: F, by: usize) -> F {
        if by == 0 { self } else { next }
    }

    #[inline(always)]
    fn transpose(_: &mut [F]) {}
}
