//! Elements in words, and pairs of them: points by their coordinates.

use super::multiples::Multiples;
use super::transpose::transposed;
use super::{Ifma, Wide};
use crate::modulus::{LIMBS, MASK, Modulus};
use pulp::bytemuck::cast;
use std::arch::x86_64::__m512i;

/// Pairs of elements, such as points by their coordinates, each in four words: of the first element the lower four. They are
/// elements as they stand here, below p.
pub type Pair = [u64; 8];

impl<F: Modulus> Wide<F> {
    /// The first and the second elements of eight pairs.
    #[inline(always)]
    pub fn unpack_pairs(machine: Ifma, pairs: &[Pair; 8]) -> [Self; 2] {
        let mut rows = [machine.set(0); 8];
        for (row, pair) in rows.iter_mut().zip(pairs) {
            *row = cast(*pair);
        }
        let columns = transposed(machine, &rows);
        [Self::from_words(machine, &columns[..4]), Self::from_words(machine, &columns[4..])]
    }

    /// Of elements in four words.
    #[inline(always)]
    pub(super) fn from_words(machine: Ifma, words: &[__m512i]) -> Self {
        let (f, mask) = (machine.f, machine.set(MASK));
        let limbs = [
            words[0],
            f._mm512_or_si512(f._mm512_srli_epi64::<52>(words[0]), f._mm512_slli_epi64::<12>(words[1])),
            f._mm512_or_si512(f._mm512_srli_epi64::<40>(words[1]), f._mm512_slli_epi64::<24>(words[2])),
            f._mm512_or_si512(f._mm512_srli_epi64::<28>(words[2]), f._mm512_slli_epi64::<36>(words[3])),
            f._mm512_srli_epi64::<16>(words[3]),
        ];
        let mut masked = limbs;
        for limb in &mut masked {
            *limb = f._mm512_and_si512(*limb, mask);
        }
        Self::new(machine, masked)
    }

    /// Pairs of these elements, the first of each from `self`.
    #[inline(always)]
    pub fn pack_pairs(self, second: Self) -> [Pair; 8] {
        let machine = self.machine;
        let (a, b) = (self.canonical().words(), second.canonical().words());
        let columns = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        let mut pairs = [[0; 8]; 8];
        for (pair, row) in pairs.iter_mut().zip(transposed(machine, &columns)) {
            *pair = cast(row);
        }
        pairs
    }

    /// Whether any two elements at the same place are equal, both from [`Self::unpack_pairs`], and so below p.
    #[inline(always)]
    pub fn any_equal(self, other: Self) -> bool {
        let mut equal = u8::MAX;
        for (a, b) in self.limbs.iter().zip(other.limbs) {
            equal &= self.machine.f._mm512_cmpeq_epi64_mask(*a, b);
        }
        equal != 0
    }

    /// The same elements, below p.
    #[inline(always)]
    fn canonical(self) -> Self {
        let machine = self.machine;
        let mut less = self.limbs;
        // Below 2p and a little more: twice, as what is left after once is no more than that little above p.
        let mut limbs = self.limbs;
        for _ in 0..2 {
            for (less, p) in less.iter_mut().zip(machine.set_all(&Multiples::<F>::P)) {
                *less = machine.sub(*less, p);
            }
            less = machine.carried(less);
            let negative = machine.f._mm512_cmplt_epi64_mask(less[LIMBS - 1], machine.set(0));
            for (limb, less) in limbs.iter_mut().zip(&mut less) {
                *limb = machine.f._mm512_mask_blend_epi64(negative, *less, *limb);
                *less = *limb;
            }
        }
        Self::new(machine, limbs)
    }

    /// Elements below 2^256 in four words.
    #[inline(always)]
    pub(super) fn words(self) -> [__m512i; 4] {
        let (f, [l0, l1, l2, l3, l4]) = (self.machine.f, self.limbs);
        [
            f._mm512_or_si512(l0, f._mm512_slli_epi64::<52>(l1)),
            f._mm512_or_si512(f._mm512_srli_epi64::<12>(l1), f._mm512_slli_epi64::<40>(l2)),
            f._mm512_or_si512(f._mm512_srli_epi64::<24>(l2), f._mm512_slli_epi64::<28>(l3)),
            f._mm512_or_si512(f._mm512_srli_epi64::<36>(l3), f._mm512_slli_epi64::<16>(l4)),
        ]
    }
}
